"""Modules that stand in several places of a plain tree, trained by hand: gradients add up, state goes on."""

import pytest
import torch
from test_stacked_engine import BATCH, assert_same_state, models_of, runs_of, source, step_both
from torch import nn

from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.stacked import operations
from pytest_reprotest.training.stacked.direct import DirectStack, NotDirect
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack, train_stack
from pytest_reprotest.training.state import preserved_state


def tied(*shared, times=3):
    """A stage that stands in several places, each after a ReLU of its own."""
    stage = nn.Sequential(*shared)
    middle = [layer for _ in range(times) for layer in (nn.ReLU(), stage)]
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), *middle, nn.ReLU(), nn.Linear(16, 5))


def one_activation():
    """The same ReLU everywhere, twice in a row too, and nothing else shared."""
    relu = nn.ReLU()
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), relu, relu, nn.Linear(16, 16), relu, nn.Linear(16, 5)
    )


FACTORIES = {
    "linear": lambda: tied(nn.Linear(16, 16)),
    "no bias": lambda: tied(nn.Linear(16, 16, bias=False)),
    "layer norm": lambda: tied(nn.Linear(16, 16, bias=False), nn.LayerNorm(16)),
    "batch norm": lambda: tied(nn.Linear(16, 16), nn.BatchNorm1d(16)),
    "dropout": lambda: tied(nn.Linear(16, 16), nn.Dropout(0.3)),
    "gelu": lambda: tied(nn.Linear(16, 16), nn.GELU()),
    "odd width": lambda: tied(nn.Linear(16, 7), nn.Linear(7, 16)),
    "one activation": one_activation,
}


@pytest.fixture(autouse=True)
def _one_thread():
    with preserved_state(threads=1):
        yield


def made(name, indices, regularizer="none", **recipe):
    found = Registry().resolve([regularizer])[0]
    changed = found.modify_recipe(Recipe(batch_size=BATCH, **recipe))
    runs, sample = runs_of(indices), source().inputs[:2]
    models = [build_model(FACTORIES[name], found, run.seeds, sample, "cpu") for run in runs]
    return runs, found, changed, models


def trained(name, steps=12, regularizer="none", **recipe):
    """Float64 models after some steps of the sequential engine, and the stack after the same steps."""
    runs, found, changed, models = made(name, range(3), regularizer, **recipe)
    alone, together = step_both(runs, models, changed, found, source(torch.float64), steps)
    assert together.operation is not None
    return models_of(alone), together.stack


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("name", FACTORIES)
def test_a_repeated_module_agrees_with_the_sequential_engine(name, optimizer):
    rate = 0.01 if optimizer == "adam" else 0.05
    assert_same_state(*trained(name, optimizer=optimizer, lr=rate, weight_decay=0.01))


def test_a_repeated_stage_of_the_package_agrees_too():
    regularizer = "batch_norm+dropout+residual"
    alone, stack = trained("linear", regularizer=regularizer, lr=0.05)
    assert "2.0.norm.norm.running_mean" not in stack.buffers
    assert_same_state(alone, stack)


def test_penalty_and_clipping_see_all_of_a_repeated_modules_gradient():
    assert_same_state(*trained("linear", regularizer="orthogonal", lr=0.05, max_grad_norm=0.1))


def test_negative_control_the_last_gradient_alone_does_not_agree(monkeypatch):
    def overwrite(leaf, gradient):
        leaf.grad = gradient

    monkeypatch.setattr(operations, "accumulate", overwrite)
    for name in ("linear", "layer norm"):
        with pytest.raises(AssertionError):
            assert_same_state(*trained(name, steps=3, lr=0.05))


def test_statistics_and_masks_advance_at_every_place():
    _, stack = trained("batch norm", steps=4)
    assert stack.buffers["3.1.num_batches_tracked"].tolist() == [12, 12, 12]
    _, stack = trained("dropout", steps=4)
    assert stack.buffers["3.1.noise_call"].tolist() == [12, 12, 12]


def test_only_modules_of_one_place_are_updated_in_the_backward():
    _, found, changed, models = made("linear", range(2), optimizer="sgd")
    training = StackTraining(make_stack(models), changed, found, source())
    layers = [
        each
        for operation in training.operation.operations
        for each in getattr(operation, "operations", [operation])
        if isinstance(each, operations.Linear)
    ]
    assert [each.update is not None for each in layers] == [True, False, False, False, True]
    training.stack.train()
    training.step(torch.stack([torch.arange(BATCH)] * 2))
    kept = {name for name, leaf in training.stack.leaves.items() if leaf.grad is not None}
    assert kept == {"3.0.weight", "3.0.bias"}


@pytest.mark.parametrize("name", ["layer norm", "batch norm", "dropout", "odd width"])
def test_a_run_is_the_same_bits_alone_among_three_and_among_ten(name):
    def states(indices):
        runs, found, changed, models = made(name, indices, epochs=2, lr=0.05)
        results = train_stack(runs, models, changed, found, source(), source(), "cpu")
        return {run: (r.labels.tolist(), r.losses) for run, r in zip(indices, results, strict=True)}

    ten = states(range(10))
    assert states([7])[7] == ten[7]
    three = states([9, 7, 2])
    assert {run: three[run] for run in (2, 7, 9)} == {run: ten[run] for run in (2, 7, 9)}
    assert ten[2] != ten[7]


def test_a_parameter_of_two_modules_is_still_refused():
    def shared():
        layers = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
        layers[2].weight = layers[0].weight
        return layers

    with pytest.raises(NotDirect, match="shares a parameter"):
        DirectStack([shared(), shared()])
