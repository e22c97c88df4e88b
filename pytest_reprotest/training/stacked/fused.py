"""SGD inside the backward pass: a weight's update is accumulated by the product that gives its gradient.

Saves writing and reading a gradient as large as the weights, which is a third of a wide layer's memory
traffic. For plain SGD and momentum, where nothing looks at gradients in between.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pytest_reprotest.training.stacked.direct import DirectStack, Linear, Stack
from pytest_reprotest.training.stacked.kernels import is_aligned


class FusedSGD:
    """The update of one weight: v ← μv + G·X + λW, W ← W - ηv, or W ← (1 - ηλ)W - ηG·X without momentum.

    Parameters
    ----------
    group : dict
        The optimizer's parameter group: its current ``lr``, ``momentum`` and ``weight_decay``.
    """

    def __init__(self, group: dict[str, Any]) -> None:
        self.group = group
        self.velocity: Tensor | None = None

    @torch.no_grad()
    def __call__(self, weight: Tensor, gradient: Tensor, inputs: Tensor) -> None:
        """Update in place."""
        rate, decay = self.group["lr"], self.group["weight_decay"]
        momentum = self.group["momentum"]
        if not momentum:
            weight.baddbmm_(gradient, inputs, beta=1.0 - rate * decay, alpha=-rate)
            return
        if self.velocity is None:
            self.velocity = torch.zeros_like(weight)
        self.velocity.baddbmm_(gradient, inputs, beta=momentum)
        if decay:
            self.velocity.add_(weight, alpha=decay)
        weight.add_(self.velocity, alpha=-rate)


def fuse_updates(stack: Stack, optimizer: torch.optim.Optimizer) -> None:
    """Give every linear layer that is used once a step its own update, where SGD's rule allows it.

    Not one whose matrices begin anywhere in memory: see ``is_aligned``.
    """
    if not isinstance(stack, DirectStack) or type(optimizer) is not torch.optim.SGD:
        return
    group = optimizer.param_groups[0]
    single = len(optimizer.param_groups) == 1 and isinstance(group["lr"], float)
    if not single or group["nesterov"] or group["maximize"] or group["dampening"]:
        return
    places = list(stack.tree.named_modules(remove_duplicate=False))
    uses = [id(module) for _, module in places]
    for _, module in places:
        once = isinstance(module, Linear) and uses.count(id(module)) == 1
        if once and module.own["weight"].requires_grad and is_aligned(module.own["weight"]):
            module.update = FusedSGD(group)
