import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from strategies import audits

from pytest_reprotest import metrics
from pytest_reprotest.statistics import (
    UNKNOWN,
    Comparison,
    Estimate,
    TwoGroups,
    compare_with_baseline,
    in_words,
    study_wilcoxon,
)
from pytest_reprotest.statistics.comparison import changes
from pytest_reprotest.statistics.permutation import (
    EXACT_SPLITS,
    RESAMPLES,
    holm,
    permutation_test,
    smallest_p,
)

EXACT = 1e-12
METRICS = ("prediction_difference", "accuracy", "effective_accuracy")


@st.composite
def two_groups(draw, smallest=3):
    """Predictions of a regularizer and of the baseline, and y_true."""
    predictions, y_true = draw(audits(min_runs=2 * smallest, max_runs=8))
    n_runs = draw(st.integers(smallest, len(predictions) - smallest))
    return predictions[:n_runs], predictions[n_runs:], y_true


def welch(own, base, confidence):
    """Half the width of the interval of a difference of two means, by definition."""
    shares = []
    for values in (own, base):
        mean = sum(values) / len(values)
        shares.append(float(sum((v - mean) ** 2 for v in values)) / (len(values) - 1) / len(values))
    if not sum(shares):
        return 0.0
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (own, base), strict=True)
    )
    return float(stats.t.ppf(0.5 + confidence / 2, freedom)) * math.sqrt(sum(shares))


def compared(own, base, y_true, **settings):
    groups = TwoGroups.of_labels(np.asarray(own), np.asarray(base), np.asarray(y_true))
    return compare_with_baseline({"it": groups}, **settings)["it"]


# --- differences and their intervals ------------------------------------------------------------


@given(two_groups())
def test_every_difference_and_its_interval_come_from_runs_that_are_literally_left_out(groups):
    own, base, y_true = groups
    found = compared(own, base, y_true)
    for name in METRICS:

        def statistic(runs, name=name):
            truth = [] if name == "prediction_difference" else [y_true]
            return getattr(reference, name)(runs, *truth)

        value = float(statistic(own.tolist()) - statistic(base.tolist()))
        pseudo = [reference.pseudo_values(statistic, runs.tolist()) for runs in (own, base)]
        half = welch(*pseudo, 0.95)
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(value, abs=EXACT)
        assert (estimate.low, estimate.high) == pytest.approx(
            (value - half, value + half), abs=1e-11
        )
        if name == "accuracy":
            half = welch(*pseudo, 0.90)
            assert (found.accuracy_low, found.accuracy_high) == pytest.approx(
                (value - half, value + half), abs=1e-11
            )


def test_the_difference_of_scores_is_welchs():
    rng = np.random.default_rng(0)
    scores = rng.normal(0.9, 0.01, size=9)
    groups = TwoGroups(np.zeros((9, 9)), scores, 4)
    test = stats.ttest_ind(scores[:4], scores[4:], equal_var=False)
    _, accuracy, _, bounds = changes(groups)
    assert (accuracy.low, accuracy.high) == pytest.approx(test.confidence_interval(0.95), abs=EXACT)
    assert (bounds.low, bounds.high) == pytest.approx(test.confidence_interval(0.90), abs=EXACT)


def test_regularizer_minus_baseline():
    y_true = np.zeros(10, dtype=int)
    calm = np.tile(y_true, (4, 1))
    shaky = calm + np.eye(4, 10, dtype=int)
    found = compared(calm, shaky, y_true)
    assert found.prediction_difference.value == pytest.approx(-0.2)
    assert found.accuracy.value == pytest.approx(0.1)
    assert found.effective_accuracy.value == pytest.approx(0.3)
    assert (found.n_runs, found.n_baseline) == (4, 4)


# --- the permutation test -----------------------------------------------------------------------


