import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.joined import group
from pytest_reprotest.registry import BUILT_IN
from pytest_reprotest.report.failure import explain
from pytest_reprotest.report.letters import speller
from pytest_reprotest.report.rows import Audited, figure, score_figure, verdict_word
from pytest_reprotest.report.table import columns, fold, wrap
from pytest_reprotest.report.terminal import Line, render
from pytest_reprotest.result import NO_SUMMARY, RegularizerResult
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.verdict import broken

TRUTH = np.arange(10) % 2
TEST = "tests/test_digits.py::test_mlp"


def shaky(n_wrong):
    """Three runs; run k alone is wrong on n_wrong samples."""
    runs = np.tile(TRUTH, (3, 1))
    for run in range(3):
        runs[run, run * n_wrong : (run + 1) * n_wrong] ^= 1
    return runs


def audited(labels=("none", "dropout"), n_wrong=(0, 2), name=TEST, **thresholds):
    """``none`` is perfect; ``dropout`` has accuracy 0.8, PD 0.4 and ETA 0.4."""
    predictions = {label: shaky(wrong) for label, wrong in zip(labels, n_wrong, strict=True)}
    return audit_predictions(predictions, TRUTH, name=name, **thresholds)


def texts(lines):
    return [line.text for line in lines]


def rendered(*results, width=100, verbosity=0, notes=()):
    return render([Audited(result) for result in results], width, verbosity, notes)


# --- cells --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "settings", "text"),
    [
        (Estimate(0.0416, 0.0333, 0.0499), {}, "0.042 ±0.008"),
        (Estimate(0.0416, 0.0333, 0.0499), {"interval": False}, "0.042"),
        (Estimate(1.25, 1.0, 1.5), {"digits": 2}, "1.25 ±0.25"),
        (Estimate(0.5), {}, "0.500"),
        (Estimate(-0.8, -0.9, -0.7), {}, "-0.800 ±0.100"),
        (Estimate(math.nan), {}, "-"),
    ],
)
def test_figures(estimate, settings, text):
    assert figure(estimate, **settings) == text


@pytest.mark.parametrize(
    ("thresholds", "outcome", "word"),
    [
        ({"min_accuracy": 0.5}, "", "pass"),
        ({}, "", "no limit"),
        ({"min_accuracy": 0.9}, "", "fail"),
        ({"min_accuracy": 0.9}, "xfail", "fail (xfail)"),
        ({"min_accuracy": 0.5}, "xfail", "pass"),  # another regularizer failed there
        ({"min_accuracy": 0.5}, "rerun", "pass (rerun)"),
        ({"min_accuracy": 0.9, "report_only": True}, "", "fail (report)"),
    ],
)
def test_the_last_cell_says_what_became_of_the_row(thresholds, outcome, word):
    result = audited(**thresholds)
    assert verdict_word(result["dropout"], Audited(result, outcome)) == word


@pytest.mark.parametrize(
    ("name", "label", "title"),
    [
        (f"{TEST}[dropout]", "dropout", TEST),
        (f"{TEST}[small-dropout-2]", "dropout", f"{TEST}[small-2]"),
        (f"{TEST}[weight_decay(1e-05)-small]", "weight_decay(1e-05)", f"{TEST}[small]"),
        (f"{TEST}[dropout] #2", "dropout", f"{TEST} #2"),
        (f"{TEST}[-1-dropout]", "dropout", f"{TEST}[-1]"),
        (f"{TEST}[small]", "dropout", f"{TEST}[small]"),
        (f"{TEST}[dropout]", "", f"{TEST}[dropout]"),
        ("tests/[a]/test_b.py::test_c", "dropout", "tests/[a]/test_b.py::test_c"),
        (TEST, "dropout", TEST),
        ("", "none", ""),
    ],
)
def test_items_of_one_test_share_a_title(name, label, title):
    assert group(name, label) == title


# --- the table ----------------------------------------------------------------------------------

THRESHOLDS = {"max_prediction_difference": 0.25, "min_effective_accuracy": 0.875}


