"""The ladder of attribution trained: further runs under each regularizer, which vary one thing alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from pytest_reprotest.attribution import Attribution, Climbed
from pytest_reprotest.attribution.rungs import (
    ALL,
    IDENTICAL,
    KERNELS,
    Rung,
    ladder,
    on_gpu,
    own_rung,
    plan_of,
    to_train,
)
from pytest_reprotest.interfaces import (
    Executor,
    Placement,
    Progress,
    Regularizer,
    RunOutcome,
    Trainer,
    silent,
)
from pytest_reprotest.measuring import judged
from pytest_reprotest.options import Options
from pytest_reprotest.plan import Plan
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.statistics.share import share


def attributed(
    found: Mapping[str, RegularizerResult],
    trainer: Trainer,
    options: Options,
    regularizers: Mapping[str, Regularizer],
    placement: Placement,
    executor: Executor,
    progress: Callable[[Plan], Progress] | None = None,
) -> tuple[dict[str, RegularizerResult], tuple[str, ...]]:
    """The results of an audit with their attribution, and sentences for the report.

    A regularizer that is broken has none. A rung that can't be trained fails nothing: it is left out, with the
    reason.

    Parameters
    ----------
    found : mapping
        Label → what the audit's own runs gave.
    placement : Placement
        As the audit's runs were placed.
    """
    labels = [label for label, each in found.items() if not each.verdict.broken]
    if not labels:
        return dict(found), ()
    climbed: dict[str, list[Climbed]] = {label: [] for label in labels}
    notes: list[str] = []
    own = own_rung(options, placement.device)
    trained = to_train(options, placement.device, trainer.nudges)
    for rung in ladder(placement.device):
        plan = plan_of(rung, labels, options)
        outcomes: dict[str, list[RunOutcome]] = {label: [] for label in labels}
        if rung in trained:
            report = progress(plan) if progress is not None else silent
            with _place(rung, placement, executor, options, len(plan.runs)) as (where, by):
                for outcome in by.run(trainer, plan, regularizers, where):
                    outcomes[outcome.run.regularizer].append(replace(outcome, scores=None))
                    notes.extend(() if outcome.note is None else (outcome.note,))
                    report(outcome)
        for label in labels:
            if rung is own:
                here = _of_runs(rung, found[label])
            elif rung in trained:
                here = _climbed(rung, label, outcomes[label], trainer, options)
            else:
                here = Climbed(rung.name, left_out=_UNMOVED.format(type(trainer).__name__))
            climbed[label].append(here)
    shared = {
        label: replace(found[label], attribution=_with_shares(climbed[label], found[label]))
        for label in labels
    }
    return {**found, **shared}, tuple(dict.fromkeys(notes))


_UNMOVED = "{} has no initial weights that could be moved by one ulp"


@contextmanager
def _place(
    rung: Rung, placement: Placement, executor: Executor, options: Options, n_runs: int
) -> Iterator[tuple[Placement, Executor]]:
    """Where a rung is trained: as the audit is, apart from what has to do with a GPU's kernels."""
    sized = placement.shared_out(n_runs, executor.n_workers)
    one_by_one = replace(placement, engine="sequential", chunk=1)
    if not on_gpu(placement.device) or rung not in (IDENTICAL, KERNELS):
        yield sized, executor
    elif rung is KERNELS:
        yield one_by_one, executor
    else:
        from pytest_reprotest.execution.choice import open_executor

        proving = open_executor(replace(options, deterministic=True))
        try:
            yield replace(one_by_one, deterministic=True), proving
        finally:
            proving.close()


def _climbed(
    rung: Rung, label: str, outcomes: list[RunOutcome], trainer: Trainer, options: Options
) -> Climbed:
    failure = next((each.failure for each in outcomes if each.failure is not None), None)
    if failure is not None:
        return Climbed(rung.name, left_out=failure)
    result = judged(label, outcomes, trainer, options, options.runs)
    if result.verdict.broken:
        return Climbed(rung.name, left_out="; ".join(result.verdict.reasons))
    return _of_runs(rung, result)


def _of_runs(rung: Rung, result: RegularizerResult) -> Climbed:
    runs = result.predictions
    same = bool((runs == runs[:1]).all()) and len(set(result.losses)) <= 1
    return Climbed(rung.name, len(runs), result.prediction_difference, same_bits=same)


def _with_shares(climbed: list[Climbed], result: RegularizerResult) -> Attribution:
    by_name = {rung.name: rung for rung in climbed}
    everything, n_cells = by_name[ALL.name], result.predictions[0].size

    def shared(rung: Climbed) -> Climbed:
        part, whole = rung.prediction_difference, everything.prediction_difference
        if rung is everything and whole.value > 0:
            return replace(rung, share=Estimate(1.0))
        found = share(part, whole, (rung.n_runs, everything.n_runs), n_cells)
        return replace(rung, share=found)

    return Attribution(tuple(shared(rung) for rung in climbed))
