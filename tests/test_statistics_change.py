"""The change between two groups of runs, held to its definition and to what it promises to cover."""

import math
from fractions import Fraction

import numpy as np
import pytest
import reference
import strategies
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from simulation import make_population

from pytest_reprotest.statistics import Estimate
from pytest_reprotest.statistics.change import contrasts, two_groups

MEASURES = ("accuracy", "effective_accuracy", "prediction_difference", "negative_flips")


def lost(first, second, y_true):
    """Fraction of samples that one run has right and another wrong."""
    pairs = zip(first, second, y_true, strict=True)
    return Fraction(sum(a == t != b for a, b, t in pairs), len(y_true))


def mean(values):
    values = list(values)
    return sum(values) / Fraction(len(values))


def within(old, y_true):
    return mean(
        lost(old[i], old[j], y_true) for i in range(len(old)) for j in range(len(old)) if i != j
    )


def between(old, new, y_true, paired):
    """``old`` and ``new`` are lists of (index, run)."""
    return mean(
        lost(was, now, y_true) for i, was in old for j, now in new if not (paired and i == j)
    )


def changes(new, old, y_true, paired):
    """Each measure's change by its definition, for lists of (index, run)."""
    runs = [[run for _, run in group] for group in (new, old)]
    return {
        "accuracy": reference.accuracy(runs[0], y_true) - reference.accuracy(runs[1], y_true),
        "effective_accuracy": reference.effective_accuracy(runs[0], y_true)
        - reference.effective_accuracy(runs[1], y_true),
        "prediction_difference": reference.prediction_difference(runs[0])
        - reference.prediction_difference(runs[1]),
        "negative_flips": between(old, new, y_true, paired) - within(runs[1], y_true),
    }


@st.composite
def two_audits(draw):
    predictions, y_true = draw(strategies.audits(min_runs=6, max_runs=9, max_samples=6))
    cut = draw(st.integers(3, len(predictions) - 3))
    return predictions[:cut], predictions[cut:], y_true, draw(st.booleans())


@given(two_audits())
def test_every_change_is_that_of_its_definition_also_without_each_run(drawn):
    new, old, y_true, paired = drawn
    listed = [list(enumerate(group.tolist())) for group in (new, old)]
    truth = y_true.tolist()
    found = contrasts(new, old, y_true, paired)
    expected = changes(*listed, truth, paired)
    assert tuple(found) == MEASURES
    for name in MEASURES:
        contrast = found[name]
        assert contrast.new - contrast.old == pytest.approx(float(expected[name]), abs=1e-12)
    for run in range(len(new)):
        without = changes(listed[0][:run] + listed[0][run + 1 :], listed[1], truth, paired)
        for name in MEASURES:
            left = found[name].left_out_new[run]
            assert left == pytest.approx(float(without[name]), abs=1e-12)
    for run in range(len(old)):
        without = changes(listed[0], listed[1][:run] + listed[1][run + 1 :], truth, paired)
        for name in MEASURES:
            left = found[name].left_out_old[run]
            assert left == pytest.approx(float(without[name]), abs=1e-12)


def test_negative_flips_stand_beside_those_among_old_runs():
    old, new = np.array([[0, 1, 1, 1], [0, 0, 1, 1]]), np.array([[1, 1, 1, 0], [1, 1, 1, 1]])
    flips = contrasts(new, old, np.array([0, 1, 1, 1]))["negative_flips"]
    assert flips.old == 1 / 8  # the first has a sample right that the second has wrong
    assert flips.new == (2 + 1 + 2 + 1) / 4 / 4


def test_a_training_that_is_run_again_from_the_same_seeds_flips_no_more_than_before():
    runs = np.array([[0, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    flips = contrasts(runs, runs, np.array([0, 1, 1, 1]), paired=True)["negative_flips"]
    assert flips.new == flips.old
    unpaired = contrasts(runs, runs, np.array([0, 1, 1, 1]))["negative_flips"]
    assert unpaired.new == pytest.approx(flips.old * 2 / 3)


def test_the_interval_of_two_means_is_welchs():
    a, b = np.array([1.0, 2.0, 4.0, 4.5]), np.array([0.5, 0.6, 0.9])
    value = a.mean() - b.mean()
    left_a = (a.sum() - a) / 3 - b.mean()
    left_b = a.mean() - (b.sum() - b) / 2
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    found = two_groups(value, left_a, left_b, confidence=0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_groups_that_do_not_vary_have_an_interval_of_no_width():
    steady = np.array([0.25, 0.25])
    assert two_groups(0.25, steady, steady) == Estimate(0.25, 0.25, 0.25)


def test_two_runs_give_no_interval_for_what_needs_three():
    old, new = np.array([[0, 1, 1]] * 3), np.array([[0, 1, 0], [0, 1, 1]])
    found = contrasts(new, old, np.array([0, 1, 1]))
    assert math.isnan(found["prediction_difference"].change().low)
    assert not math.isnan(found["accuracy"].change().low)
    assert math.isnan(contrasts(old, new, np.array([0, 1, 1]))["negative_flips"].change().low)


def test_large_test_sets_are_counted_exactly_in_parts(monkeypatch):
    from pytest_reprotest.statistics import change

    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 3, 50)
    old, new = rng.integers(0, 3, (3, 50)), rng.integers(0, 3, (4, 50))
    whole = contrasts(new, old, y_true)["negative_flips"]
    monkeypatch.setattr(change, "_ROWS", 7)
    parts = contrasts(new, old, y_true)["negative_flips"]
    assert (parts.old, parts.new) == (whole.old, whole.new)
    assert parts.left_out_old.tolist() == whole.left_out_old.tolist()


def test_intervals_cover_as_often_as_they_say():
    """Without a change, so that the truth is 0: 93 to 98.5% of 600 replications."""
    population = make_population("moderate", 300)
    rng = np.random.default_rng(1)
    draws = population.draw(5, rng, replications=1200)
    covered = dict.fromkeys(MEASURES, 0)
    for new, old in zip(draws[:600], draws[600:], strict=True):
        for name, contrast in contrasts(new, old, population.y_true).items():
            interval = contrast.change()
            covered[name] += interval.low <= 0 <= interval.high
    for name, count in covered.items():
        assert 0.93 * 600 <= count <= 0.985 * 600, name
