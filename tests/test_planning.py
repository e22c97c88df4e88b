import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_reprotest.statistics import Estimate, jackknife
from pytest_reprotest.statistics.permutation import holm, permutation_test, smallest_p
from pytest_reprotest.statistics.planning import (
    TYPICAL,
    Asked,
    Pilot,
    half_width,
    runs_for_half_width,
    runs_for_regularizers,
    supported_regularizers,
    typical_sigma,
    warnings_of,
)

PD = Asked("max_prediction_difference", "prediction_difference", 0.04)
ETA = Asked("min_effective_accuracy", "effective_accuracy", 0.95)


# --- what a permutation test can reject ---------------------------------------------------------


@pytest.mark.parametrize(
    ("n_runs", "n_baseline"), [*zip(range(2, 8), range(2, 8), strict=True), (3, 7), (5, 4)]
)
def test_the_smallest_p_value_is_that_of_groups_which_do_not_overlap(n_runs, n_baseline):
    """Runs that never differ against runs that always do."""
    total = n_runs + n_baseline
    differences = np.zeros((total, total))
    differences[n_runs:, n_runs:] = 1 - np.eye(n_baseline)
    differences[:n_runs, n_runs:] = differences[n_runs:, :n_runs] = 0.5
    assert permutation_test(differences, n_runs).p_value == smallest_p(n_runs, n_baseline)


@pytest.mark.parametrize(("n_runs", "p"), [(3, 0.10), (4, 0.029), (5, 0.0079), (6, 0.0022)])
def test_the_smallest_p_values_are_the_known_ones(n_runs, p):
    assert smallest_p(n_runs) == pytest.approx(p, rel=0.02)


@pytest.mark.parametrize("sizes", [(0, 5), (5, 1), (1, 1)])
def test_groups_without_a_pair_have_no_p_value(sizes):
    assert math.isnan(smallest_p(*sizes))
    assert supported_regularizers(*sizes) == 0


@pytest.mark.parametrize("n_runs", range(2, 9))
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_so_many_regularizers_can_be_found_and_no_more(n_runs, alpha):
    supported = supported_regularizers(n_runs, alpha=alpha)
    smallest = smallest_p(n_runs)
    if supported:
        assert holm([smallest, *[1.0] * (supported - 1)])[0] <= alpha + 1e-12
    assert holm([smallest, *[1.0] * supported])[0] > alpha


def test_five_runs_carry_six_regularizers_and_three_carry_none():
    assert [supported_regularizers(n_runs) for n_runs in (2, 3, 5)] == [0, 0, 6]


@pytest.mark.parametrize("count", [1, 2, 6, 7, 23, 24, 250, 251, 4000])
def test_the_fewest_runs_for_so_many_regularizers(count):
    n_runs = runs_for_regularizers(count)
    assert supported_regularizers(n_runs) >= count
    assert all(supported_regularizers(fewer) < count for fewer in range(2, n_runs))


def test_no_number_of_runs_carries_everything():
    assert runs_for_regularizers(100_000) is None


# --- half-widths --------------------------------------------------------------------------------


@given(st.floats(1e-4, 0.1), st.floats(1e-3, 1.0))
def test_the_runs_for_a_half_width_are_the_fewest(wanted, sigma):
    n_runs = runs_for_half_width(sigma, wanted)
    if n_runs is None:
        assert half_width(sigma, 10_000) > wanted
        return
    assert half_width(sigma, n_runs) <= wanted
    assert n_runs == 3 or half_width(sigma, n_runs - 1) > wanted


