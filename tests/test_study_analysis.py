"""Main effects by hand, and the permutation test against the package's own; error rates in small."""

from dataclasses import replace

import calibration_study
import numpy as np
import pytest
from calibration_study import grid
from regularizer_study.analysis import effects, permutation_p, ranking, replicated
from regularizer_study.factors import published_cell
from regularizer_study.records import Record
from scipy import stats
from test_calibration import check

from pytest_reprotest.metrics import Tally
from pytest_reprotest.statistics.permutation import permutation_test


def cell(depth=6, optimizer="sgd", decay=0.0, norm="none", residual=False):
    return published_cell("mnist", depth, optimizer, decay, norm, residual)


def tally(correct, disagreements=(4, 4, 4), n_cells=100):
    return Tally(np.array(correct), np.array(disagreements), n_cells)


def test_an_effect_is_the_mean_difference_of_pairs_with_welchs_interval():
    runs = {
        cell(): [90, 92, 94],
        cell(decay=1e-4): [91, 91, 97],
        cell(residual=True): [80, 81, 85],
        cell(residual=True, decay=1e-4): [84, 84, 84],
    }
    found = {
        (e.factor, e.level): e
        for e in effects({each: tally(correct) for each, correct in runs.items()}, "score")
    }

    decay = found["weight_decay", "0.0001"]
    a, b, c, d = (np.array(correct) / 100 for correct in runs.values())
    change = (b.mean() - a.mean() + d.mean() - c.mean()) / 2
    shares = [x.var(ddof=1) / 3 / 4 for x in (a, b, c, d)]
    freedom = sum(shares) ** 2 / sum(share**2 / 2 for share in shares)
    half = stats.t.ppf(0.975, freedom) * sum(shares) ** 0.5
    assert (decay.n_pairs, decay.n_lower) == (2, 0)
    assert decay.change.value == pytest.approx(change)
    assert decay.change.high == pytest.approx(change + half)
    assert decay.change.low == pytest.approx(change - half)
    assert decay.p_value == pytest.approx(2 * stats.t.sf(change / sum(shares) ** 0.5, freedom))
    residual = found["residual", "True"]
    assert (residual.n_pairs, residual.n_lower) == (2, 2)
    assert set(found) == {("weight_decay", "0.0001"), ("residual", "True")}
    smaller, larger = sorted([decay.p_value, residual.p_value])
    assert sorted([decay.p_adjusted, residual.p_adjusted]) == pytest.approx(
        [min(2 * smaller, 1), min(max(2 * smaller, larger), 1)]
    )


def test_pairs_follow_the_studys_tied_stages():
    tallies = {each: tally([90, 92, 94]) for each in grid()}

    found = {(e.factor, e.level): e.n_pairs for e in effects(tallies, "score")}

    assert found == {
        ("optimizer", "momentum"): 30,
        ("optimizer", "adam"): 30,
        ("depth", "6"): 18,
        ("depth", "20"): 18,
        ("norm", "layer"): 30,
        ("norm", "batch"): 30,
        ("weight_decay", "0.0001"): 45,
        ("residual", "True"): 36,
    }


def test_a_replicate_is_held_against_the_cell_that_trains_the_same_net():
    same = tally([90, 92, 94])
    tallies = {cell(depth=2): same, cell(depth=2, residual=True): tally([91, 93, 95]), cell(): same}
    (found,) = replicated(tallies, "score")

    assert found.change.value == pytest.approx(0.01)
    assert (found.factor, found.n_pairs) == ("replicate", 1)


def test_cells_without_any_spread_have_no_test():
    same = {cell(): tally([9, 9, 9]), cell(decay=1e-4): tally([8, 8, 8])}
    (found,) = effects(same, "score")

    assert found.change.value == pytest.approx(-0.01)
    assert np.isnan([found.change.low, found.p_value, found.p_adjusted]).all()


@pytest.fixture
def audited():
    generator = np.random.default_rng(0)
    n_runs, n_samples = 12, 200
    labels = (generator.random((n_runs, n_samples)) < 0.1).astype(int)
    labels[4:8] = generator.random((4, n_samples)) < 0.3
    labels[8:] = labels[8]
    labels[9, :3] = 1 - labels[9, :3]
    differing = [
        int((labels[i] != labels[j]).sum()) for i in range(n_runs) for j in range(i + 1, n_runs)
    ]
    correct = tuple(int(count) for count in (labels == 0).sum(1))
    names = ("none", "dropout", "ema")
    return Record("digits", names, (4, 4, 4), n_samples, correct, tuple(differing), {}, {}, {})


def test_the_permutation_test_of_pd_is_the_packages(audited):
    for label in ("dropout", "ema"):
        own, base = audited.place(label), audited.place("none")
        both = np.r_[own, base]
        expected = permutation_test(audited.matrix[np.ix_(both, both)] / 200, 4)
        assert permutation_p(audited, label, "none", "prediction_difference") == pytest.approx(
            expected.p_value
        )


def test_a_ranking_is_best_first_with_holm_over_the_others(audited):
    by_pd = ranking(audited, "prediction_difference")
    assert [each.label for each in by_pd] == ["ema", "none", "dropout"]
    by_eta = ranking(audited, "effective_score")
    assert by_eta[-1].label == "dropout"
    p_values = {each.label: each for each in by_pd}
    assert np.isnan(p_values["none"].p_value)
    assert p_values["ema"].p_value == pytest.approx(2 / 70)
    assert p_values["ema"].p_adjusted == pytest.approx(4 / 70)
    assert p_values["ema"].change == pytest.approx(
        audited.tally("ema").prediction_difference - audited.tally("none").prediction_difference
    )


def test_a_broken_regularizer_is_in_no_ranking(audited):
    without = replace(audited, broken={"dropout": "one class"})
    assert {each.label for each in ranking(without, "score")} == {"none", "ema"}


def test_effects_are_called_ones_as_rarely_as_they_should():
    check(calibration_study.family(60, 1, settings=("moderate",)), count=4)


def test_intervals_of_effects_cover():
    check(calibration_study.coverage(20, 1, settings=("moderate",)), count=4)


def test_rankings_err_as_rarely_as_they_should():
    check(calibration_study.rankings(60, 1, settings=("moderate",), n_runs=6), count=4)
