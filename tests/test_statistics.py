import math

import numpy as np
import pytest
import reference
from hypothesis import given
from scipy import stats
from strategies import audits

from pytest_reprotest import metrics
from pytest_reprotest.statistics import UNKNOWN, Estimate, jackknife, summarize
from pytest_reprotest.tasks import CLASSIFICATION

EXACT = 1e-12
SUMMARY = {"accuracy": "score", "effective_accuracy": "effective_score"}


def summary_of(predictions, y_true):
    return summarize(CLASSIFICATION.tally(predictions, y_true))


def t_of(n_runs):
    return float(stats.t.ppf(0.975, n_runs - 1))


def interval(estimate):
    return (estimate.low, estimate.high)


# --- the jackknife-t interval -------------------------------------------------------------------


def test_the_interval_of_a_mean_is_the_t_interval_widened_for_few_runs():
    x = np.array([0.9, 0.92, 0.95, 0.91])
    estimate = jackknife(x.mean(), (x.sum() - x) / 3)
    low, high = stats.t.interval(0.95, 3, loc=x.mean(), scale=stats.sem(x))
    half = 9 / 8 * (high - low) / 2
    assert interval(estimate) == pytest.approx((x.mean() - half, x.mean() + half), abs=EXACT)
    assert estimate.half_width == pytest.approx(half, abs=EXACT)


def test_a_lower_confidence_gives_a_narrower_interval():
    x = np.array([1.0, 2.0, 4.0])
    left_out = (x.sum() - x) / 2
    narrow = jackknife(x.mean(), left_out, confidence=0.5)
    low, high = stats.t.interval(0.5, 2, scale=7 / 6 * stats.sem(x))
    assert interval(narrow) == pytest.approx((x.mean() + low, x.mean() + high), abs=EXACT)


@pytest.mark.parametrize("hole", [math.nan, math.inf])
def test_a_statistic_that_is_unknown_without_some_run_has_no_interval(hole):
    estimate = jackknife(0.5, np.array([0.4, hole, 0.6]))
    assert estimate.value == 0.5
    assert np.isnan(interval(estimate)).all()
    assert math.isnan(estimate.half_width)


def test_one_run_has_no_interval():
    assert np.isnan(interval(jackknife(0.5, np.array([0.5])))).all()


def test_an_unknown_estimate_is_not_a_number_throughout():
    assert all(math.isnan(number) for number in (UNKNOWN.value, UNKNOWN.low, UNKNOWN.high))


@given(audits(min_runs=3))
def test_every_interval_comes_from_runs_that_are_literally_left_out(audit):
    predictions, y_true = audit
    runs, n_runs = predictions.tolist(), len(predictions)
    summary = summary_of(predictions, y_true)
    for name in ("accuracy", "prediction_difference", "effective_accuracy"):
        with_truth = name != "prediction_difference"

        def statistic(kept, name=name, with_truth=with_truth):
            return getattr(reference, name)(kept, *([y_true] if with_truth else []))

        values = reference.pseudo_values(statistic, runs)
        half_width = reference.half_width(values, t_of(n_runs))
        estimate = getattr(summary, SUMMARY.get(name, name))
        assert estimate.value == pytest.approx(float(statistic(runs)), abs=EXACT)
        assert interval(estimate) == pytest.approx(
            (estimate.value - half_width, estimate.value + half_width), abs=EXACT
        )


@given(audits(min_runs=3))
def test_the_ratio_s_interval_is_there_exactly_where_every_part_of_it_is(audit):
    predictions, y_true = audit
    runs, n_runs = predictions.tolist(), len(predictions)
    estimate = summary_of(predictions, y_true).difference_error_ratio
    values = reference.pseudo_values(
        lambda kept: reference.difference_error_ratio(kept, y_true), runs
    )
    if any(math.isnan(value) for value in values):
        assert np.isnan(interval(estimate)).all()
    else:
        half_width = reference.half_width(values, t_of(n_runs))
        assert interval(estimate) == pytest.approx(
            (estimate.value - half_width, estimate.value + half_width), rel=EXACT, abs=EXACT
        )


@given(audits())
def test_the_spread_of_accuracy_is_that_of_the_runs(audit):
    predictions, y_true = audit
    expected = np.std((predictions == y_true).mean(axis=1), ddof=1)
    assert summary_of(predictions, y_true).score_std == pytest.approx(expected, abs=EXACT)


# --- degenerate audits --------------------------------------------------------------------------


def test_two_runs_make_one_pair_and_therefore_no_interval_of_what_pairs_give():
    summary = summary_of(np.array([[0, 1, 1, 0], [0, 1, 0, 1]]), np.array([0, 1, 1, 1]))
    assert summary.prediction_difference.value == 0.5
    for estimate in (
        summary.prediction_difference,
        summary.effective_score,
        summary.difference_error_ratio,
    ):
        assert not math.isnan(estimate.value)
        assert np.isnan(interval(estimate)).all()
    assert summary.score.value == 0.75
    assert interval(summary.score) == pytest.approx((0.75, 0.75), abs=EXACT)


