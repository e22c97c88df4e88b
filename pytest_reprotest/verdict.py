"""Verdicts: estimates held against limits, and the guards that no threshold can wave through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pytest_reprotest.metrics import Labels
from pytest_reprotest.predictions import Predictions
from pytest_reprotest.statistics import Estimate, Summary
from pytest_reprotest.thresholds import Limit

Status = Literal["pass", "fail", "inconclusive"]


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


def breach(summary: Summary, limit: Limit) -> str | None:
    """A sentence where a limit does not hold, else None. Point estimates are compared."""
    statistic = getattr(summary, limit.kind.metric)
    estimate = statistic if isinstance(statistic, Estimate) else Estimate(statistic)
    if math.isnan(estimate.value):
        return f"{limit.kind.metric} is not a number, so {limit.name}={limit.value:g} can't be held"
    if limit.kind.holds(estimate.value, limit.value):
        return None
    side = "above" if limit.kind.upper else "below"
    told = describe(estimate)
    if float(f"{estimate.value:.4f}") == limit.value:  # rounding would hide the breach
        told = f"{told} ({estimate.value!r})"
    return f"{limit.kind.metric} {told} is {side} {limit.name}={limit.value:g}"


def guard(predictions: Predictions, y_true: Labels) -> tuple[str, ...]:
    """What makes predictions untrustworthy: runs that predict one class whatever the sample.

    Two constant runs of one class have a prediction difference of 0 for the wrong reason. Where the test
    set itself holds one class, a run that predicts just that may be right, and nothing is said; nor of a
    single sample, which no run can help predicting as one class.
    """
    constant = predictions.constant_runs()
    if np.all(y_true == y_true[0]):
        constant = {run: label for run, label in constant.items() if label != y_true[0]}
    if not constant or len(y_true) == 1:
        return ()
    which = ", ".join(f"run {run} (class {label})" for run, label in constant.items())
    return (
        f"constant predictor: {which} predicted one class for all {len(y_true)} test samples, so its "
        "prediction difference means nothing. Lower the learning rate, train longer, or check the "
        "model and the inputs' scale",
    )


def judge(
    summary: Summary, predictions: Predictions, y_true: Labels, limits: Sequence[Limit]
) -> Verdict:
    """The verdict on one regularizer's finished runs."""
    found = guard(predictions, y_true)
    if found:
        return broken(*found)
    breaches = tuple(
        sentence for limit in limits if (sentence := breach(summary, limit)) is not None
    )
    return Verdict("fail", breaches) if breaches else Verdict("pass")
