import numpy as np
import pytest

from pytest_reprotest.errors import DataError
from pytest_reprotest.predictions import Predictions, as_labels, check_y_true, smallest_dtype

TRUTH = np.array([0, 1, 2])


@pytest.mark.parametrize(
    ("n_classes", "dtype"),
    [
        (0, "uint8"),
        (1, "uint8"),
        (256, "uint8"),
        (257, "uint16"),
        (65_536, "uint16"),
        (65_537, "uint32"),
        (2**32 + 1, "uint64"),
    ],
)
def test_labels_take_the_smallest_type_that_holds_them(n_classes, dtype):
    assert smallest_dtype(n_classes) == np.dtype(dtype)


# --- y_true -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y_true", [[0, 2, 1], (0, 2, 1), np.array([0, 2, 1], dtype="uint8"), np.array([0.0, 2.0, 1.0])]
)
def test_true_labels_become_integers(y_true):
    labels = check_y_true(y_true)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 2, 1]


def test_true_labels_of_two_classes_may_be_booleans():
    assert check_y_true([True, False]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("y_true", "message"),
    [
        ([[0, 1], [1, 0]], "y_true has shape (2, 2); expected (n_samples,)"),
        (3, "y_true has shape (); expected (n_samples,)"),
        ([[0], [1, 2]], "y_true can't be read as an array"),
        ([], "the test set is empty: y_true has 0 samples; expected at least 1."),
        (["cat", "dog"], "y_true has dtype <U3; expected integer class labels"),
        ([0.5, 1.0], "y_true has dtype float64; expected integer class labels"),
        ([np.nan, 1.0], "y_true has dtype float64; expected integer class labels"),
        ([np.inf, 1.0], "y_true has dtype float64; expected integer class labels"),
        ([1e300, 1.0], "y_true has dtype float64; expected integer class labels"),
        ([None, 1], "y_true has dtype object; expected integer class labels"),
        ([1j, 1], "y_true has dtype complex128; expected integer class labels"),
        ([-1, 1], "y_true holds the label -1; expected classes 0 … n_classes - 1."),
    ],
)
def test_impossible_true_labels_are_refused(y_true, message):
    with pytest.raises(DataError) as refusal:
        check_y_true(y_true)
    assert message in str(refusal.value)


# --- one run's output ---------------------------------------------------------------------------


def test_labels_are_taken_as_they_are():
    labels = as_labels([2, 1, 300], TRUTH)
    assert labels.dtype == np.uint16
    assert labels.tolist() == [2, 1, 300]


def test_scores_become_the_class_with_the_highest():
    scores = [[0.1, 0.9, 0.0], [-1, -2, -3], [0, 0, 1]]
    assert as_labels(scores, TRUTH).tolist() == [1, 0, 2]


def test_one_hot_booleans_are_scores():
    assert as_labels(np.eye(3, dtype=bool), TRUTH).tolist() == [0, 1, 2]


def test_two_classes_may_be_predicted_as_booleans():
    assert as_labels([True, False, True], TRUTH).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ([0, 1], "predictions have shape (2,); expected labels (3,) or scores (3, n_classes)"),
        ([[0, 1]], "predictions have shape (1, 2); expected labels (3,)"),
        (np.zeros((3, 2, 2)), "predictions have shape (3, 2, 2); expected labels (3,)"),
        (1, "predictions have shape (); expected labels (3,)"),
        (None, "predictions have shape (); expected labels (3,)"),
        ([[0], [1], [2, 3]], "predictions can't be read as an array"),
        ([0.1, 0.9, 0.3], "predictions have dtype float64; expected integer labels"),
        (["a", "b", "c"], "predictions have dtype <U1; expected integer labels"),
        ([["a"], ["b"], ["c"]], "predictions have dtype <U1; expected integer labels"),
        ([[0, np.nan, 0]] * 3, "scores hold NaN or infinity; expected finite numbers."),
        ([[0, np.inf, 0]] * 3, "scores hold NaN or infinity; expected finite numbers."),
        (
            np.zeros((3, 2)),
            "labels outside the classes: y_true holds 2, scores are given for 2 classes (0 … 1)",
        ),
        (np.zeros((3, 0)), "y_true holds 2, scores are given for 0 classes"),
        (
            [0, 1, -1],
            "labels outside the classes: predictions go from -1 to 1; expected classes from 0 up",
        ),
    ],
)
def test_impossible_outputs_are_refused(output, message):
    with pytest.raises(DataError) as refusal:
        as_labels(output, TRUTH)
    assert message in str(refusal.value)


def test_labels_above_the_known_classes_are_refused():
    assert as_labels([0, 1, 2], TRUTH, n_classes=3).tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="predictions go from 0 to 3; expected classes from 0 to 2"):
        as_labels([0, 1, 3], TRUTH, n_classes=3)


# --- all runs -----------------------------------------------------------------------------------


def test_runs_are_stacked_in_a_type_that_holds_every_run_and_cannot_be_written():
    stacked = Predictions.stack([np.array([0, 1], "uint8"), np.array([70_000, 1], "uint32")])
    assert stacked.labels.tolist() == [[0, 1], [70_000, 1]]
    assert stacked.labels.dtype == np.uint32
    with pytest.raises(ValueError, match="read-only"):
        stacked.labels[0, 0] = 1


def test_a_run_of_another_length_is_named():
    with pytest.raises(DataError) as refusal:
        Predictions.stack([np.array([0, 1]), np.array([0, 1]), np.array([0])])
    assert str(refusal.value).startswith(
        "run 2 predicted 1 samples, run 0 predicted 2; expected the same test set in every run."
    )


def test_constant_runs_are_found_with_their_class():
    stacked = Predictions.stack([np.array(run) for run in ([0, 1], [1, 1], [2, 0], [0, 0])])
    assert stacked.constant_runs() == {1: 1, 3: 0}