def slow_p(differences, n_first):
    """Twice the share of splits at least as far out on the observed side, in exact fractions."""
    exact = [[Fraction(value).limit_denominator(1000) for value in row] for row in differences]
    runs = range(len(exact))

    def u(chosen):
        pairs = list(itertools.combinations(chosen, 2))
        return sum(exact[i][j] for i, j in pairs) / Fraction(len(pairs))

    def statistic(chosen):
        return u(chosen) - u([run for run in runs if run not in chosen])

    observed = statistic(range(n_first))
    splits = [statistic(chosen) for chosen in itertools.combinations(runs, n_first)]
    if observed >= 0:
        share = Fraction(sum(s >= observed for s in splits), len(splits))
    else:
        share = Fraction(sum(s <= observed for s in splits), len(splits))
    return float(min(Fraction(1), 2 * share))


@given(two_groups(smallest=2))
def test_the_p_value_is_the_share_of_splits(groups):
    own, base, _ = groups
    differences = metrics.pairwise_differences(np.concatenate([own, base]))
    found = permutation_test(differences, len(own))
    assert found.exact
    assert found.p_value == pytest.approx(slow_p(differences, len(own)), abs=EXACT)


def noisy(n_runs, seed=0, n_samples=200):
    """Pairwise differences of runs that flip more the later they come."""
    rng = np.random.default_rng(seed)
    flips = rng.random((n_runs, n_samples)) < np.linspace(0.1, 0.2, n_runs)[:, None]
    return metrics.pairwise_differences(flips.astype(int))


@pytest.mark.parametrize("seed", range(3))
def test_the_p_value_is_scipys(seed):
    differences = noisy(10, seed)

    def statistic(first, second, axis):
        def u(runs):
            runs = np.moveaxis(runs, axis, -1)
            total = differences[runs[..., :, None], runs[..., None, :]].sum(axis=(-2, -1))
            return total / (runs.shape[-1] * (runs.shape[-1] - 1))

        return u(first) - u(second)

    theirs = stats.permutation_test(
        (np.arange(5), np.arange(5, 10)),
        statistic,
        vectorized=True,
        n_resamples=np.inf,
        permutation_type="independent",
    )
    assert permutation_test(differences, 5).p_value == pytest.approx(theirs.pvalue, abs=EXACT)


def test_too_many_splits_are_drawn_and_the_same_seed_draws_the_same():
    assert math.comb(20, 10) <= EXACT_SPLITS < math.comb(21, 10)
    assert permutation_test(noisy(20), 10).exact
    drawn = permutation_test(noisy(21), 10)
    assert not drawn.exact
    assert drawn == permutation_test(noisy(21), 10)
    assert drawn.p_value != permutation_test(noisy(21), 10, seed=1).p_value


def test_drawn_splits_come_near_all_splits(monkeypatch):
    differences = noisy(14, seed=2)
    exact = permutation_test(differences, 7)
    monkeypatch.setattr("pytest_reprotest.statistics.permutation.EXACT_SPLITS", 10)
    drawn = permutation_test(differences, 7)
    assert (exact.exact, drawn.exact) == (True, False)
    error = math.sqrt(exact.p_value / RESAMPLES)
    assert 0.01 < exact.p_value < 0.9
    assert drawn.p_value == pytest.approx(exact.p_value, abs=4 * error)


def test_drawn_splits_never_give_a_p_value_of_zero():
    calm = np.zeros((30, 40), dtype=int)
    wild = np.random.default_rng(0).integers(0, 2, (30, 40))
    differences = metrics.pairwise_differences(np.concatenate([calm, wild]))
    assert permutation_test(differences, 30).p_value == smallest_p(30) == 2 / (1 + RESAMPLES)


def test_the_sizes_decide_which_runs_are_the_first_group():
    differences = noisy(9, seed=3)
    order = [*range(6, 9), *range(6)]
    swapped = differences[np.ix_(order, order)]
    assert permutation_test(differences, 6).p_value == permutation_test(swapped, 3).p_value


def test_runs_that_all_differ_alike_give_no_evidence():
    assert permutation_test(np.ones((8, 8)) - np.eye(8), 4).p_value == 1.0


