"""Regression: two runs differ where they are further apart than a tolerance."""

import numpy as np
import pytest
import reference
from hypothesis import assume, given
from strategies import targets

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import regression

EXACT = 1e-12

THREE_RUNS = np.array([[1.0, 2.0, 0.0, -1.0], [1.5, 2.0, 0.75, -1.5], [2.0, 2.0, 1.0, -3.0]])


def pair_loop(predictions, tolerance):
    """The number of samples on which each two runs differ."""
    return np.array(
        [[np.count_nonzero(np.abs(a - b) > tolerance) for b in predictions] for a in predictions]
    )


def near_ties(n_runs, n_samples, seed=0):
    """Predictions on a grid, so that many pairs are exactly as far apart as 0.5."""
    return np.random.default_rng(seed).integers(-4, 5, (n_runs, n_samples)) / 4


def test_three_runs_by_hand():
    # beyond 0.5: pair (0, 1) on sample 2; (0, 2) on 0, 2 and 3; (1, 2) on 3
    found = regression.disagreements(THREE_RUNS, 0.5)
    assert found.dtype == np.int64
    assert found.tolist() == [4, 2, 4]
    assert regression.flip_rates(THREE_RUNS, 0.5).tolist() == [1 / 3, 0, 2 / 3, 2 / 3]
    assert regression.prediction_difference(THREE_RUNS, 0.5) == 5 / 12
    assert regression.pairwise_differences(THREE_RUNS, 0.5).tolist() == [
        [0, 0.25, 0.75],
        [0.25, 0, 0.25],
        [0.75, 0.25, 0],
    ]


@given(targets())
def test_every_metric_equals_the_loop_over_pairs(drawn):
    predictions, tolerance, _ = drawn
    runs, differ = predictions.tolist(), reference.beyond(tolerance)
    matrix = reference.matrix(runs, differ)
    assert regression.pairwise_differences(predictions, tolerance) == pytest.approx(
        np.array(matrix, dtype=float), abs=EXACT
    )
    assert regression.disagreements(predictions, tolerance).tolist() == [
        sum(row) * len(runs[0]) for row in matrix
    ]
    assert regression.flip_rates(predictions, tolerance) == pytest.approx(
        [float(rate) for rate in reference.flip_rates(runs, differ)], abs=EXACT
    )
    assert regression.prediction_difference(predictions, tolerance) == pytest.approx(
        float(reference.mean_over_pairs(runs, differ)), abs=EXACT
    )


