"""A folder read into rows: what is read, when, and what becomes of files that are no results."""

import json
import os

import numpy as np
import pytest
from folders import DAY, START, put, result, single, three_days
from pages import TEST, audited, runs

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.dashboard import entries as reading
from pytest_reprotest.dashboard import index as indexing
from pytest_reprotest.dashboard.address import Pair, filter_in, pair_in, query
from pytest_reprotest.dashboard.chosen import Filter, by_series, chosen, regularizers_of, titles_of
from pytest_reprotest.dashboard.entries import Series, read_entries
from pytest_reprotest.dashboard.index import Index


@pytest.fixture
def read(monkeypatch):
    """The files that were read, in order."""
    found = []

    def counted(path, file, *rest):
        found.append(file)
        return read_entries(path, file, *rest)

    monkeypatch.setattr(indexing, "read_entries", counted)
    return found


# --- rows ---------------------------------------------------------------------------------------


def test_a_row_says_what_the_table_says(tmp_path):
    labels = {"none": runs(0.3), "dropout": runs(0.02, seed=1)}
    made = audited(labels=labels, max_prediction_difference=0.2)
    put(tmp_path, "deep/a.json", made, day=2)
    none, dropout = Index(tmp_path).refresh().entries
    assert (none.series, none.file) == (Series(TEST, "none"), "deep/a.json")
    assert none.written == START + 2 * DAY
    assert none.prediction_difference == made["none"].prediction_difference
    assert none.effective == made["none"].effective_accuracy
    assert none.score.startswith("accuracy 0.7")
    assert (none.verdict, none.style, none.n_runs) == ("fail", "red", 4)
    assert (dropout.verdict, dropout.style, dropout.effective_name) == ("pass", "green", "ETA")


def test_predictions_are_not_decoded(tmp_path):
    path = put(tmp_path, "a.json")
    document = json.loads(path.read_text())
    document["audits"][0]["regularizers"]["none"]["predictions"] = "damaged"
    path.write_text(json.dumps(document))
    assert len(Index(tmp_path).refresh().entries) == 2


def test_results_of_version_1_and_of_regressions_are_read(tmp_path):
    from pathlib import Path

    old = Path(__file__).parent / "data" / "results_v1.json"
    (tmp_path / "old.json").write_bytes(old.read_bytes())
    truth = np.linspace(0, 1, 50)
    noise = np.random.default_rng(0).normal(size=(4, 50)) / 20
    made = audit_predictions({"none": truth + noise}, truth, task="regression", tolerance=0.1)
    put(tmp_path, "numbers.json", made)
    found = Index(tmp_path).refresh()
    assert found.refused == {}
    (numbers,) = [entry for entry in found.entries if entry.file == "numbers.json"]
    assert numbers.series == Series("(unnamed)", "none")
    assert numbers.score.startswith("R²")
    assert numbers.effective_name == "eff. R²"
    assert len(found.entries) > 2


def test_a_regularizer_of_an_item_is_a_series_of_its_test(tmp_path):
    made = audited(name="test_a.py::test_a[none]", labels={"none": runs(0.1)}, settings={"test": "test_a.py::test_a"})  # fmt: skip
    put(tmp_path, "a.json", made)
    (entry,) = Index(tmp_path).refresh().entries
    assert entry.series.test == "test_a.py::test_a"
    assert entry.audit == "test_a.py::test_a[none]"


def test_runs_that_cannot_differ_do_not_spread(tmp_path):
    put(tmp_path, "a.json", single())
    (entry,) = Index(tmp_path).refresh().entries
    assert not entry.spreads


def test_a_key_is_the_same_after_a_restart_and_of_one_row(tmp_path):
    put(tmp_path, "a.json")
    put(tmp_path, "b.json")
    first, again = Index(tmp_path).refresh(), Index(tmp_path).refresh()
    assert [entry.key for entry in first.entries] == [entry.key for entry in again.entries]
    assert len(first.by_key) == 4


# --- the folder ---------------------------------------------------------------------------------


def test_only_what_changed_is_read_again(tmp_path, read):
    put(tmp_path, "a.json", day=1)
    put(tmp_path, "b.json", day=2)
    index = Index(tmp_path)
    first = index.refresh()
    assert read == ["b.json", "a.json"]
    assert index.refresh() is first
    put(tmp_path, "a.json", result(seed=5), day=1)
    second = index.refresh()
    assert read == ["b.json", "a.json", "a.json"]
    assert second.version > first.version
    assert second.state != first.state


def test_a_file_that_is_added_or_removed_is_seen(tmp_path):
    put(tmp_path, "a.json")
    index = Index(tmp_path)
    assert len(index.refresh().entries) == 2
    path = put(tmp_path, "new/b.json", day=1)
    assert [entry.file for entry in index.refresh().entries] == ["a.json"] * 2 + ["new/b.json"] * 2
    path.unlink()
    assert len(index.refresh().entries) == 2
    (tmp_path / "a.json").unlink()
    assert index.refresh().entries == ()


