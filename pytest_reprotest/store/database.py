"""The store's file: one SQLite database in a folder, shared by processes, that no crash leaves half written.

What it holds may come from elsewhere: the schema has to be ours to the letter, sizes are known before anything
of that size is read, and rows carry checksums (see ``records``).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_reprotest.errors import DataError, ReprotestError
from pytest_reprotest.store.keys import Context
from pytest_reprotest.store.records import Record, bearable

FILE = "runs.sqlite3"
VERSION = 1
_APPLICATION = 0x52505254  # "RPRT", in the file's header
_PATIENCE = 60  # seconds to wait for another process that writes
_SCHEMA = {
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


class StoreError(ReprotestError):
    """A store that can't be used; the message says why, and what to do."""


class StoreFailed(ReprotestError):  # noqa: N818 - training goes on
    """A run that could not be kept; the message says why."""


class Database:
    """An open store.

    Attributes
    ----------
    folder : Path
    read_only : bool
        Nothing can be added.
    set_aside : Path or None
        Where a damaged file was moved; a new one has taken its place.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.read_only = False
        self.set_aside: Path | None = None
        self._process = os.getpid()
        if not self.path.exists() and not create:
            raise StoreError(
                f"{folder} holds no store ({FILE}); expected a folder that --repro-store wrote"
            )
        try:
            self._connection = self._open()
        except _Damaged as damage:
            if not create:
                raise StoreError(
                    f"{self.path} is damaged: {damage}. The next pytest --repro-store={folder} moves it aside and "
                    "begins a new one"
                ) from None
            self._move_aside(damage)
            self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            self._make_file()
            return self._checked(_connect(self.path, "rw"))
        except (OSError, sqlite3.OperationalError) as error:
            if _is_damage(error):
                raise _Damaged(str(error)) from None
            if not self.path.is_file():
                told = getattr(error, "strerror", None) or error
                raise StoreError(f"{self.path} can't be made: {told}") from None
            return self._opened_to_read()
        except sqlite3.DatabaseError as error:
            raise _Damaged(str(error)) from None

    def _opened_to_read(self) -> sqlite3.Connection:
        self.read_only = True
        try:
            return self._checked(_connect(self.path, "ro&immutable=1"))
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path} can't be read: {error}") from None

    def _make_file(self) -> None:
        """Private from its first byte on: it holds what a model predicts."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _checked(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """The connection, where the file is a store of this version; an empty file becomes one."""
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        found = _schema_of(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not found and application == 0 and version == 0 and not self.read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            if not _schema_of(connection):  # else another process was faster
                for statement in _SCHEMA.values():
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
            found = _schema_of(connection)
        elif application != _APPLICATION:
            raise StoreError(
                f"{self.path} is a database of another program; name another folder with --repro-store"
            )
        elif version > VERSION:
            raise StoreError(
                f"{self.path} was written by a newer version of pytest-reprotest (store version {version}; "
                f"this one reads {VERSION}). Upgrade pytest-reprotest, or name another folder"
            )
        if found != set(_SCHEMA.values()):
            raise _Damaged("its tables are not those of a store")
        if not self.read_only:
            connection.execute("PRAGMA synchronous = FULL")

    def _move_aside(self, damage: Exception) -> None:
        """Keep a damaged file under another name, for whoever wants to look at it."""
        number = 1
        while (aside := self.path.with_name(f"{FILE}.damaged-{number}")).exists():
            number += 1
        try:
            self.path.rename(aside)
        except OSError as error:
            raise StoreError(
                f"{self.path} is damaged ({damage}) and can't be moved: {error.strerror or error}; "
                "name another folder with --repro-store"
            ) from None
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        self.set_aside = aside

    def find(self, context: str, run: str) -> tuple[Record, float] | None:
        """A stored run and when it was finished, in seconds since 1970; None where there is none.

        Raises
        ------
        DataError
            Where it is too large to read, or not of the types that are written.
        StoreError
        """
        place = (context, run)
        sizes = self.ask(
            "SELECT length(CAST(header AS BLOB)), length(labels), length(scores), length(losses) "
            "FROM runs WHERE context = ? AND run = ?",
            place,
        )
        if not sizes:
            return None
        if not all(type(size) is int for size in sizes[0]) or not bearable(*sizes[0]):
            raise DataError("it is too large, or no run")
        held = self.ask(
            "SELECT header, labels, scores, losses, checksum, finished FROM runs "
            "WHERE context = ? AND run = ?",
            place,
        )
        if not held:  # removed in between
            return None
        *columns, finished = held[0]
        if [type(each) for each in held[0]] != [str, bytes, bytes, bytes, str, float]:
            raise DataError("its columns are not those of a run")
        return Record(*columns), finished

    def add(self, context: Context, run: str, record: Record, finished: float) -> None:
        """Keep a finished run: on the disk before this returns.

        Raises
        ------
        StoreFailed
        """
        row = (context.key, run, *vars(record).values(), finished)
        with self._written() as cursor:
            _put_context(cursor, context)
            cursor.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def note_use(self, name: str, context: Context) -> None:
        """Note down that an audit uses a context, and when.

        Raises
        ------
        StoreFailed
        """
        with self._written() as cursor:
            _put_context(cursor, context)
            row = (name, context.key, time.time())
            cursor.execute("INSERT OR REPLACE INTO tests VALUES (?, ?, ?)", row)

    def contexts_of(self, name: str, regularizer: str) -> list[tuple[str, str]]:
        """The contexts in which an audit has finished runs, as (key, ingredients); the last used comes last."""
        return [
            (str(key), str(ingredients))
            for key, ingredients in self.ask(
                "SELECT contexts.key, contexts.ingredients FROM contexts "
                "JOIN tests ON tests.context = contexts.key "
                "WHERE tests.name = ? AND contexts.regularizer = ? "
                "AND EXISTS (SELECT 1 FROM runs WHERE runs.context = contexts.key) ORDER BY tests.used",
                (name, regularizer),
            )
        ]

    def write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute one statement; how many rows it changed.

        Raises
        ------
        StoreFailed
        """
        with self._written() as cursor:
            return cursor.execute(statement, values).rowcount

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a question.

        Raises
        ------
        StoreError
        """
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path} can't be read: {error}") from None

    def compact(self) -> None:
        """Give back the room of what was deleted."""
        try:
            self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise StoreFailed(f"{self.path}: {error}") from None

    def begin_anew(self, damage: StoreError) -> None:
        """Move a file that turned out to be damaged aside, and go on with an empty one.

        Raises
        ------
        StoreError
        """
        self._connection.close()
        self._move_aside(damage)
        self._connection = self._open()

    def close(self) -> None:
        """Let go of the file."""
        if os.getpid() == self._process:  # a fork must not
            self._connection.close()

    @contextlib.contextmanager
    def _written(self) -> Iterator[sqlite3.Cursor]:
        if self.read_only:
            raise StoreFailed(f"{self.path} can be read only")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection.cursor()
            self._connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise StoreFailed(f"{self.path}: {error}") from None
            raise


class _Damaged(Exception):  # noqa: N818 - never leaves this module
    pass


def _put_context(cursor: sqlite3.Cursor, context: Context) -> None:
    row = (context.key, context.regularizer, context.text)
    cursor.execute("INSERT OR IGNORE INTO contexts VALUES (?, ?, ?)", row)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )


def _schema_of(connection: sqlite3.Connection) -> set[str]:
    """What makes the tables, indexes, views and triggers of a file, without those that SQLite adds."""
    return {
        sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master") if sql is not None
    }


def _is_damage(error: Exception) -> bool:
    """Whether an OperationalError is of the file's content; most are of its surroundings."""
    return any(word in str(error) for word in ("malformed", "not a database", "unsupported file"))
