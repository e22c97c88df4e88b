"""Loss and optimizer of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]

_LOSSES: dict[str, Loss] = {
    "cross_entropy": functional.cross_entropy,
    "nll_loss": functional.nll_loss,
}


def make_loss(recipe: Recipe) -> Loss:
    """The loss function (outputs, targets) → scalar."""
    return _LOSSES[recipe.loss] if isinstance(recipe.loss, str) else recipe.loss


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
