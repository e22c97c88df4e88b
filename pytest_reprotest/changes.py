"""What became of each measure between two audits, and whether that is more than is tolerated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from pytest_reprotest.errors import DataError, OptionError, did_you_mean
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.statistics.change import Contrast
from pytest_reprotest.stored import (
    entry,
    estimate_in,
    estimate_out,
    finite_in,
    number_in,
    number_out,
)
from pytest_reprotest.thresholds import Limit

Status = Literal["same", "worse", "better"]
DECISIONS = ("confidence", "point")

_TOLERANCES = {
    "accuracy": "max_accuracy_drop",
    "effective_accuracy": "max_effective_accuracy_drop",
    "prediction_difference": "max_prediction_difference_increase",
    "negative_flips": "max_negative_flip_excess",
    "r2": "max_r2_drop",
    "effective_r2": "max_effective_r2_drop",
    "mae": "max_mae_increase",
}
_DROPS = ("accuracy", "effective_accuracy", "r2", "effective_r2")  # worse where they fall
_DIGITS = 12  # beyond these a difference of two fractions is rounding: 0.9 - 0.895 is 0.005


@dataclass(frozen=True)
class Change:
    """What became of one measure.

    Attributes
    ----------
    measure : str
        ``accuracy``, ``effective_accuracy``, ``prediction_difference`` or ``negative_flips``; of a
        regression ``r2`` and ``effective_r2``, or ``mae``.
    old, new : float
        Fractions of test samples where it is none of a regression's. For negative flips: between two old runs, and from an old run to a new.
    change : Estimate
        new - old, with its 95% interval over runs.
    limit : Limit
        How much worse it may be.
    status : {"same", "worse", "better"}
        Whether the change is beyond the limit, in either direction.
    bound : Estimate
        How much worse it is (negative: better), with the one-sided bounds that were decided by; without
        bounds where the estimate was.
    """

    measure: str
    old: float
    new: float
    change: Estimate
    limit: Limit
    status: Status
    bound: Estimate

    @property
    def seen_from(self) -> float:
        """The change for the worse from which on these runs call it worse."""
        reach = self.bound.value - self.bound.low
        return self.limit.value + (0.0 if math.isnan(reach) else reach)

    def __str__(self) -> str:
        """A sentence without its end: what changed, by how much, and how that compares with the limit."""
        low, high = self.change.low, self.change.high
        interval = "" if math.isnan(low) else f" [{low:+.4f}, {high:+.4f}]"
        if self.measure == "negative_flips":
            what = (
                f"{self.new:.4f} of samples were right before and are wrong now, {self.old:.4f} between "
                f"old runs: an excess of {self.change.value:+.4f}{interval}"
            )
        else:
            what = (
                f"{self.measure} went from {self.old:.4f} to {self.new:.4f}, "
                f"by {self.change.value:+.4f}{interval}"
            )
        if self.status == "same":
            return what
        side = "beyond" if self.status == "worse" else "better by more than"
        return f"{what}, {side} {self.limit.name}={self.limit.value:g}"

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {
            "measure": self.measure,
            "old": number_out(self.old),
            "new": number_out(self.new),
            "change": estimate_out(self.change),
            "limit": {self.limit.name: self.limit.value},
            "status": self.status,
            "seen_from": number_out(self.seen_from),
            "bound": estimate_out(self.bound),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Change:
        """The inverse of ``to_dict``.

        Raises
        ------
        DataError
        """
        measure, status = entry(stored, "measure", str), entry(stored, "status", str)
        limits = entry(stored, "limit", dict)
        if measure not in _TOLERANCES or set(limits) != {_TOLERANCES[measure]}:
            raise DataError(f"a change is of {measure!r:.40}, held against {list(limits)!r:.60}")
        if status not in get_args(Status):
            raise DataError(f"a change is {status!r:.40}; expected {', '.join(get_args(Status))}")
        return cls(
            measure,
            number_in(stored.get("old"), "old"),
            number_in(stored.get("new"), "new"),
            estimate_in(stored, "change"),
            Limit(_TOLERANCES[measure], finite_in(limits, _TOLERANCES[measure])),
            cast(Status, status),
            estimate_in(stored, "bound"),
        )


def check_decision(decision: str) -> None:
    """Refuse an unknown way to decide."""
    if decision not in DECISIONS:
        raise OptionError(
            f"decision={decision!r}; expected {' or '.join(DECISIONS)}."
            f"{did_you_mean(decision, DECISIONS)}"
        )


def judged(
    measured: Mapping[str, Contrast], limits: tuple[Limit, ...], decision: str, confidence: float
) -> tuple[Change, ...]:
    """Each measure's change, held against its limit.

    Parameters
    ----------
    decision : {"confidence", "point"}
        Whether the one-sided bound of a change has to be beyond the limit, or its estimate.
    confidence : float
        Level of the one-sided bound.

    Raises
    ------
    DataError
        Where a bound is to decide and there are too few runs for one.
    """
    by_name = {limit.name: limit for limit in limits}
    found = []
    for measure, contrast in measured.items():
        limit = by_name[_TOLERANCES[measure]]
        worsening = _worsening(measure, contrast, decision, confidence)
        found.append(
            Change(
                measure,
                contrast.old,
                contrast.new,
                contrast.change(),
                limit,
                _status(worsening, limit),
                worsening,
            )
        )
    return tuple(found)


def _worsening(measure: str, contrast: Contrast, decision: str, confidence: float) -> Estimate:
    """How much worse, with one-sided bounds where those decide."""
    change = contrast.change(2 * confidence - 1)
    if decision == "point":
        change = Estimate(change.value)
    elif math.isnan(change.low):
        runs = min(len(contrast.left_out_old), len(contrast.left_out_new))
        raise DataError(
            f"{measure} of {runs} runs has no interval, so its change can't be decided with confidence. "
            "Audit 3 runs or more, or decide by the estimate (decision 'point')"
        )
    value, low, high = (
        round(number, _DIGITS) for number in (change.value, change.low, change.high)
    )
    return Estimate(-value, -high, -low) if measure in _DROPS else Estimate(value, low, high)


def _status(worsening: Estimate, limit: Limit) -> Status:
    pointed = math.isnan(worsening.low)
    least, most = (worsening.value, worsening.value) if pointed else (worsening.low, worsening.high)
    if not limit.kind.holds(least, limit.value):
        return "worse"
    return "better" if most < -limit.value else "same"
