"""A finished run as a row: plain bytes with their shapes, and a checksum over all of it. Never a pickle."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.stored import MAX_ARRAY_BYTES

_KINDS = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
_DTYPES = {kind.str: kind for kind in (np.dtype(name).newbyteorder("<") for name in _KINDS)}
_MOST_HEADER = 1 << 16
_MOST_LOSSES = 1 << 20


@dataclass(frozen=True)
class Record:
    """One finished run.

    Attributes
    ----------
    header : str
        JSON: dtype and shape of each array, seconds, and a note.
    labels, scores, losses : bytes
        Arrays, little-endian; empty where there are none.
    checksum : str
    """

    header: str
    labels: bytes
    scores: bytes
    losses: bytes
    checksum: str

    @property
    def arrays(self) -> tuple[bytes, bytes, bytes]:
        """Labels, scores and losses."""
        return self.labels, self.scores, self.losses

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        return sum(map(len, self.arrays))


def place_of(context: str, run: str) -> str:
    """What a row's checksum says of where it belongs, from the keys of its context and its run."""
    return f"{context} {run}"


def checksum(place: str, header: str, *arrays: bytes) -> str:
    """128 bits of blake2b over where a record belongs and what it holds."""
    found = hashlib.blake2b(digest_size=16)
    for part in (place.encode(), header.encode("utf-8", "surrogatepass"), *arrays):
        found.update(struct.pack("<q", len(part)))
        found.update(part)
    return found.hexdigest()


def record_of(outcome: RunOutcome, place: str) -> Record | None:
    """A run's row; None for one that failed, or predicts what no array of numbers holds.

    Parameters
    ----------
    place : str
        The keys under which it is kept: a row that was moved does not pass for another.
    """
    if outcome.labels is None or outcome.failure is not None:
        return None
    labels = _little(np.asarray(outcome.labels))
    scores = None if outcome.scores is None else _little(np.asarray(outcome.scores))
    if any(each is not None and each.dtype.str not in _DTYPES for each in (labels, scores)):
        return None
    header = json.dumps(
        {
            "labels": [labels.dtype.str, list(labels.shape)],
            "scores": None if scores is None else [scores.dtype.str, list(scores.shape)],
            "seconds": outcome.seconds,
            "note": outcome.note,
        }
    )
    arrays = (
        labels.tobytes(),
        b"" if scores is None else scores.tobytes(),
        struct.pack(f"<{len(outcome.losses)}d", *outcome.losses),
    )
    return Record(header, *arrays, checksum(place, header, *arrays))


def outcome_of(record: Record, run: Run, place: str) -> RunOutcome:
    """The inverse of ``record_of``.

    Raises
    ------
    DataError
        Where a bit of it has changed, or it is of another place.
    """
    if record.checksum != checksum(place, record.header, *record.arrays):
        raise DataError("it does not match its checksum")
    try:
        header = json.loads(record.header)
        labels = _array(record.labels, header["labels"])
        scores = None if header["scores"] is None else _array(record.scores, header["scores"])
        seconds, note = float(header["seconds"]), header["note"]
        losses = struct.unpack(f"<{len(record.losses) // 8}d", record.losses)
    except (LookupError, TypeError, ValueError, RecursionError, struct.error) as error:
        raise DataError(f"it is no finished run ({type(error).__name__}: {error})") from None
    if not 0 <= seconds < math.inf:
        raise DataError(f"it took {seconds} s")
    if note is not None and not isinstance(note, str):
        raise DataError("its note is no text")
    return RunOutcome(run, labels, losses, seconds, note=note, scores=scores)


def bearable(header: int, labels: int, scores: int, losses: int) -> bool:
    """Whether columns of so many bytes may be read into memory at all."""
    return (
        header <= _MOST_HEADER and labels + scores <= MAX_ARRAY_BYTES and losses <= 8 * _MOST_LOSSES
    )


def _little(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _array(raw: bytes, told: Any) -> NDArray[Any]:
    dtype, shape = told
    sizes = [size for size in shape if type(size) is int and size >= 0]
    if dtype not in _DTYPES or sizes != shape or not 1 <= len(sizes) <= 3:
        raise ValueError(f"an array of type {dtype!r:.40} and shape {shape!r:.40}")
    kind = _DTYPES[dtype]
    if math.prod(sizes) * kind.itemsize != len(raw):
        raise ValueError(f"{len(raw)} bytes for an array of shape {sizes}")
    return np.frombuffer(raw, kind).reshape(sizes).copy()
