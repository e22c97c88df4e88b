"""The sections of the page, as data and as text; what a browser makes of them is tested beside this."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from pages import TEST, TRUTH, audited, page_of, runs

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.attribution import Attribution, Climbed
from pytest_reprotest.changes import Change
from pytest_reprotest.digests import Digests
from pytest_reprotest.divergence import Divergence
from pytest_reprotest.joined import FILE, compared_across
from pytest_reprotest.proof import Proof
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.report.html.markup import Markup, identifier, join, label, tag, text
from pytest_reprotest.report.html.sections import (
    SECTIONS,
    attributed,
    held,
    origin,
    samples,
    spread,
)
from pytest_reprotest.report.html.sections import runs as runs_sections
from pytest_reprotest.report.html.summary import summary
from pytest_reprotest.report.html.united import Shown, united
from pytest_reprotest.report.html.verdict import verdict_of, verdict_of_all
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.statistics.gate import Gate
from pytest_reprotest.thresholds import Limit
from pytest_reprotest.verdict import Verdict, broken


def only(result, **changed):
    """A result whose regularizers are changed alike."""
    found = {name: replace(each, **changed) for name, each in result.by_regularizer.items()}
    return replace(result, by_regularizer=found)


def words(markup):
    """The text of HTML."""
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


# --- markup -------------------------------------------------------------------------------------


def test_all_but_markup_is_escaped():
    made = tag("p", "<b>", tag("b", "&"), title='"><script>')
    assert made == '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;<b>&amp;</b></p>'
    assert join(["<", Markup("<br>")], between=" ") == "&lt; <br>"


def test_what_is_not_seen_is_spelled_and_lines_and_spaces_stay():
    assert text("a\x07\u202eb\nc ") == "a\\x07\\u202eb<br>c "
    assert text(" ") == " "
    assert words(label("a_b.c\u200f")).replace(" ", "") == "a_b.c\\u200f"


def test_attributes_are_left_out_or_stand_alone():
    assert tag("button", type="button", hidden=True) == '<button type="button" hidden></button>'
    assert tag("i", class_=None, hidden=False) == "<i></i>"


def test_ids_have_letters_and_hyphens_only():
    assert identifier("a/b::c[\"'<x> ü]") == "a-b-c-x-u"


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "outcome", "report_only", "told"),
    [
        ({}, "", False, ("open", "no limit", "2 regularizers audited, and no limit was set.")),
        (
            {"max_prediction_difference": 1.0},
            "",
            False,
            ("pass", "passed", "All 2 regularizers hold what was asked."),
        ),
        (
            {"max_prediction_difference": {"none": 0.1, "dropout": 1.0}},
            "",
            False,
            ("fail", "failed", "1 of 2 regularizers breach a threshold: none."),
        ),
        (
            {"max_prediction_difference": 0.0},
            "xfail",
            False,
            ("undecided", "failed as expected", "This test is marked as an expected failure."),
        ),
        (
            {"max_prediction_difference": 0.0},
            "",
            True,
            (
                "undecided",
                "reported",
                "Limits are breached, which is reported and fails no test.",
            ),
        ),
    ],
)
def test_the_verdict_in_a_word_and_in_a_sentence(limits, outcome, report_only, told):
    result = replace(audited(**limits), report_only=report_only)
    shown = Shown(result, dict.fromkeys(result.by_regularizer, outcome))
    assert verdict_of(shown) == told


def test_a_verdict_that_could_not_be_decided():
    verdict = Verdict("inconclusive", ("too few",))
    result = replace(only(audited(), verdict=verdict), on_inconclusive="pass")
    assert verdict_of(Shown(result)).word == "undecided"
    failing = replace(result, on_inconclusive="fail")
    assert "can't be decided with so few runs" in verdict_of(Shown(failing)).sentence


def test_the_verdict_of_all_is_the_worst_one_and_counts():
    good = Shown(audited(max_prediction_difference=1.0))
    bad = Shown(audited(max_prediction_difference=0.0))
    expected = Shown(bad.result, dict.fromkeys(bad.result.by_regularizer, "xfail"))
    assert verdict_of_all([good, bad]) == ("fail", "failed", "2 audits: 1 passed, 1 failed.")
    assert verdict_of_all([good, expected])[:2] == ("pass", "passed")
    assert verdict_of_all([expected, expected])[:2] == ("open", "failed as expected")
    assert verdict_of_all([Shown(audited()), Shown(audited())])[:2] == ("open", "no limit")
    assert verdict_of_all([good]) == verdict_of(good)
    assert verdict_of_all([]).sentence == "No test was audited."


# --- the table ----------------------------------------------------------------------------------


def test_the_table_has_the_numbers_of_the_terminal_and_keys_to_sort_by():
    result = audited(max_prediction_difference={"none": 0.1, "dropout": 1.0})
    html = summary(Shown(replace(result, not_applicable={"residual": "no <place>"})))
    shown = re.findall(r'<t[dh][^>]*data-sort="([^"]*)"', html)
    found = result["none"]
    numbers = (found.accuracy, found.prediction_difference, found.effective_accuracy)
    assert shown[:2] == ["none (baseline)", "4"]
    assert shown[2:5] == [f"{number.value:.3f}" for number in numbers]
    assert html.count("<tr>") == 4
    assert html.count('aria-sort="none"') == html.count("<button") == 8
    assert "residual does not fit: no &lt;place&gt;" in html
    assert f"none: prediction_difference {found.prediction_difference.value:.4f} [" in html
    assert 'class="word fail">✗ fail</span>' in html
    assert "permutation of runs" in words(html)


def test_a_gate_has_columns_of_its_own():
    gate = Gate("rank", 0.3, 0.2, 0.25, 0.05, True, 1, 19)
    verdict = Verdict("fail", (str(gate),))
    html = summary(Shown(only(audited(), gate=gate, verdict=verdict)))
    assert "PD to bank" in html
    assert "4 + 19" in html
    assert "bank differ" in html


def test_an_audit_of_nothing_has_no_table():
    assert "Nothing was audited." in summary(Shown(replace(audited(), by_regularizer={})))


# --- items of one test --------------------------------------------------------------------------


def items(**changed):
    """Two items of one test, one a regularizer."""
    for name, wrong in (("none", 0.2), ("dropout", 0.1)):
        result = audited(f"{TEST}[{name}]", labels={name: runs(wrong)}, settings={"test": TEST})
        yield replace(result, **changed.get(name, {}))


def test_items_of_one_test_are_one_audit():
    audits = [Audited(result, "xfail") for result in compared_across(list(items()))]
    (shown,) = united(audits)
    assert shown.name == TEST
    assert shown.result.regularizers == ("none", "dropout")
    assert list(shown.result.comparisons) == ["dropout"]
    assert shown.outcomes == {"none": "xfail", "dropout": "xfail"}


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": {"test": TEST, "seed": 1}},
        {"settings": {"test": TEST, FILE: "old.json", "seed": 0}},
        {"y_true": TRUTH[::-1]},
        {"report_only": True},
    ],
    ids=["seed", "file", "test set", "report"],
)
def test_items_that_differ_in_more_stay_apart(changed):
    audits = [Audited(result) for result in compared_across(list(items(dropout=changed)))]
    assert len(united(audits)) == 2


def test_the_file_is_named_where_there_are_several():
    first, second = (audited(settings={FILE: name}) for name in ("a.json", "b.json"))
    html = page_of(first, second)
    assert "(b.json)" in re.sub("<wbr>", "", html)
    assert len(set(re.findall(r'<article id="([^"]*)"', html))) == 2


# --- figures ------------------------------------------------------------------------------------


def test_a_trained_audit_has_every_section_that_is_not_about_a_reference():
    titles = [made.title for make in SECTIONS if (made := make(audited())) is not None]
    assert titles == [
        "Against the baseline (none)",
        "Prediction difference of each pair of runs",
        "Accuracy of each run",
        "ETA with its interval",
        "Prediction difference against error",
        "Learning curves",
        "Each run against each other",
        "Flips by class",
        "Samples that flip most",
        "Run it again",
        "Settings, versions and machine",
    ]


def test_pairs_are_there_once():
    (picture,) = spread.differences(audited()).blocks
    assert {name: len(values) for name, values in picture.figure.groups.items()} == {
        "none": 6,
        "dropout": 6,
    }
    matrix = audited()["none"].pairwise
    assert sum(picture.figure.groups["none"]) == pytest.approx(matrix.sum() / 2)


def test_the_error_has_the_interval_of_the_score_turned_around():
    result = audited()
    (picture,) = spread.difference_and_error(result).blocks
    (point,) = picture.figure.series["none"]
    score = result["none"].score
    assert (point.x.value, point.x.low, point.x.high) == (
        1 - score.value,
        1 - score.high,
        1 - score.low,
    )
    assert picture.figure.line.label == "calibrated ensemble: PD = error"


def test_the_diagonal_of_pairs_has_no_colour():
    (choice,) = runs_sections.pairs(audited()).blocks
    assert list(choice.blocks) == ["none", "dropout"]
    values = choice.blocks["none"].figure.values
    assert [math.isnan(values[run][run]) for run in range(4)] == [True] * 4
    assert values[0][1] == audited()["none"].pairwise[0, 1]


def test_curves_leave_out_losses_that_are_no_numbers():
    losses = ((1.0, math.inf, 0.5), (1.0, 0.8, math.nan))
    (choice,) = runs_sections.curves(only(audited(), losses=losses)).blocks
    (drawn,) = choice.blocks["none"].figure.series.values()
    assert [[math.isnan(loss) for loss in run] for run in drawn] == [
        [False, True, False],
        [False, False, True],
    ]
    assert runs_sections.curves(audited(losses=False)) is None
    assert runs_sections.curves(only(audited(), losses=((1.0,), (1.0,)))) is None


def test_of_many_classes_those_are_shown_that_flip_most():
    truth = np.arange(400) % 40
    labels = {"none": runs(0.3, truth=truth)}
    labels["none"][:, truth == 7] = 7  # never flips
    section = samples.by_class(audited(labels=labels, truth=truth))
    (picture,) = section.blocks
    assert len(picture.figure.columns) == 30
    assert "7" not in picture.figure.columns
    assert "Of 40 classes the 30 that flip most are shown." in section.caption


def test_votes_are_counted_and_the_truth_is_marked():
    labels = np.tile(TRUTH, (4, 1))
    labels[:3, 5] = 2  # the truth is 1
    (choice,) = samples.flips(audited(labels={"none": labels})).blocks
    html = words(choice.blocks["none"])
    assert "5 1 0.500 2 × 3 1 ✓ × 1" in html
    assert samples.flips(audited(labels={"none": np.tile(TRUTH, (4, 1))})) is None


def test_regressions_have_no_classes_and_votes_are_a_range():
    truth = np.linspace(0, 1, 50)
    generator = np.random.default_rng(0)
    numbers = truth + generator.normal(0, 0.2, (4, 50))
    for score, effective in (("r2", True), ("mae", False)):
        result = audit_predictions(
            {"none": numbers}, truth, task="regression", tolerance=0.3, score=score
        )
        assert samples.by_class(result) is None
        assert spread.difference_and_error(result) is None
        assert (spread.effective(result) is not None) == effective
        (choice,) = samples.flips(result).blocks
        assert re.search(r"-?[\d.]+ to [\d.]+, median", words(choice.blocks["none"]))
        assert spread.scores(result).title == ("R² of each run" if effective else "MAE of each run")
        assert "<h2>" in page_of(result)


def test_several_labels_tell_the_labels_that_flip():
    truth = np.tile([[0, 1, 1]], (6, 1))
    predictions = np.tile(truth, (3, 1, 1))
    predictions[0, 2, 1] = 0
    result = audit_predictions({"none": predictions}, truth, task="multilabel")
    (choice,) = samples.flips(result).blocks
    assert "2 0 1 1 0.222 label 1: 2 of 3 runs right" in words(choice.blocks["none"])
    assert samples.by_class(result).title == "Flips by label"


def test_a_broken_regularizer_is_left_out_of_figures():
    result = audited()
    lost = replace(
        result["dropout"],
        predictions=result["dropout"].predictions[:0],
        verdict=broken("run 1 failed"),
        losses=(),
    )
    result = replace(
        result, by_regularizer={"none": result["none"], "dropout": lost}, comparisons={}
    )
    (picture,) = spread.differences(result).blocks
    assert list(picture.figure.groups) == ["none"]
    assert "dropout: run 1 failed" in page_of(result)
    alone = replace(result, by_regularizer={"dropout": lost})
    assert [make(alone) for make in SECTIONS[4:13]] == [None] * 9
    assert "run 1 failed" in page_of(alone)


def test_without_predictions_there_are_the_figures_of_estimates(monkeypatch):
    result = only(audited(), predictions=TRUTH[None][:0])
    monkeypatch.setattr(RegularizerResult, "n_runs", 4)
    monkeypatch.setattr(type(result), "details", lambda self, label: None)
    titles = [made.title for make in SECTIONS if (made := make(result)) is not None]
    assert titles[:4] == [
        "Against the baseline (none)",
        "ETA with its interval",
        "Prediction difference against error",
        "Learning curves",
    ]
    assert titles[4:] == ["Run it again", "Settings, versions and machine"]


def test_a_figure_that_cannot_be_drawn_keeps_no_other_from_it():
    labels = {f"r{number}": runs(0.2, n_runs=2) for number in range(64)}
    html = page_of(audited(labels=labels, losses=False))
    assert "64 series cannot be told apart" in html
    assert "ETA with its interval" in html


# --- what runs were held against ----------------------------------------------------------------


def test_the_comparison_tells_what_was_found_and_folds_the_rest():
    labels = {"none": runs(0.4, n_runs=10), "a": runs(0.05, n_runs=10), "b": runs(0.4, n_runs=10, seed=3)}  # fmt: skip
    section = held.comparison(audited(labels=labels))
    picture, found, rest = section.blocks
    assert [(row.label, row.group) for row in picture.figure.rows] == [
        ("a", "lower"),
        ("b", "undecided"),
    ]
    assert "a lowers the prediction difference" in found
    assert rest.startswith("<details><summary>1 undecided, in words</summary>")
    assert held.comparison(audited(labels={"none": runs(0.2)})) is None


def test_changes_since_a_stored_result_are_a_table():
    limit = Limit("max_accuracy_drop", 0.005)
    change = Change(
        "accuracy", 0.9, 0.8, Estimate(-0.1, -0.2, -0.05), limit, "worse", Estimate(0.1)
    )
    unknown = replace(change, change=Estimate(-0.1), status="same")
    result = only(audited(settings={"compared_with": "old.json"}), changes=(change, unknown))
    section = held.changes(result)
    assert "old.json" in section.caption
    (found,) = section.blocks
    assert "<td>-0.1000 [-0.2000, -0.0500]</td><td>0.005</td><td>worse</td>" in found
    assert "<td>-0.1000</td>" in found


def test_a_gate_is_told():
    gate = Gate("rank", 0.3, 0.2, 0.25, 0.05, True, 1, 19)
    (found,) = held.gate(only(audited(), gate=gate)).blocks
    assert "1 new run differs from the 19 runs of the bank by 0.3000" in found


def test_a_proof_is_told_with_its_divergence_and_leaks_in_place_of_figures():
    runs_ = (Digests(1, "a"), Digests(2, "b"))
    divergence = Divergence(
        3, 2, "forward", "0", "the output of module '0'", "a <kernel>", "a.py:3"
    )
    proof = Proof(runs_, ("predictions differ",), divergence, ("takes from numpy\n  at b.py:4",))
    result = only(audited(), proof=proof)
    html = page_of(result)
    assert "not the same bits" in html
    assert "first divergence in step 3" in html
    assert "a &lt;kernel&gt;<br> at a.py:3" in html
    assert "takes from numpy<br> at b.py:4" in html
    assert "each pair of runs" not in html
    same = page_of(only(audited(), proof=Proof((Digests(1, "a"), Digests(2, "a")))))
    assert "2 runs of one seed agree to the last bit" in same


def test_the_ladder_of_an_attribution_is_a_forest_from_nothing_to_everything():
    ladder = Attribution(
        (
            Climbed("identical", 3, Estimate(0.0, 0.0, 0.0), Estimate(0.0), True),
            Climbed("init", 3, Estimate(0.1, 0.05, 0.15), Estimate(0.5, 0.25, 0.75)),
            Climbed("noise", left_out="nothing <draws> from it"),
            Climbed("all", 3, Estimate(0.2, 0.1, 0.3), Estimate(1.0)),
        )
    )
    plain = audited()
    found = {**plain.by_regularizer, "none": replace(plain["none"], attribution=ladder)}
    result = replace(plain, by_regularizer=found)
    told, choice, shares = attributed.attribution(result).blocks
    rows = choice.blocks["none"].figure.rows
    assert [row.label for row in rows] == ["identical", "init", "all"]
    assert "nothing &lt;draws&gt; from it" in told
    assert "none init 3 0.100 ±0.050 50% [25%, 75%]" in words(shares)
    assert "--repro-attribute" in origin.command_of(result)
    assert "Where the difference comes from" in page_of(result)
    assert attributed.attribution(plain) is None


# --- where it came from -------------------------------------------------------------------------


def test_the_command_asks_for_what_was_asked():
    origins = {"vary": "command line", "max_prediction_difference": "command line"}
    result = audited(
        name="tests/a b.py::test_mlp[x] #2",
        max_prediction_difference=0.5,
        settings={"vary": ["init", "noise"], "origins": origins, "deterministic": {}},
    )
    assert origin.command_of(result) == (
        "pytest 'tests/a b.py::test_mlp[x]' --repro-runs=4 --repro-seed=0 --repro-vary=init,noise "
        "--repro-regularizers=none,dropout --repro-deterministic "
        "--repro-max-prediction-difference=0.5"
    )
    assert origin.reproduce(audited(name="")) is None


def test_settings_are_told_one_by_one_with_their_origin():
    settings = {"training": {"lr": 0.1, "data": {"train": None}}, "origins": {"training": "call"}}
    found, fingerprint = origin.settings(audited(settings=settings)).blocks
    html = words(found).replace(" ", "")
    assert fingerprint.startswith("<details><summary>Fingerprint: versions</summary>")
    assert "versions.numpy" in words(fingerprint).replace(" ", "")
    assert "numpy" not in html
    assert "training.lr0.1call" in html
    assert "training.data.trainNonecall" in html
    assert "origins" not in html
    assert origin.settings(replace(audited(), settings={})) is None
    noted, *_ = origin.settings(replace(audited(), notes=("few <runs>",))).blocks
    assert "few &lt;runs&gt;" in noted


# --- the page -----------------------------------------------------------------------------------


def test_figures_are_json_in_which_nothing_is_a_tag():
    html = page_of(audited(labels={"</script><b>": runs(0.2), "none": runs(0.1)}))
    (held_,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', html)
    assert "<" not in held_
    figures = json.loads(held_)
    assert len(figures) == html.count("data-figure=")


def test_a_page_of_one_names_it_once_and_one_of_several_lists_them():
    assert "<nav" not in page_of(audited())
    html = page_of(audited(name="a.py::test_a"), audited(name="a.py::test_b"), notes=["a < b"])
    assert html.count("<li><span class=") == 2
    assert "a &lt; b" in html
    assert set(re.findall(r'href="#(audit[^"]*)"', html)) - {"audits"} == set(
        re.findall(r'<article id="([^"]*)"', html)
    )
    assert "No test was audited." in page_of()
