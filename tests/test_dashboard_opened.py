"""Results read whole on demand, and two of them beside each other."""

import json

import numpy as np
import pytest
from folders import put, result
from pages import TEST, audited, runs

from pytest_reprotest.dashboard import opened as opening
from pytest_reprotest.dashboard.index import Index
from pytest_reprotest.dashboard.opened import Opened, beside
from pytest_reprotest.errors import DataError
from pytest_reprotest.results_file import read_results


@pytest.fixture
def folder(tmp_path):
    for day in range(3):
        put(tmp_path, f"{day}.json", result(seed=day), day=day)
    index = Index(tmp_path)
    index.refresh()
    return index


@pytest.fixture
def read(monkeypatch):
    """The files that were read whole, in order."""
    found = []

    def counted(path):
        found.append(path.rpartition("/")[2])
        return read_results(path)

    monkeypatch.setattr(opening, "read_results", counted)
    return found


def test_a_result_is_read_once_until_it_changes(folder, read):
    opened = Opened(folder)
    none, dropout = folder.snapshot.entries[:2]
    assert opened.test(none).result == result(seed=0)
    assert opened.alone(dropout).regularizers == ("dropout",)
    assert read == ["0.json"]
    put(folder.folder, "0.json", result(seed=9), day=0)
    folder.refresh()
    assert opened.alone(none)["none"].accuracy == result(seed=9)["none"].accuracy
    assert read == ["0.json", "0.json"]


def test_only_those_that_were_opened_last_are_kept(folder, read):
    opened = Opened(folder, kept=2)
    first, second, third = folder.snapshot.entries[::2]
    for entry in (first, second, first, third, first, second):
        opened.test(entry)
    assert read == ["0.json", "1.json", "2.json", "1.json"]


def test_items_of_one_test_are_one_table_again(tmp_path):
    def item(label, seed):
        return audited(
            name=f"{TEST}[{label}]",
            labels={label: runs(0.1, seed=seed)},
            settings={"test": TEST, "seed": 0},
        )

    put(tmp_path, "a.json", item("none", 0), item("dropout", 1), audited(name="test_b.py::test_b"))
    index = Index(tmp_path)
    entries = [e for e in index.refresh().entries if e.series.test == TEST]
    shown = Opened(index).test(entries[0])
    assert set(shown.result.regularizers) == {"none", "dropout"}
    assert set(shown.result.comparisons) == {"dropout"}


def test_what_can_no_longer_be_read_is_told(folder):
    opened, entry = Opened(folder), folder.snapshot.entries[0]
    path = folder.path(entry)
    document = json.loads(path.read_text())
    document["audits"][0]["regularizers"]["none"]["predictions"] = "damaged"
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"^0\.json is not a result .*there is 'damaged'"):
        opened.test(entry)
    path.unlink()
    with pytest.raises(DataError, match=r"^0\.json can't be read: No such file"):
        opened.test(entry)
    put(folder.folder, "0.json", audited(labels={"other": runs(0.1)}))
    with pytest.raises(DataError, match=r"^0\.json holds no 'none' of this test any more$"):
        Opened(folder).test(entry)


# --- side by side -------------------------------------------------------------------------------


def one(label="none", wrong=0.2, seed=0, **given):
    return audited(**{"labels": {label: runs(wrong, n_runs=6, seed=seed)}, **given})


def test_two_results_are_compared_with_all_that_is_unlike():
    old = one(settings={"seed": 0, "versions": {"torch": "2.4"}})
    new = one(wrong=0.5, seed=1, settings={"seed": 1, "versions": {"torch": "2.5"}})
    sides = beside(old, new)
    assert sides.refused == ""
    assert sides.comparison.status == "worse"
    assert [str(each) for each in sides.settings] == ["seed: 0 → 1"]
    assert sides.fingerprint == {"software": ("torch 2.4 → 2.5",)}
    largest = sides.samples[0]
    rates = old["none"].flip_rates[largest.place], new["none"].flip_rates[largest.place]
    assert (largest.old, largest.new) == rates
    changes = [abs(each.new - each.old) for each in sides.samples]
    assert changes == sorted(changes, reverse=True)


def test_the_same_result_has_no_sample_that_changed():
    sides = beside(one(), one())
    assert (sides.samples, sides.settings, sides.fingerprint) == ((), (), {})
    assert sides.comparison.status == "same"


def test_what_varies_otherwise_is_a_warning():
    sides = beside(one(settings={"vary": ["init"]}), one(settings={"vary": ["noise"]}))
    assert sides.warnings[0].startswith("vary: init → noise")


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        (one(label="dropout"), "one is of 'none' and the other of 'dropout'"),
        (one(truth=np.arange(100) % 4, labels={"none": runs(0.1, truth=np.arange(100) % 4)}), "another test set"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_stands_beside_each_other_with_the_reason(other, refused):
    sides = beside(one(), other)
    assert sides.comparison is None
    assert refused in sides.refused
