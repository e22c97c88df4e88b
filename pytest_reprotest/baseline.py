"""Today's audit held against a stored one: what changed, and whether by more than is tolerated.

Two groups of runs are compared, so a change has an interval over the runs of both. Runs of one training
flip samples among themselves, too; so of negative flips (right before, wrong now) the excess over those
between the old runs is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_reprotest.changes import Change, Status, check_decision, judged
from pytest_reprotest.conditions import changed_parts
from pytest_reprotest.differences import Difference, differences, other_test_set
from pytest_reprotest.errors import DataError
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.result import AuditResult
from pytest_reprotest.statistics import CONFIDENCE
from pytest_reprotest.statistics.change import Contrast, from_tallies, negative_flips
from pytest_reprotest.tasks import Array, Task
from pytest_reprotest.thresholds import Threshold, tolerance_limits

INCOMPARABLE = {
    "vary": "what varies between runs is not the same, so neither is what PD means",
    "training.data.test": "the numbers are of two test sets, though their true labels agree",
}
"""Settings that must agree for the numbers to be about one thing → what their difference does."""

LEFT_OUT = "they were left out of the file (--repro-json-predictions=no)"


@dataclass(frozen=True, eq=False)
class BaselineComparison:
    """An audit beside a stored one of the same test.

    Attributes
    ----------
    name : str
        Of the test.
    by_regularizer : mapping
        Label → its changes, for the regularizers that both could measure.
    broken : mapping
        Label → why its new runs can't be trusted, where the old ones could.
    uncompared : mapping
        Label → why there was nothing to compare.
    differences : tuple of Difference
        The settings that differ.
    """

    name: str
    by_regularizer: Mapping[str, tuple[Change, ...]]
    broken: Mapping[str, tuple[str, ...]]
    uncompared: Mapping[str, str]
    differences: tuple[Difference, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes."""
        return tuple(change for found in self.by_regularizer.values() for change in found)

    @property
    def status(self) -> Status:
        """``worse`` where anything is, else ``better`` where anything is: the baseline is stale then."""
        found = {change.status for change in self.changes}
        if self.broken or "worse" in found:
            return "worse"
        return "better" if "better" in found else "same"

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each difference that makes the numbers be about two things."""
        return tuple(
            f"{difference}: {INCOMPARABLE[difference.key]}"
            for difference in self.differences
            if difference.key in INCOMPARABLE
        )

    def breaches(self, regularizer: str) -> tuple[str, ...]:
        """A sentence for each way in which a regularizer is worse than is tolerated."""
        return self._sentences(regularizer, "worse") + tuple(
            f"can't be trusted, and could before: {reason}"
            for reason in self.broken.get(regularizer, ())
        )

    def improvements(self, regularizer: str) -> tuple[str, ...]:
        """A sentence for each way in which a regularizer is better by more than is tolerated."""
        return self._sentences(regularizer, "better")

    def _sentences(self, regularizer: str, status: Status) -> tuple[str, ...]:
        found = self.by_regularizer.get(regularizer, ())
        return tuple(str(change) for change in found if change.status == status)

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {
            "name": self.name,
            "status": self.status,
            "regularizers": {
                label: [change.to_dict() for change in found]
                for label, found in self.by_regularizer.items()
            },
            "broken": {label: list(reasons) for label, reasons in self.broken.items()},
            "uncompared": dict(self.uncompared),
            "differences": [
                {"key": each.key, "old": each.old, "new": each.new} for each in self.differences
            ],
            "fingerprint": {
                part: list(changed) for part, changed in changed_parts(self.differences).items()
            },
            "warnings": list(self.warnings),
        }


def compare_results(
    new: AuditResult,
    old: AuditResult,
    tolerances: Mapping[str, Threshold] | None = None,
    *,
    decision: str = "confidence",
    confidence: float = CONFIDENCE,
) -> BaselineComparison:
    """Hold an audit against a stored one of the same test set.

    Parameters
    ----------
    new, old : AuditResult
    tolerances : mapping
        Name of ``TOLERANCES`` → a number, or a mapping from regularizer to number; the default of
        ``Task.tolerances`` where one is not given. Those of other tasks have no part in it.
    decision : {"confidence", "point"}
        Whether the one-sided bound of a change has to be beyond the limit, or its estimate.
    confidence : float
        Level of the one-sided bound, 0.5 to 1.

    Raises
    ------
    DataError
        Where the two are of different tasks or test sets, share no regularizer, or have too few runs to decide.
    OptionError
        For an unknown tolerance or decision.

    >>> from pytest_reprotest.api import audit_predictions
    >>> y_true = [0, 1, 1, 0] * 50
    >>> runs = np.array([y_true] * 5)
    >>> runs[range(5), range(5)] = 2
    >>> old = audit_predictions({"none": runs}, y_true)
    >>> runs[:, 100:110] = 2
    >>> compared = compare_results(audit_predictions({"none": runs}, y_true), old)
    >>> compared.status, [change.status for change in compared.by_regularizer["none"]]
    ('worse', ['worse', 'worse', 'same', 'worse'])
    """
    check_decision(decision)
    if old.task != new.task:
        raise DataError(
            f"another task: {told_task(old.task)} there, {told_task(new.task)} here. Audits of one task "
            "can be compared, no others"
        )
    different = other_test_set(old.y_true, new.y_true)
    if different:
        raise DataError(f"{different}. Audits of one test set can be compared, no others")
    by_regularizer: dict[str, tuple[Change, ...]] = {}
    broken: dict[str, tuple[str, ...]] = {}
    uncompared: dict[str, str] = {}
    for label in dict.fromkeys([*old.regularizers, *new.regularizers]):
        was, now = old.by_regularizer.get(label), new.by_regularizer.get(label)
        if was is None or now is None:
            uncompared[label] = f"is in the {'new' if was is None else 'old'} result only"
        elif was.verdict.broken:
            uncompared[label] = "can't be trusted in the old result: " + _told(was)
        elif now.verdict.broken:
            broken[label] = now.verdict.reasons
        elif was.proof is not None and now.proof is not None:
            # proven then and now: nothing else is asked of runs of one seed
            by_regularizer[label] = ()
        elif was.proof is not None or now.proof is not None:
            uncompared[label] = (
                f"is a proof of determinism in the {'new' if was.proof is None else 'old'} result only: "
                "runs of one seed say nothing of others"
            )
        elif was.left_out or now.left_out:
            uncompared[label] = (
                f"has no predictions in the {'old' if was.left_out else 'new'} result: {LEFT_OUT}"
            )
        else:
            paired = _paired(new, old, label)
            by_regularizer[label] = judged(
                _contrasts(new.task, now.predictions, was.predictions, new.y_true, paired),
                tolerance_limits(tolerances or {}, label, new.task.tolerances),
                decision,
                confidence,
            )
    if not by_regularizer and not broken:
        reasons = "; ".join(f"{label!r} {reason}" for label, reason in uncompared.items())
        raise DataError(f"nothing to compare: {reasons or 'both are empty'}")
    return BaselineComparison(
        new.name, by_regularizer, broken, uncompared, differences(old.settings, new.settings)
    )


def _contrasts(
    task: Task, new: Array, old: Array, y_true: Array, paired: bool
) -> dict[str, Contrast]:
    """Each measure of the runs of two audits; negative flips where a prediction is right or wrong."""
    found = from_tallies(
        task.tally(new, y_true),
        task.tally(old, y_true),
        task.names.score,
        task.names.effective_score,
    )
    right_now, right_before = task.right(new, y_true), task.right(old, y_true)
    if right_now is not None and right_before is not None:
        found["negative_flips"] = negative_flips(right_now, right_before, paired)
    return found


def told_task(task: Task) -> str:
    """The task with its parameters, such as ``regression(tolerance=0.1, score='r2')``."""
    stored = task.to_dict()
    own = ", ".join(f"{key}={value!r}" for key, value in stored.items() if key != "name")
    return f"{task.name}({own})" if own else task.name


def _paired(new: AuditResult, old: AuditResult, label: str) -> bool:
    """Whether run i is one training in both: of one seed, or given twice."""
    keys = ("seed", "first_run")
    seeds = [tuple(result.settings.get(key, 0) for key in keys) for result in (new, old)]
    seeded = all("seed" in result.settings for result in (new, old))
    same = np.array_equal(new[label].predictions, old[label].predictions)
    return same or (seeded and seeds[0] == seeds[1])


def _told(found: RegularizerResult) -> str:
    return "; ".join(found.verdict.reasons) or "no reason is given"
