import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_reprotest import metrics
from pytest_reprotest.api import audit_predictions
from pytest_reprotest.errors import DataError
from pytest_reprotest.result import NO_SUMMARY, AuditResult, RegularizerResult, stored_audit
from pytest_reprotest.results_file import read_results, write_results
from pytest_reprotest.stored import MAX_ARRAY_BYTES, pack
from pytest_reprotest.thresholds import Limit
from pytest_reprotest.verdict import Verdict, broken

TRUTH = np.array([0, 1, 1, 0])
STEADY = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]])
SHAKY = np.array([[0, 1, 1, 1], [0, 1, 0, 0], [300, 1, 1, 0]])


def audited(name="test_a.py::test_b", report_only=False):
    """``none`` passes and ``dropout`` fails."""
    return audit_predictions(
        {"none": STEADY, "dropout": SHAKY},
        TRUTH,
        name=name,
        max_prediction_difference=0.25,
        report_only=report_only,
    )


def failed_run(label="adam"):
    return RegularizerResult(
        label,
        np.empty((0, 4), dtype=np.uint8),
        NO_SUMMARY,
        (Limit("min_accuracy", 0.5),),
        broken("run 1 failed: the loss is NaN"),
        losses=((0.5, math.nan), (math.inf,)),
        seconds=1.5,
    )


# --- one regularizer ----------------------------------------------------------------------------


def test_a_regularizer_gives_its_estimates_by_name():
    found = audited()["dropout"]
    assert found.n_runs == 3
    assert found.accuracy.value == 0.75
    assert found.prediction_difference.value == 0.5
    assert found.effective_accuracy.value == 0.25
    assert found.difference_error_ratio.value == 2.0
    assert found.accuracy_std == 0.0
    assert found.flip_rates.tolist() == metrics.flip_rates(SHAKY).tolist()
    assert found.predictions.tolist() == SHAKY.tolist()
    assert found.predictions.dtype == np.uint16
    assert [str(limit) for limit in found.limits] == ["PD≤0.25"]
    assert found.verdict.status == "fail"


# --- the audit ----------------------------------------------------------------------------------


def test_an_audit_is_read_by_label():
    result = audited()
    assert result.regularizers == ("none", "dropout")
    assert result["none"].regularizer == "none"
    with pytest.raises(KeyError) as refusal:
        result["dropuot"]
    assert refusal.value.args[0] == (
        "no regularizer 'dropuot' in this audit; it has none, dropout. Did you mean 'dropout'?"
    )


def test_a_breach_fails_the_audit_unless_it_is_only_reported():
    assert not audited().passed
    assert [found.regularizer for found in audited().failed] == ["dropout"]
    assert audited(report_only=True).passed
    assert audited(report_only=True)["dropout"].verdict.status == "fail"


def test_what_is_broken_fails_also_where_it_is_only_reported():
    result = replace(audited(report_only=True), by_regularizer={"adam": failed_run()})
    assert not result.passed
    assert [found.regularizer for found in result.failed] == ["adam"]


def test_an_inconclusive_verdict_is_no_pass():
    undecided = replace(audited()["none"], verdict=Verdict("inconclusive", ("too few runs",)))
    result = replace(audited(), by_regularizer={"none": undecided})
    assert not result.passed
    assert replace(result, report_only=True).passed


def test_an_audit_of_nothing_has_not_passed():
    assert not replace(audited(), by_regularizer={}).passed


def test_audits_are_equal_where_all_they_say_is():
    assert audited() == audited()
    assert hash(audited()) == hash(audited())
    assert audited() != audited(name="another")
    assert audited() != "an audit"


# --- JSON ---------------------------------------------------------------------------------------


def everything():
    """An audit with a failed run, a refusal, notes and unknown numbers."""
    return replace(
        audited(),
        by_regularizer={**audited().by_regularizer, "adam": failed_run()},
        not_applicable={"residual": "no hidden layer keeps its shape"},
        notes=("a note",),
    )


