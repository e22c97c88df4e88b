"""Audit an MLP on scikit-learn's digits under every built-in regularizer. Nothing is downloaded."""

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


# Where the limits come from: a pilot of 60 runs of this very training under --repro-seed=100, which no
# audit below uses, cut into twelve audits of five. Each limit is their mean, three standard deviations
# towards worse, rounded outwards to 0.005: what five runs of this training give unless something about it
# has changed. Of audits drawn from 60 further runs (seed 200), 2 in 100 with five runs and fewer than 1 in
# 1,000 with ten break any limit. The normalized nets are held to less than the others because they earn
# it: they are more accurate and differ less. ema differs less, too, but is not more accurate: its average
# reaches back about a hundred of the 440 steps.
LIMITS = {  # largest prediction difference, smallest Effective Test Accuracy
    "none": (0.040, 0.895),
    "momentum": (0.040, 0.905),
    "adam": (0.035, 0.905),
    "weight_decay": (0.040, 0.895),
    "orthogonal": (0.045, 0.900),
    "dropout": (0.045, 0.885),
    "stochastic_depth": (0.035, 0.915),
    "batch_norm": (0.025, 0.950),
    "layer_norm": (0.025, 0.950),
    "group_norm": (0.025, 0.945),
    "residual": (0.035, 0.915),
    "ema": (0.030, 0.910),
}

# The 1,437 pictures are 22 batches of 64 and one of 29. A step on a small batch at the full learning rate
# is a noisy one, and it would come last: with it the baseline's prediction difference is 0.032, without
# it 0.025. A batch size of 84, which leaves 9, makes it 0.10 against 0.028.
RECIPE: dict[str, Any] = {"batch_size": 64, "drop_last": True, "optimizer": "sgd", "lr": 0.1}


@reproducibility(
    regularizers="all",
    max_prediction_difference={name: limit for name, (limit, _) in LIMITS.items()},
    min_effective_accuracy={name: limit for name, (_, limit) in LIMITS.items()},
)
def test_digits_mlp(retrain: Callable[..., AuditResult], digits: Digits) -> None:
    retrain(make_mlp, train=digits.train, test=digits.test, epochs=20, **RECIPE)


@pytest.mark.xfail(
    strict=True,
    reason="stopped after 6 of 20 epochs, two trainings differ on about one picture in eight",
)
@reproducibility(
    regularizers=["none"],
    max_prediction_difference=LIMITS["none"][0],
    min_effective_accuracy=LIMITS["none"][1],
)
def test_digits_mlp_stopped_early(retrain: Callable[..., AuditResult], digits: Digits) -> None:
    """A breach, kept so as to see one: take the xfail off to read the message.

    In a pilot of 60 runs PD was 0.12 and ETA 0.74: four and five standard deviations of a five-run audit
    past their limits. The accuracy of 0.86 does not tell that two runs disagree on 43 of 360 pictures.
    """
    retrain(make_mlp, train=digits.train, test=digits.test, epochs=6, **RECIPE)
