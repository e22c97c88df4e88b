import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import audits

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError

EXACT = 1e-12

THREE_RUNS = np.array([[0, 1, 2, 2], [0, 1, 1, 2], [0, 1, 0, 0]])
TRUTH = np.array([0, 1, 2, 0])


def test_votes_count_the_runs_for_each_class():
    assert metrics.votes(THREE_RUNS).tolist() == [[3, 0, 0], [0, 3, 0], [1, 1, 1], [1, 0, 2]]


def test_votes_have_a_column_for_classes_that_no_run_predicts():
    counts = metrics.votes(np.array([[0, 1], [0, 0]]), n_classes=4)
    assert counts.tolist() == [[2, 0, 0, 0], [1, 1, 0, 0]]


def test_three_runs_by_hand():
    # pairs: (0, 1) differ on 1 of 4 samples, (0, 2) on 2, (1, 2) on 2
    assert metrics.prediction_difference(THREE_RUNS) == pytest.approx(5 / 12, abs=EXACT)
    assert metrics.flip_rates(THREE_RUNS) == pytest.approx([0, 0, 1, 2 / 3], abs=EXACT)
    assert metrics.disagreements(THREE_RUNS).tolist() == [3, 3, 4]
    assert metrics.run_differences(THREE_RUNS) == pytest.approx([3 / 8, 3 / 8, 4 / 8], abs=EXACT)
    assert metrics.pairwise_differences(THREE_RUNS).tolist() == [
        [0, 0.25, 0.5],
        [0.25, 0, 0.5],
        [0.5, 0.5, 0],
    ]
    assert metrics.hits(THREE_RUNS, TRUTH).tolist() == [3, 2, 3]
    assert metrics.run_accuracies(THREE_RUNS, TRUTH).tolist() == [0.75, 0.5, 0.75]
    assert metrics.accuracy(THREE_RUNS, TRUTH) == pytest.approx(8 / 12, abs=EXACT)
    assert metrics.effective_accuracy(THREE_RUNS, TRUTH) == pytest.approx(3 / 12, abs=EXACT)
    assert metrics.difference_error_ratio(THREE_RUNS, TRUTH) == pytest.approx(5 / 4, abs=EXACT)


@given(audits())
def test_every_metric_equals_the_loop_over_pairs(audit):
    predictions, y_true = audit
    n_runs, n_samples = predictions.shape
    runs = predictions.tolist()
    assert metrics.prediction_difference(predictions) == pytest.approx(
        float(reference.prediction_difference(runs)), abs=EXACT
    )
    assert metrics.accuracy(predictions, y_true) == pytest.approx(
        float(reference.accuracy(runs, y_true)), abs=EXACT
    )
    assert metrics.effective_accuracy(predictions, y_true) == pytest.approx(
        float(reference.effective_accuracy(runs, y_true)), abs=EXACT
    )
    assert metrics.difference_error_ratio(predictions, y_true) == pytest.approx(
        float(reference.difference_error_ratio(runs, y_true)), abs=EXACT, nan_ok=True
    )
    assert metrics.run_differences(predictions) == pytest.approx(
        [float(reference.run_difference(runs, run)) for run in range(n_runs)], abs=EXACT
    )
    assert metrics.flip_rates(predictions) == pytest.approx(
        [float(reference.flip_rate(runs, sample)) for sample in range(n_samples)], abs=EXACT
    )
    matrix = [[float(reference.difference(a, b)) for b in runs] for a in runs]
    assert metrics.pairwise_differences(predictions) == pytest.approx(np.array(matrix), abs=EXACT)


@given(audits())
def test_effective_accuracy_is_the_study_s_mean_accuracy_less_mean_pairwise_difference(audit):
    predictions, y_true = audit
    n_runs = len(predictions)
    churn = [
        (predictions[i] != predictions[j]).mean()
        for i in range(n_runs)
        for j in range(i + 1, n_runs)
    ]
    expected = np.mean([(run == y_true).mean() for run in predictions]) - np.mean(churn)
    assert metrics.effective_accuracy(predictions, y_true) == pytest.approx(expected, abs=EXACT)


@given(audits())
def test_the_mean_over_runs_the_mean_over_samples_and_the_matrix_agree(audit):
    predictions, _ = audit
    n_runs = len(predictions)
    whole = metrics.prediction_difference(predictions)
    assert metrics.run_differences(predictions).mean() == pytest.approx(whole, abs=EXACT)
    assert metrics.flip_rates(predictions).mean() == pytest.approx(whole, abs=EXACT)
    off_diagonal = metrics.pairwise_differences(predictions).sum() / (n_runs * (n_runs - 1))
    assert off_diagonal == pytest.approx(whole, abs=EXACT)


