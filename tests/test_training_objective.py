from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_training import make_mlp
from torch import nn

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.recipe import LEARNING_RATES, SCHEDULES, Recipe
from pytest_reprotest.regularizers import none
from pytest_reprotest.training.objective import (
    check_schedule,
    make_loss,
    make_optimizer,
    set_rates,
)


def optimizer_of(recipe: Recipe, model: nn.Module | None = None) -> torch.optim.Optimizer:
    return make_optimizer(recipe, (model or make_mlp()).parameters(), none())


def test_cross_entropy_is_minus_the_log_probability_of_the_target():
    scores = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    loss = make_loss(Recipe())(scores, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx((-math.log(3 / 4) - math.log(1 / 2)) / 2)


def test_nll_loss_takes_log_probabilities():
    loss = make_loss(Recipe(loss="nll_loss"))(torch.tensor([[-1.0, -2.0]]), torch.tensor([1]))
    assert loss.item() == 2.0


def test_a_callable_is_the_loss():
    def mine(outputs, targets):
        return outputs.sum()

    assert make_loss(Recipe(loss=mine)) is mine


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("sgd", torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        ("momentum", torch.optim.SGD, {"momentum": 0.7, "nesterov": False}),
        ("nesterov", torch.optim.SGD, {"momentum": 0.7, "nesterov": True}),
        ("adam", torch.optim.Adam, {"betas": (0.9, 0.999)}),
        ("adamw", torch.optim.AdamW, {"betas": (0.9, 0.999)}),
        ("rmsprop", torch.optim.RMSprop, {"alpha": 0.99}),
    ],
)
def test_optimizers_by_name(name, kind, settings):
    made = optimizer_of(Recipe(optimizer=name, lr=0.3, weight_decay=0.02, momentum=0.7))
    assert type(made) is kind
    (group,) = made.param_groups
    expected = {"lr": 0.3, "weight_decay": 0.02, **settings}
    assert {key: group[key] for key in expected} == expected


@pytest.mark.parametrize("name", LEARNING_RATES)
def test_every_name_of_the_recipe_is_made_with_its_default_rate(name):
    assert optimizer_of(Recipe(optimizer=name)).param_groups[0]["lr"] == LEARNING_RATES[name]


def test_frozen_parameters_are_left_out():
    model = make_mlp()
    model[0].requires_grad_(False)
    made = optimizer_of(Recipe(), model)
    assert len(made.param_groups[0]["params"]) == 4


def test_a_callable_gets_a_list_of_the_trainable_parameters():
    got = []

    def sgd(parameters):
        got.append(parameters)
        return torch.optim.SGD(parameters, lr=0.1)

    model = make_mlp()
    model[0].requires_grad_(False)
    optimizer_of(Recipe(optimizer=sgd), model)
    assert isinstance(got[0], list)
    assert [id(p) for p in got[0]] == [id(p) for p in list(model.parameters())[2:]]


def test_a_class_is_a_callable():
    assert type(optimizer_of(Recipe(optimizer=torch.optim.Adagrad))) is torch.optim.Adagrad


def test_a_callable_that_returns_no_optimizer_is_refused():
    with pytest.raises(TrainingError) as error:
        optimizer_of(Recipe(optimizer=lambda parameters: None))
    assert str(error.value) == (
        "optimizer= returned NoneType; expected a torch.optim.Optimizer, such as lambda parameters: "
        "torch.optim.SGD(parameters, lr=0.1)"
    )


def test_an_optimizer_of_another_model_is_refused():
    of_another = torch.optim.SGD(make_mlp().parameters(), lr=0.1)
    with pytest.raises(TrainingError) as error:
        optimizer_of(Recipe(optimizer=lambda parameters: of_another))
    assert str(error.value) == (
        "optimizer= returned a SGD over other parameters than it was given, so this run's model would not be "
        "trained; build it from the list it gets: lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
    )


def test_an_optimizer_of_some_of_the_parameters_is_taken():
    made = optimizer_of(
        Recipe(optimizer=lambda parameters: torch.optim.SGD(parameters[:1], lr=0.1))
    )
    assert len(made.param_groups[0]["params"]) == 1


def test_rates_are_set_by_group_and_a_tensor_in_place():
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam(
        [{"params": weights[:1], "lr": 0.1}, {"params": weights[1:], "lr": rate}], foreach=False
    )
    set_rates(optimizer, [0.01, 0.25])
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert optimizer.param_groups[1]["lr"] is rate
    assert rate.item() == 0.25


@pytest.mark.parametrize(
    "schedule", [*SCHEDULES, lambda progress: np.float32(1), lambda progress: 1]
)
def test_schedules_that_give_factors_are_taken(schedule):
    check_schedule(Recipe(schedule=schedule))


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (lambda progress: None, "None at progress 0.0"),
        (lambda progress: -progress, "-0.5 at progress 0.5"),
        (lambda progress: 1.0 if progress < 0.9 else math.nan, "nan at progress 0.999"),
        (lambda progress: math.inf, "inf at progress 0.0"),
        (lambda progress: "slow", "'slow' at progress 0.0"),
    ],
)
def test_a_schedule_that_gives_no_factor_is_refused(schedule, told):
    with pytest.raises(TrainingError) as error:
        check_schedule(Recipe(schedule=schedule))
    assert str(error.value) == (
        f"schedule= returned {told}; expected a factor on the learning rate, a finite number of 0 or more"
    )
