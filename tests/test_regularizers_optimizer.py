from __future__ import annotations

import math

import pytest
import torch
from small_training import trainer_of
from torch import nn

from pytest_reprotest.errors import OptionError, RegularizerRefused
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import adam, momentum, none
from pytest_reprotest.training.objective import make_optimizer


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def values_after(recipe: Recipe, gradients: list[float], start: float = 1.0) -> list[float]:
    """A single weight after each step on given gradients, by the recipe's optimizer."""
    weight = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = make_optimizer(recipe, [weight], none())
    values = []
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        values.append(weight.item())
    return values


def test_momentum_takes_a_tenth_of_the_recipes_learning_rate():
    recipe = momentum().modify_recipe(Recipe(lr=0.2))
    assert (recipe.optimizer, recipe.momentum) == ("momentum", 0.9)
    assert recipe.lr == pytest.approx(0.02, rel=1e-15)


def test_momentum_takes_a_tenth_of_a_default_learning_rate():
    assert momentum().modify_recipe(Recipe()).lr == pytest.approx(0.01, rel=1e-15)
    assert momentum().modify_recipe(Recipe(optimizer="adam")).lr == pytest.approx(3e-5, rel=1e-15)


def test_momentum_takes_its_own_parameters():
    recipe = momentum(0.5, lr=0.3).modify_recipe(Recipe(lr=0.2))
    assert (recipe.momentum, recipe.lr) == (0.5, 0.3)


def test_momentum_leaves_the_rest_of_the_recipe_as_it_is():
    recipe = Recipe(epochs=3, batch_size=7, weight_decay=0.01, schedule="cosine")
    changed = momentum().modify_recipe(recipe)
    assert (changed.epochs, changed.batch_size, changed.weight_decay, changed.schedule) == (
        3,
        7,
        0.01,
        "cosine",
    )


def test_momentum_trains_by_the_formula():
    gradients, lr, m = [1.0, -2.0, 0.5], 0.01, 0.9
    recipe = momentum(m).modify_recipe(Recipe(lr=0.1))
    weight, velocity, expected = 1.0, 0.0, []
    for gradient in gradients:
        velocity = m * velocity + gradient
        weight -= lr * velocity
        expected.append(weight)
    assert values_after(recipe, gradients) == pytest.approx(expected, rel=1e-12)


def test_adam_sets_the_learning_rate_of_the_study():
    recipe = adam().modify_recipe(Recipe(lr=0.2))
    assert (recipe.optimizer, recipe.lr) == ("adam", 3e-4)
    assert adam(1e-3).modify_recipe(Recipe()).lr == 1e-3


def test_adam_trains_by_the_formula():
    gradients, lr = [1.0, -2.0, 0.5], 0.1
    weight, first, second, expected = 1.0, 0.0, 0.0, []
    for step, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        scale = math.sqrt(second / (1 - 0.999**step)) + 1e-8
        weight -= lr * first / (1 - 0.9**step) / scale
        expected.append(weight)
    recipe = adam(lr).modify_recipe(Recipe())
    assert values_after(recipe, gradients) == pytest.approx(expected, rel=1e-9)


def test_a_learning_rate_hidden_in_a_callable_is_refused_by_momentum():
    with pytest.raises(RegularizerRefused) as refusal:
        momentum().modify_recipe(Recipe(optimizer=sgd))
    assert str(refusal.value) == (
        "'momentum' takes a tenth of the recipe's learning rate, which an optimizer given as a callable "
        "hides; write momentum(lr=0.01), or give the optimizer by name"
    )


def test_a_refused_optimizer_is_told_when_the_audit_is_prepared():
    prepared = trainer_of(optimizer=sgd).prepare([none(), momentum()], Placement(), 2)
    assert list(prepared.refusals) == ["momentum"]
    assert "write momentum(lr=0.01)" in prepared.refusals["momentum"]


def test_a_callable_is_replaced_where_the_learning_rate_is_given():
    assert momentum(lr=0.02).modify_recipe(Recipe(optimizer=sgd)).optimizer == "momentum"
    assert adam().modify_recipe(Recipe(optimizer=sgd)).optimizer == "adam"


@pytest.mark.parametrize("value", [1.0, -0.1, math.nan, "0.9", True])
def test_momentum_is_a_fraction(value):
    with pytest.raises(OptionError) as error:
        momentum(value)
    assert str(error.value) == (
        f"momentum(momentum={value!r}); expected a probability from 0 to below 1"
    )


@pytest.mark.parametrize("value", [0, -1e-3, math.inf, math.nan, "fast", True])
def test_learning_rates_are_above_0(value):
    for name, make in (("momentum", momentum), ("adam", adam)):
        with pytest.raises(OptionError) as error:
            make(lr=value)
        assert str(error.value) == f"{name}(lr={value!r}); expected a finite number above 0"


def test_labels_tell_what_is_not_at_its_default():
    assert momentum().label == "momentum"
    assert momentum(0.8).label == "momentum(0.8)"
    assert momentum(lr=0.1).label == "momentum(lr=0.1)"
    assert adam(1e-3).label == "adam(0.001)"