def test_the_table_has_a_row_for_each_regularizer():
    assert texts(rendered(audited(**THRESHOLDS), width=120)) == [
        "test, regularizer  runs  accuracy      PD             ETA           PD/error    "
        "thresholds         verdict",
        "-----------------  ----  ------------  -------------  ------------  ----------  "
        "-----------------  -------",
        TEST,
        "  none (baseline)     3  1.000 ±0.000  0.000 ±0.000   1.000 ±0.000  -           "
        "PD≤0.25 ETA≥0.875  pass",
        "  dropout             3  0.800 ±0.000  0.400 ±0.000~  0.400 ±0.000  2.00 ±0.00  "
        "PD≤0.25 ETA≥0.875  fail",
        "PD: fraction of test samples on which two runs differ. ETA: accuracy - PD. ±: 95% over runs.",
        "PD < lower, > higher, ~ undecided against the baseline (permutation of runs, 5% after Holm).",
    ]


def test_at_80_columns_the_thresholds_stand_under_the_test():
    assert texts(rendered(audited(**THRESHOLDS), width=80)) == [
        "test, regularizer  runs  accuracy  PD             ETA    PD/error  verdict",
        "-----------------  ----  --------  -------------  -----  --------  -------",
        TEST,
        "  thresholds: PD≤0.25 ETA≥0.875",
        "  none                3  1.000     0.000 ±0.000   1.000  -         pass",
        "  dropout             3  0.800     0.400 ±0.000~  0.400  2.00      fail",
        "PD: fraction of test samples on which two runs differ. ETA: accuracy - PD. ±:",
        "  95% over runs.",
        "PD < lower, > higher, ~ undecided against the baseline (permutation of runs, 5%",
        "  after Holm).",
    ]


def test_thresholds_that_differ_stand_there_by_regularizer():
    result = audited(max_prediction_difference={"dropout": 0.25})
    assert "  thresholds: none no threshold; dropout PD≤0.25" in texts(rendered(result, width=80))


def test_where_there_is_no_threshold_nothing_is_said_of_any():
    assert not any("threshold" in text for text in texts(rendered(audited(), width=80)))


def test_rows_are_coloured_by_what_became_of_them():
    styles = {line.text.split()[0]: line.style for line in rendered(audited(**THRESHOLDS))}
    assert (styles["none"], styles["dropout"]) == ("green", "red")
    assert styles["test,"] == styles[TEST] == "bold"
    reported = rendered(audited(**THRESHOLDS, report_only=True))
    assert {line.text.split()[0]: line.style for line in reported}["dropout"] == "yellow"
    unbound = rendered(audited())
    assert {line.text.split()[0]: line.style for line in unbound}["dropout"] == ""


def test_items_of_one_test_make_one_block():
    items = [
        replace(audited((label,), (wrong,), name=f"{TEST}[{label}]"), settings={"test": TEST})
        for label, wrong in [("none", 0), ("dropout", 1)]
    ]
    found = texts(rendered(*items))
    assert found.count(TEST) == 1
    assert [text.split()[0] for text in found[3:5]] == ["none", "dropout"]


def test_a_parameter_that_is_named_like_a_regularizer_stays_in_the_title():
    found = texts(rendered(audited(("dropout",), (0,), name=f"{TEST}[mlp-dropout]")))
    assert f"{TEST}[mlp-dropout]" in found


def test_an_audit_without_a_name_has_no_title():
    assert texts(rendered(audited(name="")))[2].startswith("  none (baseline)")


# --- widths -------------------------------------------------------------------------------------


def noisy(labels, **settings):
    """Every number with an interval of some width, and a negative ETA."""
    rng = np.random.default_rng(0)
    runs = {label: rng.integers(0, 3, size=(5, 10)) for label in labels}
    result = audit_predictions(
        runs,
        TRUTH,
        name="tests/a_folder/test_with_a_rather_long_name.py::" + "test_of_a_long_name_" * 5,
        max_prediction_difference=0.125,
        min_effective_accuracy=0.875,
        **settings,
    )
    return replace(
        result,
        notes=("a remark that is " + "long " * 40 + "and has an end",),
        not_applicable={"group_norm(7)": "its groups do not divide " + "the width " * 12},
        settings={**result.settings, "seed": 0, "engine": "sequential"},
    )


