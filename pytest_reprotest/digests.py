"""What a run left behind, as digests: two runs agree to the last bit where all of theirs are equal."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES = 16


@dataclass(frozen=True)
class Digests:
    """A run to the last bit. Each digest is 128 bits of blake2b, in hexadecimal digits.

    Attributes
    ----------
    process : int
        Identifier of the process that trained it.
    predictions : str
        Of the predictions of the test set, and the scores behind them where there are any.
    losses : str or None
        Of the loss of each epoch; None where the trainer does not know it, as for all that follows.
    start : mapping or None
        Name of each parameter and buffer → digest, before training.
    weights, buffers : mapping or None
        Name of each parameter, and of each buffer → digest, after training.
    """

    process: int
    predictions: str
    losses: str | None = None
    start: Mapping[str, str] | None = None
    weights: Mapping[str, str] | None = None
    buffers: Mapping[str, str] | None = None


def digest(parts: Iterable[Any]) -> str:
    """The digest of bytes, one part after another.

    >>> digest([b"ab", b"c"]) == digest([b"abc"]), len(digest([]))
    (True, 32)
    """
    found = hashlib.blake2b(digest_size=_BYTES)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def of_arrays(*arrays: NDArray[Any] | None) -> str:
    """The digest of arrays of any shape: their types, shapes and bytes.

    >>> of_arrays(np.zeros(1)) == of_arrays(-np.zeros(1))
    False
    """
    parts: list[bytes] = []
    for array in arrays:
        if array is None:
            parts.append(b"none ")
        else:
            parts.append(f"{array.dtype.str} {array.shape} ".encode())
            parts.append(np.ascontiguousarray(array).tobytes())
    return digest(parts)


def of_losses(losses: Iterable[float]) -> str:
    """The digest of a loss curve, exactly as it is.

    >>> of_losses([0.1 + 0.2]) == of_losses([0.3])
    False
    """
    return digest(struct.pack("<d", loss) for loss in losses)
