"""One audit held against another."""

import json
from dataclasses import replace

import numpy as np
import pytest
from simulation import make_population

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.baseline import compare_results
from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.proof import Proof
from pytest_reprotest.thresholds import DEFAULT_TOLERANCES
from pytest_reprotest.verdict import broken

TRUTH = np.array([0, 1] * 100)


def runs(wrong, n_runs=4, start=0):
    """Run k is wrong on ``wrong`` samples of its own: accuracy 1 - w/200, PD 2w/200."""
    labels = np.tile(TRUTH, (n_runs, 1))
    for run in range(n_runs):
        labels[run, start + run * wrong : start + (run + 1) * wrong] += 2
    return labels


def audited(name="test_a", settings=None, truth=TRUTH, **labels):
    result = audit_predictions(labels or {"none": runs(2)}, truth, name=name)
    return replace(result, settings={**result.settings, **(settings or {})})


def statuses(compared, label="none"):
    return {change.measure: change.status for change in compared.by_regularizer[label]}


SAME = dict.fromkeys(
    ("accuracy", "effective_accuracy", "prediction_difference", "negative_flips"), "same"
)


# --- what changed -------------------------------------------------------------------------------


def test_what_changed_is_told_by_measure():
    old, new = audited(none=runs(2)), audited(none=runs(6, start=100))
    compared = compare_results(new, old)
    assert compared.name == "test_a"
    assert compared.status == "worse"
    assert statuses(compared) == dict.fromkeys(SAME, "worse")
    values = {
        change.measure: tuple(round(x, 12) for x in (change.old, change.new, change.change.value))
        for change in compared.by_regularizer["none"]
    }
    assert values == {
        "accuracy": (0.99, 0.97, -0.02),
        "effective_accuracy": (0.97, 0.91, -0.06),
        "prediction_difference": (0.02, 0.06, 0.04),
        "negative_flips": (0.01, 0.03, 0.02),  # of an old run's right samples the new has 6 wrong
    }
    assert compared.breaches("none") == (
        "accuracy went from 0.9900 to 0.9700, by -0.0200 [-0.0200, -0.0200], beyond "
        "max_accuracy_drop=0.005",
        "effective_accuracy went from 0.9700 to 0.9100, by -0.0600 [-0.0600, -0.0600], beyond "
        "max_effective_accuracy_drop=0.01",
        "prediction_difference went from 0.0200 to 0.0600, by +0.0400 [+0.0400, +0.0400], beyond "
        "max_prediction_difference_increase=0.005",
        "0.0300 of samples were right before and are wrong now, 0.0100 between old runs: an excess of "
        "+0.0200 [+0.0200, +0.0200], beyond max_negative_flip_excess=0.005",
    )
    assert compared.improvements("none") == ()
    assert compared.breaches("dropout") == ()


def test_what_got_better_makes_the_baseline_stale():
    compared = compare_results(audited(none=runs(2, start=100)), audited(none=runs(6)))
    assert compared.status == "better"
    assert statuses(compared) == dict.fromkeys(SAME, "better")
    assert compared.breaches("none") == ()
    assert compared.improvements("none")[0] == (
        "accuracy went from 0.9700 to 0.9900, by +0.0200 [+0.0200, +0.0200], better by more than "
        "max_accuracy_drop=0.005"
    )
    assert len(compared.improvements("none")) == 4


def test_what_is_worse_counts_before_what_is_better():
    old = audited(none=runs(2), dropout=runs(6))
    new = audited(none=runs(6, start=100), dropout=runs(2, start=100))
    compared = compare_results(new, old)
    assert statuses(compared)["accuracy"] == "worse"
    assert statuses(compared, "dropout")["accuracy"] == "better"
    assert compared.status == "worse"


def test_an_audit_is_the_same_as_itself():
    population = make_population("strong", 300)
    labels = population.draw(5, np.random.default_rng(0))[0]
    result = audited(none=labels, truth=population.y_true)
    compared = compare_results(result, result)
    assert [change.change.value for change in compared.changes] == [0.0] * 4
    assert compared.status == "same"