LONG = (
    "none",
    "batch_norm+weight_decay(0.001)+dropout(0.25)",
    "a_regularizer_of_ones_own_with_a_name_that_is_quite_long",
    "stochastic_depth(0.125)",
)


@pytest.mark.parametrize("width", [80, 90, 100, 120, 200])
@pytest.mark.parametrize("labels", [tuple(BUILT_IN), LONG], ids=["built-in", "long"])
@pytest.mark.parametrize("report_only", [False, True])
@pytest.mark.parametrize("outcome", ["", "xfail"])
@pytest.mark.parametrize("verbosity", [0, 2])
def test_no_line_is_wider_than_the_terminal(width, labels, report_only, outcome, verbosity):
    result = noisy(labels, report_only=report_only)
    lines = render([Audited(result, outcome)], width, verbosity, ["a note that " + "goes on " * 30])
    wide = [line.text for line in lines if len(line.text) > width]
    assert all("::" in text for text in wide), wide  # a test's name is not cut


@pytest.mark.parametrize("width", [80, 100])
def test_built_in_regularizers_take_one_line_each(width):
    lines = [
        line for line in texts(rendered(noisy(BUILT_IN), width=width)) if line.endswith("fail")
    ]
    assert [line.split()[0] for line in lines] == list(BUILT_IN)


def test_at_100_columns_thresholds_have_a_column():
    assert "thresholds" in texts(rendered(noisy(BUILT_IN), width=100))[0]


def name_lines(text, lines):
    """The lines of the first column from the one that starts with a text."""
    start = next(place for place, line in enumerate(lines) if line.startswith(text))
    column = [line[: lines[0].index("runs")].rstrip() for line in lines[start:]]
    end = next(place for place, cell in enumerate(column[1:], 1) if not cell.startswith("    "))
    return column[:end]


def test_a_long_name_is_folded_at_its_parts():
    lines = texts(rendered(noisy(LONG), width=100))
    assert name_lines("  batch_norm+", lines) == [
        "  batch_norm+",
        "    weight_decay(0.001)+",
        "    dropout(0.25)",
    ]


def test_no_part_of_a_folded_name_is_lost():
    lines = texts(rendered(noisy(LONG), width=80))
    for label, start in zip(LONG[1:3], ("  batch_norm+", "  a_regularizer"), strict=True):
        assert "".join(map(str.strip, name_lines(start, lines))) == label


def test_a_name_and_its_thresholds_share_lines():
    lines = texts(rendered(noisy(LONG), width=100))
    start = next(place for place, text in enumerate(lines) if text.startswith("  batch_norm+"))
    assert "PD≤0.125" in lines[start]
    assert "ETA≥0.875" in lines[start + 1]


def test_a_tiny_terminal_gets_the_poorest_table():
    assert len(texts(rendered(audited(), width=10))) > 4


# --- generic text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("dropout", 10, ["dropout"]),
        ("a+b", 10, ["a+b"]),
        ("abc+def", 4, ["abc+", ".def"]),
        ("abc+def", 5, ["abc+", ".def"]),
        ("fail (report)", 8, ["fail", ".(report", ".)"]),
        ("fail (report)", 9, ["fail", ".(report)"]),
        ("abc(0.1)+d", 6, ["abc", ".(0.1)", ".+d"]),
        ("abcdef", 4, ["abcd", ".ef"]),
        ("abcdefghij", 4, ["abcd", ".efg", ".hij"]),
        ("  abcdef", 7, ["  abcde", ".f"]),
        ("", 5, [""]),
    ],
)
def test_folding(text, width, lines):
    assert fold(text, width, indent=".") == lines


def test_folding_ends_at_any_width():
    assert fold("abc", 0, indent="....") == ["abc"]
    assert fold("abcdef", 0, indent="....") == ["abcde", "....f"]


