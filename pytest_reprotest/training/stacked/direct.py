"""Stacking without vmap, for plain trees of common modules: every module works on (n_runs, n, …)."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pytest_reprotest.regularizers._keyed import KeyedDropout, keyed_uniforms
from pytest_reprotest.regularizers._surgery import Stage
from pytest_reprotest.regularizers.normalization import Features
from pytest_reprotest.training.averaging import Norm
from pytest_reprotest.training.stacked import kernels, norms, reading


class Stack(ABC):
    """R models as one.

    Attributes
    ----------
    n_runs : int
    leaves : dict
        Parameter name → leaf tensor with a run axis in front, as the optimizer sees it.
    buffers : dict
        Buffer name → tensor with a run axis in front.
    skeleton : nn.Module
        One run's model, for its structure.
    """

    n_runs: int
    leaves: dict[str, Tensor]
    buffers: dict[str, Tensor]
    skeleton: nn.Module

    @abstractmethod
    def __call__(self, inputs: Tensor) -> Tensor:
        """Scores (n_runs, n, n_classes) of inputs (n_runs, n, …)."""

    def share(self, inputs: Tensor) -> Tensor:
        """Scores (n_runs, n, n_classes) of inputs (n, …) that all runs see."""
        return self(inputs.unsqueeze(0).expand(self.n_runs, *inputs.shape))

    @abstractmethod
    def train(self, training: bool = True) -> None:
        """Switch between training and evaluation."""

    @abstractmethod
    def batch_norms(self) -> list[Norm]:
        """The batch norms that learn running statistics."""


def gather(models: Sequence[nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stack parameters and buffers of several models."""
    named = [dict(model.named_parameters()) for model in models]
    leaves = {
        name: torch.stack([own[name].detach() for own in named]).requires_grad_(first.requires_grad)
        for name, first in named[0].items()
    }
    own_buffers = [dict(model.named_buffers()) for model in models]
    buffers = {name: torch.stack([own[name] for own in own_buffers]) for name in own_buffers[0]}
    return leaves, buffers


class _Leaf(nn.Module):
    """A module with stacked parameters and buffers of one original module."""

    def __init__(self, original: nn.Module, own: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.original = (original,)  # in a tuple, so that it is no submodule
        self.own = dict(own)

    def get(self, name: str) -> Tensor | None:
        return self.own.get(name)


class Linear(_Leaf):
    """A linear layer of all runs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """One batched product."""
        return kernels.linear(inputs, self.own["weight"], self.own.get("bias"))


class BatchNorm(_Leaf):
    """A batch norm of (n, features) for each run."""

    groups = 1

    def forward(self, inputs: Tensor) -> Tensor:
        """By the batch in training, which updates the running statistics; by those in evaluation."""
        norm: Any = self.original[0]
        running, affine = self._count(), self._pair("weight", "bias")
        return norms.batch_norm(inputs, running, affine, self.training, norm.momentum, norm.eps)

    def normalize(self, by_feature: Tensor) -> tuple[Tensor, norms.Moments]:
        """A step of training without weight and bias, on contiguous inputs (n_runs, features, n)."""
        norm: Any = self.original[0]
        normalized, moments = norms.normalize(by_feature, self.groups, norm.eps)
        running = self._count()
        if running is not None:
            norms.track(running, moments, by_feature.shape[2], norm.momentum, norm.eps)
        return normalized, moments

    def shifted(self, by_feature: Tensor) -> Tensor:
        """Apply weight and bias, where there are any."""
        affine = self._pair("weight", "bias")
        if affine is None:
            return by_feature
        return torch.addcmul(affine[1].unsqueeze(2), by_feature, affine[0].unsqueeze(2))

    def _count(self) -> tuple[Tensor, Tensor] | None:
        if self.training and self.original[0].track_running_stats:
            self.own["num_batches_tracked"] += 1
        return self._pair("running_mean", "running_var")

    def _pair(self, first: str, second: str) -> tuple[Tensor, Tensor] | None:
        return (self.own[first], self.own[second]) if first in self.own else None


class Affine(_Leaf):
    """A layer or group norm over each sample's features, with a weight and bias for each run."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalize, scale and shift."""
        return self.shifted(self.normalize(inputs.contiguous())[0])

    @property
    def groups(self) -> int:
        """Parts of the features that are normalized on their own."""
        return int(getattr(self.original[0], "num_groups", 1))

    def normalize(self, inputs: Tensor) -> tuple[Tensor, norms.Moments]:
        """Without weight and bias, on contiguous inputs (n_runs, n, features)."""
        norm: Any = self.original[0]
        return norms.normalize(inputs, self.groups, norm.eps)

    def shifted(self, outputs: Tensor) -> Tensor:
        """Apply weight and bias, where there are any."""
        weight, bias = self.get("weight"), self.get("bias")
        if weight is not None and bias is not None:
            return torch.addcmul(bias.unsqueeze(1), outputs, weight.unsqueeze(1))
        return outputs if weight is None else outputs * weight.unsqueeze(1)


class Dropout(_Leaf):
    """Dropout with a mask for each run."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Drop and scale in training."""
        scale = self.scale(inputs)
        return inputs if scale is None else inputs * scale

    def scale(self, inputs: Tensor) -> Tensor | None:
        """The factors of the next call, laid out as the inputs; None where nothing is dropped."""
        dropout: Any = self.original[0]
        if not self.training or dropout.p == 0.0:
            return None
        shape = dropout.mask_shape(inputs.shape[1:])
        drawn = keyed_uniforms(self.own["noise_key"], self.own["noise_call"], shape.numel())
        self.own["noise_call"] += 1
        scale: Tensor = dropout.scale(drawn, inputs.dtype).view(len(inputs), *shape)
        return kernels.laid_out_as(inputs, scale) if scale.shape == inputs.shape else scale


_ELEMENTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh,
    nn.Sigmoid, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Identity,
)  # fmt: skip
_LEAVES: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.Linear: Linear,
    nn.BatchNorm1d: BatchNorm,
    nn.LayerNorm: Affine,
    nn.GroupNorm: Affine,
    KeyedDropout: Dropout,
}


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class NotDirect(Exception):  # noqa: N818 - an answer, not a fault
    """The tree holds something that only vmap can stack."""


