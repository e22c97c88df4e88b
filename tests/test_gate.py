import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import pseudo_values
from scipy import stats
from strategies import audits

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.statistics import gate as module
from pytest_reprotest.statistics.gate import Gate, bank_gate

EXACT = 1e-12
TIE = 1e-9


def random_differences(n_runs, seed=0, n_samples=500):
    """Pairwise differences of runs that flip unequally often."""
    rng = np.random.default_rng(seed)
    flips = rng.random((n_runs, n_samples)) < rng.uniform(0.05, 0.15, (n_runs, 1))
    return metrics.pairwise_differences(flips.astype(int))


def further(differences, n_new, by):
    """The same where every new run differs from every bank run by so much more."""
    moved = differences.copy()
    moved[:n_new, n_new:] += by
    moved[n_new:, :n_new] += by
    return moved


# --- a slow obvious reference -------------------------------------------------------------------


def slow_excess(exact, chosen):
    """Mean difference of chosen runs from the others, less that of two others; exact fractions."""
    others = [run for run in range(len(exact)) if run not in chosen]
    between = [exact[i][j] for i in chosen for j in others]
    within = [exact[i][j] for i, j in itertools.combinations(others, 2)]
    return sum(between) / Fraction(len(between)) - sum(within) / Fraction(len(within))


def fractions(differences):
    return [[Fraction(value).limit_denominator(10_000) for value in row] for row in differences]


@st.composite
def ranked(draw):
    """Differences and a number of new runs that ranks can fail."""
    predictions, _ = draw(audits(min_runs=6, max_runs=9, max_samples=30))
    n_new = draw(st.integers(1, len(predictions) - 3))
    choices = math.comb(len(predictions), n_new)
    alpha = draw(st.sampled_from([0.05, 0.1, 0.2]))
    differences = metrics.pairwise_differences(predictions)
    return differences, n_new, alpha, choices


@given(ranked())
def test_a_gate_by_rank_is_the_share_of_choices(case):
    differences, n_new, alpha, choices = case
    found = bank_gate(differences, n_new, alpha)
    exact = fractions(differences)
    n_all = len(differences)
    excesses = [
        slow_excess(exact, chosen) for chosen in itertools.combinations(range(n_all), n_new)
    ]
    assert found.excess == pytest.approx(float(excesses[0]), abs=EXACT)
    if found.method == "rank":
        count = sum(excess >= excesses[0] for excess in excesses)
        assert found.exact
        assert found.p_value == pytest.approx(count / choices, abs=EXACT)
        assert found.failed == (Fraction(count, choices) <= Fraction(alpha).limit_denominator(100))
    else:
        needed = 2 if 2 * n_new == n_all else 1
        assert math.floor(alpha * choices + TIE) < needed


