"""Tiny-ImageNet: the folder that its archive unpacks to; pictures are decoded with Pillow as they are taken.

Classes are numbered in the order of ``wnids.txt``. The official test set has no labels: what is tested on here
is its validation set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regularizer_study.datasets.spec import (
    Bytes,
    Floats,
    Integers,
    MissingDataError,
    Source,
    Spec,
    as_labels,
)

FOLDER = "tiny-imagenet-200"


def read(folder: Path, spec: Spec) -> tuple[Source, Source]:
    """Training and validation set; the files are listed, and none is decoded yet."""
    places = (folder / FOLDER, folder, folder.parent / FOLDER)
    base = next((place for place in places if (place / "wnids.txt").is_file()), None)
    if base is None:
        raise spec.missing(f"{folder / FOLDER} has no wnids.txt")
    pillow = _pillow()
    classes = (base / "wnids.txt").read_text(encoding="ascii", errors="replace").split()
    if len(classes) != spec.n_classes or len(set(classes)) != len(classes):
        raise spec.wrong(
            base / "wnids.txt", f"{len(set(classes))} classes", f"{spec.n_classes} different ones"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    train = [pair for name in classes for pair in _of_class(base, name, numbers[name], spec)]
    test = _validation(base, numbers, spec)
    return _Pictures.of(train, spec, pillow), _Pictures.of(test, spec, pillow)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise MissingDataError(
            "Tiny-ImageNet's pictures are decoded with Pillow, which is not installed: pip install pillow"
        ) from None
    return Image


def _of_class(base: Path, name: str, number: int, spec: Spec) -> list[tuple[Path, int]]:
    folder = base / "train" / name / "images"
    if not folder.is_dir():
        raise spec.missing(f"{folder} is not there")
    # By number, not by letter: a subset is then the first ones, on every system.
    paths = sorted(folder.glob("*.JPEG"), key=lambda path: (len(path.name), path.name))
    return [(path, number) for path in paths]


def _validation(base: Path, numbers: dict[str, int], spec: Spec) -> list[tuple[Path, int]]:
    notes = base / "val" / "val_annotations.txt"
    if not notes.is_file():
        raise spec.missing(f"{notes} is not there")
    pairs = []
    lines = notes.read_text(encoding="ascii", errors="replace").splitlines()
    for place, line in enumerate(lines, start=1):
        parts = line.split("\t")
        if len(parts) < 2 or parts[1] not in numbers or Path(parts[0]).name != parts[0]:
            raise spec.wrong(notes, f"line {place} is {line[:60]!r}", "a file name and its class")
        pairs.append((base / "val" / "images" / parts[0], numbers[parts[1]]))
    return pairs


@dataclass(frozen=True)
class _Pictures(Source):
    paths: tuple[Path, ...]
    labels: Integers
    spec: Spec
    pillow: Any

    @classmethod
    def of(cls, pairs: list[tuple[Path, int]], spec: Spec, pillow: Any) -> _Pictures:
        paths = tuple(path for path, _ in pairs)
        return cls(paths, as_labels([number for _, number in pairs]), spec, pillow)

    def take(self, index: Integers) -> Floats:
        """Decode one picture after another, straight into the result."""
        pixels = np.empty((len(index), *self.spec.shape), np.float32)
        for place, number in enumerate(index.tolist()):
            picture = self._decoded(self.paths[number])
            np.divide(picture.transpose(2, 0, 1), 255.0, out=pixels[place], dtype=np.float32)
        return pixels

    def _decoded(self, path: Path) -> Bytes:
        if not path.is_file():
            raise self.spec.missing(f"{path} is not there")
        height, width = self.spec.shape[1:]
        try:
            with self.pillow.open(path, formats=["JPEG"]) as picture:
                if picture.size == (width, height):  # asked before it is decoded
                    return np.asarray(picture.convert("RGB"))
                found = f"{picture.size[0]} × {picture.size[1]} pixels"
        except Exception as error:  # Pillow raises many kinds for damaged files
            found = f"not a whole JPEG picture ({type(error).__name__}: {error})"
        raise self.spec.wrong(path, found, f"a picture of {width} × {height} pixels")
