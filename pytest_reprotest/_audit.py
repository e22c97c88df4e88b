"""The pipeline on one screen: options → plan → runs → predictions → statistics → verdict → result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_reprotest.comparisons import compare
from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.fingerprint import machine, versions
from pytest_reprotest.foresight import foreseen
from pytest_reprotest.interfaces import Executor, Placement, Progress, RunOutcome, Trainer
from pytest_reprotest.measuring import judged
from pytest_reprotest.options import Options
from pytest_reprotest.plan import Plan, make_plan
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.result import AuditResult
from pytest_reprotest.selection import Selection, select
from pytest_reprotest.tasks import Array, Task
from pytest_reprotest.thresholds import check_task


def run_audit(
    trainer: Trainer,
    options: Options,
    registry: Registry,
    *,
    name: str = "",
    executor: Executor | None = None,
    progress: Callable[[Plan], Progress] | None = None,
    tell: Callable[[str], None] | None = None,
) -> AuditResult:
    """Train every run, and judge.

    Parameters
    ----------
    tell : callable, optional
        Called before anything trains with each sentence of what the audit will not be able to answer.

    Raises
    ------
    ReprotestError
        Where nothing can be trained: an impossible option, device, data set, factory, or a regularizer
        that was named and does not fit.
    """
    from pytest_reprotest.training.device import resolve_devices

    check_task(options.bounds, trainer.task.name, trainer.task.thresholds)
    asked = Placement(resolve_devices(options.device)[0], options.engine)
    chosen = select(options, registry)
    prepared = trainer.prepare(tuple(chosen.regularizers.values()), asked, options.runs)
    refusals, placement = prepared.refusals, prepared.placement
    if refusals and not chosen.lenient:
        raise RegularizerRefused("; ".join(refusals.values()))
    labels = [label for label in chosen.regularizers if label not in refusals]
    warnings = foreseen(options, labels, chosen.baseline, len(trainer.y_true))
    if tell is not None:
        for sentence in warnings:
            tell(sentence)
    executor = executor or LocalExecutor()
    told: list[str] = []
    found = _trained(trainer, options, labels, chosen, placement, executor, progress, told)
    settings = {
        "runs": options.runs,
        "seed": options.seed,
        "vary": list(options.vary),
        "device": placement.device,
        "engine": placement.engine,
        "chunk": placement.chunk,
        "workers": executor.n_workers,
        "decision": options.decision,
        **({"confidence": options.confidence} if options.decision == "confidence" else {}),
        **({"looks": list(options.looks)} if options.max_runs is not None else {}),
        "training": trainer.describe(),
        "origins": dict(options.origins),
        "versions": versions(),
        "machine": machine(),
    }
    return collected(
        name,
        found,
        trainer.task,
        trainer.y_true,
        chosen.baseline,
        options,
        settings,
        refusals,
        (*prepared.notes, *warnings, *dict.fromkeys(told)),
    )


def _trained(
    trainer: Trainer,
    options: Options,
    labels: list[str],
    chosen: Selection,
    placement: Placement,
    executor: Executor,
    progress: Callable[[Plan], Progress] | None,
    told: list[str],
) -> dict[str, RegularizerResult]:
    """The judged runs of each regularizer; more are trained at each look for those that are undecided."""
    outcomes: dict[str, list[RunOutcome]] = {label: [] for label in labels}
    found: dict[str, RegularizerResult] = {}
    waiting, trained = labels, 0
    for n_runs in options.looks:
        plan = make_plan(options, waiting, range(trained, n_runs))
        report = progress(plan) if progress is not None else _silent
        share = -(-len(plan.runs) // executor.n_workers)
        sized = replace(placement, chunk=min(placement.chunk, max(share, 1)))
        for outcome in executor.run(trainer, plan, chosen.regularizers, sized):
            outcomes[outcome.run.regularizer].append(outcome)
            report(outcome)
            told.extend(() if outcome.note is None else (outcome.note,))
        for label in waiting:
            found[label] = judged(label, outcomes[label], trainer, options, n_runs)
        waiting = [label for label in waiting if found[label].verdict.status == "inconclusive"]
        trained = n_runs
        if not waiting:
            break
    return {label: found[label] for label in labels}


def collected(
    name: str,
    by_regularizer: Mapping[str, RegularizerResult],
    task: Task,
    y_true: Array,
    baseline: str,
    options: Options,
    settings: Mapping[str, Any],
    refusals: Mapping[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> AuditResult:
    """The result, with the regularizers compared where all have the runs that were planned."""
    adaptive = len(options.looks) > 1
    return AuditResult(
        name,
        by_regularizer,
        y_true,
        baseline,
        dict(refusals or {}),
        settings,
        (*notes, *options.bounds.not_loosened()),
        options.report_only,
        task,
        {} if adaptive else compare(task, by_regularizer, baseline, y_true),
        options.on_inconclusive,
    )


def _silent(_: RunOutcome) -> None:
    return None