def test_a_folder_that_is_removed_is_empty(tmp_path):
    put(tmp_path, "deep/a.json")
    index = Index(tmp_path / "deep")
    assert len(index.refresh().entries) == 2
    (tmp_path / "deep" / "a.json").unlink()
    (tmp_path / "deep").rmdir()
    assert index.refresh().entries == ()


def test_what_takes_long_is_read_bit_by_bit_the_newest_first(tmp_path, read):
    for day in range(3):
        put(tmp_path, f"{day}.json", day=day)
    index = Index(tmp_path)
    assert index.refresh(seconds=0).waiting == 2
    assert index.refresh(seconds=0).waiting == 1
    assert read == ["2.json", "1.json"]
    assert (index.refresh().waiting, len(index.snapshot.entries)) == (0, 6)


def test_links_hidden_files_and_other_files_are_left_alone(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    put(outside, "secret.json")
    folder.mkdir()
    (folder / "link.json").symlink_to(outside / "secret.json")
    (folder / "linked").symlink_to(outside)
    put(folder, ".hidden/a.json")
    put(folder, ".a.json.123")
    (folder / "notes.txt").write_text("nothing")
    os.mkfifo(folder / "pipe.json")  # reading it would never end
    found = Index(folder).refresh()
    assert (found.entries, found.refused) == ((), {})


FOREIGN = [
    ('{"name": "a package"}', "KeyError: 'schema_version'"),
    ("[1, 2", "Expecting ',' delimiter"),
    ("", "Expecting value"),
    ('{"schema_version": 9, "complete": true, "audits": []}', "schema version 9"),
    ('{"schema_version": 2, "complete": true, "audits": [{"name": "a"}]}', "regularizers' is missing"),
    ('{"schema_version": 2, "complete": true, "audits": [{"name": "a", "regularizers": {"x": 3}}]}', "x is 3"),
    ("[" * 100_000, "it is nested more than 50 deep"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), FOREIGN)
def test_files_that_are_no_results_are_told_with_their_reason(tmp_path, text, reason):
    put(tmp_path, "good.json")
    (tmp_path / "foreign.json").write_text(text)
    found = Index(tmp_path).refresh()
    assert len(found.entries) == 2
    (told,) = found.refused.values()
    assert told.startswith("foreign.json ")
    assert reason in told
    assert str(tmp_path) not in told


def test_what_no_check_foresaw_takes_nothing_else_away(tmp_path, monkeypatch):
    def broken(*_):
        raise IndexError("nobody knows")

    put(tmp_path, "a.json")
    monkeypatch.setattr(indexing, "read_entries", broken)
    assert Index(tmp_path).refresh().refused == {
        "a.json": "a.json can't be read as a result (IndexError: nobody knows)"
    }


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    put(tmp_path, "a.json")
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    (told,) = Index(tmp_path).refresh().refused.values()
    assert told == "a.json has more than 10 bytes, the most that is read"


# --- what is chosen -----------------------------------------------------------------------------


@pytest.fixture
def entries(tmp_path):
    three_days(tmp_path)
    return Index(tmp_path).refresh().entries


def test_filters_admit_what_all_of_them_admit(entries):
    assert len(entries) == 12
    assert len(chosen(entries, Filter())) == 12
    one = chosen(entries, Filter(tests=(TEST,), regularizers=("none",)))
    assert {entry.series for entry in one} == {Series(TEST, "none")}
    assert len(one) == 3
    assert {e.series for e in chosen(entries, Filter(verdicts=("fail",)))} == {Series(TEST, "none")}
    assert len(chosen(entries, Filter(verdicts=("fail", "no limit")))) == 12
    late = chosen(entries, Filter(period="1d"), now=START + 2.5 * DAY)
    assert {entry.file for entry in late} == {"2.json"}


def test_series_go_from_old_to_new_and_the_latest_comes_first(entries):
    found = by_series(entries[:-2])
    assert [series.test for series in found][::3] == ["test_b.py::test_b", TEST]
    assert all(each == sorted(each, key=lambda entry: entry.written) for each in found.values())
    assert titles_of(entries) == ["test_b.py::test_b", TEST]
    assert regularizers_of(entries) == ["none", "dropout"]


def test_what_a_browser_asks_for_may_be_anything():
    for asked in (None, [], "x", {"test": "a", "regularizer": {"a": 1}, "verdict": [3, "?"]}):
        assert filter_in(asked) == Filter()
    assert filter_in({"test": ["a", 2], "period": "30d"}) == Filter(("a",), period="30d")
    assert pair_in({"open": 3, "beside": "ab"}) == Pair("", "ab")
    assert pair_in(None) == Pair()


def test_an_address_holds_names_as_they_are():
    from urllib.parse import parse_qs

    hostile = "</script>&test=x#\u202e\ud800"
    found = parse_qs(query(Filter((hostile,), period="7d"), Pair("a", "b"))[1:])
    assert found == {"test": [hostile.replace("\ud800", "?")], "period": ["7d"], "open": ["a"], "beside": ["b"]}  # fmt: skip
