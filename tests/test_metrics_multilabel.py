"""Several labels a sample: runs are compared on each label of each sample."""

import itertools

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import label_sets

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import multilabel

EXACT = 1e-12

# samples × labels of each run
THREE_RUNS = np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]], [[0, 0], [1, 0]]])
TRUTH = np.array([[0, 1], [0, 1]])


def cells(run):
    return [label for sample in run for label in sample]


def test_three_runs_by_hand():
    # pairs: (0, 1) differ in 1 of 4 cells, (0, 2) in 2, (1, 2) in 1
    assert multilabel.disagreements(THREE_RUNS).tolist() == [3, 2, 3]
    assert multilabel.prediction_difference(THREE_RUNS) == 1 / 3
    assert multilabel.flip_rates(THREE_RUNS) == pytest.approx([1 / 3, 1 / 3], abs=EXACT)
    assert multilabel.label_differences(THREE_RUNS) == pytest.approx([0, 2 / 3], abs=EXACT)
    assert multilabel.pairwise_differences(THREE_RUNS).tolist() == [
        [0, 0.25, 0.5],
        [0.25, 0, 0.25],
        [0.5, 0.25, 0],
    ]
    assert multilabel.hits(THREE_RUNS, TRUTH).tolist() == [3, 2, 1]
    assert multilabel.label_accuracies(THREE_RUNS, TRUTH).tolist() == [0.5, 0.5]


def test_exact_match_by_hand():
    # whole sets: pair (0, 1) differs on sample 0, (0, 2) on both, (1, 2) on sample 1
    sets = multilabel.label_sets(np.concatenate([THREE_RUNS, TRUTH[np.newaxis]]))
    assert metrics.disagreements(sets[:3]).tolist() == [3, 2, 3]
    assert metrics.hits(sets[:3], sets[3]).tolist() == [1, 0, 0]


@given(label_sets())
def test_every_metric_equals_the_loop_over_pairs(drawn):
    predictions, _ = drawn
    n_labels = predictions.shape[2]
    runs = [cells(run) for run in predictions.tolist()]
    rates = reference.flip_rates(runs)
    by_label = [rates[label::n_labels] for label in range(n_labels)]
    by_sample = [rates[start : start + n_labels] for start in range(0, len(rates), n_labels)]

    counts = multilabel.disagreements(predictions)
    assert counts.dtype == np.int64
    assert counts.tolist() == reference.counts(runs, runs)
    assert multilabel.prediction_difference(predictions) == pytest.approx(
        float(reference.mean_over_pairs(runs)), abs=EXACT
    )
    assert multilabel.flip_rates(predictions) == pytest.approx(
        [float(reference.mean(sample)) for sample in by_sample], abs=EXACT
    )
    assert multilabel.label_differences(predictions) == pytest.approx(
        [float(reference.mean(label)) for label in by_label], abs=EXACT
    )
    assert multilabel.pairwise_differences(predictions) == pytest.approx(
        np.array(reference.matrix(runs), dtype=float), abs=EXACT
    )
    between = multilabel.between_disagreements(predictions[:1], predictions[1:])
    assert between.tolist() == reference.counts(runs[:1], runs[1:])


@given(label_sets())
def test_hits_and_accuracies_equal_their_definitions(drawn):
    predictions, y_true = drawn
    truth = cells(y_true.tolist())
    wrong = [reference.counts([cells(run)], [truth])[0] for run in predictions.tolist()]
    right = multilabel.hits(predictions, y_true)
    assert right.dtype == np.int64
    assert right.tolist() == [len(truth) - count for count in wrong]
    expected = [
        reference.accuracy(predictions[:, :, label], y_true[:, label])
        for label in range(y_true.shape[1])
    ]
    assert multilabel.label_accuracies(predictions, y_true) == pytest.approx(
        [float(value) for value in expected], abs=EXACT
    )


@given(label_sets(max_labels=18))
def test_label_sets_have_one_number_where_and_only_where_they_are_equal(drawn):
    predictions, _ = drawn
    sets = multilabel.label_sets(predictions)
    assert sets.shape == predictions.shape[:2]
    flat = predictions.reshape(-1, predictions.shape[2]).tolist()
    for (one, first), (other, second) in itertools.combinations(
        zip(flat, sets.ravel().tolist(), strict=True), 2
    ):
        assert (one == other) == (first == second)


