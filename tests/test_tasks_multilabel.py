"""Several labels a sample as a task."""

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import label_sets

from pytest_reprotest import AuditResult, audit_predictions
from pytest_reprotest.baseline import compare_results
from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.result import AuditResult as Result
from pytest_reprotest.statistics import summarize
from pytest_reprotest.tasks import MultiLabel

Y = np.array([[0, 1], [1, 1], [1, 0], [0, 0]])
OFF = np.array([Y, Y, Y])
OFF[0, 0, 0] = 1
OFF[1, 3, 1] = 1


def audited(runs=OFF, y_true=Y, **settings):
    return audit_predictions({"none": runs}, y_true, task="multilabel", **settings)


def test_cells_are_what_is_counted():
    found = audited()["none"]
    assert found.accuracy.value == pytest.approx(1 - 2 / 24, abs=1e-12)
    assert found.prediction_difference.value == pytest.approx((2 + 1 + 1) / 3 / 8, abs=1e-12)
    assert found.effective_accuracy.value == pytest.approx(1 - 1 / 12 - 1 / 6, abs=1e-12)


@given(label_sets(min_runs=3))
def test_estimates_are_those_of_the_definitions(drawn):
    runs, y_true = drawn
    task = MultiLabel()
    summary = summarize(task.tally(runs, task.check_y_true(y_true)))
    cells = [[int(cell) for cell in run.ravel()] for run in runs]
    truth = [int(cell) for cell in y_true.ravel()]
    difference = reference.prediction_difference(cells)
    accuracy = reference.accuracy(cells, truth)
    assert summary.prediction_difference.value == pytest.approx(float(difference), abs=1e-12)
    assert summary.score.value == pytest.approx(float(accuracy), abs=1e-12)
    assert summary.effective_score.value == pytest.approx(float(accuracy - difference), abs=1e-12)
    by_label = [
        float(reference.prediction_difference([list(run[:, label]) for run in runs.astype(int)]))
        for label in range(y_true.shape[1])
    ]
    found = task.by_class(runs, y_true)
    assert [each.label for each in found] == list(range(y_true.shape[1]))
    assert [each.flip_rate for each in found] == pytest.approx(by_label, abs=1e-12)
    assert {each.n_samples for each in found} == {len(y_true)}
    assert task.right(runs, y_true).tolist() == [
        [cell == true for cell, true in zip(run, truth, strict=True)] for run in cells
    ]


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([[0.5, 0.51], [0.0, 1.0]], [[0, 1], [0, 1]]),  # probabilities
        ([[0.5, 0.51], [0.0, 1.1]], [[1, 1], [0, 1]]),  # one above 1: all are logits
        ([[0.5, -0.1], [0.0, 1.0]], [[1, 0], [0, 1]]),
        ([[0, 1], [True, False]], [[0, 1], [1, 0]]),
    ],
)
def test_labels_probabilities_and_logits_are_told_apart(scores, labels):
    found = MultiLabel().check_output(scores, np.zeros((2, 2)))
    assert (found.tolist(), found.dtype) == (labels, np.uint8)


def test_a_threshold_is_of_probabilities_and_of_logits_alike():
    task, shape = MultiLabel(0.9), np.zeros((1, 3))
    assert task.check_output([[0.91, 0.89, 0.0]], shape).tolist() == [[1, 0, 0]]
    near = math.log(9)
    assert task.check_output([[near + 1e-9, near - 1e-9, -1.0]], shape).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("threshold", [0, 1, -0.5, math.nan, "half", True])
def test_an_impossible_threshold_is_refused(threshold):
    with pytest.raises(OptionError) as error:
        MultiLabel(threshold)
    assert str(error.value) == f"threshold={threshold!r}; expected a probability between 0 and 1"


