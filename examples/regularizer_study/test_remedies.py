"""What the study planned and did not run, and a remedy beside it: ten runs of each, held against none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_reprotest import AuditResult, reproducibility
from regularizer_study.datasets import load_or_skip
from regularizer_study.factors import Cell, Profile

DEPTH = 3
"""One hidden layer that keeps its shape, for stochastic depth to leave out; deeper plain nets collapse under dropout."""

DIGITS = {"epochs": 40, "batch_size": 64, "drop_last": True}
"""Of 1,437 pictures; a small last batch would undo part of the training."""


REGULARIZERS = (
    "none",
    "dropout",
    "stochastic_depth",
    "group_norm",
    "orthogonal",
    "ema",
    "ema(0.999)",
)


@reproducibility(runs=10, regularizers=REGULARIZERS)
@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_remedies(retrain: Callable[..., AuditResult], study: Profile, name: str) -> None:
    cell = Cell(name, depth=DEPTH)
    if name == "digits":
        data, recipe = load_or_skip(name), {**cell.recipe, **DIGITS}
    elif study.name == "smoke":
        pytest.skip("takes minutes: --study-profile=ci, or published for all of MNIST")
    else:
        data, recipe = study.data(cell, skip=True), study.recipe(cell)
    retrain(cell.net, train=data.train, test=data.test, **recipe)
