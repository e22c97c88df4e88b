"""Opening a store's file, making one where there is none, and moving a damaged one aside."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from pytest_reprotest.store.schema import (
    APPLICATION,
    FILE,
    SCHEMA,
    VERSION,
    Damage,
    StoreError,
    alone,
    connect,
    is_damage,
    schema_of,
)


class File:
    """The database file in a store's folder.

    Attributes
    ----------
    path : Path
    read_only : bool
        Nothing can be added.
    set_aside : Path or None
        Where a damaged file was moved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.read_only = False
        self.set_aside: Path | None = None
        self._identity: tuple[int, int] | None = None

    def open(self) -> sqlite3.Connection:
        """A connection to the file, which is made where there is none.

        Raises
        ------
        Damage
            Where it is no store.
        StoreError
            Where it can't be used.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.exists() and not self.path.is_file():
                raise StoreError(f"{self.path} is no file; name another folder with --repro-store")
            with alone(self.folder):
                self._make_file()
                return self._checked("rw")
        except (OSError, sqlite3.DatabaseError) as error:
            told = getattr(error, "strerror", None) or error
            if is_damage(error):
                raise Damage(str(error)) from None
            if "locked" in str(error):
                raise StoreError(f"{self.path} is locked by another process; try again") from None
            if not self.path.is_file():
                raise StoreError(f"{self.path} can't be made: {told}") from None
        return self._opened_to_read()

    def _opened_to_read(self) -> sqlite3.Connection:
        """Beside other processes that write, where the folder lets that be seen; else as the file is now."""
        self.read_only = True
        try:
            try:
                return self._checked("ro")
            except sqlite3.OperationalError:
                return self._checked("ro&immutable=1")
        except (sqlite3.DatabaseError, Damage) as error:
            raise StoreError(
                f"{self.path} can't be read: {error}; name another folder with --repro-store"
            ) from None

    def _make_file(self) -> None:
        """Private from its first byte on: it holds what a model predicts."""
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            with os.fdopen(descriptor) as file, contextlib.suppress(OSError, AttributeError):
                os.fchmod(file.fileno(), 0o600)  # whatever the umask

    def _checked(self, mode: str) -> sqlite3.Connection:
        """A connection, where the file is a store of this version; an empty file becomes one."""
        connection = connect(self.path, mode)
        try:
            self._prepare(connection)
            self._identity = _identity(self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        found = schema_of(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not found and application == 0 and version == 0 and not self.read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            if not schema_of(connection):  # else another process was faster
                for statement in SCHEMA.values():
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
            found = schema_of(connection)
        elif application != APPLICATION:
            raise StoreError(
                f"{self.path} is a database of another program; name another folder with --repro-store"
            )
        elif version > VERSION:
            raise StoreError(
                f"{self.path} was written by a newer version of pytest-reprotest (store version {version}; "
                f"this one reads {VERSION}). Upgrade pytest-reprotest, or name another folder"
            )
        if found != set(SCHEMA.values()):
            raise Damage("its tables are not those of a store")
        if not self.read_only:
            connection.execute("PRAGMA synchronous = FULL")

    def move_aside(self, damage: Exception) -> None:
        """Keep a damaged file under another name, for whoever wants to look at it.

        The journal goes first: left behind by a crash in between, it would be played into the next file.
        """
        with alone(self.folder):
            if self._identity is not None and self._identity != _identity(self.path):
                return  # another process has done it
            number = 1
            while (aside := self.path.with_name(f"{FILE}.damaged-{number}")).exists():
                number += 1
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
            try:
                self.path.rename(aside)
            except OSError as error:
                raise StoreError(
                    f"{self.path} is damaged ({damage}) and can't be moved: {error.strerror or error}; "
                    "name another folder with --repro-store"
                ) from None
        self.set_aside = aside


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path is of."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
