"""The ladder of engines: stacked where everything allows it, else sequential, said in one sentence."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.interfaces import Placement, Prepared, Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.training.data import Source, TensorSource
from pytest_reprotest.training.shortage import Short, fitting
from pytest_reprotest.training.stacked import checks
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack

Trial = tuple[Regularizer, Recipe, tuple[nn.Module, nn.Module]]
"""A regularizer, the recipe it leaves, and the models of two runs."""

_CHUNKS = (2, 3, 5, 10, 20, 40)
_TIMED_STEPS = 4


def choose(trials: Sequence[Trial], train: Source, asked: Placement, n_runs: int) -> Prepared:
    """Settle engine and chunk for an audit; all its runs share one engine, since they are compared.

    Raises
    ------
    TrainingError
        Where ``stacked`` was asked for and can't be.
    """
    if asked.engine == "sequential" or not trials:
        return Prepared(replace(asked, engine="sequential", chunk=1))
    for regularizer, recipe, models in trials:
        reason = checks.refusal(models, recipe, regularizer, train)
        if reason is not None:
            told = f"{regularizer.label!r} can't be stacked: {reason}"
            if asked.engine == "stacked":
                raise TrainingError(
                    f"engine 'stacked' was asked for; {told}. Use --repro-engine=auto"
                )
            return Prepared(
                replace(asked, engine="sequential", chunk=1),
                notes=(f"engine sequential: {told}",),
            )
    assert isinstance(train, TensorSource)
    regularizer, recipe, models = trials[0]
    chunk = best_chunk(models[0], recipe, regularizer, train, n_runs, asked.device)
    return Prepared(replace(asked, engine="stacked", chunk=chunk))


def best_chunk(
    model: nn.Module,
    recipe: Recipe,
    regularizer: Regularizer,
    train: TensorSource,
    n_runs: int,
    device: str,
) -> int:
    """The number of runs to stack, by the time of a few steps per run; it changes no result on a CPU.

    A GPU takes all runs, as far as memory goes.
    """
    if device != "cpu":
        return n_runs
    sizes = sorted({min(size, n_runs) for size in (*_CHUNKS, n_runs) if size <= 4 * _CHUNKS[-1]})
    best, best_time = sizes[0], float("inf")
    count = min(recipe.batch_size, train.n_samples)

    def seconds_of(size: int) -> float:
        """Of a step of so many runs."""
        stack = make_stack([copy.deepcopy(model) for _ in range(size)])
        stack.train()
        training = StackTraining(stack, recipe, regularizer, train)
        index = torch.randint(train.n_samples, (size, count))
        training.step(index)
        times = []
        for _ in range(_TIMED_STEPS):
            started = time.perf_counter()
            training.step(index)
            times.append(time.perf_counter() - started)
        return min(times)

    for size in sizes:
        seconds = fitting(partial(seconds_of, size), device)
        if isinstance(seconds, Short):  # larger ones do not fit either
            break
        per_run = seconds / size
        if per_run < best_time * 0.97:
            best, best_time = size, per_run
        elif per_run > best_time * 1.5:
            break
    return best
