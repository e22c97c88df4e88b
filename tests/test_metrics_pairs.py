"""Runs against runs: the pairwise matrix, and two groups."""

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import audits, two_groups

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import pairs

EXACT = 1e-12


def noisy(n_runs, n_samples, n_classes=10, dtype="uint8", seed=0):
    """Runs that mostly agree."""
    rng = np.random.default_rng(seed)
    shape = (n_runs, n_samples)
    common = rng.integers(0, n_classes, n_samples)
    return np.where(rng.random(shape) < 0.8, common, rng.integers(0, n_classes, shape)).astype(
        dtype
    )


def pair_loop(predictions):
    """The number of samples on which each two runs differ."""
    return np.array([[np.count_nonzero(a != b) for b in predictions] for a in predictions])


# --- the matrix ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [1, 63, 64, 65, 130, 1000])
@pytest.mark.parametrize("n_runs", [2, 5, 64, 65, 131])
def test_the_matrix_of_any_number_of_runs_and_samples_equals_the_pair_loop(n_runs, n_samples):
    predictions = noisy(n_runs, n_samples)
    found = metrics.pairwise_differences(predictions)
    assert found.dtype == np.float64
    assert (found == pair_loop(predictions) / n_samples).all()


@pytest.mark.parametrize("samples_at_a_time", [1, 7, 64, 100])
def test_parts_of_the_test_set_add_up(monkeypatch, samples_at_a_time):
    predictions = noisy(9, 301)
    monkeypatch.setattr(pairs, "_SAMPLES", samples_at_a_time)
    assert (metrics.pairwise_differences(predictions) == pair_loop(predictions) / 301).all()


def test_more_samples_than_16_bits_count_that_all_differ():
    predictions = np.zeros((3, 3 * 2**16 + 1), dtype="uint8")
    predictions[1:] = [[1], [2]]
    assert metrics.pairwise_differences(predictions).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("dtype", "top"),
    [
        ("bool", 2),
        ("uint8", 256),
        ("int8", 128),
        ("int16", 1025),
        ("uint16", 2**16),
        ("int64", 2**63 - 1),
        ("uint64", 2**63 - 1),
    ],
)
def test_the_matrix_reads_every_digit_of_every_integer_type(dtype, top):
    predictions = noisy(6, 70, top, dtype)
    predictions[0, :3] = top - 1
    assert (metrics.pairwise_differences(predictions) == pair_loop(predictions) / 70).all()


@pytest.mark.parametrize("digit", [0, 1, 7, 8, 31, 32, 62, 63])
def test_labels_of_which_one_digit_differs_are_different(digit):
    predictions = np.array([[2**digit, 5], [0, 5]], dtype="uint64")
    assert metrics.pairwise_differences(predictions).tolist() == [[0, 0.5], [0.5, 0]]


def test_runs_that_agree_throughout_have_a_matrix_of_zeros():
    assert not metrics.pairwise_differences(np.full((3, 70), 9)).any()


@given(audits())
def test_the_matrix_is_the_same_where_numpy_counts_no_ones(audit):
    predictions, _ = audit
    expected = metrics.pairwise_differences(predictions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "_ones", pairs._looked_up_ones)
        assert (metrics.pairwise_differences(predictions) == expected).all()


def test_ones_are_looked_up_in_quarters_of_a_word():
    words = np.array(
        [[0, 1, 2**64 - 1], [2**63, 0xFFFF0001, 0x8001_0000_0003_0000]], dtype="uint64"
    )
    found = pairs._looked_up_ones(words)
    assert found.shape == (2, 12)
    assert found.reshape(2, 3, 4).sum(axis=2).tolist() == [[0, 1, 64], [1, 17, 4]]
    assert sorted(found[1, 4:8].tolist()) == [0, 0, 1, 16]


# --- two groups ---------------------------------------------------------------------------------


@given(two_groups())
def test_one_group_against_another_equals_the_loop_over_pairs(groups):
    first, second, _ = groups
    expected = reference.counts(first.tolist(), second.tolist())
    found = metrics.between_disagreements(first, second)
    assert found.dtype == np.int64
    assert found.tolist() == expected
    assert metrics.between_difference(first, second) == pytest.approx(
        sum(expected) / (first.size * len(second)), abs=EXACT
    )


@given(audits())
def test_a_group_against_itself_counts_each_run_s_other_runs(audit):
    predictions, _ = audit
    found = metrics.between_disagreements(predictions, predictions)
    assert found.tolist() == metrics.disagreements(predictions).tolist()


@pytest.mark.parametrize("classes", [10, 5000])
def test_large_groups_are_counted_in_blocks_that_change_nothing(classes):
    predictions = noisy(100, 2000, classes, "int64")
    first, second = predictions[:33], predictions[33:]
    expected = [np.count_nonzero(second != run) for run in first]
    assert metrics.between_disagreements(first, second).tolist() == expected
    assert (
        metrics.disagreements(predictions).tolist() == pair_loop(predictions).sum(axis=1).tolist()
    )


def test_a_class_that_one_group_alone_predicts_is_a_difference():
    old, new = np.array([[0, 0, 1]]), np.array([[0, 3000, 3000], [0, 1, 1]])
    assert metrics.between_disagreements(old, new).tolist() == [3]
    assert metrics.between_difference(old, new) == 0.5
    assert metrics.between_disagreements(new, old).tolist() == [2, 1]


@pytest.mark.parametrize("top", [2**63, 2**64 - 1])
def test_labels_beyond_int64_are_held_against_signed_ones(top):
    old = np.array([[top, 0, top]], dtype="uint64")
    new = np.array([[1, 0, 1]], dtype="int64")
    assert metrics.between_disagreements(old, new).tolist() == [2]
    assert metrics.between_disagreements(new, old).tolist() == [2]


def test_booleans_are_labels():
    old, new = np.array([[True, False]]), np.array([[True, True], [False, False]])
    assert metrics.between_disagreements(old, new).tolist() == [2]
    assert metrics.between_disagreements(old, new.astype("uint8")).tolist() == [2]


def test_groups_over_different_test_sets_are_refused():
    with pytest.raises(DataError) as refusal:
        metrics.between_difference(np.zeros((2, 3), int), np.zeros((1, 4), int))
    assert str(refusal.value) == (
        "one group of runs predicts 3 samples, the other 4 samples; expected the same test set in "
        "both. Compare runs over one test set."
    )


@pytest.mark.parametrize("empty", ["first", "second"])
def test_a_group_needs_a_run(empty):
    groups = {"first": np.zeros((1, 4), int), "second": np.zeros((1, 4), int)}
    groups[empty] = np.zeros((0, 4), int)
    with pytest.raises(DataError) as refusal:
        metrics.between_disagreements(**groups)
    assert str(refusal.value) == (
        "predictions have shape (0, 4); expected (n_runs, n_samples) with at least 1 run and 1 "
        "sample. Train more runs, or stack one label vector per run."
    )
