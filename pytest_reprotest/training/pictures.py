"""Pictures of test samples, where inputs look like images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from pytest_reprotest.pictures import MOST_SIDE

_LEAST_SIDE, _LEAST_GUESSED_SIDE = 4, 8
_LOOKED_AT = 500  # samples that tell what inputs are, and their range
_FEWEST = 20  # below, correlations are chance
_KIN = 0.2

Layout = Callable[[Tensor], Tensor]
"""Inputs as they are to (n, 1 or 3, height, width)."""


def pictures_of(inputs: Tensor, samples: Sequence[int]) -> NDArray[np.uint8] | None:
    """Pictures of some samples, (n, height, width) or (n, height, width, 3); None where inputs are no images.

    Inputs (n, 1 or 3, height, width) or (n, height, width, 1 or 3) are images. Inputs (n, height, width),
    or (n, features) of a square number of features or three times one, are taken for images where from
    sample to sample neighbours, across and down, go together more than any two values do (correlations
    larger by 0.2, over 20 samples or more): in tables they don't. Integers are images where they are bytes.
    From the smallest to the largest value of a channel is 0 to 255; bytes stay as they are. What is larger
    than 48 pixels is made smaller.

    Parameters
    ----------
    inputs : Tensor (n_samples, …)
    samples : sequence of int

    >>> ramp = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)
    >>> pictures_of(ramp, [0])[0, 0].tolist()
    [0, 4, 8, 12, 16, 20, 24, 28]
    >>> pictures_of(torch.zeros(2, 30), [1]) is None
    True
    """
    known = inputs[:_LOOKED_AT].detach()
    layout = _layout(known)
    if layout is None:
        return None
    chosen = inputs[torch.as_tensor(list(samples), device=inputs.device)].detach()
    pixels = _finite(layout(chosen))
    if inputs.dtype != torch.uint8:
        seen = _finite(layout(known))
        low, high = (end(seen, (0, 2, 3)).reshape(1, -1, 1, 1) for end in (torch.amin, torch.amax))
        pixels = 255 * (pixels - low) / (high - low).clamp(min=torch.finfo(torch.float32).tiny)
    height, width = pixels.shape[2:]
    shrunk = MOST_SIDE / max(height, width)
    if shrunk < 1:
        size = (max(1, round(height * shrunk)), max(1, round(width * shrunk)))
        pixels = adaptive_avg_pool2d(pixels, size)
    shades: NDArray[np.uint8] = pixels.clamp(0, 255).round().to(torch.uint8).numpy()
    return shades[:, 0] if shades.shape[1] == 1 else shades.transpose(0, 2, 3, 1)


def _layout(inputs: Tensor) -> Layout | None:
    """How inputs are images; None where they are none."""
    if not (inputs.dtype.is_floating_point or inputs.dtype == torch.uint8) or not len(inputs):
        return None
    shape = tuple(inputs.shape[1:])
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= _LEAST_SIDE:
        return lambda given: given
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= _LEAST_SIDE:
        return lambda given: given.permute(0, 3, 1, 2)
    if len(inputs) < _FEWEST:
        return None
    guesses = [(_kinship(layout(inputs)), layout) for layout in _guesses(shape)]
    likeliest = max(guesses, key=lambda each: each[0], default=(0.0, None))
    return likeliest[1] if likeliest[0] >= _KIN else None


def _guesses(shape: tuple[int, ...]) -> Iterator[Layout]:
    if len(shape) == 2 and min(shape) >= _LEAST_GUESSED_SIDE:
        yield lambda given: given.unsqueeze(1)
    if len(shape) != 1:
        return
    for channels in (1, 3):
        side = math.isqrt(shape[0] // channels)
        if side >= _LEAST_GUESSED_SIDE and channels * side * side == shape[0]:
            yield lambda given, c=channels, s=side: given.reshape(len(given), c, s, s)  # type: ignore[misc]
    if side >= _LEAST_GUESSED_SIDE and 3 * side * side == shape[0]:
        yield lambda given: given.reshape(len(given), side, side, 3).permute(0, 3, 1, 2)


def _kinship(images: Tensor) -> float:
    """How much more neighbours, across and down whichever is less, correlate than any two pixels."""
    centred = _finite(images) - _finite(images).mean(0)
    lengths = centred.norm(dim=0)
    varying = lengths > 1e-6 * lengths.max()
    pixels = centred / lengths.clamp(min=torch.finfo(torch.float32).tiny)

    def correlation(one: Tensor, other: Tensor, vary: Tensor) -> float:
        both = (one * other).sum(0)[vary]
        return both.mean().item() if len(both) else 0.0

    across = correlation(pixels[..., 1:], pixels[..., :-1], varying[..., 1:] & varying[..., :-1])
    down = correlation(
        pixels[..., 1:, :], pixels[..., :-1, :], varying[..., 1:, :] & varying[..., :-1, :]
    )
    flat, vary = pixels.flatten(2), varying.flatten(1)
    shuffled = torch.randperm(flat.shape[2], generator=torch.Generator().manual_seed(0))
    anywhere = correlation(flat, flat[..., shuffled], vary & vary[:, shuffled])
    return min(across, down) - anywhere


def _finite(images: Tensor) -> Tensor:
    return torch.nan_to_num(images.cpu().float(), nan=0.0, posinf=0.0, neginf=0.0)
