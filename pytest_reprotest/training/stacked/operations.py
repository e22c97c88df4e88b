"""The operations whose forward and backward are written out: linear layers, ReLU, flattening, norms.

A step of a small net is mostly the cost of asking autograd, and a norm's graph mixes layouts in memory, which
makes every elementwise pass several times slower.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from pytest_reprotest.training.stacked import direct, kernels, norms
from pytest_reprotest.training.stacked.fused import FusedSGD


class Operation(ABC):
    """A module's forward, and its backward from what the last forward kept."""

    owns_output = False
    """Whether nothing else holds the output, so that the next operation may overwrite it."""

    @property
    def learns(self) -> bool:
        """Whether it has parameters to train."""
        return False

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (n_runs, n, …), without a graph."""

    @abstractmethod
    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        """Take the gradient of the outputs; return that of the inputs where ``inward`` asks for it."""


def accumulate(leaf: Tensor, gradient: Tensor) -> None:
    """Add to a leaf's gradient, which is None at the start of a step: a module may stand in several places."""
    leaf.grad = gradient if leaf.grad is None else leaf.grad.add_(gradient)


def _any_trained(*leaves: Tensor | None) -> bool:
    return any(leaf is not None and leaf.requires_grad for leaf in leaves)


class Linear(Operation):
    """A linear layer; its update may be part of the product that gives its gradient."""

    owns_output = True

    by_sample = False
    """Whether the next operation wants outputs sample by sample in memory."""

    def __init__(self, layer: direct.Linear, group: dict[str, Any] | None) -> None:
        self.weight, self.bias = layer.own["weight"], layer.own.get("bias")
        trained = self.weight.requires_grad and (self.bias is None or self.bias.requires_grad)
        fused = group is not None and trained and kernels.is_aligned(self.weight)
        self.update = FusedSGD(group) if fused and group is not None else None

    @property
    def learns(self) -> bool:
        """Whether its weight or its bias is trained."""
        return _any_trained(self.weight, self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs."""
        self.shape = inputs.shape
        flat = inputs if inputs.dim() == 3 else inputs.reshape(len(inputs), -1, self.shape[-1])
        self.inputs, self.current = kernels.aligned(flat), kernels.aligned(self.weight)
        outputs = kernels.multiply(self.current, self.inputs, self.bias, self.by_sample)
        return outputs if inputs.dim() == 3 else outputs.reshape(*self.shape[:-1], -1)

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        """The gradient of the inputs."""
        flat = gradient.reshape(len(gradient), -1, gradient.shape[-1])
        by_feature = kernels.aligned(flat.mT)
        back = self._inward(by_feature) if inward else None
        if self.update is not None:
            self.update.weight(self.weight, by_feature, self.inputs)
            if self.bias is not None:
                self.update.bias(self.bias, by_feature.sum(2))
        else:
            if self.weight.requires_grad:
                accumulate(self.weight, kernels.product(by_feature, self.inputs))
            if self.bias is not None and self.bias.requires_grad:
                accumulate(self.bias, by_feature.sum(2))
        return None if back is None else back.reshape(self.shape)

    def _inward(self, by_feature: Tensor) -> Tensor:
        """Laid out as the inputs, so that what comes before them needs no copy."""
        if self.inputs.stride(2) == 1:
            return kernels.product(by_feature.mT, self.current)
        return kernels.product(self.current.mT, by_feature).mT


class ReLU(Operation):
    """ReLU, in place where ``overwrite`` allows it."""

    def __init__(self, overwrite: bool) -> None:
        self.overwrite = overwrite

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs."""
        self.outputs = inputs.relu_() if self.overwrite else inputs.relu()
        return self.outputs

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        """The gradient of the inputs."""
        gradient = kernels.laid_out_as(self.outputs, gradient)
        back: Tensor = torch.ops.aten.threshold_backward(gradient, self.outputs, 0)
        return back


class Dropout(Operation):
    """Dropout by keyed masks."""

    owns_output = True

    def __init__(self, dropout: direct.Dropout) -> None:
        self.dropout = dropout

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs."""
        self.scale = self.dropout.scale(inputs)
        return inputs.clone() if self.scale is None else inputs * self.scale

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        """The gradient of the inputs."""
        if self.scale is None:
            return gradient
        if self.scale.shape == gradient.shape:
            gradient = kernels.laid_out_as(self.scale, gradient)
        return gradient * self.scale


class Flatten(Operation):
    """All axes of a sample as one."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs."""
        self.shape = inputs.shape
        return inputs.flatten(2)

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        """The gradient of the inputs."""
        return gradient.reshape(self.shape)


class Norm(Operation):
    """A norm of (n_runs, n, features): rows that share a mean and a variance are each computed alone.

    Parameters
    ----------
    norm : Affine or BatchNorm
        Its ``rows`` says along which axis of memory rows lie.
    """

    owns_output = True

    def __init__(self, norm: direct.Affine | direct.BatchNorm) -> None:
        self.norm = norm
        self.by_feature = isinstance(norm, direct.BatchNorm)
        self.weight, self.bias = norm.get("weight"), norm.get("bias")

    @property
    def learns(self) -> bool:
        """Whether its weight or its bias is trained."""
        return _any_trained(self.weight, self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs."""
        self.inputs = (inputs.mT if self.by_feature else inputs).contiguous()
        normalized, self.moments = self.norm.normalize(self.inputs)
        self.normalized = normalized
        outputs = self.norm.shifted(normalized)
        return outputs.mT if self.by_feature else outputs

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        """The gradient of the inputs."""
        outward = (gradient.mT if self.by_feature else gradient).contiguous()
        samples = 2 if self.by_feature else 1
        if self.bias is not None and self.bias.requires_grad:
            accumulate(self.bias, outward.sum(samples))
        if self.weight is not None:
            if self.weight.requires_grad:
                accumulate(self.weight, (outward * self.normalized).sum(samples))
            if inward:
                outward = outward * self.weight.unsqueeze(samples)
        if not inward:
            return None
        back = norms.normalize_backward(outward, self.inputs, self.norm.groups, self.moments)
        return back.mT if self.by_feature else back


class NormOfInputs(Operation):
    """The norm that a net begins with, and the linear layer after it.

    Nobody asks for the gradient of a net's inputs, so the norm's parameters are all that the gradient between the
    two is for. With S that of the layer's outputs summed over samples and G its product with the normalized
    inputs, weight and bias of the norm have the gradients Σ_k W_kj G_kj and Σ_k W_kj S_k, and W has G_kj γ_j +
    S_k β_j: one large product in place of two.
    """

    owns_output = True

    def __init__(self, norm: Norm, linear: Linear) -> None:
        self.norm, self.linear = norm, linear

    @property
    def by_sample(self) -> bool:
        """Whether the next operation wants outputs sample by sample in memory."""
        return self.linear.by_sample

    @by_sample.setter
    def by_sample(self, wanted: bool) -> None:
        self.linear.by_sample = wanted

    @property
    def learns(self) -> bool:
        """Whether anything of both is trained."""
        return self.norm.learns or self.linear.learns

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs."""
        return self.linear.forward(self.norm.forward(inputs))

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        """Take the gradient of the outputs; ``inward`` is never asked for."""
        norm, linear = self.norm, self.linear
        if norm.weight is None or norm.bias is None or gradient.dim() != 3:
            back = linear.backward(gradient, norm.learns)
            return None if back is None else norm.backward(back, False)
        by_feature = kernels.aligned(gradient.mT)
        summed = by_feature.sum(2)
        normalized = norm.normalized.mT if norm.by_feature else norm.normalized
        found = kernels.product(by_feature, kernels.aligned(normalized))
        if norm.bias.requires_grad:
            back = kernels.product(kernels.aligned(summed.unsqueeze(1)), linear.current)
            accumulate(norm.bias, back.squeeze(1))
        if norm.weight.requires_grad:
            accumulate(norm.weight, (found * linear.current).sum(1))
        if linear.weight.requires_grad:
            found.mul_(norm.weight.unsqueeze(1))
            accumulate(linear.weight, found.addcmul_(summed.unsqueeze(2), norm.bias.unsqueeze(1)))
        if linear.bias is not None and linear.bias.requires_grad:
            accumulate(linear.bias, summed)
        return None
