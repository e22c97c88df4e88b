"""What a net begins with: nobody asks for the gradient of its inputs, and none is computed for nothing."""

import pytest
import test_stacked_repeated as repeated
import torch
from test_stacked_engine import assert_same_state
from test_stacked_repeated import made, trained
from torch import nn

from pytest_reprotest.training.stacked import kernels, operations
from pytest_reprotest.training.stacked.engine import train_stack
from pytest_reprotest.training.state import preserved_state


def net(*first, frozen=(), out=16, last=True):
    layers = [nn.Flatten(), *first, nn.Linear(64, out)]
    if last:
        layers += [nn.ReLU(), nn.Linear(out, 5)]
    model = nn.Sequential(*layers)
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    return model


def after_a_layer():
    """The first norm that learns is not the net's first operation that does."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.LayerNorm(16), nn.Linear(16, 5))


FACTORIES = {
    "layer": lambda: net(nn.LayerNorm(64)),
    "group": lambda: net(nn.GroupNorm(4, 64)),
    "batch": lambda: net(nn.BatchNorm1d(64)),
    "odd width": lambda: net(nn.LayerNorm(64), out=7),
    "dropout before": lambda: net(nn.Dropout(0.2), nn.LayerNorm(64)),
    "two norms": lambda: net(nn.BatchNorm1d(64), nn.LayerNorm(64)),
    "the scores themselves": lambda: net(nn.LayerNorm(64), out=5, last=False),
    "a norm after it": lambda: nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 16), nn.LayerNorm(16), nn.Linear(16, 5)
    ),
    "without parameters": lambda: net(nn.LayerNorm(64, elementwise_affine=False)),
    "without bias": lambda: net(nn.LayerNorm(64, bias=False)),
    "frozen weight": lambda: net(nn.BatchNorm1d(64), frozen=["1.weight"]),
    "frozen bias": lambda: net(nn.LayerNorm(64), frozen=["1.bias"]),
    "frozen norm": lambda: net(nn.LayerNorm(64), frozen=["1.weight", "1.bias"]),
    "frozen layer": lambda: net(nn.LayerNorm(64), frozen=["2.weight", "2.bias"]),
    "frozen layer's bias": lambda: net(nn.BatchNorm1d(64), frozen=["2.bias"]),
    "plain": lambda: net(),
    "frozen first layer": lambda: net(frozen=["1.weight", "1.bias"]),
    "after a layer": after_a_layer,
}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setattr(repeated, "FACTORIES", FACTORIES)
    with preserved_state(threads=1):
        yield


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("name", FACTORIES)
def test_it_agrees_with_the_sequential_engine(name, optimizer):
    rate = 0.01 if optimizer == "adam" else 0.05
    assert_same_state(*trained(name, optimizer=optimizer, lr=rate, weight_decay=0.01))


def test_a_penalty_and_clipping_see_the_gradients():
    assert_same_state(*trained("layer", regularizer="orthogonal", lr=0.05, max_grad_norm=0.1))


def test_negative_control_the_norms_bias_matters(monkeypatch):
    original = operations.accumulate

    def without_bias(leaf, gradient):
        if leaf.shape[1:] == (64,):
            return
        original(leaf, gradient)

    monkeypatch.setattr(operations, "accumulate", without_bias)
    with pytest.raises(AssertionError):
        assert_same_state(*trained("layer", steps=3, lr=0.05))


@pytest.mark.parametrize(("name", "products"), [("plain", 3), ("layer", 4), ("after a layer", 3)])
def test_no_product_is_made_for_the_gradient_of_the_inputs(name, products, monkeypatch):
    """With Adam: a gradient for each of two layers, one between them, and that of the first norm's bias."""
    made_of = []
    original = kernels.product

    def counted(first, second):
        made_of.append((first.shape, second.shape))
        return original(first, second)

    monkeypatch.setattr(kernels, "product", counted)
    trained(name, steps=5, optimizer="adam", lr=0.01)
    assert len(made_of) == 5 * products


@pytest.mark.parametrize("name", ["layer", "batch", "odd width", "plain"])
def test_a_run_is_the_same_whatever_is_stacked_with_it(name):
    def outputs(indices):
        runs, found, recipe, models = made(name, indices, epochs=2, lr=0.05)
        data = repeated.source()
        return train_stack(runs, models, recipe, found, data, data, "cpu")

    together = outputs([0, 1, 2, 3, 4])
    for indices in ([1, 3], [4, 2, 0], [2]):
        for index, one in zip(indices, outputs(indices), strict=True):
            assert torch.equal(torch.tensor(one.losses), torch.tensor(together[index].losses))
            assert (one.labels == together[index].labels).all()
            assert (one.scores == together[index].scores).all()
