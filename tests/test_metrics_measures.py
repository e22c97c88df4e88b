"""Further measures beside prediction difference and score."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import audits, scores, two_groups

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import measures

EXACT = 1e-12

SHAKY = np.array([[0, 1, 2, 2], [0, 1, 1, 2], [0, 1, 0, 0]])
TRUTH = np.array([0, 1, 2, 0])


# --- what follows from flip rates or the matrix -------------------------------------------------


@given(audits())
def test_ambiguity_and_discrepancy_equal_their_definitions(audit):
    predictions, _ = audit
    runs = predictions.tolist()
    assert metrics.ambiguity(metrics.flip_rates(predictions)) == pytest.approx(
        float(reference.ambiguity(runs)), abs=EXACT
    )
    worst = max(reference.difference(a, b) for a in runs for b in runs)
    assert metrics.discrepancy(metrics.pairwise_differences(predictions)) == pytest.approx(
        float(worst), abs=EXACT
    )


@given(audits())
def test_the_flips_of_a_class_are_the_prediction_difference_on_its_samples(audit):
    predictions, y_true = audit
    found = metrics.class_flips(metrics.flip_rates(predictions), y_true)
    expected = reference.class_flips(predictions.tolist(), y_true.tolist())
    assert [(f.label, f.n_samples) for f in found] == [(label, n) for label, _, n in expected]
    assert [f.flip_rate for f in found] == pytest.approx(
        [float(rate) for _, rate, _ in expected], abs=EXACT
    )


def test_class_flips_leave_out_classes_that_the_test_set_lacks():
    found = metrics.class_flips(np.array([0.25, 0.5, 0.75]), np.array([7, 3, 7], dtype="uint8"))
    assert found == (metrics.ClassFlips(3, 0.5, 1), metrics.ClassFlips(7, 0.5, 2))
    assert [type(value) for value in (found[0].label, found[0].flip_rate, found[0].n_samples)] == [
        int,
        float,
        int,
    ]


@given(audits(), st.integers(1, 15))
def test_the_most_flip_prone_samples_come_first_and_ties_by_index(audit, n):
    predictions, _ = audit
    rates = reference.flip_rates(predictions.tolist())
    expected = sorted(
        (place for place, rate in enumerate(rates) if rate), key=lambda x: (-rates[x], x)
    )
    assert metrics.most_flip_prone(metrics.flip_rates(predictions), n).tolist() == expected[:n]


def test_twenty_flip_prone_samples_are_given_unless_asked_otherwise():
    assert metrics.most_flip_prone(np.full(30, 0.5)).tolist() == list(range(20))
    assert metrics.most_flip_prone([0.0, 0.5]).tolist() == [1]


def test_measures_of_three_runs_by_hand():
    rates = metrics.flip_rates(SHAKY)
    assert metrics.ambiguity(rates) == 0.5
    assert metrics.discrepancy(metrics.pairwise_differences(SHAKY)) == 0.5
    assert metrics.most_flip_prone(rates).tolist() == [2, 3]
    assert metrics.class_flips(rates, TRUTH)[2] == metrics.ClassFlips(2, 1.0, 1)


# --- negative flips -----------------------------------------------------------------------------


@given(two_groups())
def test_negative_flips_equal_the_loop_over_pairs_of_an_old_and_a_new_run(groups):
    old, new, y_true = groups
    expected = reference.negative_flip_rate(old.tolist(), new.tolist(), y_true.tolist())
    assert metrics.negative_flip_rate(old, new, y_true) == pytest.approx(float(expected), abs=EXACT)


def test_negative_flips_by_hand():
    old, new = np.array([[0, 1, 2, 0]]), np.array([[0, 0, 0, 1], [0, 1, 2, 0]])
    # the first new run loses samples 1, 2 and 3, the second none
    assert metrics.negative_flip_rate(old, new, TRUTH) == 3 / 8
    assert metrics.negative_flip_rate(new, old, TRUTH) == 0.0
    assert metrics.negative_flip_rate(old, old, 1 - TRUTH) == 0.0


def test_negative_flips_within_one_test_set_only():
    with pytest.raises(DataError) as refusal:
        metrics.negative_flip_rate(np.zeros((1, 3), int), np.zeros((1, 2), int), np.zeros(3, int))
    assert str(refusal.value) == (
        "one group of runs predicts 3 samples, the other 2 samples; expected the same test set in "
        "both. Compare runs over one test set."
    )


@pytest.mark.parametrize("empty", [0, 1])
def test_negative_flips_need_a_run_on_both_sides(empty):
    groups = [np.zeros((1, 3), int), np.zeros((1, 3), int)]
    groups[empty] = np.zeros((0, 3), int)
    with pytest.raises(DataError, match=r"shape \(0, 3\).* at least 1 run and 1 sample"):
        metrics.negative_flip_rate(*groups, np.zeros(3, int))


# --- distance of scores -------------------------------------------------------------------------


@given(scores(st.floats(0, 1)))
def test_the_distance_of_probabilities_is_that_of_pairs(drawn):
    probabilities = drawn + 1e-3
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    expected = reference.score_distance(probabilities.tolist())
    assert metrics.score_distance(probabilities) == pytest.approx(float(expected), abs=EXACT)


@given(scores(st.floats(-50, 50) | st.sampled_from([-800.0, 800.0, 0.5])))
def test_the_distance_of_logits_is_that_of_pairs_of_softmaxes(logits):
    logits[0, 0, 0] = 2.0 + abs(logits[0, 0]).sum()  # no probability
    exact = [[reference.softmax(row) for row in run] for run in logits]
    expected = reference.score_distance(exact)
    assert metrics.score_distance(logits) == pytest.approx(float(expected), abs=EXACT)


def test_distances_by_hand():
    certain = np.eye(3)[[[0, 1], [0, 2], [1, 1]]]
    # first sample: pairs 0, 2, 2; second: 2, 0, 2
    assert metrics.score_distance(certain) == pytest.approx(8 / 6, abs=EXACT)
    assert metrics.score_distance(np.array([[[0.75, 0.25]], [[0.25, 0.75]]])) == 0.5
    assert metrics.score_distance(np.tile([[0.2, 0.8]], (4, 1, 1))) == 0.0


@pytest.mark.parametrize(
    ("rows", "as_probabilities"),
    [
        ([[0.7, 0.3], [0.2, 0.8]], True),
        ([[0.705, 0.304], [0.2, 0.8]], True),  # two decimals
        ([[0.7, 0.32], [0.2, 0.8]], False),
        ([[0.7, 0.28], [0.2, 0.8]], False),
        ([[0.7, 0.3], [1.2, -0.2]], False),  # sums to 1, and yet
        ([[1.0, 0.0], [0.0, 1.0]], True),
    ],
)
def test_one_row_that_is_no_probability_makes_all_of_them_logits(rows, as_probabilities):
    scores = np.array(rows)[:, None, :]
    if as_probabilities:
        expected = ((scores[0] - scores[1]) ** 2).sum()
    else:
        powers = np.exp(scores)
        powers /= powers.sum(axis=2, keepdims=True)
        expected = ((powers[0] - powers[1]) ** 2).sum()
    assert metrics.score_distance(scores) == pytest.approx(expected, abs=EXACT)


def test_logits_may_be_shifted_by_any_amount():
    logits = np.array([[[0.0, 1.0, 3.0]], [[2.0, 1.0, 0.0]]])
    assert metrics.score_distance(logits + 1e4) == pytest.approx(
        metrics.score_distance(logits), abs=EXACT
    )


@pytest.mark.parametrize("numbers_at_a_time", [1, 24, 50])
@pytest.mark.parametrize("row_of_logits", [None, 0, 10])
def test_scores_in_blocks_change_nothing(monkeypatch, numbers_at_a_time, row_of_logits):
    scores = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 11))
    if row_of_logits is not None:
        scores[1, row_of_logits] *= 3
    whole = metrics.score_distance(scores)
    monkeypatch.setattr(measures, "_NUMBERS", numbers_at_a_time)
    assert metrics.score_distance(scores) == pytest.approx(whole, abs=EXACT)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "bool"])
def test_scores_of_any_type_are_compared_in_float64(dtype):
    certain = np.eye(200, dtype=dtype)[[[0] * 300, [1] * 300]]
    assert metrics.score_distance(certain) == 2.0


def test_half_precision_rounds_a_sum_but_probabilities_they_are():
    scores = np.full((2, 1, 1000), 0.001, dtype="float16")
    scores[0, 0, :2] = 0.002, 0
    assert metrics.score_distance(scores) == pytest.approx(2e-6, rel=0.01)


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 2), (2, 0, 2), (2, 2, 0), (2, 2, 2, 2)])
def test_scores_of_another_shape_are_refused(shape):
    with pytest.raises(DataError) as refusal:
        metrics.score_distance(np.zeros(shape))
    assert str(refusal.value) == (
        f"scores have shape {shape}; expected (n_runs, n_samples, n_classes) with at least 2 runs, "
        "1 sample and 1 class. Stack the scores of each run."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(value):
    scores = np.full((2, 3, 2), 0.5)
    scores[1, 2, 0] = value
    with pytest.raises(DataError) as refusal:
        metrics.score_distance(scores)
    assert str(refusal.value) == (
        "scores hold NaN or infinity; expected finite numbers. Lower the learning rate."
    )