def test_the_half_width_is_that_of_an_interval_with_such_a_spread():
    x = np.array([0.9, 0.92, 0.95, 0.91])
    estimate = jackknife(x.mean(), (x.sum() - x) / 3)
    pilot = Pilot.of(estimate, 4)
    assert pilot.value == pytest.approx(x.mean())
    assert pilot.sigma == pytest.approx(x.std(ddof=1))
    assert half_width(pilot.sigma, 4) == pytest.approx(estimate.half_width)
    low, high = stats.t.interval(0.9, 8, scale=(1 + 1 / 18) * pilot.sigma / 3)
    assert half_width(pilot.sigma, 9, confidence=0.9) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize("n_runs", [0, 1, 2])
def test_fewer_than_three_runs_have_no_interval(n_runs):
    assert math.isnan(half_width(0.01, n_runs))
    assert math.isnan(Pilot.of(Estimate(0.04), n_runs).sigma)


def test_a_wanted_half_width_out_of_reach():
    assert runs_for_half_width(1.0, 1e-6) is None
    assert runs_for_half_width(0.0, 0.0) == 3


# --- what is typical ----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", TYPICAL)
def test_the_typical_spread_is_sampling_and_run_effect(metric):
    limit = 0.1 if metric == "prediction_difference" else 0.9
    sampling, effect = TYPICAL[metric]
    assert typical_sigma(metric, limit, 10**12) == pytest.approx(0.1 * effect, rel=1e-3)
    few, more = (typical_sigma(metric, limit, n) ** 2 for n in (100, 400))
    assert few - more == pytest.approx(sampling**2 * 0.1 * (1 / 100 - 1 / 400))


def test_the_typical_spread_on_the_digits_is_near_the_measured_one():
    """100 runs of the example's baseline, 360 test samples: PD 0.0246, spread 0.37 of it."""
    assert typical_sigma("prediction_difference", 0.0246, 360) == pytest.approx(
        0.37 * 0.0246, rel=0.25
    )


def test_perfect_limits_and_other_metrics():
    assert typical_sigma("prediction_difference", 0.0, 100) == 0.0
    assert typical_sigma("accuracy", 1.0, 100) == 0.0
    assert math.isnan(typical_sigma("accuracy_std", 0.01, 100))


# --- warnings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_runs", "n_regularizers", "says"),
    [
        (2, 0, []),
        (
            2,
            1,
            [
                "2 runs can't show that a regularizer changes the prediction difference: the smallest "
                "p-value is 0.33, and the level is 0.05; 4 runs can"
            ],
        ),
        (
            3,
            1,
            [
                "3 runs can't show that a regularizer changes the prediction difference: the smallest "
                "p-value is 0.1, and the level is 0.05; 4 runs can"
            ],
        ),
        (3, 0, []),
        (4, 1, []),
        (
            4,
            2,
            [
                "4 runs can carry 1 regularizer under Holm at the level 0.05, and 2 are compared with "
                "the baseline: none may be found better or worse; 5 runs can"
            ],
        ),
        (5, 6, []),
        (
            5,
            7,
            [
                "5 runs can carry 6 regularizers under Holm at the level 0.05, and 7 are compared with "
                "the baseline: none may be found better or worse; 6 runs can"
            ],
        ),
    ],
)
def test_too_few_runs_for_the_regularizers(n_runs, n_regularizers, says):
    assert list(warnings_of(n_runs, n_regularizers)) == says


@pytest.mark.parametrize("asked", [PD, ETA])
def test_two_runs_and_a_limit_on_pairs(asked):
    told = "2 runs give no interval of the prediction difference; 3 runs do"
    assert warnings_of(2, 0, [asked], 360) == (told,)


@pytest.mark.parametrize("metric", ["accuracy", "accuracy_std"])
def test_a_limit_on_single_runs_asks_nothing_of_pairs(metric):
    assert warnings_of(2, 0, [Asked("min", metric, 0.9)], 360) == ()


def test_a_limit_that_a_pilot_is_too_close_to():
    asked = replace(PD, pilot=Pilot(0.031, 0.01))
    assert warnings_of(5, 1, [asked], 360) == (
        "max_prediction_difference=0.04 is 0.009 from the 0.0310 of the pilot, and 5 runs give ±0.014: "
        "the interval will hold both; with 8 runs it does not",
    )
    assert warnings_of(8, 1, [asked], 360) == ()


