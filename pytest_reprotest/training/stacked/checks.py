"""Whether a model, optimizer and loss may be stacked: looked up, then tried against the sequential engine.

Each check costs a few steps on a tiny batch. A refusal is one sentence naming what and why.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.training.data import Source, TensorSource
from pytest_reprotest.training.objective import make_optimizer
from pytest_reprotest.training.sequential import SequentialTraining
from pytest_reprotest.training.stacked import optimizer as stackable
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack

_NO_RULE = (nn.RNNBase, nn.RNNCellBase, nn.EmbeddingBag, nn.MultiheadAttention)
_SHARED_NOISE = (nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU)
_SAMPLES, _STEPS, _TOLERANCE = 8, 3, 1e-9


def refusal(
    models: tuple[nn.Module, nn.Module], recipe: Recipe, regularizer: Regularizer, train: Source
) -> str | None:
    """Why runs can't be stacked, or None.

    Parameters
    ----------
    models : pair of modules
        Of two runs, with different weights; they are left as they are.
    """
    if not isinstance(train, TensorSource):
        return "the training set gives a random sample at each reading, batch by batch"
    found = _structure(models[0])
    if found is None and callable(recipe.optimizer):
        parameters = copy.deepcopy(models[0]).parameters()
        found = stackable.refusal(make_optimizer(recipe, parameters, regularizer))
    return found or _trial(models, recipe, regularizer, train)


def _structure(model: nn.Module) -> str | None:
    for name, module in model.named_modules():
        kind = type(module).__name__
        where = f"{kind} {name!r}" if name else kind
        if isinstance(module, _NO_RULE):
            return f"{where} has no batching rule in torch.func.vmap"
        if isinstance(module, _SHARED_NOISE):
            return f"{where} draws from a random stream that runs would share"
        if isinstance(module, nn.Embedding) and (module.max_norm is not None or module.sparse):
            return f"{where} with max_norm or sparse gradients updates weights in place"
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum is None:
            return f"{where} with momentum=None averages by a count that vmap cannot read"
    return None


def _trial(
    models: tuple[nn.Module, nn.Module],
    recipe: Recipe,
    regularizer: Regularizer,
    train: TensorSource,
) -> str | None:
    """Three float64 steps of two runs, stacked and one by one: values must agree to 1e-9."""
    count = min(train.n_samples, _SAMPLES)
    inputs = train.inputs[:count]
    precise = inputs.double() if inputs.is_floating_point() else inputs
    targets = train.targets[:count]
    precise_targets = targets.double() if targets.is_floating_point() else targets
    tiny = TensorSource(precise, precise_targets, train.head)
    order = torch.arange(count, device=train.inputs.device)
    index = torch.stack([order, order.flip(0)])
    alone = [copy.deepcopy(model).double() for model in models]
    device = str(train.inputs.device)
    try:
        stack = make_stack([copy.deepcopy(model).double() for model in models])
        stack.train()
        together = StackTraining(stack, recipe, regularizer, tiny)
        with _without_slow_fallback():
            for _ in range(_STEPS):
                together.step(index)
    except Exception as error:
        return f"torch cannot run it stacked ({_brief(error)})"
    for run, model in enumerate(alone):
        model.train()
        single = SequentialTraining(model, recipe, regularizer, tiny, device)
        for _ in range(_STEPS):
            single.step(index[run])
    values = {**stack.leaves, **stack.buffers}
    return _first_difference(alone, values)


def _first_difference(alone: list[nn.Module], together: dict[str, Tensor]) -> str | None:
    for run, model in enumerate(alone):
        for name, value in (*model.named_parameters(), *model.named_buffers()):
            stacked = together[name][run]
            if not torch.allclose(stacked, value, rtol=_TOLERANCE, atol=1e-10, equal_nan=True):
                return (
                    f"after {_STEPS} float64 steps {name!r} differs from the sequential engine's by "
                    f"{(stacked - value).abs().max().item():.1e}; the forward may depend on the batch or "
                    "on random numbers of its own"
                )
    return None


@contextmanager
def _without_slow_fallback() -> Iterator[None]:
    """Make operations without a batching rule an error in place of a loop over runs."""
    functorch: Any = torch._C._functorch
    before = functorch._is_vmap_fallback_enabled()
    functorch._set_vmap_fallback_enabled(False)
    try:
        yield
    finally:
        functorch._set_vmap_fallback_enabled(before)


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"