def test_wrapping_keeps_paths_and_lines_apart():
    path = "tests/some-folder/of-some-length/test_file.py:12"
    assert wrap(f"one two\nat {path}", 10) == ["one two", "at", f"  {path}"]


def test_columns_of_cells_with_several_lines():
    table = columns(["name", "n"], [[["a", "bc"], ["1"]], [["d"], ["10", "2"]]], right=[1])
    assert table == [["name   n", "----  --"], ["a      1", "bc"], ["d     10", "       2"]]


# --- remarks ------------------------------------------------------------------------------------


def test_quiet_shows_only_what_failed():
    result = replace(audited(**THRESHOLDS), notes=("a note",))
    found = texts(rendered(result, verbosity=-1))
    assert [text.split()[0] for text in found[3:4]] == ["dropout"]
    assert not any("none" in text or "a note" in text for text in found)


def test_quiet_shows_nothing_where_nothing_failed():
    other = audited(name="tests/test_b.py::test_c")
    assert rendered(other, verbosity=-1) == []
    found = texts(rendered(audited(**THRESHOLDS), other, verbosity=-1))
    assert TEST in found
    assert other.name not in found


def test_the_session_s_notes_are_shown_at_any_verbosity_and_without_an_audit():
    note = "--repro-json=out.json could not be written"
    assert rendered(notes=[note], verbosity=-1) == [Line(note, "yellow")]


def test_what_does_not_fit_has_a_row_and_a_reason():
    result = replace(audited(), not_applicable={"residual": "no layer keeps its shape"})
    lines = rendered(result)
    row = next(line for line in lines if line.text.startswith("  residual"))
    assert row.text.split() == ["residual", "0", *"-----", "does", "not", "fit"]
    assert row.style == "yellow"
    assert f"{TEST}: residual does not fit: no layer keeps its shape" in texts(lines)


def test_verbose_shows_the_spread_and_more_so_the_pairs():
    result = replace(audited(), settings={"engine": "stacked"})
    numbers = "  dropout: SD of accuracy 0.0000, ambiguity 0.6000, discrepancy 0.4000"
    found = texts(rendered(result, verbosity=1))
    start = found.index(numbers)
    assert found[start : start + 4] == [
        numbers,
        "    PD by class, largest first: 0 0.400, 1 0.400",
        "    samples that flip most: 0, 1, 2, 3, 4, 5",
        "    0.0 s of training, engine stacked",
    ]
    assert found[found.index(TEST, 3) + 1].startswith("  none: SD of accuracy 0.0000, ambiguity")
    found = texts(rendered(result, verbosity=2))
    assert f"{numbers}, PD of pairs 0.4000 to 0.4000" in found
    assert not any("SD of" in text for text in texts(rendered(result)))


@pytest.mark.parametrize("verbosity", [-1, 0, 1, 2])
@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_terminal_whatever_it_has_to_spell(width, verbosity):
    labels = ("none", "batch_norm+weight_decay(0.001)+dropout(0.25)")
    result = replace(
        audited(labels, max_prediction_difference=0.1, min_effective_accuracy=0.95),
        settings={"engine": "stacked", "runs": 3},
    )
    lines = texts(render([Audited(result)], width, verbosity, spell=speller("ascii")))
    assert max(map(len, lines)) <= width
    assert all(map(str.isascii, lines))
    message = explain(result, "pytest", width, speller("ascii"))
    told = message[: message.index("run just this again")].splitlines()
    assert max(map(len, told)) <= width
    assert message.isascii()


def test_what_is_only_reported_is_a_breach_at_q_and_marks_are_explained_where_there_are_any():
    result = replace(audited(max_prediction_difference=0.1), report_only=True)
    lines = texts(rendered(result, verbosity=-1))
    assert any(text.startswith("  dropout") and "fail (report)" in text for text in lines)
    assert not any(text.startswith("  none") for text in lines)
    assert any(text.startswith("PD < lower") for text in lines)
    wrong = replace(audited(n_wrong=(2, 0), max_prediction_difference=0.1), report_only=True)
    assert not any(text.startswith("PD < lower") for text in texts(rendered(wrong, verbosity=-1)))