@given(targets(max_runs=8))
def test_one_group_against_another_equals_the_loop_over_pairs(drawn):
    predictions, tolerance, _ = drawn
    for n_first in (1, len(predictions) // 2):
        first, second = predictions[:n_first], predictions[n_first:]
        found = regression.between_disagreements(first, second, tolerance)
        assert found.dtype == np.int64
        assert found.tolist() == reference.counts(
            first.tolist(), second.tolist(), reference.beyond(tolerance)
        )


@pytest.mark.parametrize("n_runs", [2, 63, 64, 65, 127, 128, 129, 257])
def test_any_number_of_runs_equals_the_pair_loop(n_runs):
    predictions = near_ties(n_runs, 37)
    counts = pair_loop(predictions, 0.5)
    assert regression.disagreements(predictions, 0.5).tolist() == counts.sum(axis=1).tolist()
    assert (regression.pairwise_differences(predictions, 0.5) == counts / 37).all()
    between = regression.between_disagreements(predictions[:1], predictions[1:], 0.5)
    assert between.tolist() == [counts[0].sum()]


@pytest.mark.parametrize("n_runs", [127, 128, 32768])
def test_a_place_that_lies_far_below_is_as_different_as_one_far_above(n_runs):
    predictions = np.arange(n_runs, dtype=float)[::-1, None]
    if n_runs < 1000:
        expected = np.abs(predictions - predictions.T) > 1
        assert (regression.pairwise_differences(predictions, 1) == expected).all()
    found = regression.disagreements(predictions, 1)
    assert found.tolist() == [n_runs - 2, *[n_runs - 3] * (n_runs - 2), n_runs - 2]


@pytest.mark.parametrize("at_a_time", [1, 20, 1000])
def test_blocks_of_samples_change_nothing(monkeypatch, at_a_time):
    predictions = near_ties(7, 101)
    counts = pair_loop(predictions, 0.5)
    rates = [np.mean(pair_loop(column, 0.5)) * 7 / 6 for column in predictions.T[:, :, None]]
    monkeypatch.setattr(regression, "_SORTED", at_a_time)
    monkeypatch.setattr(regression, "_COMPARED", at_a_time)
    monkeypatch.setattr(regression._blocks, "__kwdefaults__", {"size": at_a_time})
    assert regression.disagreements(predictions, 0.5).tolist() == counts.sum(axis=1).tolist()
    assert (regression.pairwise_differences(predictions, 0.5) == counts / 101).all()
    assert regression.flip_rates(predictions, 0.5) == pytest.approx(rates, abs=EXACT)
    between = regression.between_disagreements(predictions[:3], predictions[3:], 0.5)
    assert between.tolist() == counts[:3, 3:].sum(axis=1).tolist()


def test_equality_with_the_tolerance_is_no_difference():
    predictions = np.array([[0.0, 0.0], [0.5, np.nextafter(0.5, 1)]])
    assert regression.flip_rates(predictions, 0.5).tolist() == [0, 1]
    assert regression.between_disagreements(predictions[:1], predictions[1:], 0.5).tolist() == [1]


def test_differences_are_those_of_float64():
    # 0.3 - 0.1 is a little less than 0.2 there, 0.8 - 0.6 a little more
    predictions = np.array([[0.3, 0.8], [0.1, 0.6]])
    assert regression.flip_rates(predictions, 0.2).tolist() == [0, 1]
    # the nearest of single precision lie the other way round
    assert regression.flip_rates(predictions.astype("float32"), 0.2).tolist() == [1, 0]


def test_differences_that_leave_float64_are_differences():
    predictions = np.array([[1.7e308, 1.0], [-1.7e308, 1.0]])
    assert regression.prediction_difference(predictions, 1e308) == 0.5
    assert regression.pairwise_differences(predictions, 1e308).tolist() == [[0, 0.5], [0.5, 0]]
    assert regression.between_disagreements(predictions[:1], predictions[1:], 1e308).tolist() == [1]


@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8", "int8", "int64", "uint64"])
def test_numbers_of_any_type_do_not_wrap(dtype):
    predictions = np.array([[0, 100, 5], [100, 0, 6]]).astype(dtype)
    assert regression.flip_rates(predictions, 1).tolist() == [1, 1, 0]
    assert regression.between_disagreements(predictions[:1], predictions[1:], 1).tolist() == [2]


def test_runs_that_agree_differ_by_exactly_nothing():
    predictions = np.tile([0.1, -3.0, 1e300], (7, 1))
    assert regression.prediction_difference(predictions, 5e-324) == 0.0
    assert not regression.pairwise_differences(predictions, 5e-324).any()


# --- refusals -----------------------------------------------------------------------------------

METRICS = [
    regression.flip_rates,
    regression.disagreements,
    regression.prediction_difference,
    regression.pairwise_differences,
]


@pytest.mark.parametrize("shape", [(1, 4), (0, 4), (3, 0), (4,), (2, 2, 2)])
@pytest.mark.parametrize("metric", METRICS)
def test_fewer_than_two_runs_or_no_sample_is_refused(metric, shape):
    with pytest.raises(DataError) as refusal:
        metric(np.zeros(shape), 1.0)
    assert str(refusal.value) == (
        f"predictions have shape {shape}; expected (n_runs, n_samples) with at least 2 runs and 1 "
        "sample. Train more runs, or stack one vector of predictions per run."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("metric", METRICS)
def test_predictions_that_are_not_finite_are_refused(metric, value):
    predictions = np.zeros((2, 3))
    predictions[1, 2] = value
    with pytest.raises(DataError) as refusal:
        metric(predictions, 1.0)
    assert str(refusal.value) == (
        "predictions hold NaN or infinity; expected finite numbers. Lower the learning rate."
    )


@pytest.mark.parametrize(
    ("tolerance", "told"),
    [(0, "0"), (-0.5, "-0.5"), (float("nan"), "nan"), (float("inf"), "inf")],
)
@pytest.mark.parametrize("metric", METRICS)
def test_a_tolerance_that_is_no_positive_number_is_refused(metric, tolerance, told):
    with pytest.raises(DataError) as refusal:
        metric(np.zeros((2, 3)), tolerance)
    assert str(refusal.value) == (
        f"tolerance is {told}; expected a finite number above 0, in the units of the target. Give the "
        "largest difference that does not matter."
    )


@pytest.mark.parametrize("dtype", ["bool", "complex128", "U1"])
def test_predictions_that_are_no_numbers_are_refused(dtype):
    with pytest.raises(DataError) as refusal:
        regression.disagreements(np.zeros((2, 3), dtype), 1.0)
    assert str(refusal.value) == (
        f"predictions have dtype {np.dtype(dtype)}; expected numbers. Convert them to floats."
    )


@pytest.mark.parametrize("place", [0, 1])
def test_both_groups_are_checked(place):
    groups = [np.zeros((1, 4)), np.zeros((1, 4))]
    for wrong, told in (
        (np.zeros((0, 4)), r"predictions have shape \(0, 4\); .* at least 1 run and 1 sample"),
        (np.full((1, 4), np.inf), "predictions hold NaN or infinity"),
        (np.zeros((1, 5)), "one group of runs predicts . samples, the other . samples"),
    ):
        groups[place] = wrong
        with pytest.raises(DataError, match=told):
            regression.between_disagreements(*groups, 1.0)


# --- scores -------------------------------------------------------------------------------------


@given(targets())
def test_scores_of_runs_equal_their_definitions(drawn):
    predictions, _, y_true = drawn
    assume(max(np.abs(predictions).max(), np.abs(y_true).max()) < 1e300)
    assert regression.run_mae(predictions, y_true) == pytest.approx(
        [float(reference.mae(run, y_true)) for run in predictions], rel=EXACT, abs=0
    )
    found = regression.run_r2(predictions, y_true)
    if len(set(y_true.tolist())) == 1:
        assert np.isnan(found).all()
        return
    expected = [reference.r2(run, y_true) for run in predictions]
    assume(max(map(abs, expected)) < 1e300)
    assert found == pytest.approx([float(value) for value in expected], rel=EXACT, abs=EXACT)


def test_scores_by_hand():
    y_true = np.array([1, 2, 3, 6])
    predictions = np.array([[1, 2, 3, 6], [3, 3, 3, 3], [6, 3, 2, 1], [2, 2, 3, 5]])
    # squares about the mean: 4 + 1 + 0 + 9; the third run's errors: 25 + 1 + 1 + 25
    assert regression.run_r2(predictions, y_true) == pytest.approx(
        [1, 0, 1 - 52 / 14, 1 - 2 / 14], abs=EXACT
    )
    assert regression.run_mae(predictions, y_true).tolist() == [0, 1.5, 3, 0.5]


@pytest.mark.parametrize("offset", [0.0, 1e8, 1e15, -1e15])
@pytest.mark.parametrize("unit", [1.0, 0.125])
def test_targets_far_from_zero_keep_their_spread(offset, unit):
    y_true = offset + unit * np.array([0, 1, 1, 1])
    predictions = np.array([y_true, y_true[::-1]])
    assert regression.run_r2(predictions, y_true) == pytest.approx([1, 1 - 8 / 3], abs=EXACT)


@pytest.mark.parametrize("scale", [5e-324, 1e-200, 1e200, 8e307])
def test_targets_at_the_ends_of_float64_have_a_score(scale):
    y_true = scale * np.array([0.0, 2.0, 2.0, 2.0])
    predictions = np.array([y_true, y_true[::-1]])
    assert regression.run_r2(predictions, y_true) == pytest.approx([1, 1 - 8 / 3], abs=EXACT)


def test_what_leaves_float64_is_infinite():
    y_true, predictions = np.array([-1.7e308, 0.0]), np.array([[1.7e308, 0.0], [-1.7e308, 0.0]])
    assert regression.run_mae(predictions, y_true).tolist() == [np.inf, 0]
    assert regression.run_r2(predictions, y_true).tolist() == [-7, 1]
    assert regression.run_r2(predictions, y_true / 1e200).tolist() == [-np.inf, -np.inf]


def test_integers_and_single_precision_are_scored_in_float64():
    y_true = np.array([0, 200], dtype="uint8")
    assert regression.run_mae(np.array([[200, 0]], dtype="uint8"), y_true).tolist() == [200]
    assert regression.run_r2(np.array([[200, 0]], dtype="uint8"), y_true).tolist() == [-3]
    thirds = np.array([[1 / 3, 0]], dtype="float32")
    assert regression.run_mae(thirds, np.zeros(2)).tolist() == [float(np.float32(1 / 3)) / 2]
