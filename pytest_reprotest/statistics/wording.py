"""Comparisons in words."""

from __future__ import annotations

import math

from pytest_reprotest.statistics.comparison import Comparison
from pytest_reprotest.statistics.intervals import Estimate
from pytest_reprotest.statistics.permutation import MIN_RUNS, smallest_p


def in_words(label: str, found: Comparison, score: str = "accuracy", in_points: bool = True) -> str:
    """A comparison as a sentence; differences in points, that is in hundredths.

    Parameters
    ----------
    label : str
        The regularizer.
    score : str
        What the scores of the runs are.
    in_points : bool
        Whether they are fractions; else they are errors in a unit of their own, and more is worse.

    >>> change = Estimate(-0.012, -0.02, -0.004)
    >>> same = Estimate(-0.001, -0.004, 0.002)
    >>> found = Comparison(change, change, same, -0.003, 0.001, 0.008, 0.016, True, 5, 5, n_compared=2)
    >>> for clause in in_words("dropout", found).split("; "):
    ...     print(clause)
    dropout lowers the prediction difference by 1.2 points [0.4, 2.0], p = 0.016 after Holm
    accuracy not inferior by more than 0.5 points
    """
    if math.isnan(found.p_value):
        return (
            f"{label} can't be compared with the baseline: {found.n_runs} against {found.n_baseline} "
            "runs, and it takes 2 of each"
        )
    return f"{_difference(label, found)}; {_score(score, found, in_points)}"


def points(change: Estimate, sign: str = "") -> str:
    """A difference of fractions in points, with a second decimal where the interval is narrow.

    Parameters
    ----------
    sign : str
        ``"+"`` shows the sign of a gain, too.

    >>> points(Estimate(0.012, 0.004, 0.02)), points(Estimate(0.0012, 0.0004, 0.002), sign="+")
    ('1.2 points [0.4, 2.0]', '+0.12 points [+0.04, +0.20]')
    """
    width = change.high - change.low
    digits = 2 if 100 * (abs(change.value) if math.isnan(width) else width) < 1 else 1
    # adding 0.0 turns a rounded -0.0 into 0.0
    value, low, high = (
        f"{round(100 * number, digits) + 0.0:{sign}.{digits}f}"
        for number in (change.value, change.low, change.high)
    )
    return f"{value} points" if math.isnan(width) else f"{value} points [{low}, {high}]"


def _risen(gain: Estimate) -> str:
    """What became of an error, of which less is a gain; four significant digits."""
    if math.isnan(gain.low):
        return f"{-gain.value:+.4g}"
    return f"{-gain.value:+.4g} [{-gain.high:+.4g}, {-gain.low:+.4g}]"


def _difference(label: str, found: Comparison) -> str:
    after = " after Holm" if found.n_compared > 1 else ""
    p = f"p {'< 0.001' if found.p_adjusted < 0.001 else f'= {found.p_adjusted:.2g}'}{after}"
    change = found.prediction_difference
    if found.status == "better":
        lowered = Estimate(-change.value, -change.high, -change.low)
        return f"{label} lowers the prediction difference by {points(lowered)}, {p}"
    if found.status == "worse":
        return f"{label} raises the prediction difference by {points(change)}, {p}"
    told = (
        f"whether {label} changes the prediction difference is undecided: "
        f"{points(change, sign='+')}, {p}"
    )
    if found.can_decide:
        return told
    least = min(1.0, smallest_p(found.n_runs, found.n_baseline) * found.n_compared)
    return (
        f"{told}, and {found.n_runs} against {found.n_baseline} runs can't give less than "
        f"{least:.2g}{after}"
    )


def _score(score: str, found: Comparison, in_points: bool) -> str:
    margin = f"by more than {100 * found.margin:g} points"
    if not in_points:
        margin = f"by more than {found.margin:g}"
    if math.isnan(found.accuracy_low):
        return f"{score} not judged, which takes {MIN_RUNS} runs of each"
    if found.accuracy_status == "not inferior":
        return f"{score} not inferior {margin}"
    change = points(found.accuracy, sign="+") if in_points else _risen(found.accuracy)
    if found.accuracy_status == "inferior":
        return f"{score} inferior {margin}: {change}"
    return f"whether {score} is inferior {margin} is undecided: {change}"
