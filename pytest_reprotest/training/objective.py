"""Loss and optimizer of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.training.heads import CLASSES, ClassHead, Head

Loss = Callable[[Tensor, Tensor], Tensor]

_LOSSES: dict[str, Loss] = {
    "cross_entropy": functional.cross_entropy,
    "nll_loss": functional.nll_loss,
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "bce_with_logits": functional.binary_cross_entropy_with_logits,
}


def make_loss(recipe: Recipe, head: Head = CLASSES) -> Loss:
    """The loss function (outputs, targets) → scalar."""
    loss = _LOSSES[recipe.loss] if isinstance(recipe.loss, str) else recipe.loss
    if isinstance(head, ClassHead):
        return loss
    return lambda outputs, targets: loss(*head.aligned(outputs, targets))


def losses_by_run(recipe: Recipe, head: Head = CLASSES) -> Loss:
    """The loss of each run, (n_runs,), from outputs and targets (n_runs, n, …)."""
    if recipe.loss not in _LOSSES:
        return torch.vmap(make_loss(recipe, head), randomness="error")
    loss: Callable[..., Tensor] = _LOSSES[str(recipe.loss)]
    if isinstance(head, ClassHead):
        return lambda scores, targets: loss(scores.mT, targets, reduction="none").mean(1)

    def per_run(outputs: Tensor, targets: Tensor) -> Tensor:
        outputs, targets = head.aligned(outputs, targets)
        # in one memory layout, so that sums round alike whatever the number of runs
        return loss(outputs.contiguous(), targets, reduction="none").flatten(1).mean(1)

    return per_run


def make_optimizer(
    recipe: Recipe, parameters: Iterable[Tensor], regularizer: Regularizer
) -> torch.optim.Optimizer:
    """The optimizer of one run over its parameters.

    ``foreach`` is left to torch: it changes no result on one device.
    """
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    if callable(recipe.optimizer):
        made = recipe.optimizer(trainable)
        if not isinstance(made, torch.optim.Optimizer):
            raise TrainingError(
                f"optimizer= returned {type(made).__name__}; expected a torch.optim.Optimizer, such as "
                "lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
            )
        own = {id(parameter) for parameter in trainable}
        if any(id(each) not in own for group in made.param_groups for each in group["params"]):
            raise TrainingError(
                f"optimizer= returned a {type(made).__name__} over other parameters than it was given, so "
                "this run's model would not be trained; build it from the list it gets: "
                "lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
            )
        regularizer.modify_optimizer(made)
        return made
    common: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    name = recipe.optimizer
    if name == "adam":
        return torch.optim.Adam(trainable, **common)
    if name == "adamw":
        return torch.optim.AdamW(trainable, **common)
    if name == "rmsprop":
        return torch.optim.RMSprop(trainable, **common)
    momentum = 0.0 if name == "sgd" else recipe.momentum
    return torch.optim.SGD(trainable, momentum=momentum, nesterov=name == "nesterov", **common)


def check_schedule(recipe: Recipe) -> None:
    """Refuse a schedule that does not give factors."""
    for progress in (0.0, 0.5, 0.999):
        factor: Any = recipe.learning_rate_factor(progress)
        if not isinstance(factor, Real) or not 0.0 <= float(factor) < math.inf:
            raise TrainingError(
                f"schedule= returned {factor!r} at progress {progress}; expected a factor on the learning "
                "rate, a finite number of 0 or more"
            )


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float]) -> None:
    """Set each group's learning rate, in place where it lives on the device."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
