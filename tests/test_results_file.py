import json
import os

import numpy as np
import pytest

from pytest_reprotest import results_file
from pytest_reprotest.api import audit_predictions
from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.result import AuditResult
from pytest_reprotest.results_file import check_writable, read_results, whole_file, write_results


def stored(name):
    labels = np.array([[0, 1], [0, 0]])
    return audit_predictions({"none": labels}, [0, 1], name=name).to_dict()


def test_audits_are_sorted_by_name_under_a_schema_version(tmp_path):
    path = tmp_path / "out.json"
    write_results(path, [stored("b"), stored("a")])
    document = json.loads(path.read_text())
    assert document["schema_version"] == 2
    assert document["kind"] == "results"
    assert document["complete"] is True
    assert [audit["name"] for audit in document["audits"]] == ["a", "b"]


def test_an_interrupt_is_told(tmp_path):
    write_results(tmp_path / "out.json", [], complete=False)
    document = json.loads((tmp_path / "out.json").read_text())
    assert document == {"schema_version": 2, "kind": "results", "complete": False, "audits": []}


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


def test_the_option_that_named_the_path_is_told(tmp_path):
    with pytest.raises(OptionError, match=f"^--repro-save-bank={tmp_path}: that is a folder"):
        check_writable(tmp_path, "--repro-save-bank")


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
        ("[" * 100_000, "is not a result of pytest-reprotest (it is nested more than 50 deep)"),
        ('{"schema_version": NaN}', "(NaN is no JSON)"),
        ('{"schema_version": 1, "audits": 3}', "is not a result of pytest-reprotest (TypeError"),
        ('{"schema_version": 1, "audits": [3]}', "is not a result of pytest-reprotest (there is 3"),
        ('{"schema_version": 1, "audits": [{}]}', "(the entry 'regularizers' is missing)"),
        (
            '{"schema_version": 9, "audits": []}',
            "has schema version 9; this version reads 1 and 2. Upgrade pytest-reprotest",
        ),
        ('{"schema_version": true, "audits": []}', "has schema version True; this version reads"),
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


# --- files of several audits --------------------------------------------------------------------


def test_a_file_of_several_audits_gives_them_by_name(tmp_path):
    path = tmp_path / "out.json"
    write_results(path, [stored("b"), stored("a")], complete=False, kind="bank")
    file = read_results(path)
    assert (file.path, file.kind, file.complete) == (str(path), "bank", False)
    assert list(file.audits) == ["a", "b"]
    assert AuditResult.from_dict(file.audits["b"]) == AuditResult.from_dict(stored("b"))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"audits": [{"name": "a"}, {"name": "a"}]}, "holds two audits of the name 'a'; expected"),
        ({"audits": [{}]}, "is not a result of pytest-reprotest (an audit has no name)"),
        ({"audits": [3]}, "is not a result of pytest-reprotest (an audit has no name)"),
        ({"audits": [], "kind": "cake"}, "(its kind is 'cake', complete is True)"),
        ({"audits": [], "kind": ["bank"]}, "(its kind is ['bank'], complete is True)"),
        ({"audits": [], "complete": 1}, "(its kind is 'results', complete is 1)"),
    ],
)
def test_files_that_hold_no_audits_by_name_are_refused(tmp_path, document, message):
    path = tmp_path / "in.json"
    path.write_text(json.dumps({"schema_version": 2, "complete": True, **document}))
    with pytest.raises(DataError) as refusal:
        read_results(path)
    assert str(refusal.value).startswith(f"{path} ")
    assert message in str(refusal.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(DataError) as refusal:
        read_results(tmp_path / "in.json")
    assert str(refusal.value) == f"{tmp_path / 'in.json'} can't be read: No such file or directory"
    with pytest.raises(DataError, match="is a folder; expected a file of results"):
        read_results(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "in.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        DataError, match="is not a result of pytest-reprotest \\(UnicodeDecodeError"
    ):
        read_results(path)


def test_a_file_larger_than_can_be_borne_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "in.json"
    write_results(path, [stored("a")])
    monkeypatch.setattr(results_file, "MAX_BYTES", path.stat().st_size)
    assert list(read_results(path).audits) == ["a"]
    monkeypatch.setattr(results_file, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(DataError, match="the most that is read; write fewer audits into a file"):
        read_results(path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")  # noqa: PTH110
def test_a_file_without_end_is_not_read_to_it(monkeypatch):
    monkeypatch.setattr(results_file, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="has more than 1,000 bytes"):
        read_results("/dev/zero")


# --- what others may do meanwhile ---------------------------------------------------------------


def test_a_link_at_the_path_is_replaced_and_not_followed(tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("mine")
    (tmp_path / "out.json").symlink_to(other)
    write_results(tmp_path / "out.json", [])
    assert other.read_text() == "mine"
    assert not (tmp_path / "out.json").is_symlink()
    assert list(read_results(tmp_path / "out.json").audits) == []


def test_a_link_that_waits_where_the_file_is_made_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(results_file.secrets, "token_hex", lambda n: "guessed")
    other = tmp_path / "other.txt"
    (tmp_path / ".reprotest-guessed").symlink_to(other)
    with pytest.raises(FileExistsError):
        write_results(tmp_path / "out.json", [])
    assert not other.exists()


def test_the_name_under_which_a_file_is_made_is_another_each_time(tmp_path):
    names = set()
    for _ in range(3):
        with results_file.replacing(tmp_path / "out.json") as scratch:
            names.add(scratch.name)
            assert scratch.parent == tmp_path
    assert len(names) == 3


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_file_that_others_cannot_read_stays_so(tmp_path, mode):
    path = tmp_path / "out.json"
    path.touch()
    path.chmod(mode)
    with whole_file(path) as file:
        file.write("secret")
        (scratch,) = (found for found in tmp_path.iterdir() if found != path)
        assert scratch.stat().st_mode & 0o777 == mode
    assert path.stat().st_mode & 0o777 == mode
    assert path.read_text() == "secret"


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\ud800"])
def test_what_no_file_can_be_called_is_refused(tmp_path, name):
    for check in (check_writable, results_file.check_folder):
        with pytest.raises(OptionError, match=r"^--repro-json=.*: no file can be there"):
            check(tmp_path / name, "--repro-json")
    with pytest.raises(DataError, match="can't be read"):
        read_results(tmp_path / name)


def test_arrays_of_all_audits_together_are_bounded(tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    write_results(path, [stored("a"), stored("b")])  # six labels each, of a byte
    monkeypatch.setattr(results_file, "MAX_FILE_BYTES", 12)
    assert list(read_results(path).audits) == ["a", "b"]
    monkeypatch.setattr(results_file, "MAX_FILE_BYTES", 11)
    with pytest.raises(DataError, match="its arrays take 12 bytes; expected at most 11"):
        read_results(path)
