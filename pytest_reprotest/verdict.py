"""Verdicts: estimates held against limits, by the estimate itself or by its one-sided bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_reprotest.statistics import Estimate, Summary
from pytest_reprotest.statistics.intervals import reach, spread
from pytest_reprotest.statistics.sequential import Decision, runs_to_decide
from pytest_reprotest.thresholds import Limit

Status = Literal["pass", "fail", "inconclusive"]

POINT = Decision()
NOTHING_KNOWN: Mapping[str, float] = {}


@dataclass(frozen=True)
class Verdict:
    """Whether a regularizer's runs are as reproducible as was asked.

    Attributes
    ----------
    status : {"pass", "fail", "inconclusive"}
    reasons : tuple of str
        Why it is not a pass, a sentence each: breaches of thresholds and what guards found.
    broken : bool
        A guard fired: the audit itself cannot be trusted. Not waived by ``--repro-report-only``.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    broken: bool = False


def broken(*reasons: str) -> Verdict:
    """The verdict of an audit that cannot be trusted."""
    return Verdict("fail", reasons, broken=True)


def describe(estimate: Estimate) -> str:
    """An estimate with its interval, as messages print it.

    >>> describe(Estimate(0.0412, 0.033, 0.0494)), describe(Estimate(0.5))
    ('0.0412 [0.0330, 0.0494]', '0.5000')
    """
    if math.isnan(estimate.low):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def judge(
    summary: Summary,
    limits: Sequence[Limit],
    decision: Decision = POINT,
    n_runs: int = 0,
    one_flip: Mapping[str, float] = NOTHING_KNOWN,
) -> Verdict:
    """The verdict on one regularizer's finished runs, which guards have let through.

    A point decision compares estimates. One with confidence passes where the one-sided bounds of all limits
    are inside, fails where one is outside, and else is inconclusive.

    Parameters
    ----------
    n_runs : int
        Runs behind the summary; of no account to a point decision.
    one_flip : mapping
        Field of a Summary → by how much it changes, at the most, where one run flips one sample. So much at
        least a run may vary, though all runs that were seen agree: where few samples flip, few runs often do.
    """
    if decision.kind == "point" or not limits:
        found = [sentence for limit in limits if (sentence := breach(summary, limit)) is not None]
        return Verdict("fail", tuple(found)) if found else Verdict("pass")
    outside: list[str] = []
    open_: list[str] = []
    levels = decision.levels(n_runs, len(limits))
    for limit in limits:
        estimate = _estimate(summary, limit)
        if not math.isfinite(estimate.value):
            outside.append(_unusable(limit))
            continue
        unseen = one_flip.get(limit.kind.field, 0.0) / math.sqrt(max(n_runs, 1))
        side, told = _side(estimate, limit, levels, n_runs, unseen)
        if side == "fail":
            outside.append(told)
        elif side == "inconclusive":
            open_.append(told)
    if outside:
        return Verdict("fail", tuple(outside))
    return Verdict("inconclusive", tuple(open_)) if open_ else Verdict("pass")


def breach(summary: Summary, limit: Limit) -> str | None:
    """A sentence where a limit does not hold, else None. Point estimates are compared."""
    estimate = _estimate(summary, limit)
    if not math.isfinite(estimate.value):
        return _unusable(limit)
    if limit.kind.holds(estimate.value, limit.value):
        return None
    told = describe(estimate)
    if float(f"{estimate.value:.4f}") == limit.value:  # rounding would hide the breach
        told = f"{told} ({estimate.value!r})"
    return f"{limit.kind.metric} {told} is {_beyond(limit)} {limit.name}={limit.value:g}"


def _side(
    estimate: Estimate, limit: Limit, levels: tuple[float, float], n_runs: int, unseen: float
) -> tuple[Status, str]:
    """On which side of a limit the truth is, as far as the one-sided bounds tell; and that in words.

    Parameters
    ----------
    unseen : float
        Standard deviation of the pseudo-values that one more flip would give.
    """
    asked = f"{limit.name}={limit.value:g}"
    if math.isnan(estimate.low):
        told = (
            f"{n_runs} runs give {limit.kind.metric} {estimate.value:.4f} no interval, so {asked}"
        )
        return "inconclusive", f"{told} can't be decided with confidence; 3 runs do"
    inward, outward = 1.0, -1.0
    if not limit.kind.upper:
        inward, outward = outward, inward
    deviation = math.hypot(spread(estimate, n_runs), unseen)
    passing, failing = (reach(deviation, n_runs, level) for level in levels)
    worst, best = estimate.value + inward * passing, estimate.value + outward * failing
    if limit.kind.holds(worst, limit.value):
        return "pass", ""
    if not limit.kind.holds(best, limit.value):
        return "fail", (
            f"{limit.kind.metric} {describe(estimate)} is {_beyond(limit)} {asked}, and so is its "
            f"one-sided bound {best:.4f}"
        )
    holds = limit.kind.holds(estimate.value, limit.value)
    enough = runs_to_decide(
        abs(estimate.value - limit.value), deviation, levels[0] if holds else levels[1]
    )
    remedy = (
        "more than 1000 runs would be needed"
        if enough is None
        else f"about {max(enough, n_runs + 1)} runs would decide it, if the estimate holds"
    )
    return "inconclusive", (
        f"{limit.kind.metric} {describe(estimate)} can't be told from {asked} with {n_runs} runs: the "
        f"bounds that decide are {min(best, worst):.4f} and {max(best, worst):.4f}, on either side; {remedy}"
    )


def _estimate(summary: Summary, limit: Limit) -> Estimate:
    statistic = getattr(summary, limit.kind.field)
    return statistic if isinstance(statistic, Estimate) else Estimate(statistic)


def _beyond(limit: Limit) -> str:
    return "above" if limit.kind.upper else "below"


def _unusable(limit: Limit) -> str:
    return f"{limit.kind.metric} is no finite number, so {limit.name}={limit.value:g} can't be held"
