"""CIFAR-10 and CIFAR-100: the python or the binary version, as the archive or as the folder it unpacks to."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regularizer_study.datasets.checks import check_md5
from regularizer_study.datasets.restricted import RefusedPickleError, read_pickle
from regularizer_study.datasets.spec import (
    Bytes,
    ByteSource,
    Integers,
    Source,
    Spec,
    WrongDataError,
    as_labels,
)

Batch = tuple[Bytes, Integers]


@dataclass(frozen=True)
class Layout:
    """One version of the files.

    Attributes
    ----------
    folder, archive : str
    train, test : tuple of str
        Files in the folder.
    label : int or str
        Where the label is: how many bytes of it precede a picture (the last of them is it), or the key in a
        python batch.
    """

    folder: str
    archive: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    label: int | str


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
LAYOUTS = {
    10: (
        Layout(
            "cifar-10-batches-py", "cifar-10-python.tar.gz", _BATCHES, ("test_batch",), "labels"
        ),
        Layout(
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            tuple(f"{name}.bin" for name in _BATCHES),
            ("test_batch.bin",),
            1,
        ),
    ),
    100: (
        Layout("cifar-100-python", "cifar-100-python.tar.gz", ("train",), ("test",), "fine_labels"),
        Layout("cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), ("test.bin",), 2),
    ),
}


def read(folder: Path, spec: Spec) -> tuple[Source, Source]:
    """Training and test set, from the first version that is there; batches lie in ``folder`` or its parent."""
    for base in (folder, folder.parent):
        for layout in LAYOUTS[spec.n_classes]:
            if (base / layout.folder).is_dir():
                return _both(base / layout.folder, layout, spec, _from_folder(base, layout, spec))
            if (base / layout.archive).is_file():
                path = base / layout.archive
                return _both(path, layout, spec, _from_archive(path, layout, spec))
    layouts = LAYOUTS[spec.n_classes]
    names = [name for layout in layouts for name in (layout.folder, layout.archive)]
    raise spec.missing(f"{folder} has none of {', '.join(names)}")


def _from_folder(base: Path, layout: Layout, spec: Spec) -> dict[str, bytes]:
    paths = [base / layout.folder / name for name in (*layout.train, *layout.test)]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        raise spec.missing(f"{base / layout.folder} has no {', '.join(absent)}")
    for path in paths:
        check_md5(path, spec)
    return {path.name: path.read_bytes() for path in paths}


def _from_archive(path: Path, layout: Layout, spec: Spec) -> dict[str, bytes]:
    """The files' content; nothing is unpacked to the disk."""
    check_md5(path, spec)
    wanted = {f"{layout.folder}/{name}": name for name in (*layout.train, *layout.test)}
    picture = int(np.prod(spec.shape))
    most = 2 * max(spec.n_train, spec.n_test) * picture + (1 << 20)  # labels, names and pickling
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name in wanted else None
                if stream is None:
                    continue
                if member.size > most:
                    raise spec.wrong(path, f"{member.name} has {member.size:,} bytes", "far fewer")
                found[wanted[member.name]] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise spec.wrong(path, f"not a whole .tar.gz file ({error})", "the archive") from None
    absent = [name for name, short in wanted.items() if short not in found]
    if absent:
        raise spec.wrong(path, f"it lacks {', '.join(absent)}", "all batches")
    return found


def _both(
    where: Path, layout: Layout, spec: Spec, content: dict[str, bytes]
) -> tuple[Source, Source]:
    def split(names: tuple[str, ...]) -> Source:
        # Each batch is let go of once it is decoded.
        batches = [_decoded(content.pop(name), where / name, layout, spec) for name in names]
        images = np.concatenate([pixels for pixels, _ in batches])
        labels = np.concatenate([classes for _, classes in batches])
        return ByteSource(images.reshape(-1, *spec.shape), labels)

    return split(layout.train), split(layout.test)


def _decoded(content: bytes, where: Path, layout: Layout, spec: Spec) -> Batch:
    if isinstance(layout.label, int):
        return _binary(content, where, layout.label, spec)
    try:
        held = read_pickle(content)
    except RefusedPickleError as error:
        raise WrongDataError(f"{where}: {error}. Get it from {spec.source}") from None
    fields = {_text(key): value for key, value in held.items()} if isinstance(held, dict) else {}
    images, labels = fields.get("data"), fields.get(layout.label)
    size = int(np.prod(spec.shape))
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != size:
        shape = getattr(images, "shape", None)
        raise spec.wrong(where, f"'data' of shape {shape}", f"(n, {size}) bytes")
    if not isinstance(labels, list) or any(type(label) is not int for label in labels):
        raise spec.wrong(where, f"no list of numbers as {layout.label!r}", "one label a picture")
    if len(labels) != len(images):
        raise spec.wrong(
            where, f"{len(images)} pictures and {len(labels)} labels", "one label a picture"
        )
    return images, as_labels(labels)


def _text(key: object) -> object:
    return key.decode("latin1") if isinstance(key, bytes) else key


def _binary(content: bytes, where: Path, label_bytes: int, spec: Spec) -> Batch:
    size = label_bytes + int(np.prod(spec.shape))
    if len(content) == 0 or len(content) % size:
        raise spec.wrong(where, f"{len(content):,} bytes", f"a multiple of {size:,}")
    records: Bytes = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, label_bytes:], as_labels(records[:, label_bytes - 1])
