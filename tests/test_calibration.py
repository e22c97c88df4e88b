"""Every section of the calibration in small: error rates held to their goals, within the simulation's error.

The full one is benchmarks/calibration.py.
"""

import math
import sys

import calibration
import calibration_attribution
import calibration_gates
import numpy as np
import pytest
from calibration import COVERAGE, TYPE_1
from calibration_gates import LOOKS, Growth, Mean
from rates import Rate, report
from simulation import accuracies, make_population, pairwise

from pytest_reprotest import metrics
from pytest_reprotest.statistics.intervals import reach, spread, summarize
from pytest_reprotest.statistics.sequential import Decision


def check(rates, count):
    """Each within its goal, or at most 3 binomial errors outside; and as many as expected have a goal."""
    held = [rate for rate in rates if rate.goal]
    assert len(held) == count
    for rate in held:
        low = 0.0 if rate.low is None else rate.low
        high = 1.0 if rate.high is None else rate.high
        nearest = min(max(rate.value, low), high)
        error = math.sqrt(nearest * (1 - nearest) / rate.of)
        assert abs(rate.value - nearest) <= 3 * error, report("outside its goal", [rate])


def test_intervals_cover():
    found = calibration.intervals(300, 1, settings=("moderate",), runs=(3, 5, 10, 20))
    check(found, count=16)


def test_intervals_of_differences_cover():
    found = calibration.differences(200, 1, settings=("moderate",), runs=((3, 3), (5, 5), (5, 10)))
    check(found, count=9)


def test_the_permutation_test_keeps_its_level_where_means_differ():
    found = calibration.permutation(
        400, 1, settings=("moderate",), shifts=(0.0, -0.05), runs=((5, 5), (5, 10))
    )
    check(found, count=3)  # of unequal groups with unequal means it is told, not held


def test_runs_that_vary_unequally_much_are_told():
    found = calibration.unlike(5, 1)
    assert len(found) == 12
    assert not any(rate.goal for rate in found)


def test_holm_keeps_the_level_of_the_family():
    check(calibration.family(200, 1, settings=("moderate",), runs=(6,)), count=2)


def test_accuracy_is_rarely_called_wrongly_at_the_margin():
    check(calibration.accuracy(300, 1, settings=("strong",), runs=(3, 10)), count=4)


def test_the_permutation_test_finds_more_the_larger_the_change():
    found = {(rate.case, rate.runs): rate.value for rate in calibration.power(40, 1)}
    assert found["moderate, PD × 1.25", "5"] < found["moderate, PD × 1.5", "5"]
    assert found["moderate, PD × 1.5", "12"] > 0.9


@pytest.mark.parametrize("setting", ["none", "moderate", "strong"])
def test_decisions_at_planned_looks_err_as_rarely_as_they_say(setting):
    check(calibration_gates.errors(500, 1, settings=(setting,)), count=10)


def test_an_audit_stops_early_where_the_limit_is_far():
    found = calibration_gates.savings(
        300, 1, settings=("moderate",), looks=(LOOKS[1],), metrics=("PD",)
    )
    held = [rate for rate in found if rate.goal]
    assert len(held) == 2
    assert not any(rate.missed for rate in found)
    by_distance = [rate.value for rate in found[:3]]
    assert by_distance == sorted(by_distance, reverse=True)


@pytest.mark.parametrize(("n_bank", "n_new"), [(5, 1), (10, 1), (5, 3), (19, 1), (19, 3)])
def test_the_gate_with_a_bank_raises_few_false_alarms(n_bank, n_new):
    sizes = ((n_bank, n_new),)
    found = calibration_gates.bank(300, 1, settings=("none", "strong"), sizes=sizes)
    check(found, count=2)


def test_the_gate_with_a_bank_finds_what_changed():
    (same,) = calibration_gates.bank(200, 1, settings=("moderate",), sizes=((19, 3),))
    (changed,) = calibration_gates.bank(
        200,
        1,
        settings=("moderate",),
        sizes=((19, 3),),
        change=lambda base: base.with_difference(1.5),
    )
    assert changed.value > 0.8 > 10 * same.value


def test_intervals_of_shares_cover():
    found = calibration_attribution.shares(
        250, 1, settings=("strong",), levels=(0.03,), parts=(0.5, 0.1), runs=(5, 10)
    )
    check(found, count=4)


def test_where_hardly_any_sample_differs_a_share_has_no_interval():
    (found,) = calibration_attribution.shares(
        100, 1, settings=("moderate",), levels=(0.01,), parts=(0.01,), runs=(5,)
    )
    assert found.of < 50
    assert not found.goal


def test_the_share_of_an_ulp_that_is_lost_in_some_runs_is_told():
    (found,) = calibration_attribution.nudged(
        150, 1, settings=("moderate",), levels=(0.1,), stills=(0.5,), runs=(10,)
    )
    assert not found.goal
    assert found.value > 0.9