@pytest.mark.parametrize(
    ("y_true", "told"),
    [
        (
            [0, 1],
            "y_true has shape (2,); expected (n_samples, n_labels), 0 or 1 for each label of a test sample. "
            "One class a sample is task='classification'.",
        ),
        (
            np.zeros((0, 3)),
            "the test set is empty: y_true has 0 samples; expected at least 1.",
        ),
        (
            [[0, 2]],
            "y_true holds other int64 values than 0 and 1; expected 0 or 1 for each label of a test sample. "
            "Turn lists of labels into indicators, or drop samples without them.",
        ),
        (
            [[0.0, math.nan]],
            "y_true holds other float64 values than 0 and 1; expected 0 or 1 for each label of a test "
            "sample. Turn lists of labels into indicators, or drop samples without them.",
        ),
    ],
)
def test_true_labels_that_are_none_are_refused(y_true, told):
    with pytest.raises(DataError) as error:
        MultiLabel().check_y_true(y_true)
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            np.zeros((4, 3)),
            "predictions have shape (4, 3); expected (4, 2), a label or score for each of the 2 labels of "
            "each of the 4 test samples. Predict the test set y_true belongs to, whole and in its order",
        ),
        (
            np.full((4, 2), 3),
            "predictions hold integers from 3 to 3; expected labels 0 and 1. Return scores as floats",
        ),
        (
            np.full((4, 2), math.inf),
            "scores hold NaN or infinity; expected finite numbers. Lower the learning rate",
        ),
        (
            np.full((4, 2), "a"),
            "predictions have dtype <U1; expected labels 0 and 1, or numeric scores",
        ),
    ],
)
def test_predictions_that_are_no_labels_are_refused(output, told):
    with pytest.raises(DataError) as error:
        MultiLabel().check_output(output, Y)
    assert str(error.value) == told


def test_the_same_labels_for_every_sample_are_broken():
    runs = OFF.copy()
    runs[1] = [0, 1]
    assert audited(runs)["none"].verdict.reasons == (
        "constant predictor: run 1 predicted the same labels for all 4 test samples, so its prediction "
        "difference means nothing. Lower the learning rate, train longer, or check the model and the "
        "inputs' scale",
    )


def test_a_label_that_is_never_predicted_is_no_fault():
    runs = OFF.copy()
    runs[:, :, 1] = 0
    assert audited(runs).passed


def test_what_is_written_is_read_as_it_was(tmp_path):
    made = audited(min_accuracy=0.5)
    made.to_json(tmp_path / "result.json")
    read = AuditResult.from_json(tmp_path / "result.json")
    assert read == made
    assert read.task == MultiLabel()
    assert np.array_equal(read["none"].predictions, OFF)
    assert np.array_equal(read.y_true, Y)
    assert [each.label for each in read.details("none").by_class] == [0, 1]


@pytest.mark.parametrize(
    ("runs", "y_true", "told"),
    [
        (
            2 * OFF,
            Y,
            "predictions hold other uint8 values than 0 and 1; expected 0 or 1 for each label",
        ),
        (
            OFF,
            np.tile(Y, 2),
            "runs predict values of shape (4, 2); expected that of y_true, (4, 4)",
        ),
    ],
)
def test_a_file_that_holds_anything_else_is_refused(runs, y_true, told):
    stored = audited().to_dict()
    from pytest_reprotest.stored import pack

    stored["regularizers"]["none"]["predictions"] = pack(runs)
    stored["y_true"] = pack(y_true)
    with pytest.raises(DataError) as error:
        Result.from_dict(stored)
    assert str(error.value).startswith(told)


def test_negative_flips_are_of_cells():
    worse = OFF.copy()
    worse[:, 1, 1] = 0
    compared = compare_results(audited(worse), audited(), decision="point")
    changes = {change.measure: change for change in compared.by_regularizer["none"]}
    lost = np.mean([(old == Y) & (new != Y) for old in OFF for new in worse])
    among = np.mean([(OFF[i] == Y) & (OFF[j] != Y) for i in range(3) for j in range(3) if i != j])
    assert changes["negative_flips"].new == pytest.approx(lost, abs=1e-12)
    assert changes["negative_flips"].old == pytest.approx(among, abs=1e-12)
    assert changes["accuracy"].status == "worse"


def test_several_labels_are_not_compared_with_one():
    one = audit_predictions({"none": OFF[:, :, 0]}, Y[:, 0])
    with pytest.raises(DataError) as error:
        compare_results(audited(), one)
    assert str(error.value) == (
        "another task: classification there, multilabel(threshold=0.5) here. Audits of one task can be "
        "compared, no others"
    )