def test_more_verbose_shows_every_setting_with_its_origin():
    limits = {"max_prediction_difference": {"none": 0.1, "dropout": 0.5}}
    settings = {
        "runs": 3,
        "seed": 0,
        "vary": ["init", "noise"],
        "device": "cpu",
        "engine": "stacked",
        "training": {"epochs": 3},
        "origins": {"runs": "command line", "max_prediction_difference": "marker"},
    }
    result = replace(audited(**limits), settings=settings)
    expected = [
        "runs = 3 (command line)",
        "seed = 0 (default)",
        "vary = init,noise (default)",
        "device = cpu (default)",
        "engine = stacked (default)",
        "baseline = none (default)",
        "report_only = False (default)",
        "max_prediction_difference = 0.1,0.5 (marker)",
    ]
    found = texts(rendered(result, verbosity=2))
    assert found[-9:] == ["  settings:", *(f"    {text}" for text in expected)]
    assert not any("(default)" in text for text in texts(rendered(result, verbosity=1)))


def test_nothing_that_varies_is_told_in_a_word():
    result = replace(audited(), settings={"vary": []})
    assert "    vary = none (default)" in texts(rendered(result, verbosity=2))


def test_an_audit_without_a_name_says_the_same_without_it():
    found = texts(rendered(audited(name=""), verbosity=2))
    assert "    baseline = none (default)" in found
    assert any(text.startswith("  dropout: SD of accuracy 0.0000, ambiguity") for text in found)
    assert not any("engine" in text for text in found)


def test_a_regularizer_whose_runs_were_lost_has_no_spread():
    lost = RegularizerResult("adam", np.empty((0, 10)), NO_SUMMARY, (), broken("lost"), seconds=2.5)
    result = replace(audited(), by_regularizer={"adam": lost})
    assert "  adam: 2.5 s of training" in texts(rendered(result, verbosity=2))


def test_the_settings_of_a_parametrized_test_are_told_once():
    items = [
        replace(
            audited((label,), (0,), name=f"{TEST}[{label}]"),
            settings={"runs": 3, "engine": "stacked", "test": TEST},
        )
        for label in ("none", "dropout")
    ]
    found = texts(rendered(*items, verbosity=2))
    assert found.count("    runs = 3 (default)") == 1
    assert not any("baseline =" in text for text in found)


# --- the message of a failure -------------------------------------------------------------------


def test_a_failure_says_why_and_how_to_run_just_that():
    result = audited(("none", "weight_decay(0.001)"), **THRESHOLDS)
    lines = explain(result, "pytest t.py --repro-seed=0").splitlines()
    assert lines[:4] == [
        "reproducibility: 1 of 2 regularizers breach a threshold",
        "  weight_decay(0.001) (3 runs): prediction_difference 0.4000 [0.4000, 0.4000] is above",
        "    max_prediction_difference=0.25",
        "  weight_decay(0.001) (3 runs): effective_accuracy 0.4000 [0.4000, 0.4000] is below",
    ]
    assert lines[-2:] == [
        "run just this again:",
        "  pytest t.py --repro-seed=0 --repro-regularizers='weight_decay(0.001)'",
    ]
    assert sum(line.startswith("  none (baseline)") for line in lines) == 1
    assert not any(line.startswith("PD:") for line in lines)


def test_a_failure_keeps_the_audit_s_notes():
    result = replace(audited(**THRESHOLDS), notes=("the marker's 0.25 stands",))
    message = explain(result, "pytest")
    assert f"{TEST}: the marker's 0.25 stands" in message
    assert "±: 95%" not in message


