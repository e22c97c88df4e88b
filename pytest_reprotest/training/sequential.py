"""The sequential engine: one run after another, data on the device, no synchronization inside an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pytest_reprotest.errors import DataError, TrainingError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.metrics import Labels
from pytest_reprotest.plan import Run
from pytest_reprotest.predictions import smallest_dtype
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.training.data import Source
from pytest_reprotest.training.objective import make_loss, make_optimizer
from pytest_reprotest.training.state import seed_globals, torch_generator

_EVALUATION_ELEMENTS = 1 << 22  # input numbers in one batch of predictions


@dataclass(frozen=True)
class Trained:
    """Labels (n_samples,) of the test set, and the mean training loss of each epoch."""

    labels: Labels
    losses: tuple[float, ...]


def epoch_order(generator: torch.Generator, n_samples: int) -> Tensor:
    """The order of one epoch: the next permutation of the run's ``data_order`` stream."""
    return torch.randperm(n_samples, generator=generator)


def steps_per_epoch(recipe: Recipe, n_samples: int) -> int:
    """Steps in an epoch; at least one, also where drop_last leaves no full batch."""
    whole, rest = divmod(n_samples, recipe.batch_size)
    return max(whole if recipe.drop_last or not rest else whole + 1, 1)


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
    loss_of = make_loss(recipe)
    optimizer = make_optimizer(recipe, model.parameters(), regularizer)
    base_rates = [group["lr"] for group in optimizer.param_groups]
    order = torch_generator(run.seeds, "data_order")
    seed_globals(run.seeds, "noise")
    parameters = dict(model.named_parameters())
    steps = steps_per_epoch(recipe, train.n_samples)
    rate_factor = recipe.learning_rate_factor
    constant_rate = recipe.schedule == "constant"
    losses: list[float] = []
    model.train()
    for epoch in range(recipe.epochs):
        batches = epoch_order(order, train.n_samples).to(device).split(recipe.batch_size)
        total = torch.zeros((), device=device)
        for step, index in enumerate(batches[:steps]):
            if not constant_rate:
                factor = rate_factor((epoch * steps + step) / (recipe.epochs * steps))
                for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = rate * factor
            inputs, targets = train.take(index)
            loss = loss_of(model(inputs), targets)
            penalty = regularizer.penalty(model, parameters)
            objective = loss if penalty is None else loss + penalty
            optimizer.zero_grad(set_to_none=True)
            objective.backward()
            if recipe.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            optimizer.step()
            total += objective.detach()
        losses.append(total.item() / steps)
        if not math.isfinite(losses[-1]):
            raise diverged(losses[-1], epoch, recipe)
    return Trained(predict(model, test, device), tuple(losses))


def diverged(loss: float, epoch: int, recipe: Recipe) -> TrainingError:
    """The error of a loss that is not finite."""
    return TrainingError(
        f"the training loss became {loss} in epoch {epoch + 1} of {recipe.epochs}. Lower the learning "
        "rate, clip gradients (max_grad_norm=1.0), or check the inputs' scale"
    )


@torch.no_grad()
def predict(model: nn.Module, test: Source, device: str) -> Labels:
    """Predicted labels (n_samples,), smallest integer type, on the device in large batches."""
    model.eval()
    first, _ = test.take(torch.zeros(1, dtype=torch.int64, device=device))
    size = max(1, _EVALUATION_ELEMENTS // max(first.numel(), 1))
    parts = []
    n_classes = 1
    for index in torch.arange(test.n_samples, device=device).split(size):
        scores = model(test.take(index)[0])
        if not bool(torch.isfinite(scores).all()):
            raise TrainingError(
                "the model's scores on the test set are NaN or infinite although its loss was finite. "
                "Lower the learning rate, or check normalization layers and the test inputs"
            )
        n_classes = scores.shape[-1]
        parts.append(scores.argmax(dim=-1))
    return torch.cat(parts).cpu().numpy().astype(smallest_dtype(n_classes))


def check_step(
    model: nn.Module,
    recipe: Recipe,
    regularizer: Regularizer,
    train: Source,
    n_classes: int,
    device: str,
) -> None:
    """One forward and backward on a small batch: what can't be trained is told before anything is.

    Parameters
    ----------
    n_classes : int
        Classes that occur in the data's labels: the largest plus one.

    Raises
    ------
    TrainingError, DataError
    """
    optimizer = make_optimizer(recipe, model.parameters(), regularizer)
    index = torch.arange(min(train.n_samples, recipe.batch_size, 32), device=device)
    inputs, targets = train.take(index)
    model.train()
    outputs = model(inputs)
    if not isinstance(outputs, Tensor) or outputs.dim() != 2 or len(outputs) != len(index):
        shape = (
            tuple(outputs.shape) if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
        )
        raise TrainingError(
            f"the model returned {shape} for {len(index)} inputs; expected a tensor of scores "
            f"({len(index)}, n_classes)"
        )
    if outputs.shape[1] < n_classes:
        raise DataError(
            f"labels outside the classes: the largest label is {n_classes - 1}, the model gives scores "
            f"for {outputs.shape[1]} classes (0 … {outputs.shape[1] - 1}). Widen its last layer, or "
            "re-encode the labels"
        )
    if outputs.shape[1] < 2:
        raise TrainingError(
            "the model gives one score a sample; expected one for each class, so 2 for a binary task"
        )
    loss = make_loss(recipe)(outputs, targets)
    if not isinstance(loss, Tensor) or loss.dim() != 0:
        shape = tuple(loss.shape) if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise TrainingError(
            f"the loss returned {shape}; expected a scalar tensor, the mean over the batch"
        )
    penalty = regularizer.penalty(model, dict(model.named_parameters()))
    (loss if penalty is None else loss + penalty).backward()
    optimizer.zero_grad(set_to_none=True)
