from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_training import blobs, built, make_mlp, seeds, some_runs, trained, trainer_of
from torch import nn
from torch.nn import functional

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import none, orthogonal
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.sequential import (
    epoch_order,
    predict,
    steps_per_epoch,
    train_sequentially,
)
from pytest_reprotest.training.state import torch_generator


def train_one(model, n=48, regularizer=None, **recipe):
    recipe = Recipe(**{"epochs": 1, "batch_size": 16, **recipe})
    train, test = TensorSource(*blobs(n)), TensorSource(*blobs(30, seed=1))
    run = some_runs(1)[0]
    return train_sequentially(run, model, recipe, regularizer or none(), train, test, "cpu")


def test_an_epochs_order_is_the_next_permutation_of_the_stream():
    generator = torch_generator(seeds(), "data_order")
    orders = [epoch_order(generator, 10).tolist() for _ in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize(
    ("n", "batch_size", "drop_last", "steps"),
    [
        (48, 16, False, 3),
        (48, 16, True, 3),
        (49, 16, False, 4),
        (49, 16, True, 3),
        (5, 16, False, 1),
        (5, 16, True, 1),
    ],
)
def test_the_steps_of_an_epoch(n, batch_size, drop_last, steps):
    assert steps_per_epoch(Recipe(batch_size=batch_size, drop_last=drop_last), n) == steps


@pytest.mark.parametrize("penalized", [False, True])
def test_training_is_the_loop_one_would_write(penalized):
    regularizer = orthogonal(0.01) if penalized else none()
    inputs, targets = blobs(49)
    model, handmade = built(make_mlp), built(make_mlp)
    optimizer = torch.optim.SGD(handmade.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    generator = torch_generator(seeds(), "data_order")
    epochs = []
    for _ in range(3):
        losses = []
        for index in torch.randperm(49, generator=generator).split(16):
            optimizer.zero_grad()
            loss = functional.cross_entropy(handmade(inputs[index]), targets[index])
            if penalized:
                loss = loss + regularizer.penalty(handmade, dict(handmade.named_parameters()))
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        epochs.append((sum(losses) / 4).item())
    outcome = train_one(
        model, 49, regularizer, epochs=3, optimizer="momentum", lr=0.1, weight_decay=0.01
    )
    assert outcome.losses == pytest.approx(epochs, rel=1e-6)
    for one, other in zip(model.parameters(), handmade.parameters(), strict=True):
        assert torch.equal(one, other)
    expected = handmade(blobs(30, seed=1)[0]).argmax(1)
    np.testing.assert_array_equal(outcome.labels, expected.numpy())


def test_drop_last_leaves_the_small_batch_out():
    sizes = []

    class Sized(nn.Linear):
        def forward(self, inputs):
            if self.training:
                sizes.append(len(inputs))
            return super().forward(inputs)

    train_one(Sized(6, 3), 37, drop_last=True, epochs=2)
    assert sizes == [16, 16, 16, 16]
    sizes.clear()
    train_one(Sized(6, 3), 37)
    assert sizes == [16, 16, 5]
    sizes.clear()
    train_one(Sized(6, 3), 5, drop_last=True)
    assert sizes == [5]


def rates(schedule, lr=0.5, tensor=False) -> list[float]:
    """The learning rate of each step."""
    seen = []

    class Recording(torch.optim.SGD):
        def step(self, closure=None):
            seen.append(float(self.param_groups[0]["lr"]))
            return super().step(closure)

    rate = torch.tensor(lr) if tensor else lr
    train_one(
        built(make_mlp),
        epochs=2,
        optimizer=lambda parameters: Recording(parameters, lr=rate),
        schedule=schedule,
    )
    return seen


@pytest.mark.parametrize("tensor", [False, True])
def test_the_schedule_sets_every_steps_rate_from_progress(tensor):
    assert rates("constant", tensor=tensor) == [0.5] * 6
    assert rates("linear", tensor=tensor) == pytest.approx(
        [0.5 * (1 - step / 6) for step in range(6)]
    )
    cosine = [0.25 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert rates("cosine", tensor=tensor) == pytest.approx(cosine)
    assert rates(lambda progress: 1 + progress, tensor=tensor) == pytest.approx(
        [0.5 * (1 + step / 6) for step in range(6)]
    )


def test_an_optimizer_without_a_rate_trains_under_a_constant_schedule():
    class Plain(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter -= 0.1 * parameter.grad

    outcome = train_one(built(make_mlp), optimizer=Plain)
    assert outcome.losses == train_one(built(make_mlp), lr=0.1).losses


def test_gradients_are_clipped_to_the_norm():
    before, model = built(make_mlp), built(make_mlp)
    train_one(model, 16, lr=1.0, max_grad_norm=1e-3)
    pairs = zip(before.parameters(), model.parameters(), strict=True)
    moved = math.sqrt(sum((one - other).square().sum().item() for one, other in pairs))
    assert moved == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "epoch"), [(math.nan, 1), (math.inf, 1), (math.nan, 2), (-math.inf, 3)]
)
def test_a_loss_that_is_not_finite_ends_the_run_with_its_epoch(value, epoch):
    steps = []

    def loss(outputs, targets):
        steps.append(None)
        bad = len(steps) == 3 * epoch
        return functional.cross_entropy(outputs, targets) + (value if bad else 0.0)

    with pytest.raises(TrainingError) as error:
        train_one(built(make_mlp), epochs=4, loss=loss)
    assert len(steps) == 3 * epoch
    assert str(error.value) == (
        f"the training loss became {value} in epoch {epoch} of 4. Lower the learning rate, clip gradients "
        "(max_grad_norm=1.0), or check the inputs' scale"
    )


def test_a_learning_rate_that_is_far_too_high_is_told_as_divergence():
    outcome = trained(trainer_of(lr=1e30, epochs=4), some_runs(1))[0]
    assert outcome.labels is None
    assert outcome.failure.startswith("the training loss became ")
    assert "Lower the learning rate" in outcome.failure


class Scores(nn.Module):
    """Gives fixed scores in evaluation, by the first feature of its input."""

    def __init__(self, table):
        super().__init__()
        self.table = torch.tensor(table)
        self.sizes = []

    def forward(self, inputs):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.sizes.append(len(inputs))
        return self.table[inputs[:, 0].long()]


def test_predictions_are_the_best_class_of_each_sample_in_order():
    model = Scores([[0.0, 1.0, 0.5], [3.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
    inputs = torch.tensor([[2.0], [0.0], [1.0], [0.0]])
    labels, _ = predict(model, TensorSource(inputs, torch.zeros(4, dtype=torch.int64)), "cpu")
    assert labels.tolist() == [2, 1, 0, 1]
    assert labels.dtype == np.uint8


def test_many_classes_take_a_wider_type():
    model = Scores([[0.0] * 299 + [1.0]])
    labels, _ = predict(model, TensorSource(torch.zeros(2, 1), torch.tensor([0, 0])), "cpu")
    assert labels.tolist() == [299, 299]
    assert labels.dtype == np.uint16


def test_large_inputs_are_predicted_in_parts():
    model = Scores([[0.0, 1.0]])
    inputs = torch.zeros(1, 1).expand(5, 1 << 21)
    labels, _ = predict(model, TensorSource(inputs, torch.zeros(5, dtype=torch.int64)), "cpu")
    assert labels.tolist() == [1] * 5
    assert model.sizes == [2, 2, 1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_told(value):
    model = Scores([[0.0, 1.0], [value, 0.0]])
    inputs = torch.tensor([[0.0], [1.0]])
    with pytest.raises(TrainingError) as error:
        predict(model, TensorSource(inputs, torch.zeros(2, dtype=torch.int64)), "cpu")
    assert str(error.value) == (
        "the model's scores on the test set are NaN or infinite although its loss was finite. Lower the "
        "learning rate, or check normalization layers and the test inputs"
    )


def test_a_double_model_trains_in_double():
    inputs, targets = blobs()
    model = built(lambda: make_mlp().double())
    recipe = Recipe(epochs=1, batch_size=16)
    data = TensorSource(inputs.double(), targets)
    outcome = train_sequentially(some_runs(1)[0], model, recipe, none(), data, data, "cpu")
    assert math.isfinite(outcome.losses[0])
    assert next(model.parameters()).dtype == torch.float64
