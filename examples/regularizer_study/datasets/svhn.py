"""SVHN's cropped digits: two MATLAB files, in which the digit 0 is labelled 10."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from regularizer_study.datasets.checks import check_md5
from regularizer_study.datasets.spec import ByteSource, Source, Spec, as_labels

NAMES = ("train_32x32.mat", "test_32x32.mat")


def read(folder: Path, spec: Spec) -> tuple[Source, Source]:
    """Training and test set; the extra set is not used."""
    absent = [name for name in NAMES if not (folder / name).is_file()]
    if absent:
        raise spec.missing(f"{folder} has no {', '.join(absent)}")
    return _split(folder / NAMES[0], spec), _split(folder / NAMES[1], spec)


def _split(path: Path, spec: Spec) -> Source:
    check_md5(path, spec)
    try:
        held = loadmat(str(path), variable_names=["X", "y"])
        images, labels = np.asarray(held["X"]), np.asarray(held["y"])
    except Exception as error:  # SciPy raises many kinds for damaged files
        told = f"{type(error).__name__}: {error}"
        raise spec.wrong(
            path, f"not a MATLAB file with X and y ({told})", "the official file"
        ) from None
    channels, height, width = spec.shape
    if images.ndim != 4 or images.shape[:3] != (height, width, channels) or images.dtype != "u1":
        raise spec.wrong(
            path,
            f"X is {images.dtype} of shape {images.shape}",
            f"uint8 of shape ({height}, {width}, {channels}, n)",
        )
    if labels.size != images.shape[3]:
        raise spec.wrong(
            path, f"{images.shape[3]} pictures and {labels.size} labels", "one label a picture"
        )
    digits = as_labels(labels)
    if digits.min(initial=1) < 1:
        raise spec.wrong(path, "a label 0", "1 to 10, where 10 means 0")
    return ByteSource(images.transpose(3, 2, 0, 1), np.where(digits == 10, 0, digits))
