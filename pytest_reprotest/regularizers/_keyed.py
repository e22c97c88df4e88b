"""Random masks that are a function of (run, layer, call), not of a shared stream.

A mask is a hash of its elements' positions under a key, so what a run draws depends neither on the runs
beside it nor on the engine; under vmap each slot hashes with its own key.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_GOLDEN = -1640531527  # 2^32 / golden ratio, as int32
_BITS = 24  # of a hash that decide: all that float32 can tell apart


def _mix(x: Tensor) -> Tensor:
    """A bijective 32-bit hash, int32 to int32 (C. Wellons' "lowbias32"); shifts are made logical by masks."""
    x = x ^ (x >> 16).bitwise_and_(0xFFFF)
    x *= 0x7FEB352D
    x ^= (x >> 15).bitwise_and_(0x1FFFF)
    x *= -2073254261  # 0x846ca68b
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x


def keyed_uniforms(key: Tensor, call: Tensor, count: int) -> Tensor:
    """Integers uniform on 0 … 2^24 - 1.

    Parameters
    ----------
    key : int32 tensor (…, 2)
        From the run's noise stream and the layer; leading dimensions are runs.
    call : int32 tensor (…)
        How often the layer has been called in training.
    count : int

    Returns
    -------
    int32 tensor (…, count)

    >>> key, call = torch.tensor([1, 2], dtype=torch.int32), torch.tensor(0, dtype=torch.int32)
    >>> keyed_uniforms(key, call, 3).shape
    torch.Size([3])
    """
    offset = _mix(key[..., 0] + call * _GOLDEN)
    stride = _mix(key[..., 1] ^ offset) | 1  # odd, so positions stay distinct modulo 2^32
    position = torch.arange(count, dtype=torch.int32, device=key.device)
    mixed = _mix((position * stride.unsqueeze(-1)).add_(offset.unsqueeze(-1)))
    return (mixed >> 8).bitwise_and_((1 << _BITS) - 1)


class KeyedDropout(nn.Module):
    """Dropout by keyed masks; kept values are scaled by 1 / (1 - p). The identity in evaluation.

    Parameters
    ----------
    p : float
        Probability of dropping, 0 to below 1 (or 1: everything).
    dims : int, optional
        Leading dimensions that get a value of their own in the mask: 1 drops whole samples, 2 whole
        channels; None drops single features.
    """

    noise_key: Tensor
    noise_call: Tensor

    def __init__(self, p: float, dims: int | None = None) -> None:
        super().__init__()
        self.p = p
        self.dims = dims
        self.register_buffer("noise_key", torch.zeros(2, dtype=torch.int32), persistent=False)
        self.register_buffer("noise_call", torch.zeros((), dtype=torch.int32), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Drop and scale in training."""
        if not self.training or self.p == 0.0:
            return inputs
        shape = self.mask_shape(inputs.shape)
        drawn = keyed_uniforms(self.noise_key, self.noise_call, shape.numel())
        self.noise_call += 1
        return inputs * self.scale(drawn, inputs.dtype).reshape(shape)

    def mask_shape(self, shape: torch.Size) -> torch.Size:
        """The shape of one run's mask for inputs of a shape."""
        if self.dims is None:
            return shape
        return torch.Size([*shape[: self.dims], *[1] * (len(shape) - self.dims)])

    def scale(self, drawn: Tensor, dtype: torch.dtype) -> Tensor:
        """The factor of each element: 0 where dropped, else 1 / (1 - p)."""
        if self.p == 1.0:
            return torch.zeros_like(drawn, dtype=dtype)
        return (drawn >= int(self.p * (1 << _BITS))).to(dtype) * (1.0 / (1.0 - self.p))

    def extra_repr(self) -> str:
        """Shown in the model's repr."""
        return f"p={self.p}" + ("" if self.dims is None else f", dims={self.dims}")
