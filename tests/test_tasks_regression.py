"""Regression as a task: what it takes, what it measures, and what it refuses."""

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import targets

from pytest_reprotest import AuditResult, audit_predictions
from pytest_reprotest.baseline import compare_results
from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.statistics import summarize
from pytest_reprotest.tasks import Regression

Y = [0.0, 1.0, 2.0, 3.0]
RUNS = np.array([[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 4.0], [0.25, 1.0, 2.0, 3.0]])


def audited(runs=RUNS, y_true=Y, **settings):
    return audit_predictions(
        {"none": runs}, y_true, task="regression", **{"tolerance": 0.5, **settings}
    )


def test_effective_r2_is_r2_less_the_prediction_difference():
    found = audited()["none"]
    assert found.r2.value == pytest.approx(1 - (1 / 5 + 0.0625 / 5) / 3, abs=1e-12)
    assert found.prediction_difference.value == pytest.approx(2 / 3 / 4, abs=1e-12)
    assert found.effective_r2.value == pytest.approx(
        found.r2.value - found.prediction_difference.value, abs=1e-12
    )
    assert math.isnan(found.difference_error_ratio.value)


def test_an_absolute_error_is_not_penalized():
    found = audited(score="mae")["none"]
    assert found.mae.value == pytest.approx(1.25 / 12, abs=1e-12)
    assert found.effective_score == found.score
    with pytest.raises(AttributeError) as error:
        _ = found.r2
    assert str(error.value) == (
        "this regression has no r2; it has mae, as every task has score, prediction_difference and "
        "effective_score"
    )


@given(targets(min_runs=3))
def test_estimates_and_jackknife_are_those_of_the_definitions(drawn):
    runs, tolerance, y_true = drawn
    if np.abs(runs).max() > 1e6 or np.abs(y_true).max() > 1e6 or np.ptp(y_true) < 1e-2:
        return
    task = Regression(tolerance)
    summary = summarize(task.tally(runs, task.check_y_true(y_true)))
    differ = reference.beyond(tolerance)

    def difference(of):
        return float(reference.mean_over_pairs([list(run) for run in of], differ))

    def r2(of):
        return float(reference.mean([reference.r2(run, y_true) for run in of]))

    scale = max(1.0, abs(r2(runs)))
    assert summary.prediction_difference.value == pytest.approx(difference(runs), abs=1e-12)
    assert summary.score.value == pytest.approx(r2(runs), abs=1e-12 * scale)
    assert summary.effective_score.value == pytest.approx(
        r2(runs) - difference(runs), abs=1e-12 * scale
    )
    left_out = task.tally(runs, y_true).left_out
    for run in range(len(runs)):
        rest = np.delete(runs, run, axis=0)
        expected = r2(rest) - difference(rest)
        assert left_out.effective_score[run] == pytest.approx(expected, abs=1e-9 * scale)
    assert task.flip_rates(runs).tolist() == pytest.approx(
        [float(rate) for rate in reference.flip_rates(runs.tolist(), differ)], abs=1e-12
    )
    flat = [float(each) for row in reference.matrix(runs.tolist(), differ) for each in row]
    assert task.pairwise(runs).ravel().tolist() == pytest.approx(flat, abs=1e-12)


def test_a_difference_of_just_the_tolerance_is_none():
    runs = np.array([[0.0, 1.0], [0.5, 1.5]])
    assert Regression(0.5).prediction_difference(runs) == 0.0
    assert Regression(0.49).prediction_difference(runs) == 1.0


def test_columns_and_vectors_are_the_same_predictions():
    columns = audited(RUNS[:, :, np.newaxis])
    assert np.array_equal(columns["none"].predictions, RUNS)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int64", "float64")],
)
def test_predictions_keep_their_precision(given, dtype):
    output = np.arange(4).astype(given)
    assert Regression(1).check_output(output, np.array(Y)).dtype == dtype


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            np.zeros((4, 2)),
            "predictions have shape (4, 2); expected (4,) or (4, 1), one number for each of the 4 test "
            "samples. Predict the test set y_true belongs to, whole and in its order",
        ),
        (
            np.zeros(3),
            "predictions have shape (3,); expected (4,) or (4, 1), one number for each of the 4 test "
            "samples. Predict the test set y_true belongs to, whole and in its order",
        ),
        (
            [0.0, 1.0, math.nan, 2.0],
            "predictions hold NaN or infinity; expected finite numbers. Lower the learning rate",
        ),
        (list("abcd"), "predictions have dtype <U1; expected numbers"),
        ([True] * 4, "predictions have dtype bool; expected numbers"),
    ],
)
def test_what_is_no_vector_of_numbers_is_refused(output, told):
    with pytest.raises(DataError) as error:
        Regression(0.1).check_output(output, np.array(Y))
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("y_true", "told"),
    [
        (
            [[1.0], [2.0]],
            "y_true has shape (2, 1); expected (n_samples,), one number a test sample. Flatten a single "
            "column: y[:, 0]",
        ),
        ([], "the test set is empty: y_true has 0 samples; expected at least 1."),
        (
            [1.0, math.inf],
            "y_true holds NaN or infinity; expected finite numbers. Drop samples without a target.",
        ),
        (["a", "b"], "y_true has dtype <U1; expected numbers. Encode it as floats."),
        (
            [2.5, 2.5, 2.5],
            "y_true is 2.5 for all 3 samples, so R², the explained share of its variance, is not defined. "
            'Take a test set whose targets vary, or score="mae"',
        ),
    ],
)
def test_true_values_that_cannot_be_predicted_are_refused(y_true, told):
    with pytest.raises(DataError) as error:
        audited([[0.0], [1.0]], y_true)
    assert str(error.value) == told


