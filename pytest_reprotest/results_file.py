"""The file of results: its schema version, reading, and writing that leaves no half a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_reprotest.errors import DataError, OptionError

SCHEMA_VERSION = 1


def check_writable(path: Path) -> None:
    """Refuse a path that cannot be written, before hours of training.

    Raises
    ------
    OptionError
    """
    spelled = f"--repro-json={path}"
    if path.is_dir():
        raise OptionError(f"{spelled}: that is a folder; expected the path of a file to write")
    if not path.parent.is_dir():
        raise OptionError(
            f"{spelled}: the folder {path.parent} does not exist; create it, or write elsewhere"
        )
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise OptionError(f"{spelled}: no permission to write there; write elsewhere")


def write_results(
    path: str | Path, audits: Sequence[dict[str, Any]], complete: bool = True
) -> None:
    """Write audits, sorted by name, under the schema's version.

    Parameters
    ----------
    audits : sequence of ``AuditResult.to_dict()``
    complete : bool
        False after an interrupt.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "complete": complete,
        "audits": sorted(audits, key=lambda stored: str(stored["name"])),
    }
    target = Path(path)
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8") as file:
            json.dump(document, file, allow_nan=False)
            file.write("\n")
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def read_result(path: str | Path) -> Any:
    """The one audit of a file, as ``AuditResult.to_dict()`` gave it.

    Raises
    ------
    DataError
        Where the file is no result, is of another schema version, or holds several audits.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        version, audits = document["schema_version"], list(document["audits"])
    except (KeyError, TypeError, ValueError) as error:
        raise no_result(path, error) from None
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {version!r}; this version reads {SCHEMA_VERSION}. "
            "Upgrade pytest-reprotest"
        )
    if len(audits) != 1:
        raise DataError(
            f"{path} holds {len(audits)} audits; expected one. Read it as JSON and pass one of its "
            "'audits' to AuditResult.from_dict"
        )
    return audits[0]


def no_result(path: str | Path, error: Exception) -> DataError:
    """The error of a file that something else wrote."""
    return DataError(
        f"{path} is not a result of pytest-reprotest ({type(error).__name__}: {error}); expected a file "
        "written by --repro-json or AuditResult.to_json"
    )
