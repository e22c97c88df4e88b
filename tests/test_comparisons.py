import json
import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.comparisons import comparison_in, comparison_out
from pytest_reprotest.errors import DataError
from pytest_reprotest.joined import ASKED_BASELINE, TEST, compared_across, title
from pytest_reprotest.result import AuditResult
from pytest_reprotest.statistics import compare_with_baseline
from pytest_reprotest.statistics.comparison import TwoGroups

RNG = np.random.default_rng(5)
TRUTH = np.arange(200) % 4


def flipping(rate, n_runs=6):
    """Runs that are wrong on a share of the samples, each on its own."""
    runs = np.tile(TRUTH, (n_runs, 1))
    wrong = RNG.random(runs.shape) < rate
    return np.where(wrong, (runs + 1) % 4, runs)


CALM, SHAKY, OTHER = flipping(0.02), flipping(0.3), flipping(0.02)


def audited(name="", **predictions):
    return audit_predictions(predictions, TRUTH, name=name)


def test_every_other_regularizer_is_held_against_the_baseline():
    result = audited(
        none=SHAKY, dropout=CALM, adam=SHAKY[:, ::-1][:, np.argsort(TRUTH[::-1], kind="stable")]
    )
    assert list(result.comparisons) == ["dropout", "adam"]
    found = result.comparisons["dropout"]
    assert (found.status, found.n_compared) == ("better", 2)
    assert found.p_value == pytest.approx(2 / math.comb(12, 6))
    assert found.p_adjusted == pytest.approx(4 / math.comb(12, 6))
    difference = (
        result["dropout"].prediction_difference.value - result["none"].prediction_difference.value
    )
    assert found.prediction_difference.value == pytest.approx(difference, abs=1e-12)
    assert found.accuracy.value == pytest.approx(
        result["dropout"].accuracy.value - result["none"].accuracy.value, abs=1e-12
    )


def test_they_are_those_of_the_labels_themselves():
    result = audited(none=SHAKY, dropout=CALM)
    groups = {"dropout": TwoGroups.of_labels(CALM, SHAKY, TRUTH)}
    assert result.comparisons["dropout"] == compare_with_baseline(groups)["dropout"]


def test_the_baseline_is_the_one_that_was_named():
    result = audit_predictions({"none": SHAKY, "dropout": CALM}, TRUTH, baseline="dropout")
    assert list(result.comparisons) == ["none"]
    assert result.comparisons["none"].status == "worse"


def test_nothing_is_compared_with_a_baseline_that_cannot_be_trusted():
    assert audited(none=np.zeros((6, 200), dtype=int), dropout=CALM).comparisons == {}


def test_what_cannot_be_trusted_is_left_out_and_counts_towards_no_correction():
    result = audited(none=SHAKY, dropout=CALM, adam=np.zeros((6, 200), dtype=int))
    assert list(result.comparisons) == ["dropout"]
    assert result.comparisons["dropout"].n_compared == 1


def test_one_regularizer_has_nothing_to_be_compared_with():
    assert audited(none=CALM).comparisons == {}


def test_a_file_gives_back_an_equal_comparison():
    comparison = audited(none=SHAKY, dropout=CALM).comparisons["dropout"]
    stored = json.loads(json.dumps(comparison_out(comparison)))
    assert comparison_in(stored) == comparison
    assert (stored["status"], stored["accuracy_status"]) == ("better", "not inferior")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"p_value": "small"}, "p_value is 'small' (a text); expected a number"),
        ({"exact": 1}, "exact is 1 (an integer); expected true or false"),
        ({"n_runs": True}, "n_runs is True (true or false); expected an integer"),
        ({"accuracy": None}, "accuracy is null; expected an object"),
    ],
)
def test_a_stored_comparison_that_is_none_is_refused(changed, message):
    stored = comparison_out(audited(none=SHAKY, dropout=CALM).comparisons["dropout"])
    with pytest.raises(DataError) as refusal:
        comparison_in({**stored, **changed})
    assert str(refusal.value) == message


def test_a_result_read_back_has_its_comparisons():
    result = audited(none=SHAKY, dropout=CALM)
    read = AuditResult.from_dict(json.loads(json.dumps(result.to_dict())))
    assert read == result
    assert read.comparisons == result.comparisons


# --- items of one test --------------------------------------------------------------------------


def set_to(result, **settings):
    return replace(result, settings={**result.settings, **settings})


def item(label, predictions, **changes):
    found = audited(f"test_a.py::test_mlp[{label}]", **{label: predictions})
    return set_to(found, **{TEST: "test_a.py::test_mlp"})


def test_items_of_one_test_are_compared_as_one_audit():
    whole = audited(none=SHAKY, dropout=CALM)
    found = compared_across([item("none", SHAKY), item("dropout", CALM)])
    assert [result.comparisons for result in found] == [{}, dict(whole.comparisons)]
    assert [result.baseline for result in found] == ["none", "none"]
    assert [title(result) for result in found] == ["test_a.py::test_mlp"] * 2


def test_without_none_the_first_item_is_the_baseline():
    found = compared_across([item("adam", SHAKY), item("dropout", CALM)])
    assert found[1].baseline == "adam"


@pytest.mark.parametrize(
    "others",
    [
        [],
        [audited("test_a.py::test_other[dropout]", dropout=CALM)],
        [audited("test_a.py::test_mlp[none]", none=OTHER)],
        [audited("test_a.py::test_mlp[dropout]", dropout=CALM)],
    ],
    ids=["alone", "another test", "the same regularizer", "a parameter that looks like one"],
)
def test_items_that_are_not_of_one_audit_are_left_as_they_are(others):
    results = [item("none", SHAKY), *others]
    assert compared_across(results) == results


def test_the_baseline_of_items_is_the_one_that_was_asked_for():
    items = [item("none", SHAKY), item("dropout", CALM)]
    found = compared_across([set_to(each, **{ASKED_BASELINE: "dropout"}) for each in items])
    assert [list(result.comparisons) for result in found] == [["none"], []]
    assert found[0].comparisons["none"].status == "worse"


def test_items_without_the_baseline_among_them_are_not_compared():
    items = [item("adam", SHAKY), item("dropout", CALM)]
    found = compared_across([set_to(each, **{ASKED_BASELINE: "none"}) for each in items])
    assert [result.comparisons for result in found] == [{}, {}]


def test_an_item_from_which_more_differs_is_left_out_and_told():
    items = [
        set_to(item("none", SHAKY), engine="stacked"),
        set_to(item("dropout", CALM), engine="stacked"),
        set_to(item("adam", OTHER), engine="sequential"),
    ]
    _, dropout, adam = compared_across(items)
    assert list(dropout.comparisons) == ["dropout"]
    assert dropout.comparisons["dropout"].n_compared == 1
    assert adam.comparisons == {}
    assert adam.notes == (
        "not compared with 'none', from which more differs: engine: stacked → sequential",
    )


def test_an_item_of_another_test_set_is_told_too():
    other = audit_predictions(
        {"dropout": OTHER}, (TRUTH + 1) % 4, name="test_a.py::test_mlp[dropout]"
    )
    other = set_to(other, **{TEST: "test_a.py::test_mlp"})
    found = compared_across([item("none", SHAKY), other])
    assert found[1].notes == (
        "not compared with 'none', from which more differs: another test set",
    )
