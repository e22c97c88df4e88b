"""MNIST and Fashion-MNIST: four IDX files, gzipped or unpacked."""

from __future__ import annotations

import gzip
import math
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from idx import Bytes, IdxError, read_idx

from regularizer_study.datasets.checks import md5_of
from regularizer_study.datasets.spec import ByteSource, Source, Spec, WrongDataError, as_labels

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read(folder: Path, spec: Spec) -> tuple[Source, Source]:
    """Training and test set; the MD5 of a file is that of its unpacked content."""
    paths = [_find(folder, name) for name in NAMES]
    absent = [f"{path.name}[.gz]" for path in paths if not path.is_file()]
    if absent:
        raise spec.missing(f"{folder} has no {', '.join(absent)}")
    train_images, train_labels, test_images, test_labels = paths
    train = _split(train_images, train_labels, spec.n_train, spec)
    return train, _split(test_images, test_labels, spec.n_test, spec)


def _find(folder: Path, name: str) -> Path:
    packed = folder / f"{name}.gz"
    return packed if packed.is_file() else folder / name


def _split(images: Path, labels: Path, count: int, spec: Spec) -> Source:
    pixels = _content(images, (count, *spec.shape[1:]), spec)
    classes = _content(labels, (count,), spec)
    return ByteSource(pixels.reshape(count, *spec.shape), as_labels(classes))


def _content(path: Path, shape: tuple[int, ...], spec: Spec) -> Bytes:
    packed = path.suffix == ".gz"
    most = 4 + 4 * len(shape) + math.prod(shape)
    found, length = "", 0
    with path.open("rb") as raw, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        stream = gzip.GzipFile(fileobj=raw) if packed else raw  # what is no gzip the reader tells
        found, length = md5_of(cast("IO[bytes]", stream), most)
    if length > most:  # before more of it is unpacked
        raise spec.wrong(path, f"more than {most:,} unpacked bytes", f"{most:,}")
    try:
        content = read_idx(path if packed else cast("Path", _AsGzip(path)), shape)
    except IdxError as error:
        raise WrongDataError(f"{error}. The official files are at {spec.source}") from None
    want = spec.md5.get(path.name.removesuffix(".gz"), found)
    if found != want:
        raise spec.wrong(path, f"MD5 {found} of {length:,} unpacked bytes", f"MD5 {want}")
    return content


@dataclass(frozen=True)
class _AsGzip:
    """An unpacked file as the reader of gzipped ones takes it: so one reader knows the format."""

    path: Path

    def read_bytes(self) -> bytes:
        """Content that costs next to nothing to unpack again."""
        return gzip.compress(self.path.read_bytes(), compresslevel=0)

    def __str__(self) -> str:
        return str(self.path)