@pytest.mark.parametrize(("n_bank", "n_new"), [(3, 1), (5, 1), (18, 1), (3, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_a_gate_by_t_takes_half_the_deviation_of_the_pseudo_values(n_bank, n_new, seed):
    differences = random_differences(n_bank + n_new, seed)
    found = bank_gate(differences, n_new)
    exact = fractions(differences)

    def own(runs):
        pairs = list(itertools.combinations(runs, 2))
        return sum(exact[i][j] for i, j in pairs) / Fraction(len(pairs))

    spread = (
        np.std([float(v) for v in pseudo_values(own, range(n_new, n_bank + n_new))], ddof=1) / 2
    )
    excess = float(slow_excess(exact, tuple(range(n_new))))
    null = np.sort(module._null(n_bank, n_new))
    share = (1 + (null * spread >= excess).sum()) / (1 + len(null))
    critical = null[-math.floor(0.05 * (1 + len(null)))]
    assert (found.method, found.exact) == ("t", False)
    assert found.p_value == pytest.approx(share, abs=1e-5)
    assert found.limit == pytest.approx(found.bank + critical * spread, abs=EXACT)
    assert found.bank == pytest.approx(float(own(range(n_new, n_bank + n_new))), abs=EXACT)
    assert found.new == pytest.approx(differences[:n_new, n_new:].mean(), abs=EXACT)


# --- what fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_bank", "n_new"), [(3, 1), (10, 1), (4, 3), (5, 5), (20, 1), (19, 3)])
@pytest.mark.parametrize("seed", range(4))
def test_the_limit_is_where_it_starts_to_fail(n_bank, n_new, seed):
    differences = random_differences(n_bank + n_new, seed)
    found = bank_gate(differences, n_new)
    assert found.failed == (found.new > found.limit)
    for by, failed in ((-1e-6, False), (1e-6, True)):
        moved = bank_gate(further(differences, n_new, found.limit - found.new + by), n_new)
        assert moved.failed == failed
        assert moved.limit == pytest.approx(found.limit, abs=1e-9)


@pytest.mark.parametrize(("n_bank", "n_new"), [(10, 1), (6, 3), (25, 1)])
def test_the_further_the_new_runs_the_smaller_the_p_value(n_bank, n_new):
    differences = random_differences(n_bank + n_new)
    steps = [bank_gate(further(differences, n_new, by), n_new) for by in np.linspace(-0.15, 0.2, 9)]
    p_values = [gate.p_value for gate in steps]
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[0] > 0.9
    assert p_values[-1] <= 0.05


@pytest.mark.parametrize(
    ("n_bank", "n_new", "alpha"),
    [(19, 1, 0.05), (25, 1, 0.05), (5, 3, 0.05), (6, 2, 0.1), (4, 4, 0.05)],
)
def test_whichever_runs_are_the_new_ones_no_more_than_alpha_of_the_choices_fail(
    n_bank, n_new, alpha
):
    """Exact under exchangeability: every choice of the new runs is as likely."""
    n_all = n_bank + n_new
    differences = random_differences(n_all, seed=1, n_samples=100_003)
    p_values = []
    for chosen in itertools.combinations(range(n_all), n_new):
        order = [*chosen, *(run for run in range(n_all) if run not in chosen)]
        p_values.append(bank_gate(differences[np.ix_(order, order)], n_new, alpha).p_value)
    count = len(p_values)
    assert sorted(p_values) == pytest.approx(np.arange(1, count + 1) / count)  # no ties
    assert sum(p <= alpha for p in p_values) == math.floor(alpha * count + TIE)


def test_a_long_tail_takes_a_larger_limit_than_students():
    for n_bank, n_new in ((3, 1), (5, 1), (10, 1), (18, 1)):
        critical = np.quantile(module._null(n_bank, n_new), 0.95)
        student = stats.t.isf(0.05, n_bank - 1) * math.sqrt(1 / n_new + 1 / n_bank)
        assert 1.3 * student < critical < 2.2 * student


def test_the_null_is_that_of_exponential_runs():
    """The mean of one exponential run less that of a bank, by the bank's deviation: another seed agrees."""
    rng = np.random.default_rng(7)
    bank, new = rng.exponential(size=(100_000, 5)), rng.exponential(size=100_000)
    ratios = (new - bank.mean(axis=1)) / bank.std(axis=1, ddof=1)
    share = (ratios > np.quantile(module._null(5, 1), 0.95)).mean()
    assert share == pytest.approx(
        0.05, abs=4 * math.sqrt(0.05 * 0.95 / 100_000 + 0.05 * 0.95 / 200_000)
    )


# --- which method -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_bank", "n_new", "alpha", "method"),
    [
        (18, 1, 0.05, "t"),
        (19, 1, 0.05, "rank"),
        (98, 1, 0.01, "t"),
        (99, 1, 0.01, "rank"),
        (4, 2, 0.05, "t"),
        (5, 2, 0.05, "rank"),
        (3, 3, 0.05, "t"),
        (3, 4, 0.05, "rank"),
        (4, 3, 0.05, "rank"),
    ],
)
def test_ranks_judge_wherever_they_can_fail(n_bank, n_new, alpha, method):
    found = bank_gate(random_differences(n_bank + n_new), n_new, alpha)
    assert found.method == method
    assert bank_gate(further(random_differences(n_bank + n_new), n_new, 0.9), n_new, alpha).failed


def test_choices_are_drawn_where_there_are_too_many_and_come_near_all_of_them(monkeypatch):
    differences = random_differences(13, seed=5)
    exact = bank_gate(differences, 3)
    monkeypatch.setattr(module, "EXACT_CHOICES", 10)
    module._choices.cache_clear()
    drawn = bank_gate(differences, 3)
    assert drawn == bank_gate(differences, 3)
    assert drawn != bank_gate(differences, 3, seed=1)
    module._choices.cache_clear()
    assert (exact.exact, drawn.exact) == (True, False)
    assert 0.01 < exact.p_value < 0.99
    error = math.sqrt(exact.p_value * (1 - exact.p_value) / 9_999)
    assert drawn.p_value == pytest.approx(exact.p_value, abs=4 * error)


def test_drawn_choices_never_give_a_p_value_of_zero():
    found = bank_gate(further(random_differences(55), 5, 0.5), 5)
    assert (found.exact, found.p_value) == (False, 1 / 10_000)


# --- runs that are all alike --------------------------------------------------------------------


@pytest.mark.parametrize("n_bank", [3, 19])
def test_a_bank_of_identical_runs_lets_only_the_same_pass(n_bank):
    differences = np.zeros((n_bank + 1, n_bank + 1))
    same = bank_gate(differences, 1)
    assert (same.p_value, same.failed, same.limit) == (1.0, False, 0.0)
    other = bank_gate(further(differences, 1, 0.002), 1)
    assert other.failed
    assert other.limit == 0.0


# --- what is said and refused -------------------------------------------------------------------

PASSED = Gate("t", 0.0431, 0.0400, 0.0525, 0.19, False, 1, 5)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            PASSED,
            "1 new run differs from the 5 runs of the bank by 0.0431, and those from each other by 0.0400; "
            "expected at most 0.0525 (p = 0.19 by t, level 0.05)",
        ),
        (
            Gate("rank", 0.0612, 0.0400, 0.0525, 0.0002, True, 3, 30, 0.01),
            "3 new runs differ from the 30 runs of the bank by 0.0612, and those from each other by 0.0400; "
            "expected at most 0.0525 (p < 0.001 by rank, level 0.01)",
        ),
        (
            Gate("rank", 0.05250002, 0.04, 0.0525, 0.04, True, 1, 30),
            "1 new run differs from the 30 runs of the bank by 0.05250002, and those from each other by "
            "0.04000000; expected at most 0.05250000 (p = 0.04 by rank, level 0.05)",
        ),
    ],
)
def test_a_gate_in_words(found, sentence):
    assert str(found) == sentence


@pytest.mark.parametrize(("n_bank", "told"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs")])
def test_a_bank_that_is_too_small_is_refused(n_bank, told):
    with pytest.raises(DataError) as refused:
        bank_gate(np.zeros((n_bank + 1, n_bank + 1)), 1)
    assert str(refused.value) == (
        f"the bank holds {told}; expected at least 3, since fewer don't say how much runs of it differ. "
        "Make a new bank with more runs"
    )


def test_no_new_run_is_refused():
    with pytest.raises(DataError, match="no new run to hold against the bank; expected at least 1"):
        bank_gate(np.zeros((5, 5)), 0)


@pytest.mark.parametrize("alpha", [0.0, 1e-5, 0.5, 1.0])
def test_a_level_that_can_not_be_told_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha is"):
        bank_gate(np.zeros((5, 5)), 1, alpha)
