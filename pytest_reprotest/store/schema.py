"""What a store's file is made of, how it is opened, and how damage is told from other trouble."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pytest_reprotest.errors import ReprotestError

FILE = "runs.sqlite3"
VERSION = 1
APPLICATION = 0x52505254  # "RPRT", in the file's header
PATIENCE = 60  # seconds to wait for another process that writes
SCHEMA = {
    "contexts": """CREATE TABLE contexts (
        key TEXT PRIMARY KEY, regularizer TEXT NOT NULL, ingredients TEXT NOT NULL)""",
    "runs": """CREATE TABLE runs (
        context TEXT NOT NULL, run TEXT NOT NULL, header TEXT NOT NULL, labels BLOB NOT NULL,
        scores BLOB NOT NULL, losses BLOB NOT NULL, checksum TEXT NOT NULL, finished REAL NOT NULL,
        PRIMARY KEY (context, run))""",
    "tests": """CREATE TABLE tests (
        name TEXT NOT NULL, context TEXT NOT NULL, used REAL NOT NULL, PRIMARY KEY (name, context))""",
    "shards": """CREATE TABLE shards (
        name TEXT NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL, audit TEXT NOT NULL,
        checksum TEXT NOT NULL, PRIMARY KEY (name, part, parts))""",
}
_MOST_OBJECTS, _LONGEST = 50, 2000
_DAMAGE = ("malformed", "not a database", "unsupported file", "file is encrypted", "no such table")


class StoreError(ReprotestError):
    """A store that can't be used; the message says why, and what to do."""


class Damage(StoreError):  # noqa: N818 - an answer, too
    """A file whose content is not, or no longer, that of a store."""


class StoreFailed(ReprotestError):  # noqa: N818 - training goes on
    """A run that could not be kept; the message says why."""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection in which text that is no UTF-8 is read as something else, for checksums to find."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def schema_of(connection: sqlite3.Connection) -> set[str]:
    """What makes the tables, indexes, views and triggers of a file, without those that SQLite adds.

    >>> schema_of(sqlite3.connect(":memory:"))
    set()
    """
    rows = connection.execute(
        f"SELECT substr(sql, 1, {_LONGEST}) FROM sqlite_master LIMIT {_MOST_OBJECTS}"
    )
    return {str(sql) for (sql,) in rows if sql is not None}


def is_damage(error: BaseException) -> bool:
    """Whether an error is of the file's content; others are of its surroundings, such as a full disk.

    >>> is_damage(sqlite3.DatabaseError("database disk image is malformed"))
    True
    >>> is_damage(sqlite3.OperationalError("database is locked"))
    False
    """
    return isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _DAMAGE)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from opening or moving the files of a folder meanwhile, where the system can."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows; or there is no folder yet
        yield
        return
    try:
        with contextlib.suppress(OSError):  # some network file systems
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
