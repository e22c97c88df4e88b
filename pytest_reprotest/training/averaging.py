"""The exponential moving average of the weights, and the statistics of batch norms under it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pytest_reprotest.recipe import Recipe
from pytest_reprotest.training.data import Source

Norm = tuple[nn.Module, Any]
"""A batch norm as the forward calls it, and the module that its momentum is read from: the same where
models are not stacked."""


class WeightAverage:
    """The average of the weights w_t after each of T steps, Σ_t (1-d) d^(T-t) w_t / (1-d^T).

    It starts at zero and is corrected at the end, as Adam's moments are (Kingma & Ba, 2015): so every step
    has the same factors.

    Parameters
    ----------
    weights : iterable of tensors
        Of one run, or of several with a run axis in front; those that need no gradient are left out.
    decay : float
        d, above 0 and below 1.

    >>> weight = torch.ones(2, requires_grad=True)
    >>> average = WeightAverage([weight], decay=0.5)
    >>> for value in (3.0, 6.0):
    ...     weight = weight.detach().fill_(value)
    ...     average.update()
    >>> average.put()
    >>> weight.tolist()
    [5.0, 5.0]
    """

    def __init__(self, weights: Iterable[Tensor], decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self._weights = [weight for weight in weights if weight.requires_grad]
        self._averages = [  # in bfloat16 a thousandth of a step would be lost
            torch.zeros_like(each, dtype=torch.promote_types(each.dtype, torch.float32))
            for each in self._weights
        ]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        pairs = zip(self._weights, self._averages, strict=True)
        current = [weight.to(average.dtype) for weight, average in pairs]
        # a lerp's two factors sum to 1 whatever they are rounded to; it treats every element alone
        torch._foreach_lerp_(self._averages, current, 1.0 - self.decay)
        self.steps += 1

    @torch.no_grad()
    def put(self) -> None:
        """Put the average, after a step at least, in the place of the weights."""
        correction = 1.0 / (1.0 - self.decay**self.steps)
        for weight, average in zip(self._weights, self._averages, strict=True):
            weight.copy_(average * correction)


def weight_average(recipe: Recipe, weights: Iterable[Tensor]) -> WeightAverage | None:
    """The average that a recipe asks for."""
    return None if recipe.ema_decay is None else WeightAverage(weights, recipe.ema_decay)


def batch_norms(model: nn.Module) -> list[Norm]:
    """The batch norms that learn running statistics: one that a model keeps in evaluation does not."""
    return [
        (module, module)
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.training
        and module.running_mean is not None
    ]


def batches_in_order(n_samples: int, batch_size: int, device: str) -> tuple[Tensor, ...]:
    """Indices of all samples in batches; an incomplete last one is left out where there is a whole one.

    >>> [index.tolist() for index in batches_in_order(5, 2, "cpu")]
    [[0, 1], [2, 3]]
    """
    split: tuple[Tensor, ...] = torch.arange(n_samples, device=device).split(batch_size)
    return split[: max(n_samples // batch_size, 1)]


@torch.no_grad()
def recompute(
    norms: Sequence[Norm],
    switch: Callable[[bool], Any],
    forward: Callable[[Tensor], Any],
    train: Source,
    batches: Sequence[Tensor],
) -> None:
    """Make running statistics the mean of those of some batches; there is nothing to do without norms.

    The norms are in training mode meanwhile, and all else in evaluation: nothing is dropped and no masks
    are drawn.

    Parameters
    ----------
    switch : callable
        Puts the whole model into training or evaluation mode.
    forward : callable
        Takes the inputs (n, …) of a batch.
    """
    if not norms:
        return
    momenta = [holder.momentum for _, holder in norms]
    switch(False)
    for norm, _ in norms:
        norm.train()
    try:
        for number, index in enumerate(batches, start=1):
            for _, holder in norms:
                holder.momentum = 1.0 / number
            forward(train.take(index)[0])
    finally:
        for (_, holder), momentum in zip(norms, momenta, strict=True):
            holder.momentum = momentum
