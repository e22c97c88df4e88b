"""Optimizers over stacked parameters: those that treat every element alone, and clipping run by run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.training.objective import make_optimizer

ELEMENTWISE = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.RMSprop,
    torch.optim.Adagrad,
    torch.optim.Adamax,
    torch.optim.NAdam,
    torch.optim.RAdam,
)


def refusal(optimizer: Any) -> str | None:
    """Why an optimizer can't be stacked, or None."""
    if type(optimizer) in ELEMENTWISE:
        return None
    known = ", ".join(kind.__name__ for kind in ELEMENTWISE)
    return (
        f"the optimizer {type(optimizer).__name__} may mix elements of different runs (stacked are "
        f"{known})"
    )


def stacked_optimizer(
    recipe: Recipe, leaves: Iterable[Tensor], regularizer: Regularizer, graphed: bool
) -> torch.optim.Optimizer:
    """The recipe's optimizer over all runs.

    Fused on a GPU: one pass over parameters and state. Not on a CPU, where the fused kernels round the
    last elements of a tensor differently from the others, so that a run would depend on its slot.

    Parameters
    ----------
    graphed : bool
        The step will be captured in a CUDA graph: the learning rate and step counts must live on the
        device.
    """
    optimizer = make_optimizer(recipe, leaves, regularizer)
    for group in optimizer.param_groups:
        device = group["params"][0].device
        if graphed:
            if "capturable" in group:
                group["capturable"] = True
            group["lr"] = torch.tensor(float(group["lr"]), device=device)
        if isinstance(recipe.optimizer, str) and "fused" in group and device.type == "cuda":
            group["fused"], group["foreach"] = True, False
    return optimizer


def clip_by_run(leaves: Iterable[Tensor], max_norm: float) -> None:
    """Clip each run's gradient to a norm of its own, as ``nn.utils.clip_grad_norm_`` does one model's."""
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    squares = [gradient.flatten(1).square().sum(1) for gradient in gradients]
    norms = torch.stack(squares).sum(0).sqrt()
    factors = (max_norm / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))
