"""The sequential engine: one run after another, data on the device, no synchronization inside an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.tasks import Array
from pytest_reprotest.training.averaging import (
    batch_norms,
    batches_in_order,
    recompute,
    weight_average,
)
from pytest_reprotest.training.data import Source
from pytest_reprotest.training.heads import Gathered
from pytest_reprotest.training.objective import make_loss, make_optimizer, set_rates
from pytest_reprotest.training.state import seed_globals, torch_generator

_EVALUATION_ELEMENTS = 1 << 22  # input numbers in one batch of predictions


@dataclass(frozen=True)
class Trained:
    """Predictions (n_samples, …) of the test set, the mean training loss of each epoch, and scores."""

    labels: Array
    losses: tuple[float, ...]
    scores: NDArray[np.float32] | None = None


def epoch_order(generator: torch.Generator, n_samples: int) -> Tensor:
    """The order of one epoch: the next permutation of the run's ``data_order`` stream."""
    return torch.randperm(n_samples, generator=generator)


def steps_per_epoch(recipe: Recipe, n_samples: int) -> int:
    """Steps in an epoch; at least one, also where drop_last leaves no full batch."""
    whole, rest = divmod(n_samples, recipe.batch_size)
    return max(whole if recipe.drop_last or not rest else whole + 1, 1)


class SequentialTraining:
    """The parts of one run's training that a step needs, and the step itself."""

    def __init__(
        self, model: nn.Module, recipe: Recipe, regularizer: Regularizer, train: Source, device: str
    ) -> None:
        self.model = model
        self.train = train
        self.regularizer = regularizer
        self.loss = make_loss(recipe, train.head)
        self.optimizer = make_optimizer(recipe, model.parameters(), regularizer)
        self.max_grad_norm = recipe.max_grad_norm
        self.parameters = dict(model.named_parameters())
        self.total = torch.zeros((), device=device)

    def step(self, index: Tensor) -> None:
        """One step on the samples at ``index`` (n,)."""
        inputs, targets = self.train.take(index)
        loss = self.loss(self.model(inputs), targets)
        penalty = self.regularizer.penalty(self.model, self.parameters)
        objective = loss if penalty is None else loss + penalty
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward()
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.max_grad_norm)
        self.optimizer.step()
        self.total += objective.detach()


def train_sequentially(
    run: Run,
    model: nn.Module,
    recipe: Recipe,
    regularizer: Regularizer,
    train: Source,
    test: Source,
    device: str,
) -> Trained:
    """Train one run and predict the test set.

    Raises
    ------
    TrainingError
        Where an epoch's loss is not finite.
    """
    training = SequentialTraining(model, recipe, regularizer, train, device)
    average = weight_average(recipe, model.parameters())
    scheduled = recipe.schedule != "constant"
    base_rates = [float(group["lr"]) for group in training.optimizer.param_groups if scheduled]
    order = torch_generator(run.seeds, "data_order")
    seed_globals(run.seeds, "noise")
    steps = steps_per_epoch(recipe, train.n_samples)
    losses: list[float] = []
    model.train()
    for epoch in range(recipe.epochs):
        batches = epoch_order(order, train.n_samples).to(device).split(recipe.batch_size)
        training.total.zero_()
        for number, index in enumerate(batches[:steps]):
            if scheduled:
                factor = recipe.learning_rate_factor(
                    (epoch * steps + number) / (recipe.epochs * steps)
                )
                set_rates(training.optimizer, [rate * factor for rate in base_rates])
            training.step(index)
            if average is not None:
                average.update()
        losses.append(training.total.item() / steps)
        if not math.isfinite(losses[-1]):
            raise diverged(losses[-1], epoch, recipe)
    if average is not None:
        average.put()
        batches = batches_in_order(train.n_samples, recipe.batch_size, device)
        recompute(batch_norms(model), model.train, model, train, batches)
    labels, scores = predict(model, test, device)
    return Trained(labels, tuple(losses), scores)


def diverged(loss: float, epoch: int, recipe: Recipe) -> TrainingError:
    """The error of a loss that is not finite."""
    return TrainingError(
        f"the training loss became {loss} in epoch {epoch + 1} of {recipe.epochs}. Lower the learning "
        "rate, clip gradients (max_grad_norm=1.0), or check the inputs' scale"
    )


def not_finite() -> TrainingError:
    """The error of scores that are not finite although the loss was."""
    return TrainingError(
        "the model's scores on the test set are NaN or infinite although its loss was finite. Lower the "
        "learning rate, or check normalization layers and the test inputs"
    )


@torch.no_grad()
def predict(
    model: nn.Module, test: Source, device: str
) -> tuple[Array, NDArray[np.float32] | None]:
    """Predictions (n_samples, …) and the scores behind them, on the device in large batches.

    Labels are of the smallest integer type. Scores (n_samples, n_classes) are None where they are too many
    to keep, or are no scores of classes.

    Raises
    ------
    TrainingError
    """
    model.eval()
    first, _ = test.take(torch.zeros(1, dtype=torch.int64, device=device))
    size = max(1, _EVALUATION_ELEMENTS // max(first.numel(), 1))
    gathered = Gathered(test.head, test.n_samples)
    for index in torch.arange(test.n_samples, device=device).split(size):
        gathered.add(model(test.take(index)[0]).unsqueeze(0))
    (found,) = gathered.runs()
    if found is None:
        raise not_finite()
    return found
