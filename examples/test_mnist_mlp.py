"""Audit an MLP on MNIST under every built-in regularizer, from files that are already here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from idx import Bytes, load_mnist
from numpy.typing import NDArray
from torch import nn

from pytest_reprotest import AuditResult, reproducibility

# 80 batches of 128: no small last batch, whose noisy step would undo part of the training (see the digits
# example). Four epochs of this many pictures keep ten runs of all regularizers at about a minute.
N_TRAIN = 10_240
BATCH_SIZE = 128

NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
NOT_HERE = (
    f"MNIST is not here: download {', '.join(NAMES)} from https://ossci-datasets.s3.amazonaws.com/mnist/ "
    "into a folder named mnist, and set the environment variable REPROTEST_DATA to the folder that holds it"
)


class Pairs(NamedTuple):
    """Pairs (inputs, targets): float32 (n, 784) from 0 to 1, and labels 0 to 9."""

    train: tuple[NDArray[np.float32], NDArray[np.uint8]]
    test: tuple[NDArray[np.float32], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def mnist() -> Pairs:
    root = os.environ.get("REPROTEST_DATA")
    folder = Path(root or ".") / "mnist"
    if not root or not all((folder / name).is_file() for name in NAMES):
        pytest.skip(NOT_HERE)
    data = load_mnist(folder)
    train = pixels(data.train_images[:N_TRAIN]), data.train_labels[:N_TRAIN]
    return Pairs(train, (pixels(data.test_images), data.test_labels))


def pixels(images: Bytes) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = images.reshape(len(images), -1).astype(np.float32) / 255.0
    return flat


def make_mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )


# Set as the digits example sets them: a pilot of 60 runs under --repro-seed=100 as twelve audits of five; their
# mean, three standard deviations towards worse, rounded outwards to 0.005. Momentum and dropout learn slowest
# in four epochs, and differ most. The learning rate falls to 0 so that limits can be tight: at a constant one
# a run now and then ends on a bad step, and the spread of the normalized nets is several times as wide. The
# average of ema reaches back about a hundred of the 320 steps: it is less accurate than the baseline and
# differs more.
LIMITS = {  # largest prediction difference, smallest Effective Test Accuracy
    "none": (0.055, 0.810),
    "momentum": (0.075, 0.780),
    "adam": (0.050, 0.830),
    "weight_decay": (0.055, 0.810),
    "orthogonal": (0.055, 0.815),
    "dropout": (0.085, 0.755),
    "stochastic_depth": (0.030, 0.865),
    "batch_norm": (0.035, 0.910),
    "layer_norm": (0.030, 0.910),
    "group_norm": (0.035, 0.905),
    "residual": (0.030, 0.865),
    "ema": (0.065, 0.795),
}


@reproducibility(
    regularizers="all",
    max_prediction_difference={name: limit for name, (limit, _) in LIMITS.items()},
    min_effective_accuracy={name: limit for name, (_, limit) in LIMITS.items()},
)
def test_mnist_mlp(retrain: Callable[..., AuditResult], mnist: Pairs) -> None:
    retrain(
        make_mlp,
        train=mnist.train,
        test=mnist.test,
        epochs=4,
        batch_size=BATCH_SIZE,
        optimizer="sgd",
        lr=0.1,
        schedule="linear",
    )