def test_what_is_written_reads_back_the_same(tmp_path):
    result = everything()
    result.to_json(tmp_path / "audit.json")
    read = AuditResult.from_json(str(tmp_path / "audit.json"))
    assert read == result
    assert read["dropout"].predictions.dtype == np.uint16
    assert read["dropout"].summary == result["dropout"].summary
    assert read["dropout"].limits == result["dropout"].limits
    assert read["adam"].verdict == result["adam"].verdict
    assert read["adam"].predictions.shape == (0, 4)
    assert math.isnan(read["adam"].accuracy.value)
    assert (read.notes, read.not_applicable) == (result.notes, result.not_applicable)
    assert (read.passed, read.baseline, read.report_only) == (False, "none", False)
    assert read.y_true.tolist() == TRUTH.tolist()


def test_numbers_that_are_none_become_null(tmp_path):
    everything().to_json(tmp_path / "audit.json")

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads((tmp_path / "audit.json").read_text(), parse_constant=refuse)
    stored = document["audits"][0]["regularizers"]
    assert stored["none"]["difference_error_ratio"] == {"value": None, "low": None, "high": None}
    assert stored["adam"]["accuracy_std"] is None
    assert stored["adam"]["losses"] == [[0.5, None], [None]]
    assert stored["adam"]["predictions"]["shape"] == [0, 4]


def test_an_audit_may_be_taken_out_of_a_file_of_several():
    stored = json.loads(json.dumps(everything().to_dict()))
    assert AuditResult.from_dict(stored) == everything()


def test_entries_that_a_later_version_adds_are_left_alone():
    stored = json.loads(json.dumps(everything().to_dict()))
    stored["weather"] = "fair"
    stored["regularizers"]["none"]["weather"] = {"value": 1}
    stored["regularizers"]["none"]["limits"]["min_weather"] = 0.5
    stored["regularizers"]["none"]["verdict"]["weather"] = None
    stored["regularizers"]["none"]["accuracy"]["weather"] = 1.0
    assert AuditResult.from_dict(stored) == everything()


def test_a_file_of_another_shape_is_told_apart(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"schema_version": 1, "audits": [{"name": "x"}]}')
    with pytest.raises(DataError, match="is not a result of pytest-reprotest"):
        AuditResult.from_json(path)


def changed(where, value):
    """An audit's stored form with one entry changed."""
    stored = json.loads(json.dumps(everything().to_dict()))
    *path, last = where.split("/")
    inner = stored
    for key in path:
        inner = inner[key]
    inner[last] = value
    return stored


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("name", 3, "name is 3 (an integer); expected a text"),
        ("notes", "a note", "notes is 'a note' (a text); expected a list"),
        ("notes", [None], "notes holds null; expected texts"),
        ("settings", [], "settings is a list; expected an object"),
        ("report_only", 0, "report_only is 0 (an integer); expected true or false"),
        ("regularizers", [], "regularizers is a list; expected an object"),
        ("regularizers/none", 3, "none is 3 (an integer); expected an object"),
        ("y_true", [], "y_true holds no sample; expected at least 1"),
        ("y_true", [0, 1, 1], "runs of 4 samples stand beside 3 in y_true"),
        ("y_true", [0.0, 1.0, 1.0, 0.5], "labels are read as float64; expected integers"),
        ("y_true", [-1, 1, 1, 1], "labels go from -1 to 1"),
        ("regularizers/none/predictions", None, "there is null; expected a packed array"),
        ("regularizers/none/predictions", [[0, 1]], "runs of 2 samples stand beside 4"),
        ("regularizers/none/predictions/shape", [4, 3], "runs of 3 samples stand beside 4"),
        ("regularizers/none/accuracy", 0.5, "accuracy is 0.5 (float); expected an object"),
        ("regularizers/none/accuracy/value", "high", "accuracy is 'high' (a text); expected a nu"),
        ("regularizers/none/limits/min_accuracy", [], "min_accuracy is a list; expected a number"),
        ("regularizers/none/losses", [3], "losses hold something else than a list for each run"),
        ("regularizers/none/losses", [["x"]], "losses is 'x' (a text); expected a number"),
        ("regularizers/none/seconds", "long", "seconds is 'long' (a text); expected a number"),
        ("regularizers/none/seconds", None, "seconds is null or missing; expected a finite number"),
        ("regularizers/none/limits/min_accuracy", None, "min_accuracy is null or missing; expecte"),
        ("on_inconclusive", "cry", "on_inconclusive is 'cry'; expected fail, pass or skip"),
        ("not_applicable", {"adam": 3}, "adam is 3 (an integer); expected a text"),
        ("settings", {"origins": 3}, "origins is 3 (an integer); expected an object"),
        ("settings", {"training": []}, "training is a list; expected an object"),
        ("regularizers/none/verdict/status", "fine", "a verdict is 'fine'; expected pass, fail"),
        ("regularizers/none/verdict/reasons", "x", "reasons is 'x' (a text); expected a list"),
        ("regularizers/none/verdict/broken", "no", "broken is 'no' (a text); expected true or fa"),
    ],
)
def test_what_something_else_wrote_is_refused_in_words(tmp_path, where, value, message):
    path = tmp_path / "audit.json"
    write_results(path, [changed(where, value)])
    with pytest.raises(DataError) as refusal:
        AuditResult.from_json(path)
    assert str(refusal.value).startswith(f"{path} is not a result of pytest-reprotest ({message}")


