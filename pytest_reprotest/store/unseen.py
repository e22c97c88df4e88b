"""Names in code that tell of what no digest of it holds: files, the network, the environment."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

READS = frozenset(
    [
        "File",
        "ImageFolder",
        "connect",
        "fetch_openml",
        "from_pretrained",
        "fromfile",
        "genfromtxt",
        "getline",
        "imread",
        "load",
        "load_dataset",
        "load_file",
        "load_from_disk",
        "load_npz",
        "load_state_dict_from_url",
        "loadmat",
        "loadtxt",
        "memmap",
        "mmap",
        "open",
        "open_dataset",
        "open_zarr",
        "popen",
        "Popen",
        "read_bytes",
        "read_csv",
        "read_excel",
        "read_feather",
        "read_hdf",
        "read_image",
        "read_json",
        "read_parquet",
        "read_pickle",
        "read_sql",
        "read_table",
        "read_text",
        "run_path",
        "safe_open",
        "scan_csv",
        "scan_parquet",
        "urlopen",
        "urlretrieve",
    ]
)
"""Names of functions that read files, as far as they are usual."""
SURROUNDINGS = frozenset(("environ", "environb", "getenv"))
"""Names by which the environment is read."""


def unseen_in(
    names: Mapping[str, Collection[str]], where: bool | Collection[str], told: bool
) -> str | None:
    """A sentence of what code reads unseen; None where it reads nothing, as far as names tell.

    Parameters
    ----------
    names : mapping
        Part of the training → the names in its code.
    where : bool or collection of str
        The parts in which nothing else would tell of what is read; True: all of them.
    told : bool
        Whether ``depends_on`` is there to say it.

    >>> unseen_in({"train_fn": {"open", "np"}}, True, told=False)
    "train_fn names 'open', and what is read there can't be seen"
    """
    for part, mentioned in names.items():
        if where is True or (where is not False and part in where):
            for name in sorted((READS | SURROUNDINGS) & set(mentioned)):
                hint = "; say what it reads with depends_on=[...]" if told else ""
                return f"{part} names {name!r}, and what is read there can't be seen{hint}"
    return None


def file_behind(paths: Iterable[str]) -> str | None:
    """A sentence of the first file or folder that a data set names and may read anew for each sample.

    >>> file_behind(["no/such/file"]) is None
    True
    """
    for path in sorted(paths):
        with contextlib.suppress(OSError, ValueError):
            if Path(path).exists():
                return f"data names {path!r}, and what is read there can't be seen"
    return None