@pytest.mark.parametrize("n_labels", [7, 8, 9, 64, 65])
@pytest.mark.parametrize("label", [0, -1])
def test_label_sets_that_differ_in_one_label_are_different(n_labels, label):
    predictions = np.ones((2, 3, n_labels), dtype=int)
    predictions[1, 1, label] = 0
    sets = multilabel.label_sets(predictions)
    assert (sets[0] == sets[1]).tolist() == [True, False, True]
    assert metrics.prediction_difference(sets) == 1 / 3
    assert multilabel.prediction_difference(predictions) == 1 / (3 * n_labels)


def test_many_cells_are_counted_in_blocks_that_change_nothing():
    predictions = np.random.default_rng(0).random((70, 500, 9)) < 0.1
    flat = predictions.reshape(70, -1)
    expected = np.array([[np.count_nonzero(a != b) for b in flat] for a in flat])
    assert multilabel.disagreements(predictions).tolist() == expected.sum(axis=1).tolist()
    assert (multilabel.pairwise_differences(predictions) == expected / 4500).all()


def test_what_lies_in_memory_otherwise_is_read_in_order():
    predictions = np.asfortranarray(THREE_RUNS)
    assert multilabel.disagreements(predictions).tolist() == [3, 2, 3]
    turned = THREE_RUNS.transpose(2, 1, 0)[:, :, ::2]
    assert multilabel.prediction_difference(turned) == 1 / 2


# --- refusals -----------------------------------------------------------------------------------

METRICS = [
    multilabel.flip_rates,
    multilabel.label_differences,
    multilabel.disagreements,
    multilabel.prediction_difference,
    multilabel.pairwise_differences,
]


@pytest.mark.parametrize(
    "shape", [(1, 2, 2), (0, 2, 2), (2, 0, 2), (2, 2, 0), (2, 2), (2, 2, 2, 2)]
)
@pytest.mark.parametrize("metric", METRICS)
def test_another_shape_is_refused(metric, shape):
    with pytest.raises(DataError) as refusal:
        metric(np.zeros(shape, dtype=int))
    assert str(refusal.value) == (
        f"predictions have shape {shape}; expected (n_runs, n_samples, n_labels) with at least 2 runs, "
        "1 sample and 1 label. Train more runs, or stack one array per run."
    )


@pytest.mark.parametrize(
    ("value", "dtype"), [(2, "uint8"), (-1, "int64"), (256, "int64"), (1, "float32"), (1, "U1")]
)
@pytest.mark.parametrize("metric", METRICS)
def test_what_is_neither_0_nor_1_is_refused(metric, value, dtype):
    predictions = np.zeros((2, 3, 2), dtype=int)
    predictions[1, 2, 1] = value
    with pytest.raises(DataError) as refusal:
        metric(predictions.astype(dtype))
    assert str(refusal.value) == (
        f"predictions hold other {np.dtype(dtype)} values than 0 and 1; expected 0 or 1 for each label "
        "of each sample. Hold scores against a threshold first."
    )


def test_label_sets_and_groups_need_one_run():
    none = np.zeros((0, 3, 2), dtype=int)
    told = r"shape \(0, 3, 2\); .* at least 1 run, 1 sample and 1 label\."
    with pytest.raises(DataError, match=told):
        multilabel.label_sets(none)
    for groups in ((none, none[:1]), (np.zeros((1, 3, 2), int), none)):
        with pytest.raises(DataError, match=told):
            multilabel.between_disagreements(*groups)


@pytest.mark.parametrize("shape", [(1, 6, 1), (1, 3, 3)])
def test_groups_over_different_labels_are_refused(shape):
    with pytest.raises(DataError) as refusal:
        multilabel.between_disagreements(np.zeros((1, 3, 2), int), np.zeros(shape, int))
    assert str(refusal.value) == (
        f"one group of runs predicts 3 × 2 labels, the other {shape[1]} × {shape[2]} labels; expected "
        "the same test set in both. Compare runs over one test set."
    )
