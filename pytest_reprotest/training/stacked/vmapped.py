"""Stacking by vmap, for any model whose operations have a batching rule."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pytest_reprotest.training.averaging import Norm, batch_norms
from pytest_reprotest.training.stacked import kernels
from pytest_reprotest.training.stacked.direct import Stack, gather


class _Linear(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = kernels.Linear.call(inputs, self.weight, self.bias)
        return outputs


class _BatchNorm1d(nn.BatchNorm1d):
    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dim() != 2:
            return super().forward(inputs)
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        return kernels.BatchNorm.call(
            inputs,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


class _Convolution(nn.modules.conv._ConvNd):
    def _conv_forward(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if inputs.device.type != "cpu" or self.padding_mode != "zeros":
            original: Any = super()
            grouped: Tensor = original._conv_forward(inputs, weight, bias)
            return grouped
        outputs: Tensor = kernels.Convolution.call(
            inputs, weight, bias, self.stride, self.padding, self.dilation, self.groups
        )
        return outputs


_KERNELS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: _Linear,
    nn.BatchNorm1d: _BatchNorm1d,
    nn.Conv1d: type("_Conv1d", (_Convolution, nn.Conv1d), {}),
    nn.Conv2d: type("_Conv2d", (_Convolution, nn.Conv2d), {}),
    nn.Conv3d: type("_Conv3d", (_Convolution, nn.Conv3d), {}),
}


class VmappedStack(Stack):
    """A stack whose forward is one run's forward under vmap, with linear layers as one ``baddbmm``."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.n_runs = len(models)
        self.leaves, self.buffers = gather(models)
        self.skeleton = models[0]
        self._traced = copy.deepcopy(models[0])
        for module in self._traced.modules():
            if type(module) in _KERNELS:
                module.__class__ = _KERNELS[type(module)]
        self._forward = torch.vmap(self._one, in_dims=(0, 0, 0), randomness="error")

    def _one(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor
    ) -> Any:
        return functional_call(self._traced, (parameters, buffers), (inputs,))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Scores of all runs."""
        scores: Tensor = self._forward(self.leaves, self.buffers, inputs)
        return scores

    def train(self, training: bool = True) -> None:
        """Switch every module."""
        self._traced.train(training)

    def batch_norms(self) -> list[Norm]:
        """Those of the model that is run under vmap."""
        return batch_norms(self._traced)
