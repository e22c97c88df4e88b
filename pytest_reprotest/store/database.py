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

from pytest_reprotest.errors import DataError
from pytest_reprotest.store.keys import Context
from pytest_reprotest.store.opening import File
from pytest_reprotest.store.records import Record, bearable
from pytest_reprotest.store.schema import FILE as FILE
from pytest_reprotest.store.schema import VERSION as VERSION
from pytest_reprotest.store.schema import Damage as Damage
from pytest_reprotest.store.schema import StoreError as StoreError
from pytest_reprotest.store.schema import StoreFailed as StoreFailed
from pytest_reprotest.store.schema import is_damage

_MOST_INGREDIENTS = 1 << 20


class Database:
    """An open store.

    Attributes
    ----------
    folder : Path
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._process = os.getpid()
        self._file = File(folder)
        if not create and not self.path.exists():
            raise StoreError(
                f"{folder} holds no store ({FILE}); expected a folder that --repro-store wrote"
            )
        try:
            self._connection = self._file.open()
        except Damage as damage:
            if not create:
                raise StoreError(
                    f"{self.path} is damaged: {damage}. The next pytest --repro-store={folder} moves it aside and "
                    "begins a new one"
                ) from None
            self._file.move_aside(damage)
            self._connection = self._file.open()

    @property
    def read_only(self) -> bool:
        """Nothing can be added."""
        return self._file.read_only

    @property
    def set_aside(self) -> Path | None:
        """Where a damaged file was moved; a new one has taken its place."""
        return self._file.set_aside

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
            "SELECT length(CAST(header AS BLOB)), length(labels), length(scores), length(losses), "
            "length(CAST(checksum AS BLOB)) FROM runs WHERE context = ? AND run = ?",
            place,
        )
        if not sizes:
            return None
        *columns, checksum = sizes[0]
        if (
            not all(type(size) is int for size in sizes[0])
            or checksum > 32
            or not bearable(*columns)
        ):
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
        Damage
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
                f"AND length(contexts.ingredients) <= {_MOST_INGREDIENTS} "
                "AND EXISTS (SELECT 1 FROM runs WHERE runs.context = contexts.key) ORDER BY tests.used",
                (name, regularizer),
            )
        ]

    def write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute one statement; how many rows it changed.

        Raises
        ------
        StoreFailed
        Damage
        """
        with self._written() as cursor:
            return cursor.execute(statement, values).rowcount

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a question.

        Raises
        ------
        StoreError
            Of which Damage says that the file is at fault.
        """
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            kind = Damage if is_damage(error) else StoreError
            raise kind(f"{self.path} can't be read: {error}") from None

    def compact(self) -> None:
        """Give back the room of what was deleted."""
        try:
            self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise StoreFailed(f"{self.path}: {error}") from None

    def begin_anew(self, damage: StoreError) -> None:
        """Move a file that turned out to be damaged aside, and go on with an empty one, or another process's.

        Raises
        ------
        StoreError
            Where that can't be done; then nothing is there to be read or written.
        """
        self._connection.close()
        if self.read_only:
            raise StoreError(f"{damage}; it can be read only, so it stays where it is")
        self._file.move_aside(damage)
        self._connection = self._file.open()

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
            if is_damage(error):
                raise Damage(f"{self.path} can't be written: {error}") from None
            if isinstance(error, (sqlite3.Error, OverflowError, UnicodeError)):
                raise StoreFailed(f"{self.path}: {error}") from None
            raise


def _put_context(cursor: sqlite3.Cursor, context: Context) -> None:
    row = (context.key, context.regularizer, context.text)
    cursor.execute("INSERT OR IGNORE INTO contexts VALUES (?, ?, ?)", row)
