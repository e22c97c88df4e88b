import math

import numpy as np
import pytest

from pytest_reprotest.errors import OptionError
from pytest_reprotest.thresholds import (
    DEFAULT_TOLERANCES,
    KINDS,
    THRESHOLDS,
    TOLERANCES,
    Bounds,
    Limit,
    read_threshold,
    tolerance_limits,
)

# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.25, "0.25", " 0.25 ", np.float32(0.25)])
def test_a_number_is_read_in_every_spelling(value):
    assert read_threshold("max_prediction_difference", value) == 0.25


@pytest.mark.parametrize("name", KINDS)
def test_the_finite_ends_of_the_range_are_allowed_and_infinity_is_not(name):
    for end in (KINDS[name].lowest, KINDS[name].highest):
        if math.isfinite(end):
            assert read_threshold(name, end) == end
        else:
            with pytest.raises(OptionError, match=f"got {end}; expected a finite number"):
                read_threshold(name, end)


def test_effective_accuracy_and_r2_may_be_bounded_below_zero_and_nothing_else():
    below = {"min_effective_accuracy", "min_r2", "min_effective_r2"}
    for name in below:
        assert read_threshold(name, -0.5) == -0.5
    for name in set(KINDS) - below:
        with pytest.raises(OptionError) as error:
            read_threshold(name, -0.5)
        assert str(error.value) == f"got -0.5; expected {KINDS[name].expected}."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("min_effective_accuracy", "a fraction of test samples between -1 and 1"),
        ("min_effective_r2", "a finite number of at most 1"),
        ("max_mae", "a finite number in the target's units, of at least 0"),
        ("max_r2_drop", "a finite number of at least 0"),
    ],
)
def test_a_kind_says_what_it_expects(name, expected):
    assert KINDS[name].expected == expected


def test_a_mapping_is_read_number_by_number():
    read = read_threshold("min_accuracy", {"none": "0.9", "dropout": 1})
    assert read == {"none": 0.9, "dropout": 1.0}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "got True (bool); expected a fraction of test samples between 0 and 1"),
        ("high", "got 'high' (str); expected a fraction"),
        ([0.1], "got [0.1] (list); expected a fraction"),
        (10**400, "(int); expected a fraction"),
        (math.nan, "got nan; expected a fraction"),
        (math.inf, "got inf; expected a fraction"),
        (-0.1, "got -0.1; expected a fraction"),
        ("1e9", "got '1e9'; expected a fraction of test samples between 0 and 1."),
        (6, "got 6; expected a fraction of test samples between 0 and 1. For 6% write 0.06."),
        ({}, "got an empty mapping; expected regularizer names with a number each"),
        ({"none": 2.5}, "got 2.5; expected a fraction of test samples between 0 and 1. For 2.5%"),
        ({"none": None}, "got None (NoneType); expected a fraction"),
    ],
)
def test_impossible_thresholds_are_refused(value, message):
    with pytest.raises(OptionError) as refusal:
        read_threshold("max_prediction_difference", value)
    assert message in str(refusal.value)


# --- one limit ----------------------------------------------------------------------------------


def test_a_limit_holds_where_the_statistic_equals_it():
    upper = THRESHOLDS["max_prediction_difference"]
    lower = THRESHOLDS["min_accuracy"]
    assert [upper.holds(value, 0.1) for value in (0.05, 0.1, 0.11)] == [True, True, False]
    assert [lower.holds(value, 0.1) for value in (0.05, 0.1, 0.11)] == [False, True, True]


def test_nothing_holds_for_what_is_not_a_number():
    assert not any(kind.holds(math.nan, 0.5) for kind in THRESHOLDS.values())


def test_limits_are_short_in_the_table():
    limits = [
        Limit("max_prediction_difference", 0.06),
        Limit("min_effective_accuracy", -0.5),
        Limit("min_accuracy", 1.0),
        Limit("max_accuracy_std", 0.0125),
    ]
    assert [str(limit) for limit in limits] == ["PD≤0.06", "ETA≥-0.5", "acc≥1", "acc SD≤0.0125"]
    assert limits[0].kind is THRESHOLDS["max_prediction_difference"]


# --- tolerances of a comparison -----------------------------------------------------------------


def test_tolerances_are_kinds_beside_the_thresholds():
    assert set(KINDS) == set(THRESHOLDS) | set(TOLERANCES)
    assert not set(THRESHOLDS) & set(TOLERANCES)
    assert set(TOLERANCES) - set(DEFAULT_TOLERANCES) == {"max_mae_increase"}
    for name, kind in TOLERANCES.items():
        assert Limit(name, 0.1).kind is kind
        assert kind.upper
        assert kind.lowest == 0.0
        assert read_threshold(name, "0.1") == 0.1


def test_a_tolerance_that_is_not_given_has_its_default():
    limits = tolerance_limits({})
    assert {limit.name: limit.value for limit in limits} == DEFAULT_TOLERANCES
    assert tolerance_limits({"max_accuracy_drop": 0.0})[0] == Limit("max_accuracy_drop", 0.0)


def test_a_tolerance_by_regularizer_holds_for_those_it_names():
    tolerances = {"max_accuracy_drop": {"dropout": 0.1}}
    assert tolerance_limits(tolerances, "dropout")[0].value == 0.1
    assert tolerance_limits(tolerances, "none")[0].value == DEFAULT_TOLERANCES["max_accuracy_drop"]


