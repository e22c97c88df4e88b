"""Results as a JSON file, written atomically."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_reprotest.errors import OptionError
from pytest_reprotest.result import SCHEMA_VERSION


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
    handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, allow_nan=False)
            file.write("\n")
        Path(scratch).replace(target)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