def test_a_constant_target_has_an_absolute_error():
    found = audited([[2.0, 2.0], [3.0, 3.0]], [2.0, 2.0], score="mae")
    assert found["none"].mae.value == 0.5
    assert found.passed  # constant predictions of a constant are no fault


def test_a_constant_predictor_is_broken():
    found = audited([[1.5, 1.5, 1.5, 1.5], Y, Y])
    assert not found.passed
    assert found["none"].verdict.broken
    assert found["none"].verdict.reasons == (
        "constant predictor: run 0 (1.5) predicted one number for all 4 test samples, so its prediction "
        "difference means nothing. Lower the learning rate, train longer, or check the model and the "
        "inputs' scale",
    )


@pytest.mark.parametrize("tolerance", [0, -1, math.nan, math.inf, True, "wide"])
def test_an_impossible_tolerance_is_refused(tolerance):
    with pytest.raises(OptionError) as error:
        Regression(tolerance)
    assert str(error.value) == (
        f"tolerance={tolerance!r}; expected a finite number above 0, in the units of the target: the largest "
        "difference between two predictions that does not matter"
    )


def test_an_unknown_score_is_refused_with_the_closest():
    with pytest.raises(OptionError) as error:
        Regression(1.0, "mea")
    assert str(error.value) == "score='mea'; expected one of r2, mae. Did you mean 'mae'?"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"min_r2": 0.9}, None),
        ({"min_r2": 0.99}, "r2 0.9292 [0.6045, 1.2539] is below min_r2=0.99"),
        ({"min_effective_r2": 0.7}, None),
        (
            {"min_effective_r2": 0.8},
            "effective_r2 0.7625 [-0.3985, 1.9235] is below min_effective_r2=0.8",
        ),
        ({"score": "mae", "max_mae": 0.2}, None),
        ({"score": "mae", "max_mae": 0.1}, "mae 0.1042 [-0.2729, 0.4812] is above max_mae=0.1"),
    ],
)
def test_thresholds_are_held(settings, reason):
    verdict = audited(**settings)["none"].verdict
    assert verdict.reasons == (() if reason is None else (reason,))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"min_accuracy": 0.5},
            "min_accuracy can't be held for a regression; expected any of max_prediction_difference, "
            "min_effective_r2, min_r2",
        ),
        (
            {"min_r2": 0.5, "score": "mae"},
            "min_r2 can't be held for a regression with score='mae'; expected any of "
            "max_prediction_difference, max_mae",
        ),
        (
            {"min_r2": 1.5},
            "min_r2=1.5: got 1.5; expected a finite number of at most 1. For 1.5% write 0.015.",
        ),
        ({"min_r2": -math.inf}, "min_r2=-inf: got -inf; expected a finite number of at most 1."),
        (
            {"max_mae": -1},
            "max_mae=-1: got -1; expected a finite number in the target's units, of at least 0.",
        ),
    ],
)
def test_thresholds_that_mean_nothing_are_refused(settings, told):
    with pytest.raises(OptionError) as error:
        audited(**settings)
    assert str(error.value) == told


@pytest.mark.parametrize("score", ["r2", "mae"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_written_is_read_as_it_was(score, dtype, tmp_path):
    runs = (RUNS + 0.1).astype(dtype)
    made = audit_predictions(
        {"none": runs, "wide": 2 * runs}, Y, task="regression", tolerance=0.3, score=score
    )
    made.to_json(tmp_path / "result.json")
    read = AuditResult.from_json(tmp_path / "result.json")
    assert read == made
    assert read.task == made.task == Regression(0.3, score)
    assert np.array_equal(read["wide"].predictions, 2 * runs)
    assert read.comparisons == made.comparisons


def test_two_audits_are_held_against_each_other_without_negative_flips():
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=50)
    runs = y_true + 0.1 * rng.normal(size=(5, 50))
    old, new = audited(runs, y_true), audited(runs + rng.normal(size=(5, 50)), y_true)
    compared = compare_results(new, old)
    changes = {change.measure: change for change in compared.by_regularizer["none"]}
    assert list(changes) == ["r2", "effective_r2", "prediction_difference"]
    assert {change.status for change in changes.values()} == {"worse"}
    assert changes["r2"].limit.name == "max_r2_drop"
    loose = {"max_r2_drop": 5.0, "max_effective_r2_drop": 5.0}
    compared = compare_results(new, old, {**loose, "max_accuracy_drop": 0.1})
    assert [change.status for change in compared.by_regularizer["none"]] == [
        "same",
        "same",
        "worse",
    ]


def test_an_error_may_rise_by_the_tolerance_where_nobody_says():
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=50)
    runs = y_true + 0.1 * rng.normal(size=(5, 50))
    old = audited(runs, y_true, score="mae")
    for shift, status in ((0.4, "same"), (2.0, "worse"), (-0.0, "same")):
        compared = compare_results(audited(runs + shift, y_true, score="mae"), old)
        change = compared.by_regularizer["none"][0]
        assert (change.measure, change.limit.value, change.status) == ("mae", 0.5, status)


def test_another_tolerance_is_another_task():
    with pytest.raises(DataError) as error:
        compare_results(audited(), audited(tolerance=0.1))
    assert str(error.value) == (
        "another task: regression(tolerance=0.1, score='r2') there, regression(tolerance=0.5, score='r2') "
        "here. Audits of one task can be compared, no others"
    )
