"""Operations on stacked weights, each run computed as it would be alone.

Activations of linear layers lie feature by feature in memory, (n_runs, features, n), seen through a
transposed view: then forward, both gradients and the narrow last layer are each one fast batched product,
and no weight is copied.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pytest_reprotest.training.stacked import norms

Dims = tuple[int | None, ...]
_LINE = 64  # bytes of a cache line


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Linear layers of all runs.

    Parameters
    ----------
    inputs : tensor (n_runs, …, in)
    weight : tensor (n_runs, out, in)
    bias : tensor (n_runs, out) or None

    Returns
    -------
    tensor (n_runs, …, out), contiguous as (n_runs, out, n)

    >>> linear(torch.ones(2, 3, 4), torch.ones(2, 5, 4), torch.zeros(2, 5)).shape
    torch.Size([2, 3, 5])
    """
    flat = inputs if inputs.dim() == 3 else inputs.reshape(len(inputs), -1, inputs.shape[-1])
    outputs: Tensor = _Product.apply(flat, weight, bias)  # type: ignore[no-untyped-call]
    if inputs.dim() == 3:
        return outputs
    return outputs.reshape(*inputs.shape[:-1], weight.shape[1])


class _Product(torch.autograd.Function):
    """inputs · weightᵀ + bias for every run; torch's own backward would copy to other layouts."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.inputs, ctx.weight = aligned(inputs), aligned(weight)
        return multiply(ctx.weight, ctx.inputs, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        by_feature = aligned(gradient.mT)
        wanted = ctx.needs_input_grad
        return (
            product(ctx.weight.mT, by_feature).mT if wanted[0] else None,
            product(by_feature, ctx.inputs) if wanted[1] else None,
            by_feature.sum(2) if wanted[2] else None,
        )


def multiply(
    weight: Tensor, inputs: Tensor, bias: Tensor | None, by_sample: bool = False
) -> Tensor:
    """Inputs · weightᵀ + bias of aligned operands, (n_runs, n, out).

    Laid out feature by feature, or sample by sample for a norm over features that follows.
    """
    shape = (len(inputs), inputs.shape[1], weight.shape[1])
    if by_sample:
        outputs = _aligned_empty(shape, weight)
        if bias is None:
            return torch.bmm(inputs, weight.mT, out=outputs)
        return torch.baddbmm(bias.unsqueeze(1), inputs, weight.mT, out=outputs)
    outputs = _aligned_empty(shape, weight, by_column=True)  # no view: relu_ may follow
    if bias is None:
        torch.bmm(weight, inputs.mT, out=outputs.mT)
    else:
        torch.baddbmm(bias.unsqueeze(2), weight, inputs.mT, out=outputs.mT)
    return outputs


def product(first: Tensor, second: Tensor) -> Tensor:
    """Matrix products of all runs, (n_runs, a, b) · (n_runs, b, c)."""
    outputs = _aligned_empty((len(first), first.shape[1], second.shape[2]), first)
    return torch.bmm(first, second, out=outputs)


def is_aligned(tensor: Tensor) -> bool:
    """Whether the matrices of all runs begin on a cache line, so that all are computed alike.

    The CPU's matrix product rounds differently by where its operands begin in memory: without this, the
    bits of a run would depend on its slot.
    """
    return tensor.device.type != "cpu" or tensor.stride(0) * tensor.element_size() % _LINE == 0


def aligned(tensor: Tensor) -> Tensor:
    """The tensor, or a copy whose matrices begin on cache lines."""
    if is_aligned(tensor):
        return tensor
    by_column = tensor.stride(1) == 1 and tensor.stride(2) != 1
    return _aligned_empty(tuple(tensor.shape), tensor, by_column).copy_(tensor)


def _aligned_empty(shape: tuple[int, ...], like: Tensor, by_column: bool = False) -> Tensor:
    """Matrices that each begin on a cache line, with a gap behind each where need be."""
    _, rows, columns = shape
    size = rows * columns
    if like.device.type == "cpu":
        unit = _LINE // like.element_size()
        size = -(-size // unit) * unit
    strides = (size, 1, rows) if by_column else (size, columns, 1)
    return torch.empty_strided(shape, strides, dtype=like.dtype, device=like.device)


def laid_out_as(like: Tensor, tensor: Tensor) -> Tensor:
    """The tensor in another's order in memory: a pass over operands of mixed order is many times slower."""
    if tensor.stride() == like.stride():
        return tensor
    return torch.empty_like(like).copy_(tensor)


def _leading(tensor: Tensor, dim: int | None, n_runs: int) -> Tensor:
    """The tensor with its run axis in front; one without is shared by all runs."""
    if dim is None:
        return tensor.unsqueeze(0).expand(n_runs, *tensor.shape)
    return tensor.movedim(dim, 0)


class _UnderVmap(torch.autograd.Function):
    """A function whose vmap rule is all there is to it: it is called under vmap only."""

    @classmethod
    def call(cls, *arguments: Any) -> Tensor:
        """Apply, typed."""
        outputs: Tensor = cls.apply(*arguments)  # type: ignore[no-untyped-call]
        return outputs

    @staticmethod
    def forward(*_: Any) -> Any:
        raise NotImplementedError

    @staticmethod
    def setup_context(*_: Any) -> None:
        return None


class Linear(_UnderVmap):
    """``functional.linear`` under vmap as one ``baddbmm``."""

    @staticmethod
    def vmap(
        info: Any, in_dims: Dims, inputs: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, int]:
        """Lower to the physical kernel."""
        runs: int = info.batch_size
        stacked = _leading(weight, in_dims[1], runs)
        shift = None if bias is None else _leading(bias, in_dims[2], runs)
        return linear(_leading(inputs, in_dims[0], runs), stacked, shift), 0


class BatchNorm(_UnderVmap):
    """Batch normalization of (n, features) under vmap."""

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Dims,
        inputs: Tensor,
        mean: Tensor | None,
        variance: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        *settings: Any,
    ) -> tuple[Tensor, int]:
        """Lower to the physical kernel."""
        runs: int = info.batch_size
        batch, *rest = (
            None if tensor is None else _leading(tensor, dim, runs)
            for tensor, dim in zip((inputs, mean, variance, weight, bias), in_dims[:5], strict=True)
        )
        running, affine = (
            None if first is None or second is None else (first, second)
            for first, second in (rest[:2], rest[2:])
        )
        assert batch is not None
        return norms.batch_norm(batch, running, affine, *settings), 0


class Convolution(_UnderVmap):
    """A convolution under vmap, run by run.

    A grouped convolution over all runs takes other paths for other numbers of runs, so its rounding would
    depend on the neighbours; on a CPU it is no faster either.
    """

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Dims,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
    ) -> tuple[Tensor, int]:
        """Convolve each run on its own."""
        runs: int = info.batch_size
        convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[weight.dim() - 4]
        images, kernels = (
            _leading(tensor, dim, runs)
            for tensor, dim in ((inputs, in_dims[0]), (weight, in_dims[1]))
        )
        shifts = [None] * runs if bias is None else _leading(bias, in_dims[2], runs).unbind()
        # unbind: the backward of indexing would add up gradients of all runs, zero but for one
        outputs = [
            convolve(*each, stride, padding, dilation, groups)
            for each in zip(images.unbind(), kernels.unbind(), shifts, strict=True)
        ]
        return torch.stack(outputs), 0
