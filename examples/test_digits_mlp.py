"""Audit an MLP on scikit-learn's digits under every regularizer of the study. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from pytest_reprotest import AuditResult, reproducibility


class Digits(NamedTuple):
    """Pairs (inputs, targets): float32 (n, 64) from 0 to 1, and labels 0 to 9."""

    train: tuple[NDArray[np.float32], NDArray[np.int64]]
    test: tuple[NDArray[np.float32], NDArray[np.int64]]


@pytest.fixture(scope="module")
def digits() -> Digits:
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype("float32")
    # The split is fixed: what differs between runs is the training alone, not the data.
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=0.2, random_state=0, stratify=labels
    )
    return Digits((x_train, y_train), (x_test, y_test))


def make_mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