def test_a_limit_that_a_pilot_meets_exactly_can_never_be_decided():
    (told,) = warnings_of(5, 1, [replace(PD, pilot=Pilot(0.04, 0.01))], 360)
    assert told.endswith("the interval will hold both")


def test_a_pilot_without_an_interval_says_nothing():
    assert warnings_of(3, 0, [replace(PD, pilot=Pilot(0.031, math.nan))], 360) == ()


def test_of_several_limits_the_worst_is_named_once():
    limits = {"none": 0.03, "dropout": 0.01, "adam": 0.02, "momentum": 0.9}
    asked = [replace(PD, value=value, regularizer=label) for label, value in limits.items()]
    assert warnings_of(3, 0, asked, 360) == (
        "max_prediction_difference=0.01 for 'dropout', the worst of 4 such, allows 0.01, and 3 runs over "
        "360 test samples typically give an interval that is wider there, ±0.013; with 6 runs it is "
        "narrower",
    )


def test_the_only_limit_out_of_reach_is_named_without_a_count():
    asked = [
        replace(PD, value=0.02, regularizer="dropout"),
        replace(PD, value=0.9, regularizer="none"),
    ]
    (told,) = warnings_of(4, 0, asked, 360)
    assert told.startswith("max_prediction_difference=0.02 for 'dropout' allows 0.02, and 4 runs ")


def test_one_limit_for_all_regularizers_names_none():
    asked = [replace(PD, regularizer=label) for label in ("none", "dropout")]
    assert warnings_of(3, 0, asked, 360) == warnings_of(3, 0, [PD], 360)


def test_of_several_pilots_the_one_closest_to_its_limit_is_named():
    asked = [
        replace(PD, regularizer=label, pilot=Pilot(value, 0.01))
        for label, value in (("none", 0.031), ("dropout", 0.035), ("adam", 0.01))
    ]
    (told,) = warnings_of(5, 0, asked, 360)
    assert told.startswith(
        "max_prediction_difference=0.04 for 'dropout', the worst of 2 such, is 0.005 from the 0.0350"
    )


def test_limits_of_two_kinds_have_a_sentence_each():
    eta = replace(ETA, value=0.99)
    told = warnings_of(3, 0, [PD, eta], 360)
    assert [sentence.split("=")[0] for sentence in told] == [PD.name, ETA.name]


def test_a_limit_narrower_than_the_interval_that_is_typical():
    eta = replace(ETA, value=0.9)
    assert warnings_of(3, 0, [PD, eta], 360) == (
        "max_prediction_difference=0.04 allows 0.04, and 3 runs over 360 test samples typically give an "
        "interval that is wider there, ±0.031; with 4 runs it is narrower",
    )
    (told,) = warnings_of(3, 0, [ETA], 100)
    assert told.startswith("min_effective_accuracy=0.95 allows 0.05 below 1, and 3 runs over 100 ")


@pytest.mark.parametrize("n_runs", [3, 4, 5])
@pytest.mark.parametrize("n_samples", [30, 360, 10_000])
def test_a_typical_interval_is_warned_of_exactly_where_it_is_wider_than_the_limit(
    n_runs, n_samples
):
    width = 2 * half_width(typical_sigma(PD.metric, PD.value, n_samples), n_runs)
    assert bool(warnings_of(n_runs, 0, [PD], n_samples)) == (width > PD.value)


def test_nothing_is_said_of_what_is_not_known():
    assert warnings_of(5, 0, [PD]) == ()
    assert warnings_of(5, 0, [Asked("max_accuracy_std", "accuracy_std", 0.01)], 50) == ()
    assert warnings_of(5, 0, [Asked("max_prediction_difference", PD.metric, 0.0)], 50) == ()
