"""The interval of one prediction difference over another."""

import math

import numpy as np
import pytest
from scipy import stats

from pytest_reprotest.statistics import Estimate, jackknife
from pytest_reprotest.statistics.share import share


def estimate(values):
    """A mean with its jackknife interval."""
    values = np.asarray(values, dtype=float)
    return jackknife(values.mean(), (values.sum() - values) / (len(values) - 1))


PART, WHOLE = [0.02, 0.05, 0.03, 0.04, 0.01], [0.05, 0.06, 0.07, 0.04]


def test_it_is_a_t_interval_of_the_logarithm_of_two_independent_means():
    found = share(estimate(PART), estimate(WHOLE), (5, 4), 1000)
    variances = [np.var(each, ddof=1) / len(each) / np.mean(each) ** 2 for each in (PART, WHOLE)]
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 4 + variances[1] ** 2 / 3)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(sum(variances))
    ratio = np.mean(PART) / np.mean(WHOLE)
    assert found.value == pytest.approx(ratio)
    assert (found.low, found.high) == pytest.approx((ratio * np.exp(-half), ratio * np.exp(half)))


def test_no_difference_has_a_share_of_exactly_0_and_no_interval():
    found = share(estimate([0.0] * 5), estimate(WHOLE), (5, 4), 1000)
    assert found.value == 0
    assert math.isnan(found.low)


def test_a_share_of_nothing_is_unknown():
    assert math.isnan(share(estimate(PART), estimate([0.0] * 4), (5, 4), 1000).value)


@pytest.mark.parametrize(
    ("part", "whole", "n_runs", "n_cells"),
    [
        (Estimate(0.02), Estimate(0.04), (2, 2), 1000),  # one pair tells nothing of others
        (estimate(PART), estimate(WHOLE), (5, 4), 60),  # 1.8 samples in the mean
        (estimate([0.03] * 5), estimate([0.05] * 5), (5, 5), 1000),  # pairs that differ alike
    ],
)
def test_where_too_little_differs_there_is_no_interval(part, whole, n_runs, n_cells):
    found = share(part, whole, n_runs, n_cells)
    assert found.value == pytest.approx(part.value / whole.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_an_interval_that_says_nothing_is_still_a_number():
    found = share(Estimate(0.01, -50.0, 50.0), estimate(WHOLE), (5, 4), 1000)
    assert 0 < found.low < found.value < found.high < math.inf
