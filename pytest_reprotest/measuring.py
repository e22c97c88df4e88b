"""From the runs of one regularizer to its estimates and verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.options import Options
from pytest_reprotest.proof import prove
from pytest_reprotest.regularizer_result import NO_SUMMARY, RegularizerResult
from pytest_reprotest.statistics import Estimate, Summary, study_wilcoxon, summarize
from pytest_reprotest.tasks import Array, Task
from pytest_reprotest.verdict import broken, judge

_SCORES = 2**27  # numbers of all runs: half a gigabyte


class TestSet(Protocol):
    """What is predicted, and the true values: a Trainer, or a part of an audit that was stored."""

    @property
    def task(self) -> Task:
        """What is predicted."""

    @property
    def y_true(self) -> Array:
        """True values, (n_samples,) or (n_samples, n_labels)."""


def judged(
    label: str, outcomes: Sequence[RunOutcome], test: TestSet, options: Options, n_runs: int
) -> RegularizerResult:
    """The result of runs that were trained; broken where any failed or is missing."""
    task, y_true = test.task, test.y_true
    outcomes = [_checked(o, task, y_true) for o in sorted(outcomes, key=lambda o: o.run.index)]
    failures = tuple(f"{o.run} failed: {o.failure}" for o in outcomes if o.failure is not None)
    seconds = sum(outcome.seconds for outcome in outcomes)
    runs = [outcome.labels for outcome in outcomes if outcome.labels is not None]
    scores = [outcome.scores for outcome in outcomes]
    losses = tuple(outcome.losses for outcome in outcomes if outcome.losses)
    if failures or len(runs) < n_runs:
        missing = (f"only {len(runs)} of {n_runs} runs of {label!r} came back",)
        return RegularizerResult(
            label,
            np.empty((0, len(y_true)), dtype=np.float64 if task.floats else np.uint8),
            NO_SUMMARY,
            options.bounds.limits(label),
            broken(*(failures or missing)),
            losses,
            seconds,
            task,
        )
    first_run = outcomes[0].run.index
    found = measured(label, task.stack(runs), task, y_true, options, distance_of(scores), first_run)
    found = replace(found, losses=losses, seconds=seconds)
    return _proven(found, outcomes) if options.deterministic else found


def _proven(found: RegularizerResult, outcomes: Sequence[RunOutcome]) -> RegularizerResult:
    """The result with its runs held against each other; broken where anything differs, as guards find."""
    proof = prove(outcomes)
    reasons = (*proof.differences, *found.verdict.reasons)
    verdict = broken(*reasons) if proof.differences else found.verdict
    return replace(found, proof=proof, verdict=verdict)


def measured(
    label: str,
    predictions: Array,
    task: Task,
    y_true: Array,
    options: Options,
    score_distance: float = math.nan,
    first_run: int = 0,
) -> RegularizerResult:
    """The result of the predictions of all runs, (n_runs, n_samples, …); a single run has a score alone."""
    limits = options.bounds.limits(label)
    summary = _summary(task, predictions, y_true)
    wrong = [_renumbered(told, first_run) for told in task.guard(predictions, y_true)]
    n_runs, one_flip = len(predictions), _one_flip(task, predictions, y_true)
    verdict = broken(*wrong) if wrong else judge(summary, limits, options.rule, n_runs, one_flip)
    return RegularizerResult(
        label,
        predictions,
        summary,
        limits,
        verdict,
        task=task,
        score_distance=score_distance,
        study_p_value=_study(task.pairwise(predictions)) if options.compat == "study" else None,
    )


def _checked(outcome: RunOutcome, task: Task, y_true: Array) -> RunOutcome:
    """A trainer's outcome with predictions that fit the test set; one that does not fit is a failure."""
    if outcome.labels is None:
        return outcome
    try:
        return replace(outcome, labels=task.check_output(outcome.labels, y_true))
    except DataError as error:
        return replace(outcome, labels=None, failure=str(error))


def slim(outcome: RunOutcome, before: int) -> RunOutcome:
    """An outcome without its scores where those of all runs would be too many to keep.

    Parameters
    ----------
    before : int
        Outcomes of this regularizer that are kept already.
    """
    too_many = outcome.scores is not None and outcome.scores.size * (before + 1) > _SCORES
    return replace(outcome, scores=None) if too_many else outcome


def distance_of(scores: Sequence[NDArray[np.float32] | None]) -> float:
    """Mean squared distance between the scores of all runs; NaN where any gave none, or all are too many."""
    known = [each for each in scores if each is not None]
    sizes = {each.shape for each in known}
    if len(known) < max(len(scores), 2) or len(sizes) > 1:
        return math.nan
    if known[0].size * len(known) > _SCORES:
        return math.nan
    return metrics.score_distance(np.stack(known))


def _summary(task: Task, predictions: Array, y_true: Array) -> Summary:
    if len(predictions) > 1:
        return summarize(task.tally(predictions, y_true))
    twice = np.concatenate([predictions, predictions])  # a tally is of pairs, too
    return replace(NO_SUMMARY, score=Estimate(task.tally(twice, y_true).score))


def _renumbered(told: str, first_run: int) -> str:
    """A guard counts the runs it is given from 0.

    >>> _renumbered("constant predictor: run 0 (class 1), run 2 (class 1)", 20)
    'constant predictor: run 20 (class 1), run 22 (class 1)'
    """
    return re.sub(r"\brun (\d+)", lambda found: f"run {int(found[1]) + first_run}", told)


def _one_flip(task: Task, predictions: Array, y_true: Array) -> dict[str, float]:
    """Field of a Summary → the pseudo-value of a run that flips one cell where all others agree."""
    cell = 1 / predictions[0].size
    right_or_wrong = task.right(predictions[:1], y_true) is not None
    return {
        "prediction_difference": 2 * cell,
        **({"score": cell, "effective_score": 3 * cell} if right_or_wrong else {}),
    }


def _study(pairwise: metrics.Fractions) -> float:
    return study_wilcoxon(pairwise[np.triu_indices(len(pairwise), 1)]).p_value