def test_a_rung_differs_as_much_as_its_fixed_noise_says():
    ladder = calibration_attribution.Ladder(calibration_attribution.at_level("moderate", 0.1), 0.5)
    rng = np.random.default_rng(0)
    _, rung, margins = ladder.draw(200, rng, 1)
    assert pairwise(rung)[0].sum() / (200 * 199) == pytest.approx(
        ladder.difference(margins[0]), rel=0.03
    )


def test_after_stopping_as_decided_coverage_is_told():
    found = calibration_gates.stopped(
        300, 1, settings=("moderate",), looks=(LOOKS[1],), distances=(-2.0, 1.0)
    )
    assert not any(rate.goal for rate in found)
    assert all(0.8 < rate.value < 0.99 for rate in found)


def test_after_stopping_as_decided_the_permutation_test_is_told():
    (found,) = calibration_gates.stopped_comparison(
        60, 1, settings=("moderate",), planned=(3, 5), distances=(2.0,), shifts=(0.0,)
    )
    assert found.of == 60
    assert found.value < 0.17


# --- what has to fail, does ---------------------------------------------------------------------


def test_pairs_taken_for_a_sample_fail():
    found = calibration.controls(150, 1, runs=(5, 10))
    assert len(found) == 4
    assert all(rate.control and rate.met for rate in found)


def test_levels_for_normal_runs_pass_wrongly_too_often(monkeypatch):
    monkeypatch.setattr("pytest_reprotest.statistics.sequential.TAIL", 0.0)
    found = calibration_gates.errors(500, 1, settings=("strong",), looks=(LOOKS[0],))
    passes = [rate for rate in found if "passes" in rate.what]
    assert all(rate.missed for rate in passes)


@pytest.mark.parametrize(
    ("rate", "verdict", "missed"),
    [
        (Rate("", "", "", 95, 100, *COVERAGE), "met", False),
        (Rate("", "", "", 91, 100, *COVERAGE), "within error", False),
        (Rate("", "", "", 80, 100, *COVERAGE), "MISSED", True),
        (Rate("", "", "", 20, 100, *TYPE_1), "MISSED", True),
        (Rate("", "", "", 60, 100, *COVERAGE, control=True), "control: fails", False),
        (Rate("", "", "", 92, 100, *COVERAGE, control=True), "control: HOLDS", True),
        (Rate("", "", "", 60, 100), "", False),
        (Mean("", "", "", 120, 100), "", False),
        (Mean("", "", "", 60, 100, high=0.5, standard_error=0.01), "MISSED", True),
    ],
)
def test_what_is_missed(rate, verdict, missed):
    assert (rate.verdict, rate.missed) == (verdict, missed)


@pytest.mark.parametrize(("hits", "status"), [(95, 0), (50, 1)])
def test_a_missed_goal_is_the_exit_status(monkeypatch, capsys, hits, status):
    def section(replications, seed):
        return [Rate("it covers", "moderate", "5", hits, replications, *COVERAGE)]

    monkeypatch.setitem(calibration.SECTIONS, "intervals", ("Intervals", section))
    monkeypatch.setattr(
        sys, "argv", ["calibration.py", "--only", "intervals", "--replications", "100"]
    )
    assert calibration.main() == status
    told = capsys.readouterr().out
    assert f"{hits}.0 ±" in told
    assert told.endswith("nothing missed\n" if not status else "1 missed\n")


def test_the_sections_of_all_files_are_run():
    assert {"intervals", "controls", "sequential", "bank", "attribution"} <= set(
        calibration.all_sections()
    )


# --- estimates for all replications at once are the package's -----------------------------------


def test_growing_audits_are_judged_by_the_packages_own_estimates():
    population = make_population("strong", 200)
    labels = population.draw(20, np.random.default_rng(0), 12)
    differences, scores = pairwise(labels), accuracies(labels, population.y_true)
    growths = {
        1.0: Growth(differences, np.zeros_like(scores), 0.0, 1.0),
        -1.0: Growth(differences, scores, 0.0, -1.0),
    }
    planned = LOOKS[0]
    decision = Decision("confidence", looks=planned)
    statuses = set()
    for sign, growth in growths.items():
        limit = float(growth.at(20)[0].mean()) + 0.3 * growth.deviation
        decided, runs = calibration_gates.decide(growth, planned, limit)
        for replication, drawn in enumerate(labels):
            expected = (0, 20)
            for n_runs in reversed(planned):
                some = drawn[:n_runs].astype(int)
                tally = metrics.Tally(
                    metrics.hits(some, population.y_true), metrics.disagreements(some), 200
                )
                found = summarize(tally)
                estimate = found.prediction_difference if sign > 0 else found.effective_score
                value, deviation = (column[replication] for column in growth.at(n_runs))
                assert value == pytest.approx(sign * estimate.value, abs=1e-12)
                assert deviation == pytest.approx(spread(estimate, n_runs), abs=1e-12)
                passing, failing = (reach(deviation, n_runs, p) for p in decision.levels(n_runs))
                if sign * estimate.value + passing <= limit:
                    expected = (1, n_runs)
                elif sign * estimate.value - failing > limit:
                    expected = (-1, n_runs)
            assert (decided[replication], runs[replication]) == expected
            statuses.add(expected[0])
    assert len(statuses) > 1