def test_perfect_runs_have_no_ratio():
    y_true = np.array([0, 1, 2])
    summary = summary_of(np.tile(y_true, (4, 1)), y_true)
    assert (summary.score.value, summary.prediction_difference.value) == (1.0, 0.0)
    assert summary.effective_score.value == 1.0
    assert summary.score_std == 0.0
    assert math.isnan(summary.difference_error_ratio.value)
    assert interval(summary.prediction_difference) == (0.0, 0.0)


@pytest.mark.parametrize("n_runs", [3, 5, 7])
@pytest.mark.parametrize("n_samples", [3, 7, 11, 49])
def test_one_run_with_all_the_errors_leaves_the_ratio_without_an_interval(n_runs, n_samples):
    predictions = np.zeros((n_runs, n_samples), dtype=int)
    predictions[0, : n_samples // 3] = 1
    ratio = summary_of(predictions, np.zeros(n_samples, dtype=int)).difference_error_ratio
    assert ratio.value == 2.0
    assert np.isnan(interval(ratio)).all()


@pytest.mark.parametrize("correct", range(11))
@pytest.mark.parametrize("n_runs", [2, 3, 6, 10])
def test_identical_runs_have_no_spread_at_all(n_runs, correct):
    predictions = np.tile(np.arange(10) >= correct, (n_runs, 1)).astype(int)
    summary = summary_of(predictions, np.zeros(10, dtype=int))
    assert summary.score.value == correct / 10
    assert summary.effective_score.value == correct / 10
    assert summary.score_std == 0.0
    assert summary.prediction_difference.value == 0.0


def test_one_class_and_one_sample():
    summary = summary_of(np.zeros((3, 1), dtype=int), np.zeros(1, dtype=int))
    assert summary.effective_score == Estimate(1.0, 1.0, 1.0)
    assert math.isnan(summary.difference_error_ratio.value)


def test_runs_that_collapsed_to_different_classes_have_a_negative_effective_accuracy():
    predictions = np.repeat(np.arange(5)[:, None], 10, axis=1)
    summary = summary_of(predictions, np.arange(10))
    assert summary.effective_score.value == -0.9
    assert summary.difference_error_ratio.value == pytest.approx(1 / 0.9, abs=EXACT)


# --- coverage, by simulation --------------------------------------------------------------------

N_SAMPLES = 300


def trained(rng, n_runs):
    """Predictions of simulated runs: nothing of what an interval over pairs would like to assume.

    Runs differ in how well they trained (a run effect), err together on related samples (shared latent
    factors), and samples lie near the class boundary or far from it (unequal margins).
    """
    fixed = np.random.default_rng(20)
    n_classes, n_factors = 3, 4
    margins = fixed.exponential(size=(N_SAMPLES, 1)) * fixed.normal(size=(N_SAMPLES, n_classes))
    loadings = fixed.normal(size=(n_factors, N_SAMPLES * n_classes))
    shared = (rng.normal(size=(n_runs, n_factors)) @ loadings).reshape(n_runs, N_SAMPLES, n_classes)
    own = rng.normal(size=(n_runs, N_SAMPLES, n_classes))
    skill = np.exp(0.4 * rng.normal(size=(n_runs, 1, 1)))
    return (2.5 * margins + skill * (0.15 * shared + 0.4 * own)).argmax(axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def population():
    """Runs to draw audits from, and what the estimates would be on all of them."""
    runs = trained(np.random.default_rng(0), 3600)
    y_true = trained(np.random.default_rng(1), 1)[0]
    return runs, y_true, summary_of(runs, y_true)


def share_covering(intervals, truth):
    low, high = np.array(intervals).T
    return ((low <= truth) & (truth <= high)).mean()


@pytest.mark.parametrize(("n_runs", "n_audits"), [(3, 600), (5, 720), (10, 360)])
def test_the_interval_covers_what_it_says(population, n_runs, n_audits):
    runs, y_true, truth = population
    audits = runs[: n_audits * n_runs].reshape(n_audits, n_runs, N_SAMPLES)
    found = [summary_of(audit, y_true) for audit in audits]
    for name in ("prediction_difference", "effective_accuracy", "accuracy"):
        field = SUMMARY.get(name, name)
        intervals = [interval(getattr(summary, field)) for summary in found]
        assert 0.93 <= share_covering(intervals, getattr(truth, field).value) <= 0.99, name
    ratios = [interval(summary.difference_error_ratio) for summary in found]
    assert 0.92 <= share_covering(ratios, truth.difference_error_ratio.value) <= 0.99


def test_an_interval_that_takes_pairs_for_the_sample_covers_far_less(population):
    runs, _, truth = population
    audits = runs.reshape(360, 10, N_SAMPLES)
    upper = np.triu_indices(10, k=1)
    pairs = np.array([metrics.pairwise_differences(audit)[upper] for audit in audits])
    t = stats.t.ppf(0.975, pairs.shape[1] - 1)
    half_widths = t * pairs.std(axis=1, ddof=1) / math.sqrt(pairs.shape[1])
    intervals = np.stack(
        [pairs.mean(axis=1) - half_widths, pairs.mean(axis=1) + half_widths], axis=1
    )
    assert share_covering(intervals, truth.prediction_difference.value) < 0.75
