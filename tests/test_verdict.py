import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest.statistics import Estimate, summarize
from pytest_reprotest.statistics.sequential import Decision
from pytest_reprotest.tasks import CLASSIFICATION
from pytest_reprotest.thresholds import THRESHOLDS, Limit
from pytest_reprotest.verdict import Verdict, breach, broken, describe, judge

TRUTH = np.array([0, 1, 1, 0, 1])
RUNS = [[0, 1, 1, 0, 1], [0, 1, 1, 0, 0], [0, 1, 1, 0, 1]]  # PD 2/15, accuracy 14/15


def judged(*limits, runs=RUNS, y_true=TRUTH):
    predictions = CLASSIFICATION.stack([np.array(run) for run in runs])
    found = CLASSIFICATION.guard(predictions, y_true)
    return broken(*found) if found else judge(summary_of(predictions, y_true), limits)


def summary_of(predictions, y_true):
    return summarize(CLASSIFICATION.tally(predictions, y_true))


def test_without_limits_trustworthy_runs_pass():
    assert judged() == Verdict("pass", (), broken=False)


@pytest.mark.parametrize(
    ("name", "holding", "breached"),
    [
        ("max_prediction_difference", 0.14, 0.13),
        ("min_effective_accuracy", 0.79, 0.81),
        ("min_accuracy", 0.93, 0.94),
        ("max_accuracy_std", 0.12, 0.11),
    ],
)
def test_each_limit_passes_and_fails_on_its_own_statistic(name, holding, breached):
    assert judged(Limit(name, holding)).status == "pass"
    verdict = judged(Limit(name, breached))
    assert verdict.status == "fail"
    assert not verdict.broken
    (reason,) = verdict.reasons
    metric = THRESHOLDS[name].metric
    assert reason.startswith(f"{metric} 0.")
    assert reason.endswith(
        f"is {'above' if name.startswith('max') else 'below'} {name}={breached:g}"
    )


def test_a_reason_gives_the_estimate_with_its_interval():
    (reason,) = judged(Limit("max_prediction_difference", 0.1)).reasons
    assert reason == (
        "prediction_difference 0.1333 [-0.5360, 0.8026] is above max_prediction_difference=0.1"
    )


def test_every_breach_is_a_reason():
    limits = [Limit("max_prediction_difference", 0.0), Limit("min_accuracy", 1.0)]
    assert len(judged(*limits).reasons) == 2


def test_a_statistic_that_equals_its_limit_holds():
    runs = [[0] * 9 + [1], [0] * 9 + [1], [0] * 9 + [1]]
    y_true = np.array([0] * 8 + [1, 1])
    limits = [
        Limit("min_accuracy", 0.9),
        Limit("min_effective_accuracy", 0.9),
        Limit("max_accuracy_std", 0.0),
        Limit("max_prediction_difference", 0.0),
    ]
    assert judged(*limits, runs=runs, y_true=y_true).status == "pass"


def test_rounding_does_not_hide_a_breach():
    summary = summary_of(np.array(RUNS), TRUTH)
    near = replace(summary, prediction_difference=Estimate(0.060004, 0.05, 0.07))
    assert breach(near, Limit("max_prediction_difference", 0.06)) == (
        "prediction_difference 0.0600 [0.0500, 0.0700] (0.060004) is above "
        "max_prediction_difference=0.06"
    )


@pytest.mark.parametrize("name", THRESHOLDS)
def test_what_is_not_a_number_breaches_every_limit(name):
    unknown = replace(
        summary_of(np.array(RUNS), TRUTH),
        **{THRESHOLDS[name].field: math.nan if name == "max_accuracy_std" else Estimate(math.nan)},
    )
    assert breach(unknown, Limit(name, 1.0)) == (
        f"{THRESHOLDS[name].metric} is no finite number, so {name}=1 can't be held"
    )


def test_an_estimate_without_an_interval_is_told_alone():
    assert describe(Estimate(0.25)) == "0.2500"
    assert describe(Estimate(-0.8, -0.9, -0.7)) == "-0.8000 [-0.9000, -0.7000]"


# --- guards -------------------------------------------------------------------------------------


def test_constant_predictors_break_the_audit_whatever_the_limits():
    verdict = judged(runs=[[1] * 5, [1] * 5, RUNS[0]])
    assert (verdict.status, verdict.broken) == ("fail", True)
    assert verdict.reasons == (
        "constant predictor: run 0 (class 1), run 1 (class 1) predicted one class for all 5 test "
        "samples, so its prediction difference means nothing. Lower the learning rate, train longer, or "
        "check the model and the inputs' scale",
    )


def test_a_broken_audit_gives_no_other_reason():
    verdict = judged(Limit("min_accuracy", 1.0), runs=[[1] * 5] * 2)
    assert len(verdict.reasons) == 1


def test_a_constant_run_may_be_right_where_the_test_set_holds_one_class():
    assert judged(runs=[[1] * 5] * 2, y_true=np.ones(5, dtype=int)).status == "pass"


def test_a_constant_run_of_another_class_than_the_only_one_is_not_right():
    predictions = CLASSIFICATION.stack([np.full(3, 1), np.full(3, 2), np.array([2, 1, 1])])
    (reason,) = CLASSIFICATION.guard(predictions, np.ones(3, dtype=int))
    assert reason.startswith("constant predictor: run 1 (class 2) predicted one class")


def test_one_sample_is_always_predicted_as_one_class():
    assert (
        CLASSIFICATION.guard(CLASSIFICATION.stack([np.array([2]), np.array([1])]), np.array([1]))
        == ()
    )


