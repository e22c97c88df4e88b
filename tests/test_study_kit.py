"""What the tests of the study's data sets share: small pictures, and a spec that asks for as few."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import SPECS

N_TRAIN, N_TEST = 20, 10


def md5(content):
    return hashlib.md5(content).hexdigest()


def small(name, **changes):
    """The official spec with numbers for small files and no checksums."""
    numbers = {"n_train": N_TRAIN, "n_test": N_TEST, "md5": {}}
    return replace(SPECS[name], **{**numbers, **changes})


def pictures(count, shape, classes=10):
    """Random bytes, and labels 0, 1, 2, …"""
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
    return images, np.arange(count) % classes


def check(data, spec, train, test):
    """The pixels and labels are those that were written."""
    assert (data.n_classes, data.shape) == (spec.n_classes, spec.shape)
    for (inputs, labels), (images, classes) in zip(
        (data.train, data.test), (train, test), strict=True
    ):
        assert inputs.dtype == np.float32
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(inputs, images.astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(labels, classes)