# --- Holm ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    """Reject i where every subset with i is rejected, each at |subset| times its smallest p."""
    everyone = range(len(p_values))
    expected = [
        max(
            min(1.0, len(subset) * min(p_values[j] for j in subset))
            for size in everyone
            for subset in itertools.combinations(everyone, size + 1)
            if index in subset
        )
        for index in everyone
    ]
    assert holm(p_values) == pytest.approx(expected, abs=EXACT)


def test_a_regularizer_that_gave_no_p_value_counts_all_the_same():
    first, missing, last = holm([0.01, math.nan, 0.02])
    assert (first, last) == (0.03, 0.04)
    assert math.isnan(missing)


def test_holm_goes_over_all_regularizers_of_the_audit():
    y_true = np.zeros(20, dtype=int)
    wild = np.eye(5, 20, dtype=int)
    calm = np.tile(y_true, (5, 1))
    groups = {
        "calm": TwoGroups.of_labels(calm, wild, y_true),
        "same": TwoGroups.of_labels(wild, wild, y_true),
    }
    found = compare_with_baseline(groups)
    assert list(found) == ["calm", "same"]
    assert found["calm"].p_value == pytest.approx(2 / 252)
    assert found["calm"].p_adjusted == pytest.approx(4 / 252)
    assert found["same"].p_adjusted == 1.0
    assert [f.n_compared for f in found.values()] == [2, 2]
    assert [f.status for f in found.values()] == ["better", "undecided"]


# --- what is said of it -------------------------------------------------------------------------

FOUND = Comparison(
    prediction_difference=Estimate(-0.012, -0.020, -0.004),
    effective_accuracy=Estimate(0.013, 0.003, 0.023),
    accuracy=Estimate(0.001, -0.003, 0.005),
    accuracy_low=-0.0022,
    accuracy_high=0.0042,
    p_value=0.008,
    p_adjusted=0.016,
    exact=True,
    n_runs=5,
    n_baseline=5,
    n_compared=2,
)


@pytest.mark.parametrize(
    ("value", "p", "status"),
    [
        (-0.01, 0.05, "better"),
        (0.01, 0.05, "worse"),
        (-0.01, 0.0501, "undecided"),
        (-0.01, math.nan, "undecided"),
    ],
)
def test_better_or_worse_takes_a_p_value_at_the_level(value, p, status):
    found = replace(FOUND, prediction_difference=Estimate(value), p_adjusted=p)
    assert found.status == status


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (-0.0049, 0.01, "not inferior"),
        (-0.005, 0.01, "undecided"),
        (-0.02, -0.005, "undecided"),
        (-0.02, -0.0051, "inferior"),
        (math.nan, math.nan, "undecided"),
    ],
)
def test_accuracy_is_judged_by_its_one_sided_bounds(low, high, status):
    found = replace(FOUND, accuracy_low=low, accuracy_high=high)
    assert found.accuracy_status == status