def test_a_broken_verdict_keeps_every_reason():
    assert broken("first", "second") == Verdict("fail", ("first", "second"), broken=True)


# --- decisions with confidence ------------------------------------------------------------------

SURE = Decision("confidence", 0.95)


def summary_at(value, half_width, n_runs, field="prediction_difference"):
    """A summary whose one statistic has a 95% interval of that half-width."""
    estimate = Estimate(value, value - half_width, value + half_width)
    return replace(summary_of(np.array(RUNS), TRUTH), **{field: estimate})


@pytest.mark.parametrize(
    ("value", "status"),
    [(0.010, "pass"), (0.049, "inconclusive"), (0.055, "inconclusive"), (0.09, "fail")],
)
def test_a_decision_with_confidence_has_three_sides(value, status):
    limits = [Limit("max_prediction_difference", 0.05)]
    assert judge(summary_at(value, 0.01, 10), limits, SURE, 10).status == status


@pytest.mark.parametrize(
    ("value", "status"),
    [(0.95, "pass"), (0.901, "inconclusive"), (0.899, "inconclusive"), (0.85, "fail")],
)
def test_of_a_lower_limit_the_sides_are_the_other_way_round(value, status):
    summary = summary_at(value, 0.01, 10, "effective_score")
    assert judge(summary, [Limit("min_effective_accuracy", 0.9)], SURE, 10).status == status


def test_an_undecided_limit_says_what_would_decide_it():
    verdict = judge(
        summary_at(0.04, 0.01, 10), [Limit("max_prediction_difference", 0.045)], SURE, 10
    )
    (reason,) = verdict.reasons
    assert reason.startswith(
        "prediction_difference 0.0400 [0.0300, 0.0500] can't be told from max_prediction_difference=0.045 with "
        "10 runs: the bounds that decide are 0.0323 and "
    )
    advised = int(reason.partition("; about ")[2].split()[0])
    assert reason.endswith(f"; about {advised} runs would decide it, if the estimate holds")
    assert 20 < advised < 120


def test_an_estimate_next_to_its_limit_needs_more_runs_than_anyone_has():
    limits = [Limit("max_prediction_difference", 0.0401)]
    (reason,) = judge(summary_at(0.04, 0.01, 10), limits, SURE, 10).reasons
    assert reason.endswith("; more than 1000 runs would be needed")


def test_a_breach_with_confidence_names_the_bound():
    (reason,) = judge(
        summary_at(0.09, 0.01, 10), [Limit("max_prediction_difference", 0.05)], SURE, 10
    ).reasons
    assert reason == (
        "prediction_difference 0.0900 [0.0800, 0.1000] is above max_prediction_difference=0.05, and so is its "
        "one-sided bound 0.0823"
    )


def test_one_limit_outside_fails_whatever_the_others_are():
    limits = [Limit("max_prediction_difference", 0.05), Limit("min_effective_accuracy", 0.5)]
    verdict = judge(summary_at(0.09, 0.01, 10), limits, SURE, 10)
    assert (verdict.status, len(verdict.reasons)) == ("fail", 1)


def test_a_pass_needs_every_limit_inside():
    summary = summary_at(0.01, 0.01, 10)
    summary = replace(summary, score=Estimate(0.9, 0.88, 0.92))
    limits = [Limit("max_prediction_difference", 0.05), Limit("min_accuracy", 0.9)]
    assert judge(summary, limits, SURE, 10).status == "inconclusive"


def test_two_runs_have_no_interval_to_decide_by():
    summary = summary_of(np.array(RUNS[:2]), TRUTH)
    (reason,) = judge(summary, [Limit("max_prediction_difference", 0.05)], SURE, 2).reasons
    assert reason == (
        "2 runs give prediction_difference 0.2000 no interval, so max_prediction_difference=0.05 can't be decided "
        "with confidence; 3 runs do"
    )


def test_what_is_not_a_number_fails_with_confidence_too():
    summary = replace(summary_of(np.array(RUNS), TRUTH), score=Estimate(math.nan))
    verdict = judge(summary, [Limit("min_accuracy", 0.5)], SURE, 3)
    assert verdict == Verdict(
        "fail", ("accuracy is no finite number, so min_accuracy=0.5 can't be held",)
    )


def test_without_limits_there_is_nothing_to_decide():
    assert judge(summary_of(np.array(RUNS), TRUTH), [], SURE, 3) == Verdict("pass")


def test_the_more_looks_are_planned_the_more_a_look_takes():
    limits = [Limit("max_prediction_difference", 0.05)]
    once, often = SURE, Decision("confidence", 0.95, looks=(10, 20, 30, 50))
    found = {judge(summary_at(0.058, 0.009, 10), limits, rule, 10).status for rule in (once, often)}
    assert found == {"fail", "inconclusive"}


def test_runs_that_all_agree_are_not_sure_of_it_where_one_flip_would_tell():
    runs = np.tile(np.arange(360) % 10, (5, 1))
    summary = summary_of(runs, runs[0])
    limits = [Limit("max_prediction_difference", 0.0009)]
    assert judge(summary, limits, SURE, 5).status == "pass"
    flip = {"prediction_difference": 2 / 360}
    assert judge(summary, limits, SURE, 5, flip).status == "inconclusive"
    far = [Limit("max_prediction_difference", 0.05)]
    assert judge(summary, far, SURE, 5, flip).status == "pass"


def test_a_score_that_is_infinite_fails_whatever_the_decision():
    summary = replace(summary_of(np.array(RUNS), TRUTH), score=Estimate(-math.inf))
    for rule in (SURE, Decision()):
        assert judge(summary, [Limit("min_accuracy", 0.5)], rule, 3).status == "fail"
