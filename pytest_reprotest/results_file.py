"""The file of results: its schema version, reading, and writing that leaves no half a file.

Version 1 held labels as plain lists and flip rates beside them; it is still read. Version 2 packs labels
(see ``stored``) and says what kind of file it is. Within a version entries may be added, never changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.parsing import MAX_BYTES, parsed
from pytest_reprotest.stored import MAX_FILE_BYTES, declared_bytes, too_large

SCHEMA_VERSION = 2
READABLE = (1, 2)

Kind = Literal["results", "bank"]
KINDS: tuple[Kind, ...] = ("results", "bank")


@dataclass(frozen=True, eq=False)
class ResultsFile:
    """What a file holds; its audits are not decoded yet.

    Attributes
    ----------
    path : str
    kind : {"results", "bank"}
    complete : bool
        False where the session was interrupted.
    audits : mapping
        Name → the audit as ``AuditResult.to_dict()`` gave it.
    """

    path: str
    kind: Kind
    complete: bool
    audits: Mapping[str, Any]


def check_name(path: Path, option: str) -> None:
    """Refuse what no file can be called: it is too long, or holds a null byte or half a character.

    Raises
    ------
    OptionError
    """
    try:
        path.exists()
        path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a circle of links
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"{option}={path}: no file can be there ({reason})") from None


def check_writable(path: Path, option: str = "--repro-json") -> None:
    """Refuse a path that cannot be written, before hours of training.

    Raises
    ------
    OptionError
    """
    spelled = f"{option}={path}"
    check_name(path, option)
    if path.is_dir():
        raise OptionError(f"{spelled}: that is a folder; expected the path of a file to write")
    if path.exists() and not path.is_file():
        raise OptionError(f"{spelled}: that is no file; expected one that can be replaced")
    if not path.parent.is_dir():
        raise OptionError(
            f"{spelled}: the folder {path.parent} does not exist; create it, or write elsewhere"
        )
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise OptionError(f"{spelled}: no permission to write there; write elsewhere")


def check_folder(path: Path, option: str) -> None:
    """Refuse a folder that cannot be written into, or be made.

    Raises
    ------
    OptionError
    """
    check_name(path, option)
    if path.exists() and not path.is_dir():
        raise OptionError(f"{option}={path}: that is a file; expected a folder to write into")
    if not path.is_dir():
        check_writable(path, option)
    elif not os.access(path, os.W_OK):
        raise OptionError(f"{option}={path}: no permission to write there; write elsewhere")


def write_results(
    path: str | Path,
    audits: Sequence[Mapping[str, Any]],
    complete: bool = True,
    kind: Kind = "results",
) -> None:
    """Write audits, sorted by name, under the schema's version.

    Parameters
    ----------
    audits : sequence of ``AuditResult.to_dict()``
    complete : bool
        False after an interrupt.
    kind : {"results", "bank"}
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "complete": complete,
        "audits": sorted(audits, key=lambda stored: str(stored["name"])),
    }
    with whole_file(path) as file:
        json.dump(document, file, allow_nan=False)
        file.write("\n")


@contextmanager
def whole_file(path: str | Path) -> Iterator[TextIO]:
    """A file to write text to, which takes the place of what is at the path once all of it is there."""
    with (
        replacing(path) as scratch,
        scratch.open("r+", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """An empty file beside a path, which takes the place of what is there at the end.

    Nobody can have put a link where it is made: its name can't be guessed, and only a new file will do. A link at
    the path itself is replaced, not followed. A file that others can't read stays so.
    """
    target = Path(path)
    scratch = target.with_name(f".reprotest-{secrets.token_hex(8)}")
    try:
        scratch.touch(exist_ok=False)
        with contextlib.suppress(FileNotFoundError):
            before = target.lstat().st_mode
            if stat.S_ISREG(before):
                scratch.chmod((stat.S_IMODE(before) & 0o777) | stat.S_IRUSR | stat.S_IWUSR)
        yield scratch
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def read_results(path: str | Path) -> ResultsFile:
    """Read a file of any number of audits.

    Raises
    ------
    DataError
        Where the file can't be read, is no result, is too large, is of another schema version, or names a
        test twice.
    """
    try:
        document, audits = _read(path)
    except DataError:
        raise
    except IsADirectoryError:
        raise DataError(
            f"{path} is a folder; expected a file of results: name those in it ({path}/*.json), or show all "
            "with python -m pytest_reprotest dashboard"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} can't be read: {reason}") from None
    size = sum(map(declared_bytes, audits))
    if size > MAX_FILE_BYTES:
        raise no_result(path, too_large(size, MAX_FILE_BYTES, "its"))
    by_name: dict[str, Any] = {}
    for stored in audits:
        name = stored.get("name") if isinstance(stored, dict) else None
        if not isinstance(name, str):
            raise no_result(path, DataError("an audit has no name"))
        if name in by_name:
            raise DataError(f"{path} holds two audits of the name {name!r}; expected one of each")
        by_name[name] = stored
    kind, complete = document.get("kind", "results"), document.get("complete")
    if kind not in KINDS or not isinstance(complete, bool):
        raise no_result(path, DataError(f"its kind is {kind!r:.40}, complete is {complete!r:.40}"))
    return ResultsFile(str(path), kind, complete, by_name)


def read_result(path: str | Path) -> Any:
    """The one audit of a file, as ``AuditResult.to_dict()`` gave it.

    Raises
    ------
    DataError
        Where the file is no result, is of another schema version, or holds several audits.
    OSError
        Where it cannot be read.
    """
    _, audits = _read(path)
    if len(audits) != 1:
        raise DataError(
            f"{path} holds {len(audits)} audits; expected one. Read it as JSON and pass one of its "
            "'audits' to AuditResult.from_dict"
        )
    return audits[0]


def _read(path: str | Path) -> tuple[dict[str, Any], list[Any]]:
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(
            f"{path} has more than {MAX_BYTES:,} bytes, the most that is read; write fewer audits into "
            "a file"
        )
    try:
        document = parsed(data)
        version, audits = document["schema_version"], list(document["audits"])
    except (KeyError, TypeError, ValueError) as error:
        raise no_result(path, error) from None
    if type(version) is not int or version not in READABLE:
        raise DataError(
            f"{path} has schema version {version!r:.40}; this version reads "
            f"{' and '.join(map(str, READABLE))}. Upgrade pytest-reprotest"
        )
    return document, audits


def no_result(path: str | Path, error: Exception) -> DataError:
    """The error of a file that something else wrote."""
    reason = error if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
    return DataError(
        f"{path} is not a result of pytest-reprotest ({reason}); expected a whole file written by "
        "--repro-json, --repro-save-bank or AuditResult.to_json"
    )
