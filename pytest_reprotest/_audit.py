"""The pipeline on one screen: options → plan → runs → predictions → statistics → verdict → result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_reprotest.attributing import attributed
from pytest_reprotest.comparisons import compare
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.foresight import foreseen
from pytest_reprotest.illustrating import illustrated
from pytest_reprotest.interfaces import Executor, Placement, Progress, RunOutcome, Trainer, silent
from pytest_reprotest.locating import located
from pytest_reprotest.measuring import judged, slim
from pytest_reprotest.options import Options
from pytest_reprotest.plan import Plan, make_plan
from pytest_reprotest.references import NOTHING, Reference
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.result import AuditResult
from pytest_reprotest.selection import Selection
from pytest_reprotest.settling import settings_of, settle
from pytest_reprotest.tasks import Array, Task


def run_audit(
    trainer: Trainer,
    options: Options,
    registry: Registry,
    *,
    name: str = "",
    executor: Executor | None = None,
    progress: Callable[[Plan], Progress] | None = None,
    tell: Callable[[str], None] | None = None,
    reference: Reference = NOTHING,
    beside: Sequence[str] | None = None,
    pictures: bool = True,
) -> AuditResult:
    """Train every run, and judge.

    Parameters
    ----------
    reference : Reference
        What the audit is held against beside its thresholds.
    beside : sequence of str, optional
        Labels that what can't be answered is told of, where a test's regularizers are spread over items;
        default those that are audited here.
    pictures : bool
        Keep pictures of the samples that flip most, where the trainer has any.
    tell : callable, optional
        Called before anything trains with each sentence of what the audit will not be able to answer.

    Raises
    ------
    ReprotestError
        Where nothing can be trained: an impossible option, device, data set, factory, or a regularizer
        that was named and does not fit.
    """
    wanted, options = options, reference.asked(options)
    executor = executor or LocalExecutor()
    settled = settle(trainer, options, registry, executor)
    chosen, placement, labels = settled.chosen, settled.placement, list(settled.labels)
    warnings: tuple[str, ...] = ()
    # runs of one seed tell nothing of others
    compares = reference.compares and not options.deterministic
    if compares:
        warnings = foreseen(options, labels, chosen.baseline, trainer, beside)
    if tell is not None:
        for sentence in warnings:
            tell(sentence)
    settings = settings_of(settled, options, trainer, executor, reference.first_run)
    differing = reference.check(trainer.task, trainer.y_true, settings, labels)
    told: list[str] = []
    found = _trained(
        trainer, options, labels, chosen, placement, executor, progress, told, reference.first_run
    )
    if options.attribute:
        found, more = attributed(
            found, trainer, options, chosen.regularizers, placement, executor, progress
        )
        told.extend(more)
    told.extend(executor.told())
    result = collected(
        name,
        found,
        trainer.task,
        trainer.y_true,
        chosen.baseline,
        options,
        settings,
        settled.refusals,
        (*settled.notes, *warnings, *differing, *dict.fromkeys(told)),
        compares=compares,
    )
    if pictures:
        result = illustrated(result, trainer)
    return reference.hold(result, wanted)


def _trained(
    trainer: Trainer,
    options: Options,
    labels: list[str],
    chosen: Selection,
    placement: Placement,
    executor: Executor,
    progress: Callable[[Plan], Progress] | None,
    told: list[str],
    first_run: int,
) -> dict[str, RegularizerResult]:
    """The judged runs of each regularizer; more are trained at each look for those that are undecided."""
    outcomes: dict[str, list[RunOutcome]] = {label: [] for label in labels}
    found: dict[str, RegularizerResult] = {}
    waiting, trained = labels, 0
    for n_runs in options.looks:
        plan = make_plan(options, waiting, range(first_run + trained, first_run + n_runs))
        report = progress(plan) if progress is not None else silent
        sized = placement.shared_out(len(plan.runs), executor.n_workers)
        for outcome in executor.run(trainer, plan, chosen.regularizers, sized):
            trained_before = outcomes[outcome.run.regularizer]
            trained_before.append(slim(outcome, len(trained_before)))
            report(outcome)
            told.extend(() if outcome.note is None else (outcome.note,))
        for label in waiting:
            found[label] = judged(label, outcomes[label], trainer, options, n_runs)
            if options.deterministic:
                runs = plan.of(label)
                found[label] = located(
                    found[label], runs, trainer, chosen.regularizers, sized, executor, progress
                )
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
    *,
    compares: bool = True,
) -> AuditResult:
    """The result, with the regularizers compared where all have the runs that were planned."""
    return AuditResult(
        name,
        by_regularizer,
        y_true,
        baseline,
        dict(refusals or {}),
        settings,
        (
            *notes,
            *((_STOPPED,) if options.adaptive else ()),
            *options.bounds.not_loosened(),
            *options.without_effect(),
        ),
        options.report_only,
        task,
        compare(task, by_regularizer, baseline, y_true)
        if compares and not options.adaptive
        else {},
        options.on_inconclusive,
    )


_STOPPED = (
    "an audit that adds runs stops when its runs look alike, so its intervals (±) cover less than 95%: about "
    "90%, and where it stopped at the first look far less"
)