class _Rebuilding:
    """A model's modules with the run axis; one that stands in several places stays one.

    Parameters
    ----------
    model : nn.Module
    state : dict
        Stacked parameters and buffers by the model's names.
    """

    def __init__(self, model: nn.Module, state: Mapping[str, Tensor]) -> None:
        self.names = {id(module): name for name, module in model.named_modules()}
        self.state = state
        # with the original, whose id stays its own
        self.made: dict[int, tuple[nn.Module, nn.Module]] = {}

    def rebuilt(self, module: nn.Module) -> nn.Module:
        """The module's stacked twin."""
        if id(module) not in self.made:
            if any(getattr(module, hooks) for hooks in _HOOKS):
                raise NotDirect(f"{self.names.get(id(module))} has hooks")
            self.made[id(module)] = module, self._make(module)
        return self.made[id(module)][1]

    def _make(self, module: Any) -> nn.Module:
        kind = type(module)
        if kind in _ELEMENTWISE:
            made: nn.Module = copy.copy(module)
            if getattr(module, "inplace", False):  # autograd may need what it would overwrite
                vars(made)["inplace"] = False
            return made
        if kind in _LEAVES:
            return self._leaf(module)
        if kind is nn.Flatten and module.start_dim == 1 and module.end_dim == -1:
            return nn.Flatten(2)
        if kind is Features:
            return self.rebuilt(module.norm)
        if kind is Stage:
            parts = (module.layer, module.norm, module.dropout, module.branch)
            stage = nn.Sequential(*(self.rebuilt(part) for part in parts if part is not None))
            return reading.Sum(nn.Sequential(), stage) if module.skip else stage
        if kind is reading.Sum:
            return reading.Sum(self.rebuilt(module.first), self.rebuilt(module.second))
        if kind is nn.Sequential:
            return nn.Sequential(*(self.rebuilt(each) for each in module))
        tree = reading.as_tree(module)
        if tree is None:
            raise NotDirect(self.names.get(id(module)))
        return self.rebuilt(tree)

    def _leaf(self, module: Any) -> nn.Module:
        name = self.names[id(module)]
        if type(module) is nn.LayerNorm and len(module.normalized_shape) != 1:
            raise NotDirect(name)
        if type(module) is nn.BatchNorm1d and module.momentum is None:
            raise NotDirect(name)
        prefix = f"{name}." if name else ""
        own = [n for n, _ in (*module.named_parameters(), *module.named_buffers())]
        if any(prefix + n not in self.state for n in own):
            raise NotDirect(f"{name} shares a parameter with another module")
        return _LEAVES[type(module)](module, {n: self.state[prefix + n] for n in own})


class DirectStack(Stack):
    """A stack of plain trees: Sequential, linear layers, norms, activations, dropout, skip connections.

    Classes whose forward amounts to such a tree are read as one.

    Raises
    ------
    NotDirect
        Where the tree holds anything else.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.n_runs = len(models)
        self.skeleton = models[0]
        self.leaves, self.buffers = gather(models)
        state = {**self.leaves, **self.buffers}
        self.tree = _Rebuilding(models[0], state).rebuilt(models[0])

    def __call__(self, inputs: Tensor) -> Tensor:
        """Scores of all runs."""
        scores: Tensor = self.tree(inputs)
        return scores

    def train(self, training: bool = True) -> None:
        """Switch every module."""
        self.tree.train(training)

    def batch_norms(self) -> list[Norm]:
        """The tree's, each with the module that it was made from."""
        return [
            (leaf, leaf.original[0])
            for leaf in self.tree.modules()
            if isinstance(leaf, BatchNorm) and "running_mean" in leaf.own
        ]