def test_flips_are_a_change_of_their_own():
    """The same accuracy, ETA and PD; but other samples are wrong."""
    new, old = runs(2, start=100), runs(2)
    new[:, 50:60], old[:, 150:160] = 2, 2  # all runs of either are wrong there
    compared = compare_results(audited(none=new), audited(none=old))
    assert statuses(compared) == {**SAME, "negative_flips": "worse"}
    flips = compared.by_regularizer["none"][3]
    assert (flips.old, round(flips.new, 12)) == (0.01, 0.06)


# --- seeds --------------------------------------------------------------------------------------


def correlated():
    """Five runs, and the same five with one sample changed; new run i repeats old run i."""
    population = make_population("none", 400)
    old = population.draw(5, np.random.default_rng(3))[0]
    new = old.copy()
    new[0, 0] = (new[0, 0] + 1) % 10
    return old, new, population.y_true


@pytest.mark.parametrize(
    ("settings", "paired"),
    [
        (({"seed": 0}, {"seed": 0}), True),
        (({"seed": 0}, {"seed": 0, "first_run": 0}), True),
        (({"seed": 0}, {"seed": 1}), False),
        (({"seed": 0}, {"seed": 0, "first_run": 5}), False),
        (({"seed": 0}, {}), False),
        (({}, {}), False),
    ],
)
def test_runs_of_one_seed_are_no_independent_pair(settings, paired):
    old, new, truth = correlated()
    compared = compare_results(
        audited(settings=settings[1], truth=truth, none=new),
        audited(settings=settings[0], truth=truth, none=old),
    )
    flips = compared.by_regularizer["none"][3]
    assert (abs(flips.change.value) < 1e-3) == paired  # else a fifth of the flips is missing
    if not paired:
        assert flips.change.value < -0.005


# --- deciding -----------------------------------------------------------------------------------


def test_a_limit_holds_where_the_change_equals_it():
    old, new = audited(none=runs(0)), audited(none=runs(1))
    for tolerance, status in ((0.005, "same"), (0.0049, "worse")):
        compared = compare_results(new, old, {"max_accuracy_drop": tolerance}, decision="point")
        assert statuses(compared)["accuracy"] == status
        back = compare_results(old, new, {"max_accuracy_drop": tolerance}, decision="point")
        assert statuses(back)["accuracy"] == ("same" if status == "same" else "better")


def test_rounding_breaches_no_limit():
    tenth = np.array([0, 1] * 5)
    old, new = np.tile(tenth, (3, 1)), np.tile(tenth, (3, 1))
    old[:, :6], new[:, :7] = 2, 2
    assert 0.4 - 0.3 > 0.1
    compared = compare_results(
        audited(truth=tenth, none=new),
        audited(truth=tenth, none=old),
        dict.fromkeys(DEFAULT_TOLERANCES, 0.1),
    )
    assert statuses(compared) == SAME


def noisy():
    """A drop of accuracy by 0.01 that five runs of either are not sure of."""
    labels = np.tile(TRUTH, (5, 1))
    for run, wrong in enumerate((0, 1, 2, 3, 4)):
        labels[run, 10 * run : 10 * run + wrong] = 2
    old = labels.copy()
    labels[:, 100:102] = 2
    return audited(none=labels), audited(none=old)


def test_with_confidence_a_change_counts_where_its_bound_is_beyond_the_limit():
    new, old = noisy()
    by_point = compare_results(new, old, decision="point")
    sure = compare_results(new, old)
    change = sure.by_regularizer["none"][0]
    assert statuses(by_point)["accuracy"] == "worse"
    assert change.status == "same"
    assert change.change.value == pytest.approx(-0.01)
    # one-sided 95%: t of 8 degrees of freedom, both groups with an SD of sqrt(2.5) samples
    reach = 1.8595480375 * (2 * 2.5 / 5) ** 0.5 / 200
    assert change.seen_from == pytest.approx(0.005 + reach, abs=1e-9)
    assert by_point.by_regularizer["none"][0].seen_from == 0.005
    limit = {"max_accuracy_drop": round(0.01 - reach, 4) - 0.0001}
    assert statuses(compare_results(new, old, limit))["accuracy"] == "worse"
    assert statuses(compare_results(new, old, limit, confidence=0.99))["accuracy"] == "same"


def test_improvements_too_are_decided_by_their_bound():
    new, old = noisy()
    assert statuses(compare_results(old, new, decision="point"))["accuracy"] == "better"
    assert statuses(compare_results(old, new))["accuracy"] == "same"
    assert statuses(compare_results(old, new, {"max_accuracy_drop": 0.0}))["accuracy"] == "better"


