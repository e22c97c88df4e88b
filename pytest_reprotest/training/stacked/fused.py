"""SGD inside the backward pass: a weight's update is accumulated by the product that gives its gradient.

Saves writing and reading a gradient as large as the weights, which is a third of a wide layer's memory
traffic. For plain SGD and momentum, where nothing looks at gradients in between.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class FusedSGD:
    """SGD's update of one linear layer.

    v ← μv + g + λW, W ← W - ηv; without momentum W ← (1 - ηλ)W - ηg.

    Parameters
    ----------
    group : dict
        The optimizer's parameter group: its current ``lr``, ``momentum`` and ``weight_decay``.
    """

    def __init__(self, group: dict[str, Any]) -> None:
        self.group = group
        self.velocity: Tensor | None = None
        self.bias_velocity: Tensor | None = None

    def weight(self, weight: Tensor, gradient: Tensor, inputs: Tensor) -> None:
        """Update a weight by its gradient G·X, from G (n_runs, out, n) and X (n_runs, n, in)."""
        rate, momentum, decay = self._settings()
        if not momentum:
            weight.baddbmm_(gradient, inputs, beta=1.0 - rate * decay, alpha=-rate)
            return
        if self.velocity is None:
            self.velocity = torch.zeros_like(weight)
        self.velocity.baddbmm_(gradient, inputs, beta=momentum)
        if decay:
            self.velocity.add_(weight, alpha=decay)
        weight.add_(self.velocity, alpha=-rate)

    def bias(self, bias: Tensor, gradient: Tensor) -> None:
        """Update a bias by its gradient."""
        rate, momentum, decay = self._settings()
        if decay:
            gradient = gradient.add(bias, alpha=decay)
        if momentum:
            if self.bias_velocity is None:
                self.bias_velocity = torch.zeros_like(bias)
            gradient = self.bias_velocity.mul_(momentum).add_(gradient)
        bias.add_(gradient, alpha=-rate)

    def _settings(self) -> tuple[float, float, float]:
        return self.group["lr"], self.group["momentum"], self.group["weight_decay"]


def fusible(optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """The optimizer's parameter group where its rule is one that FusedSGD computes, else None."""
    if type(optimizer) is not torch.optim.SGD or len(optimizer.param_groups) != 1:
        return None
    group = optimizer.param_groups[0]
    plain = not (group["nesterov"] or group["maximize"] or group["dampening"])
    return group if plain and isinstance(group["lr"], float) else None