def test_a_failure_names_broken_runs_line_by_line():
    reason = "run 1 of 'adam' failed: ValueError: no\n  at train.py:3 in fit: raise ValueError"
    lost = RegularizerResult(
        "adam", np.empty((0, 10), dtype=np.uint8), NO_SUMMARY, (), broken(reason)
    )
    result = replace(audited(), by_regularizer={"adam": lost})
    lines = explain(result, "pytest").splitlines()
    assert lines[:3] == [
        "reproducibility: 1 of 1 regularizers cannot be trusted or breach a threshold",
        "  adam (0 runs): run 1 of 'adam' failed: ValueError: no",
        "  at train.py:3 in fit: raise ValueError",
    ]
    assert lines[-1] == "  pytest --repro-regularizers=adam"
    assert "  adam                0  -         -   -    -         -           broken" in lines


@pytest.mark.parametrize(
    ("label", "quoted"), [("by_hand('x')", "'by_hand('\"'\"'x'\"'\"')'"), ("a+b", "a+b")]
)
def test_a_label_is_quoted_for_the_shell(label, quoted):
    result = audited(("none", label), **THRESHOLDS)
    assert explain(result, "pytest").endswith(f"--repro-regularizers={quoted}")


@pytest.mark.parametrize("labels", [tuple(BUILT_IN), LONG], ids=["built-in", "long"])
def test_a_failure_s_message_fits_100_columns(labels):
    message = explain(noisy(labels), "pytest")
    wide = [line for line in message.splitlines() if len(line) > 100]
    assert all("::" in line for line in wide), wide


# --- tasks --------------------------------------------------------------------------------------


def numbers(scale=1.0, **settings):
    """Three runs of a regression, of which one is off by one step on one sample."""
    y_true = np.arange(5.0)
    runs = np.tile(y_true, (3, 1))
    runs[0, 0] = 1.0
    return audit_predictions(
        {"none": scale * runs},
        scale * y_true,
        name=TEST,
        task="regression",
        tolerance=0.5 * scale,
        **settings,
    )


def test_tables_of_tasks_have_headings_of_their_own_and_an_empty_line_between():
    lines = texts(rendered(audited(), numbers(min_r2=0.5), numbers(score="mae"), width=100))
    headings = [line.split() for line in lines if line.startswith("test, regularizer")]
    assert headings == [
        [
            "test,",
            "regularizer",
            "runs",
            "accuracy",
            "PD",
            "ETA",
            "PD/error",
            "thresholds",
            "verdict",
        ],
        ["test,", "regularizer", "runs", "R²", "PD", "eff.", "R²", "thresholds", "verdict"],
        ["test,", "regularizer", "runs", "MAE", "PD", "thresholds", "verdict"],
    ]
    assert lines.count("") == 2
    assert lines[0].startswith("test, regularizer")
    assert lines[-1] != ""


@pytest.mark.parametrize("width", [80, 100])
def test_tables_of_tasks_fit_into_the_terminal(width):
    lines = texts(rendered(audited(), numbers(min_r2=0.5), numbers(score="mae"), width=width))
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("scale", "cell"),
    [
        (1.0, "0.0667 ±0.3347"),
        (1000.0, "66.7 ±334.7"),
        (1e6, "66667 ±334651"),
        (1e-3, "0.0000667 ±0.0003347"),
    ],
)
def test_an_error_has_three_significant_digits(scale, cell):
    found = numbers(scale, score="mae")["none"]
    assert score_figure(found) == cell
    assert score_figure(found, interval=False) == cell.split()[0]


def test_an_interval_that_is_narrow_brings_its_digits():
    found = numbers(score="mae")["none"]
    narrow = replace(found.summary, score=Estimate(210.34, 210.21, 210.47))
    assert score_figure(replace(found, summary=narrow)) == "210.3 ±0.1"


def test_a_comparison_of_errors_is_told_in_their_unit():
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=40)
    runs = y_true + 0.1 * rng.normal(size=(6, 40))
    result = audit_predictions(
        {"none": runs, "dropout": runs + 2.0},
        y_true,
        task="regression",
        tolerance=0.5,
        score="mae",
    )
    (line,) = [
        line for line in texts(rendered(result, verbosity=1, width=500)) if "inferior" in line
    ]
    assert "; MAE inferior by more than 0.5: +1.9" in line
