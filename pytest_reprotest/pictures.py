"""Small pictures of single test samples, for whoever looks at those that flip most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.stored import MAX_ARRAY_BYTES, entry, pack, packed_bytes, too_large, unpack

Pixels = NDArray[np.uint8]

MOST_SIDE = 48
"""Pixels across or down."""
MOST_PICTURES = 256
"""Of one audit; with their size that bounds files, and what a page of them takes."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of some test samples, all of one size.

    Attributes
    ----------
    samples : tuple of int
        Places in the test set, counted from 0, each once.
    pixels : uint8 array (n_pictures, height, width) in grey, or (n_pictures, height, width, 3) in colours

    Raises
    ------
    DataError
        Where pixels are none, too many or too large.

    >>> Pictures((4,), np.zeros((1, 8, 8), dtype=np.uint8)).of(4).shape
    (8, 8)
    >>> Pictures((4,), np.zeros((1, 8, 80), dtype=np.uint8))
    Traceback (most recent call last):
    pytest_reprotest.errors.DataError: pictures have shape (1, 8, 80); expected (n, height, width) or (n, height, width, 3), at most 256 of at most 48 pixels a side
    """

    samples: tuple[int, ...]
    pixels: Pixels

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            kind = getattr(pixels, "dtype", type(pixels).__name__)
            raise DataError(f"pictures are {kind}; expected a uint8 array")
        shape = pixels.shape
        sides_fit = all(1 <= side <= MOST_SIDE for side in shape[1:3])
        if not (
            (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3))
            and sides_fit
            and 1 <= len(pixels) <= MOST_PICTURES
        ):
            raise DataError(
                f"pictures have shape {shape}; expected (n, height, width) or (n, height, width, 3), at most "
                f"{MOST_PICTURES} of at most {MOST_SIDE} pixels a side"
            )
        if len(set(self.samples)) != len(pixels) or len(self.samples) != len(pixels):
            raise DataError(f"{len(pixels)} pictures are of {len(set(self.samples))} samples")

    def of(self, sample: int) -> Pixels | None:
        """The picture of a sample, (height, width) or (height, width, 3); None where there is none."""
        return self.pixels[self.samples.index(sample)] if sample in self.samples else None

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {"samples": list(self.samples), "pixels": pack(self.pixels)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], n_samples: int) -> Pictures:
        """The inverse of ``to_dict``, for a test set of so many samples.

        Raises
        ------
        DataError
        """
        samples, packed = entry(stored, "samples", list), entry(stored, "pixels", dict)
        if not all(type(sample) is int and 0 <= sample < n_samples for sample in samples):
            raise DataError(f"pictures are of samples that are not among the {n_samples}")
        size = packed_bytes(packed)
        if size > 3 * MOST_PICTURES * MOST_SIDE**2:
            raise (
                too_large(size)
                if size > MAX_ARRAY_BYTES
                else DataError(
                    f"pictures take {size:,} bytes; expected at most {3 * MOST_PICTURES * MOST_SIDE**2:,}"
                )
            )
        pixels = unpack(packed, len(packed["shape"]))
        if pixels.dtype != np.uint8:
            raise DataError(f"pictures are {pixels.dtype}; expected uint8")
        return cls(tuple(samples), pixels.astype(np.uint8))


def joined_pictures(first: Pictures | None, other: Pictures | None) -> Pictures | None:
    """The pictures of two audits of one test set; where they are of two sizes, or too many, the first's."""
    if first is None or other is None:
        return first or other
    new = [place for place, sample in enumerate(other.samples) if sample not in first.samples]
    new = new[: MOST_PICTURES - len(first.samples)]
    if not new or first.pixels.shape[1:] != other.pixels.shape[1:]:
        return first
    samples = (*first.samples, *(other.samples[place] for place in new))
    return Pictures(samples, np.concatenate([first.pixels, other.pixels[new]]))
