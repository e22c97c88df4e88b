"""How large one prediction difference is against another, of runs that are not the same.

The logarithm of a ratio of two independent prediction differences has about the variance v_a/a² + v_b/b², with v
the jackknife variances over the runs of either. So the interval is a/b · exp(±h), where h is a t quantile, with the
degrees of freedom of Welch and Satterthwaite, times the root of that. It is not widened as other intervals over runs
are: on the scale of logarithms bad runs make no long tail, and widened by 10% the interval of 5 runs covered up to
99.4%. As it is it covers 93 to 99% in simulations (benchmarks/calibration_attribution.py).
"""

from __future__ import annotations

import math

from scipy import stats

from pytest_reprotest.statistics.intervals import CONFIDENCE, Estimate, spread

FEWEST_CELLS = 2
"""Cells on which two runs differ in the mean, below which nothing is known of the interval."""


def share(
    part: Estimate,
    whole: Estimate,
    n_runs: tuple[int, int],
    n_cells: int,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """A prediction difference over another one, with its interval.

    Parameters
    ----------
    part, whole : Estimate
        Prediction differences, fractions of cells, of runs that are not the same.
    n_runs : pair of int
        Of either.
    n_cells : int
        What two runs are compared on: test samples, or samples × labels.
    confidence : float
        Two-sided level, 0 to 1.

    Returns
    -------
    Estimate
        A ratio, 1 where both are as large; it may be above 1. NaN where ``whole`` is 0. Exactly 0 where ``part``
        is. Without an interval below 3 runs of either, where either is 0, and where two runs differ on fewer
        than ``FEWEST_CELLS`` cells.

    >>> found = share(Estimate(0.04, 0.03, 0.05), Estimate(0.05, 0.04, 0.06), (10, 10), 1000)
    >>> round(found.value, 3), round(found.low, 2), round(found.high, 2)
    (0.8, 0.6, 1.06)
    >>> share(Estimate(0.0, 0.0, 0.0), Estimate(0.05, 0.04, 0.06), (10, 10), 1000)
    Estimate(value=0.0, low=nan, high=nan)
    """
    if not whole.value > 0 or math.isnan(part.value):
        return Estimate(math.nan)
    ratio = part.value / whole.value
    fewest = min(part.value, whole.value) * n_cells
    if min(n_runs) < 3 or fewest < FEWEST_CELLS:
        return Estimate(ratio)
    variances = [
        (spread(each, runs) / each.value) ** 2 / runs
        for each, runs in zip((part, whole), n_runs, strict=True)
    ]
    total = sum(variances)
    if not total > 0:  # also where either has no interval
        return Estimate(ratio)
    squares = (variance**2 / (runs - 1) for variance, runs in zip(variances, n_runs, strict=True))
    t = float(stats.t.ppf(0.5 + confidence / 2, total**2 / sum(squares)))
    factor = math.exp(min(t * math.sqrt(total), _MOST))
    return Estimate(ratio, ratio / factor, ratio * factor)


_MOST = 50.0  # of a logarithm: what is wider says nothing either, and fits a float
