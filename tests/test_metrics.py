import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import audits

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import counting

EXACT = 1e-12

THREE_RUNS = np.array([[0, 1, 2, 2], [0, 1, 1, 2], [0, 1, 0, 0]])
TRUTH = np.array([0, 1, 2, 0])
METRICS = [
    metrics.flip_rates,
    metrics.prediction_difference,
    metrics.disagreements,
    metrics.run_differences,
    metrics.pairwise_differences,
]


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
    METRICS,
)
def test_fewer_than_two_runs_or_no_sample_is_refused(metric, predictions):
    with pytest.raises(DataError) as refusal:
        metric(predictions)
    shape = str(predictions.shape)
    assert str(refusal.value) == (
        f"predictions have shape {shape}; expected (n_runs, n_samples) with at least 2 runs and 1 "
        "sample. Train more runs, or stack one label vector per run."
    )


@pytest.mark.parametrize("dtype", ["float64", "complex128", "U1"])
@pytest.mark.parametrize("metric", METRICS)
def test_what_is_no_integer_label_is_refused(metric, dtype):
    with pytest.raises(DataError) as refusal:
        metric(np.zeros((2, 3), dtype))
    assert str(refusal.value) == (
        f"predictions have dtype {np.dtype(dtype)}; expected integer class labels. Take the class with "
        "the highest score."
    )


@pytest.mark.parametrize("label", [-1, -3])
@pytest.mark.parametrize("metric", METRICS)
def test_negative_labels_are_refused(metric, label):
    with pytest.raises(DataError) as refusal:
        metric(np.array([[0, 1], [0, label]], dtype="int8"))
    assert str(refusal.value) == (
        f"predictions hold the label {label}; expected classes from 0 up. Number the classes from 0."
    )


# --- counting -----------------------------------------------------------------------------------


@given(audits())
def test_a_label_s_rank_is_its_place_among_those_of_its_sample(audit):
    predictions, _ = audit
    ranked = counting.ranked(predictions)
    assert ranked.dtype == np.int64
    expected = [reference.ranks(sample) for sample in predictions.T.tolist()]
    assert ranked.T.tolist() == expected


@pytest.mark.parametrize("cells", [1, 10, 2**16])
@pytest.mark.parametrize("classes", [1, 2, 1024])
@given(audit=audits())
def test_blocks_of_any_size_and_ranks_from_any_class_on_change_nothing(cells, classes, audit):
    predictions, _ = audit
    runs = predictions.tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_CELLS", cells)
        patch.setattr(counting, "_CLASSES", classes)
        assert metrics.disagreements(predictions).tolist() == reference.counts(runs, runs)
        assert metrics.flip_rates(predictions) == pytest.approx(
            [float(rate) for rate in reference.flip_rates(runs)], abs=EXACT
        )


@pytest.mark.parametrize("top", [1023, 1024, 10**6])
def test_no_table_of_votes_is_wider_than_1024_classes_or_the_runs(top):
    predictions = np.full((3, 5000), top)
    predictions[0, ::2] = 0
    predictions[1, ::3] = 1
    parts, found = [], []
    for part, places, table in counting.blocks(predictions):
        n_block = len(range(5000)[part])
        assert table.shape == (n_block, 1024 if top == 1023 else 3)
        assert (table.sum(axis=1) == 3).all()
        assert (places // table.shape[1] == np.arange(n_block)).all()
        parts.append(part)
        found.append(table.take(places))
    assert [place for part in parts for place in range(5000)[part]] == list(range(5000))
    agreeing = [(run == predictions).sum(axis=0) for run in predictions]
    assert (np.concatenate(found, axis=1) == agreeing).all()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64"])
def test_two_classes_of_any_type(dtype):
    predictions = np.array([[0, 1, 1], [1, 1, 0], [0, 1, 1]]).astype(dtype)
    y_true = np.array([0, 1, 0]).astype(dtype)
    assert metrics.votes(predictions).tolist() == [[2, 1], [0, 3], [1, 2]]
    assert metrics.votes(predictions).dtype == np.int64
    assert metrics.disagreements(predictions).tolist() == [2, 4, 2]
    assert metrics.disagreements(predictions).dtype == np.int64
    assert metrics.flip_rates(predictions).tolist() == [2 / 3, 0, 2 / 3]
    assert metrics.hits(predictions, y_true).tolist() == [2, 2, 2]
    assert metrics.hits(predictions, y_true).dtype == np.int64
    assert metrics.effective_accuracy(predictions, y_true) == 2 / 9


def test_lists_are_arrays():
    runs, truth = THREE_RUNS.tolist(), TRUTH.tolist()
    assert metrics.votes(runs).tolist() == metrics.votes(THREE_RUNS).tolist()
    assert metrics.prediction_difference(runs) == metrics.prediction_difference(THREE_RUNS)
    assert metrics.run_accuracies(runs, truth).tolist() == [0.75, 0.5, 0.75]
    assert metrics.accuracy(runs, truth) == metrics.accuracy(THREE_RUNS, TRUTH)
    assert metrics.difference_error_ratio(runs, truth) == 5 / 4
