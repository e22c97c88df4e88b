"""Normalization of stacked activations: rows that share a mean and a variance, each computed alone."""

from __future__ import annotations

import torch
from torch import Tensor

Moments = tuple[Tensor, Tensor]
"""Mean and reciprocal standard deviation of each row, (n_runs, …, 1)."""


def normalize(inputs: Tensor, groups: int, eps: float) -> tuple[Tensor, Moments]:
    """Shift and scale every row to mean 0 and variance 1, each row alone.

    Torch's own batch norm takes blocks of features, so its rounding would depend on the neighbours; along
    the other axis batch norm, too, is a matter of rows.

    Parameters
    ----------
    inputs : tensor (n_runs, n, width), contiguous
    groups : int
        Rows in each (width,); they divide it.
    """
    rows = inputs.view(*inputs.shape[:2], groups, -1)
    outputs, mean, scale = torch.native_layer_norm(rows, rows.shape[-1:], None, None, eps)
    return outputs.view_as(inputs), (mean, scale)


def normalize_backward(gradient: Tensor, inputs: Tensor, groups: int, moments: Moments) -> Tensor:
    """The gradient of ``normalize`` by its inputs."""
    rows = inputs.view(*inputs.shape[:2], groups, -1)
    found = torch.ops.aten.native_layer_norm_backward(
        gradient.view_as(rows), rows, rows.shape[-1:], *moments, None, None, [True, False, False]
    )
    back: Tensor = found[0].view_as(inputs)
    return back


def track(
    running: tuple[Tensor, Tensor], moments: Moments, samples: int, momentum: float, eps: float
) -> None:
    """Update a batch norm's running mean and unbiased variance, (n_runs, features), in place.

    Raises
    ------
    ValueError
        For a single sample, which has no variance.
    """
    if samples < 2:
        raise ValueError(f"batch normalization needs more than 1 sample in training, got {samples}")
    mean, scale = (moment.detach().flatten(1) for moment in moments)
    variance = (scale.reciprocal().square() - eps).clamp(min=0.0)
    running[0].lerp_(mean, momentum)
    running[1].lerp_(variance * (samples / (samples - 1)), momentum)


def batch_norm(
    inputs: Tensor,
    running: tuple[Tensor, Tensor] | None,
    affine: tuple[Tensor, Tensor] | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Batch normalization over features of all runs.

    Parameters
    ----------
    inputs : tensor (n_runs, n, features)
    running : pair of tensors (n_runs, features) or None
        Running mean and unbiased variance, updated in place in training.
    affine : pair of tensors (n_runs, features) or None
        Weight and bias.
    """
    by_feature = inputs.mT
    if training or running is None:
        outputs, moments = normalize(by_feature.contiguous(), 1, eps)
        if running is not None:
            track(running, moments, inputs.shape[1], momentum, eps)
    else:
        scale = (running[1] + eps).rsqrt().unsqueeze(2)
        outputs = (by_feature - running[0].unsqueeze(2)) * scale
    if affine is not None:
        outputs = torch.addcmul(affine[1].unsqueeze(2), outputs, affine[0].unsqueeze(2))
    return outputs.mT
