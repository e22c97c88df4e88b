"""What runs are counted down to, and each statistic without each run."""

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import audits, label_sets, targets

from pytest_reprotest import metrics
from pytest_reprotest.metrics import LeftOut, Tally, multilabel, regression

EXACT = 1e-12


def of_labels(predictions, y_true):
    return Tally(
        metrics.hits(predictions, y_true), metrics.disagreements(predictions), predictions.shape[1]
    )


def near(expected):
    values = [float(value) for value in expected]
    return pytest.approx(values, rel=EXACT, abs=EXACT, nan_ok=True)


@given(audits())
def test_a_tally_of_labels_gives_what_the_metrics_give(audit):
    predictions, y_true = audit
    tally = of_labels(predictions, y_true)
    assert (tally.n_runs, tally.counted, tally.penalized) == (len(predictions), True, True)
    assert tally.run_scores.tolist() == metrics.run_accuracies(predictions, y_true).tolist()
    found = (
        tally.score,
        tally.prediction_difference,
        tally.effective_score,
        tally.difference_error_ratio,
    )
    expected = (
        metrics.accuracy(predictions, y_true),
        metrics.prediction_difference(predictions),
        metrics.effective_accuracy(predictions, y_true),
        metrics.difference_error_ratio(predictions, y_true),
    )
    np.testing.assert_array_equal(found, expected)
    shares = [float(1 - reference.difference(run, y_true)) for run in predictions]
    assert tally.score_std == pytest.approx(np.std(shares, ddof=1), abs=EXACT)


@given(audits())
def test_counts_are_divided_once(audit):
    """So every fraction is the float next to it, and a threshold of 0.9 holds for 9 in 10."""
    predictions, y_true = audit
    tally, runs = of_labels(predictions, y_true), predictions.tolist()
    assert tally.score == float(reference.accuracy(runs, y_true))
    assert tally.prediction_difference == float(reference.prediction_difference(runs))
    assert tally.effective_score == float(reference.effective_accuracy(runs, y_true))


@given(audits(min_runs=3))
def test_what_is_left_without_a_run_is_what_the_others_give_alone(audit):
    predictions, y_true = audit
    runs = predictions.tolist()
    others = [reference.without(runs, run) for run in range(len(runs))]
    left_out = of_labels(predictions, y_true).left_out
    for name, field in (
        ("accuracy", left_out.score),
        ("effective_accuracy", left_out.effective_score),
        ("difference_error_ratio", left_out.difference_error_ratio),
    ):
        statistic = getattr(reference, name)
        assert field == near(statistic(kept, y_true) for kept in others)
        assert field.dtype == np.float64
    assert left_out.prediction_difference == near(
        reference.prediction_difference(kept) for kept in others
    )


@given(label_sets(min_runs=3))
def test_a_tally_of_several_labels_counts_cells(drawn):
    predictions, y_true = drawn
    tally = Tally(
        multilabel.hits(predictions, y_true), multilabel.disagreements(predictions), y_true.size
    )
    runs, truth = predictions.reshape(len(predictions), -1).tolist(), y_true.ravel().tolist()
    others = [reference.without(runs, run) for run in range(len(runs))]
    assert tally.effective_score == pytest.approx(
        float(reference.effective_accuracy(runs, truth)), abs=EXACT
    )
    assert tally.left_out.effective_score == near(
        reference.effective_accuracy(kept, truth) for kept in others
    )


@pytest.mark.parametrize("penalized", [True, False])
@given(drawn=targets(min_runs=3))
def test_a_tally_of_numbers_takes_scores_as_they_are(penalized, drawn):
    predictions, tolerance, _ = drawn
    scores = np.arange(len(predictions)) * 0.3 - 1.7
    tally = Tally(
        scores,
        regression.disagreements(predictions, tolerance),
        predictions.shape[1],
        penalized,
    )
    runs, differ = predictions.tolist(), reference.beyond(tolerance)
    mean = reference.mean(scores)
    difference = reference.mean_over_pairs(runs, differ)
    assert not tally.counted
    assert tally.run_scores.tolist() == scores.tolist()
    assert tally.score == pytest.approx(float(mean), abs=EXACT)
    assert tally.score_std == pytest.approx(np.std(scores, ddof=1), abs=EXACT)
    assert tally.prediction_difference == pytest.approx(float(difference), abs=EXACT)
    effective = mean - difference if penalized else mean
    assert tally.effective_score == pytest.approx(float(effective), abs=EXACT)
    assert math.isnan(tally.difference_error_ratio)

    others = [
        (
            reference.mean(reference.without(scores, run)),
            reference.mean_over_pairs(reference.without(runs, run), differ),
        )
        for run in range(len(runs))
    ]
    left_out = tally.left_out
    assert left_out.score == near(score for score, _ in others)
    assert left_out.prediction_difference == near(churn for _, churn in others)
    assert left_out.effective_score == near(
        score - churn if penalized else score for score, churn in others
    )
    assert np.isnan(left_out.difference_error_ratio).all()


def test_two_runs_leave_no_pair():
    left_out = Tally(np.array([3, 2]), np.array([1, 1]), n_cells=4).left_out
    assert isinstance(left_out, LeftOut)
    assert left_out.score.tolist() == [0.5, 0.75]
    for field in (
        left_out.prediction_difference,
        left_out.effective_score,
        left_out.difference_error_ratio,
    ):
        assert np.isnan(field).all()


def test_two_runs_with_different_units_keep_their_effective_score():
    left_out = Tally(np.array([0.5, 2.0]), np.array([1, 1]), n_cells=4, penalized=False).left_out
    assert left_out.effective_score.tolist() == left_out.score.tolist() == [2.0, 0.5]


def test_the_ratio_is_not_a_number_without_the_only_run_that_errs():
    tally = Tally(np.array([4, 4, 2]), np.array([2, 2, 4]), n_cells=4)
    assert tally.difference_error_ratio == 2.0  # 4 of 12 pairs' cells over 2 of 12 cells
    assert tally.left_out.difference_error_ratio.tolist()[:2] == [2.0, 2.0]
    assert math.isnan(tally.left_out.difference_error_ratio[2])


@pytest.mark.parametrize("n_runs", [2, 3, 6, 7, 10])
@pytest.mark.parametrize("tenths", range(11))
def test_fractions_are_the_floats_that_thresholds_are_written_with(n_runs, tenths):
    tally = Tally(np.full(n_runs, tenths), np.zeros(n_runs, dtype=int), n_cells=10)
    assert tally.score == tally.effective_score == tenths / 10
    assert tally.score_std == 0.0
    if n_runs > 2:
        assert set(tally.left_out.effective_score.tolist()) == {tenths / 10}
        assert not tally.left_out.prediction_difference.any()


def test_counts_of_many_runs_and_samples_stay_whole():
    runs, cells = 1000, 10**7
    tally = Tally(np.full(runs, cells - 1), np.full(runs, (runs - 1) * (cells // 10)), cells)
    assert tally.prediction_difference == 0.1
    assert tally.effective_score == 0.8999999
    assert tally.left_out.prediction_difference.tolist() == [0.1] * runs
