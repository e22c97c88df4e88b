"""Convolutional nets for small pictures, after He et al. (2016); depth counts 3 × 3 convolutions and the last layer.

| depth | layers |
|---|---|
| 5 | stem 16, a block of 32 (stride 2), one convolution to 64 (stride 2), linear |
| 10 | stem 16, a block each of 16, 32, 64, 128, linear |
| 18 | stem 16, two blocks each of 16, 32, 64, 128, linear: ResNet-18 at a quarter of its width |

A block is two convolutions; from the second width on its first one has stride 2. Pictures are averaged over
positions before the linear layer. The order is that of the fully connected nets: convolution, norm, dropout of
whole channels, ReLU; a convolution with a norm has no bias. In a residual net the block's inputs are added before
its last ReLU, through a 1 × 1 convolution with a norm where the shape changes; a plain net is the same without.
Inputs are not normalized. Layer normalization is over channels and positions; groups are 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from regularizer_study.residual import ResidualStage

if TYPE_CHECKING:
    from regularizer_study.nets import Net

STEM = 16
GROUPS = 8
BLOCKS: dict[int, tuple[tuple[int, int], ...]] = {  # depth → (width, stride) of each block
    5: ((32, 2),),
    10: ((16, 1), (32, 2), (64, 2), (128, 2)),
    18: tuple(
        (width, stride if first else 1)
        for width, stride in ((16, 1), (32, 2), (64, 2), (128, 2))
        for first in (True, False)
    ),
}
LAST = {5: 64}  # depth → width of a lone convolution: blocks come in pairs, and 5 is odd


def make_cnn(net: Net) -> nn.Sequential:
    """A fresh net."""
    layers = [*_convolution(net, net.in_shape[0], STEM), nn.ReLU()]
    width = STEM
    for wider, stride in BLOCKS[net.depth]:
        layers += [_block(net, width, wider, stride), nn.ReLU()]
        width = wider
    if net.depth in LAST:
        layers += [*_convolution(net, width, LAST[net.depth], stride=2), nn.ReLU()]
        width = LAST[net.depth]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, net.n_classes))
    return nn.Sequential(*layers, *head)


def _convolution(net: Net, n_in: int, n_out: int, stride: int = 1) -> Iterator[nn.Module]:
    yield nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=net.norm == "none")
    yield from _norm(net.norm, n_out)
    if net.noise == "dropout":
        yield nn.Dropout2d(net.dropout)


def _norm(kind: str, width: int) -> Iterator[nn.Module]:
    if kind == "batch":
        yield nn.BatchNorm2d(width)
    elif kind != "none":
        yield nn.GroupNorm(1 if kind == "layer" else GROUPS, width)


def _block(net: Net, n_in: int, n_out: int, stride: int) -> nn.Module:
    first, second = _convolution(net, n_in, n_out, stride), _convolution(net, n_out, n_out)
    branch = nn.Sequential(*first, nn.ReLU(), *second)
    if not net.residual:
        return branch
    projection = None
    if stride > 1 or n_in != n_out:
        narrow = nn.Conv2d(n_in, n_out, 1, stride, bias=net.norm == "none")
        projection = nn.Sequential(narrow, *_norm(net.norm, n_out))
    return ResidualStage(branch, omitted=net.omitted, projection=projection)
