"""Intervals over runs.

Runs are the sample, pairs are not: pairs share runs, so an interval that treats them as independent
covers 46% where it says 95% (20 runs). Each interval here is the jackknife-t over runs: with
θ_(-i) the statistic without run i, the pseudo-values θ_i = R·θ - (R-1)·θ_(-i) give
θ ± t_{R-1} · sd(θ_i) / √R, widened by the factor 1 + 1/(2R). It speaks about further runs on *this* test set,
not about other test sets.

The factor is for bad runs, which make a long tail that few runs tend to miss: with strongly unlike runs the
plain interval of 5 covers 92% where it says 95%, as that of the mean of a skewed distribution does. With it
simulated intervals cover 93 to 98% at 3, 5, 10 and 20 runs (benchmarks/calibration.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pytest_reprotest.metrics import Fractions, Tally

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic of an audit with its interval over runs.

    Attributes
    ----------
    value : float
        The estimate: a fraction of test samples, or a ratio of two such fractions.
    low, high : float
        Ends of the two-sided 95% interval, same unit. NaN where the statistic has none.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def half_width(self) -> float:
        """Half the interval's width; NaN where there is no interval."""
        return (self.high - self.low) / 2


UNKNOWN = Estimate(math.nan)


def allowance(n_runs: Any) -> Any:
    """The factor by which the interval of so few runs is widened: of a number, or of an array of them.

    >>> allowance(5), allowance(100)
    (1.1, 1.005)
    """
    return 1 + 1 / (2 * n_runs)


def jackknife(value: float, left_out: Fractions, confidence: float = CONFIDENCE) -> Estimate:
    """The jackknife-t interval of a statistic over runs.

    Parameters
    ----------
    value : float
        The statistic on all runs.
    left_out : float array (n_runs,)
        The statistic without run i. NaN entries give an estimate without an interval.
    confidence : float
        Two-sided level, 0 to 1.

    The interval of a mean is the familiar t interval, -1.461 to 6.128 here, widened by 7/6:

    >>> x = np.array([1.0, 2.0, 4.0])
    >>> estimate = jackknife(x.mean(), (x.sum() - x) / 2)
    >>> round(estimate.low, 3), round(estimate.high, 3)
    (-2.094, 6.76)
    """
    n_runs = len(left_out)
    if n_runs < 2 or not np.isfinite(left_out).all():
        return Estimate(float(value))
    pseudo_values = n_runs * value - (n_runs - 1) * left_out
    t = float(stats.t.ppf(0.5 + confidence / 2, n_runs - 1))
    half_width = float(allowance(n_runs) * t * pseudo_values.std(ddof=1)) / math.sqrt(n_runs)
    return Estimate(float(value), float(value) - half_width, float(value) + half_width)


def spread(estimate: Estimate, n_runs: int) -> float:
    """Standard deviation of the pseudo-values behind a 95% interval; NaN where there is none.

    >>> x = np.array([1.0, 2.0, 4.0])
    >>> round(spread(jackknife(x.mean(), (x.sum() - x) / 2), 3), 6), round(float(x.std(ddof=1)), 6)
    (1.527525, 1.527525)
    """
    t = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n_runs - 1))
    return float(estimate.half_width * math.sqrt(n_runs) / (allowance(n_runs) * t))


def reach(spread: float, n_runs: int, level: float) -> float:
    """How far the one-sided bound of a level lies from the estimate.

    >>> round(reach(1.0, 10, 0.025), 4)  # half the plain 95% interval
    0.7154
    """
    return float(stats.t.isf(level, n_runs - 1)) * spread / math.sqrt(n_runs)


@dataclass(frozen=True)
class Summary:
    """The estimates of one regularizer, whatever the task.

    Attributes
    ----------
    score : Estimate
        Mean over runs: accuracy, R², mean absolute error.
    prediction_difference : Estimate
        Fraction of test samples.
    effective_score : Estimate
        Score minus prediction difference, where they have one unit.
    difference_error_ratio : Estimate
        Prediction difference over 1 - score, where a score is a fraction of samples.
    score_std : float
        Standard deviation of the score over runs (ddof = 1).
    """

    score: Estimate
    prediction_difference: Estimate
    effective_score: Estimate
    difference_error_ratio: Estimate
    score_std: float


def summarize(tally: Tally, confidence: float = CONFIDENCE) -> Summary:
    """All estimates of one regularizer's runs.

    With 2 runs the prediction difference has one pair and therefore no interval.

    >>> tally = Tally(np.array([3, 2, 3]), np.array([1, 2, 1]), n_cells=3)
    >>> summary = summarize(tally)
    >>> round(summary.prediction_difference.value, 4), round(summary.score.value, 4)
    (0.2222, 0.8889)
    """
    left_out = tally.left_out
    return Summary(
        score=jackknife(tally.score, left_out.score, confidence),
        prediction_difference=jackknife(
            tally.prediction_difference, left_out.prediction_difference, confidence
        ),
        effective_score=jackknife(tally.effective_score, left_out.effective_score, confidence),
        difference_error_ratio=jackknife(
            tally.difference_error_ratio, left_out.difference_error_ratio, confidence
        ),
        score_std=tally.score_std,
    )
