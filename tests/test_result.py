import json
import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest import metrics
from pytest_reprotest.api import audit_predictions
from pytest_reprotest.errors import DataError
from pytest_reprotest.result import NO_SUMMARY, AuditResult, RegularizerResult, versions
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
    assert stored["adam"]["flip_rates"] == []
    assert stored["dropout"]["flip_rates"] == metrics.flip_rates(SHAKY).tolist()


def test_an_audit_may_be_taken_out_of_a_file_of_several():
    stored = json.loads(json.dumps(everything().to_dict()))
    assert AuditResult.from_dict(stored) == everything()


def test_the_versions_of_what_computed_are_told():
    found = versions()
    assert found["numpy"] == np.__version__
    assert set(found) == {"python", "pytest-reprotest", "torch", "numpy", "scipy"}


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    from importlib import metadata

    def missing(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    assert versions()["torch"] == "unknown"


def test_a_file_of_another_shape_is_told_apart(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"schema_version": 1, "audits": [{"name": "x"}]}')
    with pytest.raises(DataError, match="is not a result of pytest-reprotest"):
        AuditResult.from_json(path)