def test_labels_that_are_too_many_together_are_refused_before_any_is_unpacked():
    stored = everything().to_dict()
    half = MAX_ARRAY_BYTES // 2 // 4
    for label in ("none", "dropout", "adam"):
        stored["regularizers"][label]["predictions"] = {
            "dtype": "u1",
            "shape": [half, 4],
            "zlib": "",
        }
    with pytest.raises(
        DataError, match="an audit's arrays take 1,610,612,736 bytes; expected at mo"
    ):
        AuditResult.from_dict(stored)


# --- files of several audits --------------------------------------------------------------------


def test_an_audit_is_taken_out_of_a_file_by_name(tmp_path):
    path = tmp_path / "audits.json"
    write_results(path, [audited("test_a").to_dict(), {**audited("test_b").to_dict(), "notes": 3}])
    file = read_results(path)
    assert stored_audit(file, "test_a") == audited("test_a")
    with pytest.raises(DataError) as refusal:
        stored_audit(file, "test_aa")
    assert str(refusal.value) == (
        f"{path} holds no audit of 'test_aa'; it holds 'test_a', 'test_b'. Did you mean 'test_a'?"
    )
    with pytest.raises(DataError, match="is not a result of pytest-reprotest \\(notes is 3"):
        stored_audit(file, "test_b")


# --- the first version of the file --------------------------------------------------------------

FIRST = Path(__file__).parent / "data" / "results_v1.json"


def test_a_file_of_the_first_version_is_still_read():
    file = read_results(FIRST)
    assert (file.kind, file.complete) == ("results", True)
    assert list(file.audits) == ["test_a.py::test_made", "test_a.py::test_trained"]
    read, now = stored_audit(file, "test_a.py::test_made"), everything()
    settings = {"name": read.name, "settings": read.settings}
    assert read == replace(now, **settings, comparisons={})  # it held none
    assert read.settings["origins"] == {"max_prediction_difference": "call"}
    assert read["dropout"].predictions.dtype == np.uint16
    assert read["adam"].predictions.shape == (0, 4)


def test_what_was_trained_under_the_first_version_is_still_measured_the_same():
    read = stored_audit(read_results(FIRST), "test_a.py::test_trained")
    assert (read.regularizers, read["none"].n_runs) == (("none", "weight_decay(0.01)"), 3)
    found = read["none"]
    assert found.predictions.shape == (3, 20)
    assert metrics.prediction_difference(found.predictions) == found.prediction_difference.value
    assert metrics.accuracy(found.predictions, read.y_true) == found.accuracy.value == 0.85
    assert read.settings["training"]["epochs"] == 3
    assert "data" not in read.settings["training"]
    assert "machine" not in read.settings


def test_labels_are_packed():
    stored = everything().to_dict()
    assert stored["y_true"] == pack(TRUTH)
    assert stored["regularizers"]["dropout"]["predictions"] == pack(SHAKY)


def test_more_runs_than_their_pairs_can_be_held_are_refused():
    stored = everything().to_dict()
    stored["y_true"] = pack(np.zeros(1, dtype=int))
    stored["regularizers"]["none"]["predictions"] = pack(np.zeros((10_001, 1), dtype=int))
    with pytest.raises(DataError, match=r"^n_runs is 10001; expected 0 to 10,000$"):
        AuditResult.from_dict(stored)
