"""The study's fully connected nets.

Depth counts linear stages: inputs → 128, depth - 2 stages 128 → 128, 128 → classes, with a ReLU before each but
the first. A stage is a linear layer, its norm and its dropout; the last one is the linear layer alone. With a
norm the inputs are normalized too, and layers it follows have no bias. A residual stage is x + Linear(ReLU(norm(
Linear(x)))), so it holds two linear layers; neither has a bias where there is a norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from regularizer_study.residual import ResidualStage

if TYPE_CHECKING:
    from regularizer_study.nets import Net

WIDTH = 128
GROUPS = 8


def make_mlp(net: Net) -> nn.Sequential:
    """A fresh net. One flat Sequential: the stacked engine multiplies such layers of all runs at once."""
    n_inputs = net.n_inputs
    layers: list[nn.Module] = [nn.Flatten(), *_norm(net.norm, n_inputs), *_stage(net, n_inputs)]
    shared = nn.Sequential(*_stage(net, WIDTH)) if net.tied else None
    for _ in range(net.depth - 2):
        layers.append(nn.ReLU())
        if net.residual:
            layers.append(_residual_stage(net))
        elif shared is not None:
            layers.append(shared)
        else:
            layers.extend(_stage(net, WIDTH))
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(WIDTH, net.n_classes))


def _norm(kind: str, width: int) -> Iterator[nn.Module]:
    if kind == "layer":
        yield nn.LayerNorm(width)
    elif kind == "batch":
        yield nn.BatchNorm1d(width)
    elif kind == "group":
        yield nn.GroupNorm(GROUPS, width)


def _stage(net: Net, n_inputs: int) -> Iterator[nn.Module]:
    yield nn.Linear(n_inputs, WIDTH, bias=net.norm == "none")
    yield from _norm(net.norm, WIDTH)
    if net.noise == "dropout":
        yield nn.Dropout(net.dropout)


def _residual_stage(net: Net) -> ResidualStage:
    last = nn.Linear(WIDTH, WIDTH, bias=net.norm == "none")
    branch = nn.Sequential(*_stage(net, WIDTH), nn.ReLU(), last)
    return ResidualStage(branch, omitted=net.omitted)
