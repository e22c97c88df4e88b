"""MNIST from its four gzipped IDX files, checked as they are read.

An IDX file begins with a magic number: two zero bytes, the code of the element type (8: unsigned byte)
and the number of dimensions. The size of each dimension follows as a big-endian 32-bit integer, then the
elements, the last dimension fastest.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_UNSIGNED_BYTE = 0x08


class IdxError(ValueError):
    """A file that is not the IDX file it should be."""


class Mnist(NamedTuple):
    """Images uint8 (n, 28, 28), 0 to 255; labels uint8 (n,), 0 to 9."""

    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes


def read_idx(path: Path, shape: tuple[int | None, ...]) -> Bytes:
    """The array of unsigned bytes in a gzipped IDX file.

    Parameters
    ----------
    path : Path
    shape : tuple of int or None
        The expected shape; None where any size will do.

    Raises
    ------
    IdxError
        For another magic number or shape, and for fewer or more elements than the header says.
    FileNotFoundError
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IdxError(f"{path}: not a whole gzip file ({error}); download it again") from None
    magic = bytes([0, 0, _UNSIGNED_BYTE, len(shape)])
    if content[:4] != magic:
        raise IdxError(
            f"{path}: magic number {content[:4].hex()!r}; expected {magic.hex()!r}, unsigned bytes in "
            f"{len(shape)} dimension{'s' * (len(shape) != 1)}. Is it the right file?"
        )
    start = 4 + 4 * len(shape)
    if len(content) < start:
        raise IdxError(f"{path}: truncated within its header; download it again")
    found = struct.unpack(f">{len(shape)}I", content[4:start])
    if any(want not in (None, got) for want, got in zip(shape, found, strict=True)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise IdxError(f"{path}: shape {found}; expected ({wanted}). Is it the right file?")
    elements = len(content) - start
    if elements != math.prod(found):
        kind = "truncated" if elements < math.prod(found) else "too long"
        raise IdxError(
            f"{path}: {kind}: {elements} elements; its header says {math.prod(found)}. Download it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(found).copy()


def load_mnist(folder: Path) -> Mnist:
    """Read the four files of a folder.

    Raises
    ------
    IdxError
        Also where images and labels differ in number, or a label is above 9.
    FileNotFoundError
    """
    parts = []
    for name in ("train", "t10k"):
        images = read_idx(folder / f"{name}-images-idx3-ubyte.gz", (None, 28, 28))
        labels = read_idx(folder / f"{name}-labels-idx1-ubyte.gz", (None,))
        if len(images) != len(labels):
            raise IdxError(
                f"{folder}: {len(images)} {name} images and {len(labels)} labels; expected one label an "
                "image. Are both files of the same data set?"
            )
        if labels.max(initial=0) > 9:
            raise IdxError(f"{folder}: a {name} label is {labels.max()}; expected 0 to 9")
        parts += [images, labels]
    return Mnist(*parts)
