"""The pipeline on one screen: options → plan → runs → predictions → statistics → verdict → result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_reprotest.errors import DataError, RegularizerRefused
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.interfaces import Executor, Placement, Progress, RunOutcome, Trainer
from pytest_reprotest.metrics import Labels
from pytest_reprotest.options import Options
from pytest_reprotest.plan import Plan, make_plan
from pytest_reprotest.predictions import Predictions, as_labels
from pytest_reprotest.registry import Registry
from pytest_reprotest.result import NO_SUMMARY, AuditResult, RegularizerResult, versions
from pytest_reprotest.selection import select
from pytest_reprotest.statistics import summarize
from pytest_reprotest.verdict import broken, judge


def run_audit(
    trainer: Trainer,
    options: Options,
    registry: Registry,
    *,
    name: str = "",
    executor: Executor | None = None,
    progress: Callable[[Plan], Progress] | None = None,
) -> AuditResult:
    """Train every run, and judge.

    Raises
    ------
    ReprotestError
        Where nothing can be trained: an impossible option, device, data set, factory, or a regularizer
        that was named and does not fit.
    """
    from pytest_reprotest.training.device import resolve_devices

    asked = Placement(resolve_devices(options.device)[0], options.engine)
    chosen = select(options, registry)
    prepared = trainer.prepare(tuple(chosen.regularizers.values()), asked, options.runs)
    refusals, placement = prepared.refusals, prepared.placement
    if refusals and not chosen.lenient:
        raise RegularizerRefused("; ".join(refusals.values()))
    plan = make_plan(options, [label for label in chosen.regularizers if label not in refusals])
    report = progress(plan) if progress is not None else _silent
    executor = executor or LocalExecutor()
    share = -(-len(plan.runs) // executor.n_workers)
    placement = replace(placement, chunk=min(placement.chunk, max(share, 1)))
    outcomes = []
    for outcome in executor.run(trainer, plan, chosen.regularizers, placement):
        outcomes.append(outcome)
        report(outcome)
    by_regularizer = {
        label: _judged(
            label, [o for o in outcomes if o.run.regularizer == label], trainer.y_true, options
        )
        for label in plan.regularizers
    }
    told = dict.fromkeys(outcome.note for outcome in outcomes if outcome.note is not None)
    settings = {
        "runs": options.runs,
        "seed": options.seed,
        "vary": list(options.vary),
        "device": placement.device,
        "engine": placement.engine,
        "chunk": placement.chunk,
        "workers": executor.n_workers,
        "training": trainer.describe(),
        "origins": dict(options.origins),
        "versions": versions(),
    }
    return collected(
        name,
        by_regularizer,
        trainer.y_true,
        chosen.baseline,
        options,
        settings,
        refusals,
        (*prepared.notes, *told),
    )


def _judged(
    label: str, outcomes: Sequence[RunOutcome], y_true: Labels, options: Options
) -> RegularizerResult:
    outcomes = [_checked(o, y_true) for o in sorted(outcomes, key=lambda o: o.run.index)]
    failures = tuple(f"{o.run} failed: {o.failure}" for o in outcomes if o.failure is not None)
    seconds = sum(outcome.seconds for outcome in outcomes)
    labels = [outcome.labels for outcome in outcomes if outcome.labels is not None]
    losses = tuple(outcome.losses for outcome in outcomes if outcome.losses)
    if failures or len(labels) < options.runs:
        missing = (f"only {len(labels)} of {options.runs} runs of {label!r} came back",)
        return RegularizerResult(
            label,
            np.empty((0, len(y_true)), dtype=np.uint8),
            NO_SUMMARY,
            options.bounds.limits(label),
            broken(*(failures or missing)),
            losses,
            seconds,
        )
    return measured(label, Predictions.stack(labels), y_true, options, losses, seconds)


def _checked(outcome: RunOutcome, y_true: Labels) -> RunOutcome:
    """A trainer's outcome with labels that fit the test set; one that does not fit is a failure."""
    if outcome.labels is None:
        return outcome
    try:
        return replace(outcome, labels=as_labels(outcome.labels, y_true))
    except DataError as error:
        return replace(outcome, labels=None, failure=str(error))


def measured(
    label: str,
    predictions: Predictions,
    y_true: Labels,
    options: Options,
    losses: tuple[tuple[float, ...], ...] = (),
    seconds: float = 0.0,
) -> RegularizerResult:
    summary = summarize(predictions.labels, y_true)
    limits = options.bounds.limits(label)
    verdict = judge(summary, predictions, y_true, limits)
    return RegularizerResult(label, predictions.labels, summary, limits, verdict, losses, seconds)


def collected(
    name: str,
    by_regularizer: Mapping[str, RegularizerResult],
    y_true: Labels,
    baseline: str,
    options: Options,
    settings: Mapping[str, Any],
    refusals: Mapping[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> AuditResult:
    return AuditResult(
        name,
        by_regularizer,
        y_true,
        baseline,
        dict(refusals or {}),
        settings,
        (*notes, *options.bounds.not_loosened()),
        options.report_only,
    )


def _silent(_: RunOutcome) -> None:
    return None