def test_an_unknown_tolerance_is_refused_with_the_closest():
    with pytest.raises(
        OptionError, match=r"unknown tolerance 'max_accuracy_dorp'; .* Did you mean"
    ):
        tolerance_limits({"max_accuracy_dorp": 0.1})


def test_tolerances_that_were_said_are_those_of_marker_and_command_line():
    bounds = Bounds(
        {"max_accuracy_drop": {"dropout": 0.1}, "max_negative_flip_excess": 0.1},
        {"max_negative_flip_excess": 0.02, "max_effective_accuracy_drop": 0.3},
    )
    told = {limit.name: limit.value for limit in bounds.tolerances("none")}
    assert told == {"max_effective_accuracy_drop": 0.3, "max_negative_flip_excess": 0.02}
    assert bounds.tolerances("dropout")[0] == Limit("max_accuracy_drop", 0.1)
    assert bounds.limits("dropout") == ()


def test_a_command_line_that_would_loosen_a_tolerance_is_told():
    bounds = Bounds({"max_accuracy_drop": 0.1}, {"max_accuracy_drop": 0.2})
    assert bounds.kept() == ("max_accuracy_drop",)
    (sentence,) = bounds.not_loosened()
    assert sentence.startswith(
        "--repro-max-accuracy-drop=0.2 is looser than the marker's 0.1, which"
    )


def test_a_single_run_has_a_score_and_nothing_that_takes_pairs():
    bounds = Bounds(
        {"max_prediction_difference": 0.1, "min_accuracy": 0.9, "max_accuracy_drop": 0.1},
        {"min_effective_accuracy": 0.5},
    )
    alone, others = bounds.of_single_runs()
    assert alone.limits("none") == (Limit("min_accuracy", 0.9),)
    assert others == ("max_prediction_difference", "min_effective_accuracy")


# --- marker and command line --------------------------------------------------------------------


def values(bounds, regularizer="none"):
    return {limit.name: limit.value for limit in bounds.limits(regularizer)}


@pytest.mark.parametrize(
    ("name", "standing", "command", "tightened"),
    [
        ("max_prediction_difference", 0.1, 0.05, 0.05),
        ("max_prediction_difference", 0.1, 0.2, 0.1),
        ("max_accuracy_std", 0.1, 0.2, 0.1),
        ("min_effective_accuracy", 0.8, 0.9, 0.9),
        ("min_effective_accuracy", 0.8, 0.7, 0.8),
        ("min_accuracy", 0.8, 0.8, 0.8),
        ("min_accuracy", 0.8, None, 0.8),
        ("min_accuracy", None, 0.8, 0.8),
    ],
)
def test_a_command_line_tightens_and_does_not_loosen(name, standing, command, tightened):
    assert values(Bounds({name: standing}, {name: command})) == {name: tightened}


@pytest.mark.parametrize("command", [0.05, 0.2])
def test_a_command_line_replaces_where_nothing_fails_by_it(command):
    name = "max_prediction_difference"
    assert values(Bounds({name: 0.1}, {name: command}, command_wins=True)) == {name: command}


def test_a_mapping_bounds_the_regularizers_it_names_and_the_command_line_all():
    name = "max_prediction_difference"
    mapping = {"dropout": 0.1, "adam": 0.01}
    assert values(Bounds({name: mapping}), "dropout") == {name: 0.1}
    assert values(Bounds({name: mapping}), "none") == {}
    both = Bounds({name: mapping}, {name: 0.05})
    assert [values(both, label)[name] for label in ("dropout", "adam", "none")] == [
        0.05,
        0.01,
        0.05,
    ]


def test_limits_come_in_one_order():
    given = dict.fromkeys(reversed(THRESHOLDS), 0.5)
    assert [limit.name for limit in Bounds(given).limits("none")] == list(THRESHOLDS)


def test_the_regularizers_that_mappings_name_are_known():
    bounds = Bounds({"min_accuracy": {"none": 0.5, "adam": 0.6}, "max_accuracy_std": 0.1})
    assert bounds.named() == {"min_accuracy": ("none", "adam")}


def test_a_command_line_that_could_not_loosen_is_told_so():
    name = "max_prediction_difference"
    assert Bounds({name: 0.1}, {name: 0.2}).not_loosened() == (
        "--repro-max-prediction-difference=0.2 is looser than the marker's 0.1, which stands; "
        "--repro-report-only reports against it without failing.",
    )
    assert Bounds({name: 0.1}, {name: 0.2}).kept() == (name,)


def test_so_is_one_that_could_not_loosen_part_of_a_mapping():
    bounds = Bounds(
        {"min_effective_accuracy": {"none": 0.9, "adam": 0.95, "dropout": 0.5}},
        {"min_effective_accuracy": 0.8},
    )
    assert bounds.not_loosened() == (
        "--repro-min-effective-accuracy=0.8 is looser than the marker's 0.9 for 'none' and 0.95 for "
        "'adam', which stands; --repro-report-only reports against it without failing.",
    )
    assert bounds.kept() == ()  # it applies to the others


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(),
        Bounds({"min_accuracy": 0.9}),
        Bounds({}, {"min_accuracy": 0.9}),
        Bounds({"min_accuracy": 0.9}, {"min_accuracy": 0.9}),
        Bounds({"min_accuracy": 0.9}, {"min_accuracy": 0.95}),
        Bounds({"min_accuracy": 0.9}, {"min_accuracy": 0.5}, command_wins=True),
    ],
)
def test_nothing_is_told_where_the_command_line_does_as_it_was_asked(bounds):
    assert bounds.not_loosened() == ()
    assert bounds.kept() == ()
