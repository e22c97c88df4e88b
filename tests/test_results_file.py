import json
import os

import numpy as np
import pytest

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.result import AuditResult
from pytest_reprotest.results_file import check_writable, write_results


def stored(name):
    labels = np.array([[0, 1], [0, 0]])
    return audit_predictions({"none": labels}, [0, 1], name=name).to_dict()


def test_audits_are_sorted_by_name_under_a_schema_version(tmp_path):
    path = tmp_path / "out.json"
    write_results(path, [stored("b"), stored("a")])
    document = json.loads(path.read_text())
    assert document["schema_version"] == 1
    assert document["complete"] is True
    assert [audit["name"] for audit in document["audits"]] == ["a", "b"]


def test_an_interrupt_is_told(tmp_path):
    write_results(tmp_path / "out.json", [], complete=False)
    document = json.loads((tmp_path / "out.json").read_text())
    assert document == {"schema_version": 1, "complete": False, "audits": []}


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("something longer than what is written now" * 100)
    write_results(path, [])
    assert json.loads(path.read_text())["audits"] == []
    assert [found.name for found in tmp_path.iterdir()] == ["out.json"]


def test_a_failure_leaves_the_old_file_and_no_scraps(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("as it was")
    with pytest.raises(ValueError, match="Out of range float"):
        write_results(path, [{"name": "a", "number": float("nan")}])
    assert path.read_text() == "as it was"
    assert [found.name for found in tmp_path.iterdir()] == ["out.json"]


def test_a_new_file_is_as_readable_as_others(tmp_path):
    write_results(tmp_path / "out.json", [])
    (tmp_path / "plain.txt").write_text("")
    modes = [(tmp_path / name).stat().st_mode for name in ("out.json", "plain.txt")]
    assert modes[0] == modes[1]


def test_a_path_that_can_be_written_is_left_alone(tmp_path):
    check_writable(tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old.json").write_text("old")
    check_writable(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_text() == "old"


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(OptionError) as refusal:
        check_writable(tmp_path)
    assert str(refusal.value) == (
        f"--repro-json={tmp_path}: that is a folder; expected the path of a file to write"
    )


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OptionError) as refusal:
        check_writable(tmp_path / "no" / "out.json")
    assert str(refusal.value).endswith(
        f"the folder {tmp_path / 'no'} does not exist; create it, or write elsewhere"
    )


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_a_path_without_permission_is_refused(tmp_path, monkeypatch, locked):
    path = tmp_path / "out.json"
    path.write_text("")
    denied = tmp_path if locked == "folder" else path
    monkeypatch.setattr(os, "access", lambda asked, mode: asked != denied)
    with pytest.raises(OptionError, match="no permission to write there; write elsewhere"):
        check_writable(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a result of pytest-reprotest (JSONDecodeError"),
        ("[]", "is not a result of pytest-reprotest (TypeError"),
        ("{}", "is not a result of pytest-reprotest (KeyError: 'schema_version')"),
        ('{"schema_version": 1, "audits": 3}', "is not a result of pytest-reprotest (TypeError"),
        ('{"schema_version": 1, "audits": [3]}', "is not a result of pytest-reprotest (TypeError"),
        ('{"schema_version": 1, "audits": [{}]}', "is not a result of pytest-reprotest (KeyError"),
        ('{"schema_version": 9, "audits": []}', "has schema version 9; this version reads 1."),
        ('{"schema_version": 1, "audits": []}', "holds 0 audits; expected one."),
        ('{"schema_version": 1, "audits": [{}, {}]}', "holds 2 audits; expected one."),
    ],
)
def test_files_that_hold_no_single_audit_are_refused(tmp_path, text, message):
    path = tmp_path / "in.json"
    path.write_text(text)
    with pytest.raises(DataError) as refusal:
        AuditResult.from_json(path)
    assert str(refusal.value).startswith(f"{path} ")
    assert message in str(refusal.value)


def test_a_file_that_is_not_there_stays_python_s_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        AuditResult.from_json(tmp_path / "in.json")