def test_tolerances_may_differ_by_regularizer():
    old = audited(none=runs(2), dropout=runs(2))
    new = audited(none=runs(6, start=100), dropout=runs(6, start=100))
    compared = compare_results(new, old, {"max_accuracy_drop": {"dropout": 0.5}})
    assert statuses(compared)["accuracy"] == "worse"
    assert statuses(compared, "dropout")["accuracy"] == "same"


def test_two_runs_can_be_compared_by_their_estimates_only():
    new, old = audited(none=runs(6, n_runs=2, start=100)), audited(none=runs(2))
    with pytest.raises(DataError) as refusal:
        compare_results(new, old)
    assert str(refusal.value) == (
        "effective_accuracy of 2 runs has no interval, so its change can't be decided with confidence. "
        "Audit 3 runs or more, or decide by the estimate (decision 'point')"
    )
    compared = compare_results(new, old, decision="point")
    assert statuses(compared) == dict.fromkeys(SAME, "worse")
    assert compared.breaches("none")[1] == (
        "effective_accuracy went from 0.9700 to 0.9100, by -0.0600, beyond "
        "max_effective_accuracy_drop=0.01"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"decision": "pont"},
            "decision='pont'; expected confidence or point. Did you mean 'point'?",
        ),
        (
            {"tolerances": {"max_acuracy_drop": 0.1}},
            "unknown tolerance 'max_acuracy_drop'; expected any of max_accuracy_drop, "
            "max_effective_accuracy_drop, max_prediction_difference_increase, "
            "max_negative_flip_excess, max_r2_drop, max_effective_r2_drop, max_mae_increase. Did you mean "
            "'max_accuracy_drop'?",
        ),
    ],
)
def test_what_is_unknown_is_refused(arguments, message):
    with pytest.raises(OptionError) as refusal:
        compare_results(audited(), audited(), **arguments)
    assert str(refusal.value) == message


def test_chance_alone_is_seldom_called_a_change():
    """No change, five runs each: of 150 pairs of audits at most 3% are called worse, or better."""
    population = make_population("moderate", 400)
    draws = population.draw(5, np.random.default_rng(5), replications=300)
    audits = [audited(truth=population.y_true, none=labels) for labels in draws]
    found = [
        compare_results(new, old).status
        for new, old in zip(audits[:150], audits[150:], strict=True)
    ]
    assert found.count("worse") <= 4
    assert found.count("better") <= 4


def test_a_fall_of_accuracy_by_four_points_is_seen():
    population = make_population("moderate", 2000)
    rng = np.random.default_rng(6)
    truth = population.y_true
    old = population.draw(5, rng, replications=40)
    new = population.with_accuracy(-0.04).draw(5, rng, replications=40)
    found = [
        compare_results(audited(truth=truth, none=now), audited(truth=truth, none=was)).status
        for now, was in zip(new, old, strict=True)
    ]
    assert found.count("worse") >= 38


# --- what can't be compared ---------------------------------------------------------------------


def test_another_test_set_is_refused():
    truth = TRUTH.copy()
    truth[:3] = 1 - truth[:3]
    with pytest.raises(DataError) as refusal:
        compare_results(audited(truth=truth), audited())
    assert str(refusal.value) == (
        "another test set: true labels differ on 3 of 200 samples. Audits of one test set can be "
        "compared, no others"
    )


def test_regularizers_that_only_one_has_are_named():
    compared = compare_results(
        audited(none=runs(2), adam=runs(2)), audited(none=runs(2), dropout=runs(2))
    )
    assert list(compared.by_regularizer) == ["none"]
    assert compared.uncompared == {
        "dropout": "is in the old result only",
        "adam": "is in the new result only",
    }
    assert compared.status == "same"


def test_audits_without_a_regularizer_in_common_are_refused():
    with pytest.raises(DataError) as refusal:
        compare_results(audited(adam=runs(2)), audited(none=runs(2)))
    assert str(refusal.value) == (
        "nothing to compare: 'none' is in the old result only; 'adam' is in the new result only"
    )


def failing(result, label, *reasons):
    found = replace(result[label], verdict=broken(*reasons))
    return replace(result, by_regularizer={**result.by_regularizer, label: found})


