import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_reprotest.errors import OptionError
from pytest_reprotest.statistics.sequential import (
    TAIL,
    Decision,
    levels,
    looks,
    runs_to_decide,
    spent,
)

PLANS = [(3, 5, 8, 12, 20), (5, 8, 12, 20), (5, 20), (20,), (5,)]

# --- the looks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "max_runs", "planned"),
    [
        (5, 20, (5, 8, 12, 20)),
        (3, 20, (3, 5, 8, 12, 20)),
        (2, 20, (3, 5, 8, 12, 20)),
        (2, 2, (2,)),
        (2, 3, (3,)),
        (10, 10, (10,)),
        (6, 7, (6, 7)),
        (5, 45, (5, 8, 12, 20, 30, 45)),
        (20, 500, (20, 30, 50, 80, 120, 200, 300, 500)),
    ],
)
def test_looks(runs, max_runs, planned):
    assert looks(runs, max_runs) == planned


@given(st.integers(2, 60), st.integers(0, 2000))
def test_looks_grow_from_the_first_runs_to_the_last(runs, more):
    planned = looks(runs, runs + more)
    assert list(planned) == sorted(set(planned))
    assert planned[0] == min(max(runs, 3), runs + more)
    assert planned[-1] == runs + more


def test_fewer_runs_at_most_than_at_first_are_refused():
    with pytest.raises(OptionError) as refused:
        looks(8, 5)
    assert str(refused.value) == (
        "max_runs=5 is below runs=8; expected at least as many. Raise max_runs, or leave it out to train "
        "a fixed number of runs"
    )


# --- what they may spend ------------------------------------------------------------------------


@given(st.floats(0.001, 0.4))
def test_all_is_spent_in_the_end_and_nothing_before(alpha):
    fractions = np.linspace(0, 1, 21)
    used = [spent(fraction, alpha) for fraction in fractions]
    assert used[0] == 0.0
    assert used[-1] == pytest.approx(alpha, abs=1e-12)
    assert used == sorted(used)
    # early looks get more than their share
    assert all(u >= alpha * f - 1e-12 for u, f in zip(used, fractions, strict=True))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.025])
def test_one_look_at_normal_runs_has_the_level_itself(alpha):
    assert levels((7,), alpha) == (alpha,)


@pytest.mark.parametrize("planned", PLANS)
def test_the_first_look_spends_its_share(planned):
    """Its statistic is a plain t, so its level is what may be spent by then."""
    first = levels(planned, 0.05)[0]
    share = spent(planned[0] / planned[-1], 0.05)
    assert first == pytest.approx(share, abs=4 * math.sqrt(share / 200_000))


def first_passage(planned, alpha, skewness, draw, paths=100_000, seed=11):
    """How often runs of mean 0 cross by each look, drawn independently of the levels' own simulation."""
    rng = np.random.default_rng(seed)
    runs = draw(rng, (paths, planned[-1]))
    crossed = np.zeros(paths, dtype=bool)
    by_look = []
    for n_runs, level in zip(planned, levels(planned, alpha, skewness), strict=True):
        part = runs[:, :n_runs]
        t = -part.mean(axis=1) / (part.std(axis=1, ddof=1) / math.sqrt(n_runs))
        crossed |= t > stats.t.isf(level, n_runs - 1)
        by_look.append(crossed.mean())
    return by_look


def normal(rng, shape):
    return rng.standard_normal(shape)


def exponential(rng, shape):
    return rng.standard_exponential(shape) - 1


@pytest.mark.parametrize("planned", [(3, 5, 8, 12, 20), (5, 20)])
@pytest.mark.parametrize(("skewness", "draw"), [(0.0, normal), (TAIL, exponential)])
def test_by_each_look_as_much_is_spent_as_may_be(planned, skewness, draw):
    found = first_passage(planned, 0.05, skewness, draw)
    wanted = [spent(n_runs / planned[-1], 0.05) for n_runs in planned]
    # both simulations err: that of the levels with 200,000 paths, this one with 100,000
    for share, allowed in zip(found, wanted, strict=True):
        error = math.sqrt(allowed * (1 - allowed) * (1 / 200_000 + 1 / 100_000))
        assert share == pytest.approx(allowed, abs=4 * error)


def test_levels_for_normal_runs_err_too_often_where_there_is_a_tail():
    assert first_passage((3, 5, 8, 12, 20), 0.05, 0.0, exponential)[-1] > 0.12


@pytest.mark.parametrize("planned", PLANS)
def test_a_tail_takes_smaller_levels(planned):
    assert all(
        tailed < plain
        for tailed, plain in zip(levels(planned, 0.05, TAIL), levels(planned, 0.05), strict=True)
    )


@pytest.mark.parametrize("planned", PLANS)
@pytest.mark.parametrize("skewness", [0.0, TAIL])
def test_a_smaller_error_takes_smaller_levels(planned, skewness):
    by_alpha = [levels(planned, alpha, skewness) for alpha in (0.01, 0.025, 0.05, 0.1)]
    for smaller, larger in itertools.pairwise(by_alpha):
        assert all(a < b for a, b in zip(smaller, larger, strict=True))


def test_levels_are_the_same_every_time():
    first = levels((4, 9), 0.05)
    levels.cache_clear()
    assert levels((4, 9), 0.05) == first


# --- decisions ----------------------------------------------------------------------------------


def test_the_error_of_a_fail_is_shared_among_limits_and_that_of_a_pass_is_not():
    decision = Decision("confidence", looks=(5, 8, 12, 20))
    one, three = decision.levels(8), decision.levels(8, limits=3)
    assert one[0] == three[0] == levels((5, 8, 12, 20), 0.05, TAIL)[1]
    assert one[1] == levels((5, 8, 12, 20), 0.05)[1]
    assert three[1] == levels((5, 8, 12, 20), 0.05 / 3)[1]
    assert Decision("confidence").levels(10, limits=5)[1] == 0.01


def test_a_confidence_is_one_less_the_error():
    assert Decision("confidence", confidence=0.9).levels(10)[1] == 0.1
    assert Decision("confidence", confidence=0.99).levels(10)[1] == 0.01


def test_no_look_but_the_planned_ones():
    decision = Decision("confidence", looks=(5, 8))
    with pytest.raises(ValueError, match=r"no look is planned at 6 runs; expected one of \(5, 8\)"):
        decision.levels(6)
    assert [decision.last(n_runs) for n_runs in (5, 8, 9)] == [False, True, True]
    assert Decision().last(2)


# --- how many runs would decide -----------------------------------------------------------------


@given(st.floats(0.1, 3.0), st.sampled_from([0.05, 0.01, 0.001]))
def test_the_runs_that_decide_are_the_fewest(distance, level):
    enough = runs_to_decide(distance, 1.0, level)

    def clears(runs):
        reach = stats.t.isf(level, runs - 1) + stats.t.ppf(0.8, runs - 1)
        return reach / math.sqrt(runs) <= distance

    if enough is None:
        assert not clears(1000)
    else:
        assert clears(enough)
        assert enough == 2 or not clears(enough - 1)


def test_at_the_limit_no_number_of_runs_decides_and_without_spread_two_do():
    assert runs_to_decide(0.0, 0.1, 0.05) is None
    assert runs_to_decide(1e-6, 1.0, 0.05) is None
    assert runs_to_decide(0.1, 0.0, 0.05) == 2
