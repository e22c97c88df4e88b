"""What a data set is, once read and as its files ought to be, and the sentences for where they are not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_BLOCK = 4096  # images converted at a time: temporary memory does not grow with the data set


class StudyDataError(Exception):
    """A data set that can't be used."""


class MissingDataError(StudyDataError):
    """A data set, or what reads it, that is not here; a test is skipped for it."""


class WrongDataError(StudyDataError):
    """A file that is here and is not what it should be; a test fails for it."""


@dataclass(frozen=True)
class Spec:
    """What the official files of a data set hold.

    Attributes
    ----------
    name, title : str
        As in ``load("fashion_mnist")``, and as in messages.
    folder : str
        Folder of the files within REPROTEST_DATA.
    n_train, n_test, n_classes : int
    shape : tuple
        Of one picture: channels, height, width.
    source : str
        Where the files can be had.
    md5 : mapping
        File name → MD5 of its content. A file that is not named is held to its size, shapes and labels only.
    """

    name: str
    title: str
    folder: str
    n_train: int
    n_test: int
    n_classes: int
    shape: tuple[int, int, int]
    source: str
    md5: Mapping[str, str] = field(default_factory=dict)

    def missing(self, what: str) -> MissingDataError:
        """The error of files that are not there."""
        return MissingDataError(
            f"{self.title} is not here: {what}. Get it from {self.source} into the folder "
            f"{self.folder!r} of the folder that REPROTEST_DATA names"
        )

    def wrong(self, where: object, found: str, expected: str) -> WrongDataError:
        """The error of a file that is not what it should be."""
        return WrongDataError(f"{where}: {found}; expected {expected}. Get it from {self.source}")


@dataclass(frozen=True)
class DataSet:
    """A data set, ready to be trained on.

    Attributes
    ----------
    name : str
    train, test : pair of arrays
        Pixels float32 from 0 to 1, (n, channels, height, width) or flattened to (n, features); labels int64
        (n,), 0 to n_classes - 1.
    n_classes : int
    shape : tuple
        Of one input.
    """

    name: str
    train: tuple[Floats, Integers]
    test: tuple[Floats, Integers]
    n_classes: int
    shape: tuple[int, ...]


class Source(ABC):
    """Labels, and pictures that are decoded as they are taken.

    Attributes
    ----------
    labels : int64 array (n,)
    """

    labels: Integers

    @abstractmethod
    def take(self, index: Integers) -> Floats:
        """Pixels of the pictures at ``index``, float32 (len(index), channels, height, width), 0 to 1."""


@dataclass(frozen=True)
class ByteSource(Source):
    """Pictures held as bytes, in any memory layout.

    Attributes
    ----------
    images : uint8 array (n, channels, height, width)
    labels : int64 array (n,)
    scale : float
        The byte that becomes 1.
    """

    images: Bytes
    labels: Integers
    scale: float = 255.0
    block: ClassVar[int] = _BLOCK

    def take(self, index: Integers) -> Floats:
        """Convert block by block, straight into the result."""
        pixels = np.empty((len(index), *self.images.shape[1:]), np.float32)
        for start in range(0, len(index), self.block):
            part = slice(start, start + self.block)
            np.divide(self.images[index[part]], self.scale, out=pixels[part], dtype=np.float32)
        return pixels


def as_labels(values: object) -> Integers:
    """Labels as int64 (n,)."""
    return np.asarray(values, dtype=np.int64).reshape(-1)
