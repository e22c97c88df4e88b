"""The stacked engine with losses of regression and of several labels: against the sequential engine, and the
bits of a run whatever its neighbours.
"""

import numpy as np
import pytest
import torch
from test_stacked_engine import (
    BATCH,
    N_SAMPLES,
    ConvNet,
    OwnForward,
    assert_same_state,
    make_mlp,
    models_of,
    runs_of,
    step_both,
)
from torch import nn
from torch.nn import functional

from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.tasks import MultiLabel, Regression
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.heads import head_of
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.stacked.engine import train_stack
from pytest_reprotest.training.state import preserved_state


class Single(nn.Module):
    """One number a sample, without an axis for it."""

    def __init__(self):
        super().__init__()
        self.layers = make_mlp()

    def forward(self, images):
        return self.layers(images)[:, 0]


def make_column():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1))


def huber(outputs, targets):
    return functional.smooth_l1_loss(outputs, targets)


CASES = {
    "column, mse": (make_column, "mse"),
    "column, l1": (make_column, "l1"),
    "vector, mse": (Single, "mse"),
    "column, callable": (make_column, huber),
    "labels, plain tree": (make_mlp, "bce_with_logits"),
    "labels, own forward": (OwnForward, "bce_with_logits"),
    "labels, cnn": (ConvNet, "bce_with_logits"),
}


@pytest.fixture(autouse=True)
def _one_thread():
    with preserved_state(threads=1):
        yield


def source(loss, dtype=torch.float32):
    rng = np.random.default_rng(0)
    inputs = torch.tensor(rng.normal(size=(N_SAMPLES, 1, 8, 8)), dtype=dtype)
    several = loss == "bce_with_logits"
    task = MultiLabel() if several else Regression(0.1)
    given = rng.integers(0, 2, (N_SAMPLES, 5)) if several else rng.normal(size=N_SAMPLES)
    head = head_of(task, loss)
    return TensorSource(inputs, head.targets(given, inputs), head)


def prepared(case, runs, regularizer, **recipe):
    factory, loss = CASES[case]
    found = Registry().resolve([regularizer])[0]
    changed = found.modify_recipe(Recipe(batch_size=BATCH, loss=loss, **recipe))
    sample = source(loss).inputs[:2]
    models = [build_model(factory, found, run.seeds, sample, "cpu") for run in runs]
    return found, changed, models, loss


def trained_both(case, regularizer, steps, swapped=False, **recipe):
    runs = runs_of(range(3))
    found, changed, models, loss = prepared(case, runs, regularizer, **recipe)
    data = source(loss, torch.float64)
    order = runs[::-1] if swapped else runs
    alone, together = step_both(runs, models, changed, found, data, steps, order)
    return models_of(alone), together.stack


@pytest.mark.parametrize("regularizer", ["none", "batch_norm+dropout", "orthogonal"])
@pytest.mark.parametrize("case", CASES)
def test_fifty_float64_steps_agree_with_the_sequential_engine(case, regularizer):
    steps = 12 if "cnn" in case else 50
    assert_same_state(*trained_both(case, regularizer, steps, lr=0.02))


@pytest.mark.parametrize("case", ["column, mse", "labels, plain tree"])
def test_negative_control_swapped_batches_do_not_agree(case):
    with pytest.raises(AssertionError):
        assert_same_state(*trained_both(case, "none", 50, swapped=True, lr=0.02))


def predicted(case, regularizer, indices, **recipe):
    """Predictions and losses of runs trained together."""
    runs = runs_of(indices)
    found, changed, models, loss = prepared(case, runs, regularizer, epochs=2, **recipe)
    data = source(loss)
    trained = train_stack(runs, models, changed, found, data, data, "cpu")
    return {
        index: (one.labels.tobytes(), one.losses)
        for index, one in zip(indices, trained, strict=True)
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("regularizer", "recipe"),
    [("none", {"lr": 0.02}), ("batch_norm+dropout", {"optimizer": "adam", "max_grad_norm": 1.0})],
)
def test_a_run_is_the_same_bits_alone_among_three_and_among_ten(case, regularizer, recipe):
    ten = predicted(case, regularizer, range(10), **recipe)
    assert predicted(case, regularizer, [7], **recipe)[7] == ten[7]
    three = predicted(case, regularizer, [9, 7, 2], **recipe)
    assert {run: three[run] for run in (2, 7, 9)} == {run: ten[run] for run in (2, 7, 9)}
    assert ten[2] != ten[7]