LOWER = replace(
    FOUND, accuracy=Estimate(-0.014, -0.019, -0.009), accuracy_low=-0.018, accuracy_high=-0.01
)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            FOUND,
            "dropout lowers the prediction difference by 1.2 points [0.4, 2.0], p = 0.016 after Holm; "
            "accuracy not inferior by more than 0.5 points",
        ),
        (
            replace(LOWER, prediction_difference=Estimate(0.012, 0.004, 0.02), n_compared=1),
            "dropout raises the prediction difference by 1.2 points [0.4, 2.0], p = 0.016; "
            "accuracy inferior by more than 0.5 points: -1.4 points [-1.9, -0.9]",
        ),
        (
            replace(LOWER, p_adjusted=0.43, accuracy_high=0.0),
            "whether dropout changes the prediction difference is undecided: -1.2 points [-2.0, -0.4], "
            "p = 0.43 after Holm; whether accuracy is inferior by more than 0.5 points is undecided: "
            "-1.4 points [-1.9, -0.9]",
        ),
        (
            replace(FOUND, p_value=0.1, p_adjusted=0.2, n_runs=3, n_baseline=3),
            "whether dropout changes the prediction difference is undecided: -1.2 points [-2.0, -0.4], "
            "p = 0.2 after Holm, and 3 against 3 runs can't give less than 0.2 after Holm; "
            "accuracy not inferior by more than 0.5 points",
        ),
        (
            replace(FOUND, p_adjusted=0.0002, prediction_difference=Estimate(-0.0004)),
            "dropout lowers the prediction difference by 0.04 points, p < 0.001 after Holm; "
            "accuracy not inferior by more than 0.5 points",
        ),
        (
            replace(FOUND, accuracy_low=math.nan, accuracy_high=math.nan, margin=0.01),
            "dropout lowers the prediction difference by 1.2 points [0.4, 2.0], p = 0.016 after Holm; "
            "accuracy not judged, which takes 3 runs of each",
        ),
        (
            replace(FOUND, p_value=math.nan, p_adjusted=math.nan, n_runs=0),
            "dropout can't be compared with the baseline: 0 against 5 runs, and it takes 2 of each",
        ),
    ],
)
def test_a_comparison_in_words(found, sentence):
    assert in_words("dropout", found) == sentence


def test_another_score_is_named():
    assert "R² not inferior by more" in in_words("dropout", FOUND, score="R²")


# --- what is too small, or all alike ------------------------------------------------------------


@given(two_groups(smallest=0))
def test_groups_of_any_size_are_compared_or_said_to_be_too_small(groups):
    own, base, y_true = groups
    found = compared(own, base, y_true)
    smallest = min(len(own), len(base))
    for name in METRICS:
        estimate = getattr(found, name)
        assert math.isnan(estimate.value) == (smallest < 2)
        assert math.isnan(estimate.low) == math.isnan(estimate.high) == (smallest < 3)
    assert math.isnan(found.accuracy_low) == (smallest < 3)
    assert math.isnan(found.p_value) == math.isnan(found.p_adjusted) == (smallest < 2)
    assert in_words("dropout", found).startswith(("dropout ", "whether dropout "))
    if smallest < 3:
        assert (found.status, found.accuracy_status) == ("undecided", "undecided")


def test_two_empty_groups_are_not_compared():
    nothing = np.empty((0, 4), dtype=int)
    found = compared(nothing, nothing, np.zeros(4, dtype=int))
    assert found.prediction_difference == UNKNOWN or math.isnan(found.prediction_difference.value)
    assert not found.can_decide


def test_runs_that_are_all_the_same_do_not_differ():
    y_true = np.array([0, 1, 1])
    runs = np.tile(y_true, (5, 1))
    found = compared(runs, runs, y_true)
    assert found.prediction_difference == Estimate(0.0, 0.0, 0.0)
    assert found.p_value == 1.0
    assert (found.status, found.accuracy_status) == ("undecided", "not inferior")


def test_no_regularizer_is_no_comparison():
    assert compare_with_baseline({}) == {}


# --- the study's test ---------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 0.1, 1.0])
def test_the_studys_p_value_says_how_many_pairs_there_are(scale):
    pairs = scale * np.random.default_rng(0).random(10)
    test = study_wilcoxon(pairs)
    assert test.p_value == 2 / 2**10
    assert "uninformative" in test.label


@pytest.mark.parametrize("pairs", [[0.1], [0.1, 0.1, 0.1], [0.0, 0.0, 0.2], [0.5] * 60])
def test_the_studys_p_value_takes_ties_zeros_and_few_pairs(pairs):
    assert 0 < study_wilcoxon(pairs).p_value <= 1


@pytest.mark.parametrize("pairs", [[], [0.0, 0.0, 0.0]])
def test_the_studys_p_value_is_unknown_where_no_two_runs_differ(pairs):
    assert math.isnan(study_wilcoxon(pairs).p_value)
