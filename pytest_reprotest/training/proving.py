"""Runs trained so that their determinism can be proven: every switch is set, and each leaves its digests."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from torch import nn

from pytest_reprotest.digests import Digests, of_arrays, of_losses
from pytest_reprotest.interfaces import Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Run
from pytest_reprotest.trace import Trace
from pytest_reprotest.training.content import tensor_digest
from pytest_reprotest.training.switches import switched
from pytest_reprotest.training.tracing import Recorder
from pytest_reprotest.training.watching import Watch

_OUR_HOOKS = r"Using `torch\.compile\(module\)` when there are global hooks"
_WATCHED = (0.5, 5.0)
"""Seconds in which every call of an audit's first run is looked at: about, and at most."""


def train_to_prove(
    trainer: Trainer, runs: Sequence[Run], regularizer: Regularizer, placement: Placement
) -> Iterator[RunOutcome]:
    """As ``trainer.train``, with all switches set; what a trainer says nothing of has predictions compared.

    Of an audit, the first run is watched for what it takes from elsewhere; runs that are to be traced are
    recorded from beginning to end.
    """
    outcomes = trainer.train(runs, regularizer, placement)
    first = True
    while True:
        recorder = Recorder()
        watch = Watch(recorder.events)
        with ExitStack() as stack:  # not around the yield: the consumer computes with its own
            stack.enter_context(switched())
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", message=_OUR_HOOKS)
            if placement.traced:
                stack.enter_context(recorder.recording())
                stack.enter_context(watch.watching())
            elif first and runs[0].index == 0:
                stack.enter_context(watch.watching(*_WATCHED))
            outcome = next(outcomes, None)
        if outcome is None:
            return
        if outcome.labels is not None and outcome.digests is None:
            predictions = of_arrays(outcome.labels, outcome.scores)
            outcome = replace(outcome, digests=Digests(os.getpid(), predictions))
        if placement.traced and outcome.digests is not None:
            recorder.add("predictions", "", outcome.digests.predictions)
        if placement.traced or (first and runs[0].index == 0):
            outcome = replace(outcome, trace=Trace(tuple(recorder.events), tuple(watch.draws)))
        first = False
        yield outcome


def state_of(model: nn.Module) -> dict[str, str]:
    """Name of each parameter and buffer → its digest."""
    return {**_weights(model), **_buffers(model)}


def digests_of(outcome: RunOutcome, start: dict[str, str], model: nn.Module) -> Digests:
    """The digests of a finished run.

    Parameters
    ----------
    outcome : RunOutcome
        With labels and losses.
    start : dict
        ``state_of`` the model before its training.
    model : module
        After it.
    """
    return Digests(
        os.getpid(),
        of_arrays(outcome.labels, outcome.scores),
        of_losses(outcome.losses),
        start,
        _weights(model),
        _buffers(model),
    )


def _weights(model: nn.Module) -> dict[str, str]:
    return {name: tensor_digest(tensor) for name, tensor in model.named_parameters()}


def _buffers(model: nn.Module) -> dict[str, str]:
    return {name: tensor_digest(tensor) for name, tensor in model.named_buffers()}
