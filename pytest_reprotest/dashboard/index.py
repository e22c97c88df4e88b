"""A folder of results, and what changed in it: only files that are new or changed are read."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pytest_reprotest.dashboard.entries import Entry, read_entries
from pytest_reprotest.errors import DataError

SUFFIX = ".json"
_DEEPEST = 20


class Stamp(NamedTuple):
    """What is another where a file was written again: its time (ns), size and place on the disk."""

    time: int
    size: int
    inode: int


def scan(folder: Path) -> dict[str, Stamp]:
    """The files that may hold results, by their paths below the folder.

    Links, hidden files and hidden folders are left alone: a link may lead out of the folder, and what is
    being written has a hidden name.
    """
    return dict(_scan(str(folder), "", 0))


def _scan(folder: str, start: str, depth: int) -> Iterator[tuple[str, Stamp]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:  # removed since, or not for us to read
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            known = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISDIR(known.st_mode) and depth < _DEEPEST:
            yield from _scan(entry.path, f"{start}{entry.name}/", depth + 1)
        elif stat.S_ISREG(known.st_mode) and entry.name.endswith(SUFFIX):
            yield (
                f"{start}{entry.name}",
                Stamp(known.st_mtime_ns, known.st_size, known.st_ino),
            )


@dataclass(frozen=True)
class Snapshot:
    """The folder as far as it has been read.

    Attributes
    ----------
    version : int
        Another number whenever anything is another.
    entries : tuple of Entry
        Oldest first.
    refused : mapping of str to str
        File → why it is no result.
    waiting : int
        Files that are not read yet.
    by_key : mapping of str to Entry
    stamps : mapping of str to Stamp
        Of the files that were read.
    """

    version: int = 0
    entries: tuple[Entry, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    waiting: int = 0
    by_key: Mapping[str, Entry] = field(default_factory=dict)
    stamps: Mapping[str, Stamp] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The version as a text that a page of an earlier server does not have, either."""
        return f"{_STARTED}.{self.version}"


_STARTED = f"{time.time_ns():x}"


class Index:
    """The results of a folder, read again where they changed. Several threads may ask at once.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._read: dict[str, tuple[Stamp, tuple[Entry, ...], str]] = {}
        self._snapshot = Snapshot()

    @property
    def snapshot(self) -> Snapshot:
        """What is known now."""
        return self._snapshot

    def path(self, entry: Entry) -> Path:
        """Where an entry's file is."""
        return self.folder / entry.file

    def refresh(self, seconds: float = float("inf")) -> Snapshot:
        """Read what changed, newest first, for about so many seconds; the rest is for the next call."""
        if not self._lock.acquire(blocking=False):
            return self._snapshot  # another page is at it
        try:
            return self._refresh(time.monotonic() + seconds)
        finally:
            self._lock.release()

    def _refresh(self, until: float) -> Snapshot:
        stamps = scan(self.folder)
        gone = [file for file in self._read if file not in stamps]
        for file in gone:
            del self._read[file]
        stale = [file for file, stamp in stamps.items() if self._known(file) != stamp]
        stale.sort(key=lambda file: -stamps[file].time)
        done = 0
        for file in stale:
            self._read[file] = (stamps[file], *self._one(file, stamps[file]))
            done += 1
            if time.monotonic() > until:
                break
        if gone or done or len(stale) - done != self._snapshot.waiting:
            self._snapshot = self._made(len(stale) - done)
        return self._snapshot

    def _known(self, file: str) -> Stamp | None:
        return self._read[file][0] if file in self._read else None

    def _one(self, file: str, stamp: Stamp) -> tuple[tuple[Entry, ...], str]:
        path = str(self.folder / file)
        try:
            return read_entries(path, file, stamp.time / 1e9, stamp.size), ""
        except DataError as error:
            return (), str(error).replace(path, file)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # a file that no check foresaw is still no reason to show nothing of the others
            return (), f"{file} can't be read as a result ({type(error).__name__}: {error})"

    def _made(self, waiting: int) -> Snapshot:
        entries = sorted(
            (entry for _, found, _ in self._read.values() for entry in found),
            key=lambda entry: (entry.written, entry.file),
        )
        return Snapshot(
            self._snapshot.version + 1,
            tuple(entries),
            {file: reason for file, (_, _, reason) in sorted(self._read.items()) if reason},
            waiting,
            {entry.key: entry for entry in entries},
            {file: stamp for file, (stamp, _, _) in self._read.items()},
        )
