"""Penalties on weights: weight decay (in the optimizer) and orthogonality (in the loss)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import _parameters as check
from pytest_reprotest.regularizers._surgery import LAYERS

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only


@dataclass(frozen=True)
class WeightDecay(Regularizer):
    """The optimizer's own weight decay on all parameters: L2, or decoupled where the optimizer is AdamW.

    Parameters
    ----------
    coefficient : float
        The study's is 1e-4.
    """

    coefficient: float = 1e-4
    name: ClassVar[str] = "weight_decay"
    summary: ClassVar[str] = "the optimizer's weight decay on all parameters, 1e-4"

    def __post_init__(self) -> None:
        check.positive(self.name, "coefficient", self.coefficient)

    def modify_recipe(self, recipe: Recipe) -> Recipe:
        """Set the recipe's weight decay, replacing what it had."""
        if callable(recipe.optimizer):
            return recipe
        return replace(recipe, weight_decay=self.coefficient)

    def modify_optimizer(self, optimizer: Any) -> None:
        """Set the weight decay of every parameter group."""
        for group in optimizer.param_groups:
            if "weight_decay" not in group:
                raise RegularizerRefused(
                    f"'weight_decay' needs an optimizer that has weight decay; "
                    f"{type(optimizer).__name__} has none. Audit another optimizer, or leave it out"
                )
            group["weight_decay"] = self.coefficient


@dataclass(frozen=True)
class Orthogonal(Regularizer):
    """The loss penalty coefficient · Σ ‖WᵀW - I‖² over the weight matrices (Bansal et al., 2018).

    For each ``nn.Linear`` and ``nn.Conv*`` W is (n_out, n_in), a kernel flattened to its inputs; where it
    is wider than high WWᵀ takes the place of WᵀW, which cannot be I there.

    Parameters
    ----------
    coefficient : float
    """

    coefficient: float = 1e-3
    name: ClassVar[str] = "orthogonal"
    summary: ClassVar[str] = "loss penalty |W'W - I|^2 over weight matrices, times 1e-3"

    def __post_init__(self) -> None:
        check.positive(self.name, "coefficient", self.coefficient)

    def modify_model(self, model: nn.Module) -> None:
        """Refuse a model without weight matrices."""
        if not _matrices(model):
            raise RegularizerRefused(
                "'orthogonal' needs nn.Linear or nn.Conv layers; this model has none"
            )

    def penalty(self, model: nn.Module, parameters: Mapping[str, Tensor]) -> Tensor | None:
        """The weighted sum over all matrices."""
        terms = [
            _gram_deviation(parameters[name].flatten(1))
            for name in _matrices(model)
            if name in parameters
        ]
        return self.coefficient * torch.stack(terms).sum() if terms else None


def _matrices(model: nn.Module) -> list[str]:
    return [
        f"{name}.weight" if name else "weight"
        for name, module in model.named_modules()
        if type(module) in LAYERS
    ]


class _GramDeviation(torch.autograd.Function):
    """‖WᵀW - I‖² of matrices (…, n, m) with its gradient 4 W (WᵀW - I): one product, where differentiating the
    square takes two.
    """

    @staticmethod
    def forward(tall: Tensor) -> tuple[Tensor, Tensor]:
        deviation = tall.mT @ tall
        deviation.diagonal(dim1=-2, dim2=-1).sub_(1.0)
        return deviation.square().sum((-2, -1)), deviation

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0], output[1])
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)  # zeros as large as the weights, for nothing

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        tall, deviation = ctx.saved_tensors
        back: Tensor = tall @ deviation
        return back.mul_((4.0 * gradients[0])[..., None, None])

    @staticmethod
    def vmap(_: Any, in_dims: tuple[int], tall: Tensor) -> tuple[Any, tuple[int, int]]:
        return _GramDeviation.apply(tall.movedim(in_dims[0], 0)), (0, 0)  # type: ignore[no-untyped-call]


def _gram_deviation(weight: Tensor) -> Tensor:
    tall = weight.T if weight.shape[0] < weight.shape[1] else weight
    total: Tensor = _GramDeviation.apply(tall)[0]  # type: ignore[no-untyped-call]
    return total
