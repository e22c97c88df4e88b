"""How long a training takes, from a few of its steps."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.training import sequential
from pytest_reprotest.training.averaging import (
    Norm,
    WeightAverage,
    batch_norms,
    batches_in_order,
    recompute,
    weight_average,
)
from pytest_reprotest.training.data import Source, TensorSource
from pytest_reprotest.training.sequential import SequentialTraining, epoch_order, steps_per_epoch
from pytest_reprotest.training.stacked import engine
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack
from pytest_reprotest.training.stacked.graph import GraphedStep

BUDGET = 0.4  # seconds of timed steps
FEWEST, MOST = 3, 200  # timed steps


@dataclass(frozen=True)
class Timed:
    """What the parts of a training take, in seconds, for all runs that are trained together.

    Attributes
    ----------
    start : float
        Building the models, and what first steps take beyond later ones.
    order : float
        An epoch's order.
    step, last_step : float
        A step on a full batch, and an epoch's last one, which may have fewer samples.
    evaluation : float
        Predicting the test set, and before it the statistics of batch norms under averaged weights.
    """

    start: float
    order: float
    step: float
    last_step: float
    evaluation: float

    def training(self, epochs: int, steps: int) -> float:
        """Seconds of a whole training.

        >>> round(Timed(1.0, 0.1, 0.01, 0.005, 2.0).training(epochs=10, steps=5), 6)
        4.45
        """
        epoch = self.order + (steps - 1) * self.step + self.last_step
        return self.start + epochs * epoch + self.evaluation


def time_training(
    build: Callable[[], Sequence[nn.Module]],
    recipe: Recipe,
    regularizer: Regularizer,
    train: Source,
    test: Source,
    device: str,
    stacked: bool,
) -> float:
    """Seconds that the runs of some models take together, trained as the engines train them.

    Changes the state of the global generators.

    Parameters
    ----------
    build : callable
        Returns the models of all runs: several where they are stacked, else one.
    """
    clock = _Clock(device)
    started = clock()
    models = list(build())
    parts = (_stacked if stacked else _alone)(models, recipe, regularizer, train, test, device)
    start = clock() - started
    evaluation = min(clock.once(parts.predict) for _ in range(2))
    parts.begin()
    if parts.recompute is not None:
        in_order = batches_in_order(train.n_samples, recipe.batch_size, device)
        evaluation += len(in_order) * clock.each(parts.recompute, in_order, BUDGET / 4)
        parts.begin()
    generators = [torch.Generator().manual_seed(0) for _ in models]
    steps = steps_per_epoch(recipe, train.n_samples)

    def batches() -> tuple[Tensor, ...]:
        drawn = [epoch_order(each, train.n_samples) for each in generators]
        order = torch.stack(drawn) if stacked else drawn[0]
        split: tuple[Tensor, ...] = order.to(device).split(recipe.batch_size, dim=-1)
        return split[:steps]

    order = min(clock.once(batches) for _ in range(2))
    indices = batches()
    first = clock.once(lambda: parts.step(indices[0]))
    step = clock.each(parts.step, indices[: max(steps - 1, 1)], BUDGET)
    last = step
    if indices[-1].shape[-1] < indices[0].shape[-1]:
        first += clock.once(lambda: parts.step(indices[-1])) - step  # captured anew on a GPU
        last = clock.each(parts.step, indices[-1:], BUDGET / 4)
    timed = Timed(start + max(first - step, 0.0), order, step, last, evaluation)
    return timed.training(recipe.epochs, steps)


class _Clock:
    """Reads the time once the device has done what it was given."""

    def __init__(self, device: str) -> None:
        self._waits = device.startswith("cuda")

    def __call__(self) -> float:
        if self._waits:
            torch.cuda.synchronize()
        return time.perf_counter()

    def once(self, call: Callable[[], Any]) -> float:
        started = self()
        call()
        return self() - started

    def each(
        self, step: Callable[[Tensor], None], indices: Sequence[Tensor], budget: float
    ) -> float:
        """The mean time of a step, over at least ``FEWEST``: on a busy machine the median is too good."""
        times: list[float] = []
        while len(times) < FEWEST or (len(times) < MOST and sum(times) < budget):
            index = indices[len(times) % len(indices)]
            started = self()
            step(index)
            times.append(self() - started)
        return fmean(times)


@dataclass(frozen=True)
class _Parts:
    """A training that can be stepped.

    Attributes
    ----------
    begin : callable
        Comes before steps.
    step : callable
        Takes one, and the weights after it into their average.
    predict : callable
        Takes the test set.
    recompute : callable or None
        Takes a batch of the training set for the statistics of batch norms, where that is to be done.
    """

    begin: Callable[[], Any]
    step: Callable[[Tensor], None]
    predict: Callable[[], Any]
    recompute: Callable[[Tensor], None] | None


def _stacked(
    models: list[nn.Module],
    recipe: Recipe,
    regularizer: Regularizer,
    train: Source,
    test: Source,
    device: str,
) -> _Parts:
    assert isinstance(train, TensorSource)
    assert isinstance(test, TensorSource)
    if len(models) == 1:  # the engine trains it with a twin
        models.append(copy.deepcopy(models[0]))
    stack = make_stack(models)
    graphed = device.startswith("cuda") and isinstance(recipe.optimizer, str)
    training = StackTraining(stack, recipe, regularizer, train, graphed)
    step = GraphedStep(training) if graphed else training.step
    average = weight_average(recipe, stack.leaves.values())
    fixed = test
    stack.train()
    return _Parts(
        stack.train,
        _averaged(step, average),
        lambda: engine.predict(stack, fixed),
        _recomputing(average, stack.batch_norms(), stack.train, stack.share, train),
    )


def _alone(
    models: list[nn.Module],
    recipe: Recipe,
    regularizer: Regularizer,
    train: Source,
    test: Source,
    device: str,
) -> _Parts:
    model = models[0]
    training = SequentialTraining(model, recipe, regularizer, train, device)
    average = weight_average(recipe, model.parameters())
    model.train()
    return _Parts(
        model.train,
        _averaged(training.step, average),
        lambda: sequential.predict(model, test, device),
        _recomputing(average, batch_norms(model), model.train, model, train),
    )


def _averaged(
    step: Callable[[Tensor], None], average: WeightAverage | None
) -> Callable[[Tensor], None]:
    if average is None:
        return step

    def both(index: Tensor) -> None:
        step(index)
        average.update()

    return both


def _recomputing(
    average: WeightAverage | None,
    norms: list[Norm],
    switch: Callable[[bool], Any],
    forward: Callable[[Tensor], Any],
    train: Source,
) -> Callable[[Tensor], None] | None:
    if average is None or not norms:
        return None
    return lambda index: recompute(norms, switch, forward, train, [index])