@given(audits())
def test_the_order_of_runs_and_the_names_of_classes_do_not_matter(audit):
    predictions, y_true = audit
    names, renamed = np.unique(np.vstack([predictions, y_true]), return_inverse=True)
    renamed = len(names) - 1 - renamed.reshape(len(predictions) + 1, -1)
    backwards, truth = renamed[-2::-1], renamed[-1]
    assert metrics.prediction_difference(backwards) == metrics.prediction_difference(predictions)
    assert metrics.effective_accuracy(backwards, truth) == metrics.effective_accuracy(
        predictions, y_true
    )


@given(audits())
def test_ranges(audit):
    predictions, y_true = audit
    assert 0 <= metrics.prediction_difference(predictions) <= 1
    assert -1 <= metrics.effective_accuracy(predictions, y_true) <= 1
    rates = metrics.flip_rates(predictions)
    assert rates.min() >= 0
    assert rates.max() <= 1


def test_many_samples_are_counted_in_blocks_that_change_nothing():
    many = np.tile(THREE_RUNS, 3001)  # several blocks, the last one partly filled
    assert metrics.prediction_difference(many) == metrics.prediction_difference(THREE_RUNS)
    assert metrics.run_differences(many).tolist() == metrics.run_differences(THREE_RUNS).tolist()
    assert (
        metrics.flip_rates(many).tolist() == np.tile(metrics.flip_rates(THREE_RUNS), 3001).tolist()
    )
    assert (metrics.pairwise_differences(many) == metrics.pairwise_differences(THREE_RUNS)).all()


@pytest.mark.parametrize("top", [255, 256, 65_535, 2**31, 2**40])
def test_large_labels_need_no_large_tables(top):
    predictions = np.array([[top, 0, top], [top, top, 1], [top, 0, top - 1]])
    small = np.array([[3, 0, 3], [3, 3, 1], [3, 0, 2]])
    assert metrics.flip_rates(predictions).tolist() == metrics.flip_rates(small).tolist()
    assert metrics.disagreements(predictions).tolist() == metrics.disagreements(small).tolist()
    assert (metrics.pairwise_differences(predictions) == metrics.pairwise_differences(small)).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint64"])
def test_small_integer_types_do_not_overflow(dtype):
    predictions = np.full((130, 5), 100, dtype=dtype)
    predictions[0] = 0
    assert metrics.prediction_difference(predictions) == pytest.approx(2 / 130, abs=EXACT)
    assert metrics.flip_rates(predictions) == pytest.approx([2 / 130] * 5, abs=EXACT)


def test_identical_runs_differ_by_exactly_nothing():
    predictions = np.tile([0, 1, 2], (7, 1))
    assert metrics.prediction_difference(predictions) == 0.0
    assert not metrics.flip_rates(predictions).any()
    assert metrics.effective_accuracy(predictions, np.array([0, 1, 1])) == 2 / 3


def test_runs_that_collapse_to_different_constants_have_a_negative_effective_accuracy():
    predictions = np.repeat([[0], [1], [2], [3], [4]], 10, axis=1)
    y_true = np.arange(10)
    assert metrics.prediction_difference(predictions) == 1.0
    assert metrics.effective_accuracy(predictions, y_true) == -0.9


def test_the_ratio_is_not_a_number_where_nothing_is_wrong():
    right = np.array([[0, 1], [0, 1]])
    assert np.isnan(metrics.difference_error_ratio(right, np.array([0, 1])))


def test_the_ratio_is_zero_where_runs_are_wrong_in_the_same_way():
    assert metrics.difference_error_ratio(np.array([[0, 1], [0, 1]]), np.array([0, 0])) == 0.0


@pytest.mark.parametrize("hundredths", range(0, 101, 7))
@pytest.mark.parametrize("n_runs", [2, 3, 6, 7, 10])
def test_fractions_are_the_floats_that_thresholds_are_written_with(hundredths, n_runs):
    y_true = np.zeros(100, dtype=int)
    predictions = np.tile(np.arange(100) >= hundredths, (n_runs, 1)).astype(int)
    assert metrics.accuracy(predictions, y_true) == float(f"0.{hundredths:02}")
    assert metrics.effective_accuracy(predictions, y_true) == float(f"0.{hundredths:02}")


@pytest.mark.parametrize(
    "predictions",
    [
        np.zeros((1, 4), dtype=int),
        np.zeros((0, 4), dtype=int),
        np.zeros((3, 0), dtype=int),
        np.zeros(4, dtype=int),
        np.zeros((2, 2, 2), dtype=int),
    ],
)
@pytest.mark.parametrize(
    "metric",
    [
        metrics.flip_rates,
        metrics.prediction_difference,
        metrics.disagreements,
        metrics.run_differences,
        metrics.pairwise_differences,
    ],
)
def test_fewer_than_two_runs_or_no_sample_is_refused(metric, predictions):
    with pytest.raises(DataError) as refusal:
        metric(predictions)
    shape = str(predictions.shape)
    assert f"predictions have shape {shape}; expected (n_runs, n_samples)" in str(refusal.value)
    assert "at least 2 runs and 1 sample" in str(refusal.value)