def test_runs_that_can_no_longer_be_trusted_are_worse():
    new = failing(audited(), "none", "run 1 failed: the loss is NaN")
    compared = compare_results(new, audited())
    assert compared.status == "worse"
    assert compared.by_regularizer == {}
    assert compared.breaches("none") == (
        "can't be trusted, and could before: run 1 failed: the loss is NaN",
    )


def test_runs_that_never_could_be_trusted_are_not_compared():
    old = failing(audited(none=runs(2), adam=runs(2)), "adam", "run 0 failed: out of memory")
    compared = compare_results(audited(none=runs(2), adam=runs(2)), old)
    assert compared.uncompared == {
        "adam": "can't be trusted in the old result: run 0 failed: out of memory"
    }
    assert compared.status == "same"


# --- settings -----------------------------------------------------------------------------------


def test_settings_that_differ_are_listed_and_what_makes_numbers_incomparable_is_said():
    training = {"epochs": 20, "data": {"test": "aa"}}
    old = audited(settings={"vary": ["init"], "training": training})
    training = {"epochs": 10, "data": {"test": "bb"}}
    compared = compare_results(audited(settings={"vary": [], "training": training}), old)
    assert [str(difference) for difference in compared.differences] == [
        "vary: init → none",
        "training.epochs: 20 → 10",
        "the inputs of the test set changed",
    ]
    assert compared.warnings == (
        "vary: init → none: what varies between runs is not the same, so neither is what PD means",
        "the inputs of the test set changed: the numbers are of two test sets, though their true labels "
        "agree",
    )
    assert compare_results(audited(), audited()).differences == ()


def test_a_comparison_is_json():
    old = failing(audited(none=runs(2), adam=runs(2)), "adam", "run 0 failed")
    new = audited(none=runs(6, start=100), adam=runs(2), settings={"vary": []})
    stored = compare_results(
        new, replace(old, settings={**old.settings, "vary": ["init"]})
    ).to_dict()
    assert json.loads(json.dumps(stored, allow_nan=False)) == stored
    assert (stored["name"], stored["status"]) == ("test_a", "worse")
    first = stored["regularizers"]["none"][0]
    assert first["measure"] == "accuracy"
    assert first["change"]["value"] == pytest.approx(-0.02)
    assert first["limit"] == {"max_accuracy_drop": 0.005}
    assert first["status"] == "worse"
    assert stored["uncompared"] == {"adam": "can't be trusted in the old result: run 0 failed"}
    assert stored["differences"] == [{"key": "vary", "old": ["init"], "new": []}]
    assert stored["fingerprint"] == {}
    assert len(stored["warnings"]) == 1


def test_what_changed_of_the_fingerprint_is_json_too():
    settings = [
        {"versions": {"torch": torch}, "threads": {"inter_op": 2}} for torch in ("2.4", "2.5")
    ]
    old, new = (audited(settings=each) for each in settings)
    assert compare_results(new, old).to_dict()["fingerprint"] == {"software": ["torch 2.4 → 2.5"]}


# --- proofs of determinism ----------------------------------------------------------------------


HELD = Proof(())


def proven(proof=HELD, name="test_a"):
    result = audited(none=np.tile(TRUTH, (3, 1)), name=name)
    found = replace(result["none"], proof=proof)
    if proof.differences:
        found = replace(found, verdict=broken(*proof.differences))
    return replace(result, by_regularizer={"none": found})


def test_two_proofs_are_the_same_and_one_that_no_longer_holds_is_worse():
    assert compare_results(proven(), proven()).status == "same"
    compared = compare_results(proven(Proof((), ("losses differ",))), proven())
    assert compared.status == "worse"
    assert compared.breaches("none") == ("can't be trusted, and could before: losses differ",)


def test_runs_of_one_seed_are_not_compared_with_runs_of_several():
    both = {"none": runs(2), "dropout": runs(2)}
    new = audited(**both)
    found = {**new.by_regularizer, "none": replace(new["none"], proof=Proof(()))}
    compared = compare_results(replace(new, by_regularizer=found), audited(**both))
    assert list(compared.by_regularizer) == ["dropout"]
    assert compared.uncompared == {
        "none": "is a proof of determinism in the new result only: runs of one seed say nothing of others"
    }
