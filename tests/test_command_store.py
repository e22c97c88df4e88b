"""``python -m pytest_reprotest store``."""

import re
import time

import pytest
from small_training import blobs, make_mlp

from pytest_reprotest import audit
from pytest_reprotest.commands import main

DATA = {"train": blobs(), "test": blobs(30, seed=1), "epochs": 1, "batch_size": 16}


@pytest.fixture
def store(tmp_path):
    """A store with two audits, of three runs and of two regularizers of three."""
    folder = tmp_path / "store"
    audit(make_mlp, name="test_a", runs=3, store=folder, **DATA)
    audit(
        make_mlp,
        name="test_b",
        runs=3,
        lr=0.2,
        regularizers=["none", "dropout"],
        store=folder,
        **DATA,
    )
    return folder


@pytest.fixture
def call(store, capsys):
    def call(action, *arguments):
        code = main(["store", action, str(store), *arguments])
        return code, capsys.readouterr()

    return call


def entries(listed):
    return re.findall(r"^([0-9a-f]{8}) ", listed, flags=re.MULTILINE)


def test_ls_has_a_row_for_each_regularizer_of_each_test(call):
    code, said = call("ls")
    assert code == 0
    rows = [line.split() for line in said.out.splitlines()[2:-1]]
    assert [row[1:4] for row in rows] == [
        ["test_a", "none", "3"],
        ["test_b", "dropout", "3"],
        ["test_b", "none", "3"],
    ]
    assert re.fullmatch(r"9 runs, [\d.]+ k?B", said.out.splitlines()[-1])
    assert max(map(len, said.out.splitlines())) <= 80


def test_show_tells_what_the_runs_depend_on(call):
    first = entries(call("ls")[1].out)[0]
    code, said = call("show", first)
    assert code == 0
    assert said.out.startswith(f"entry {first}")
    assert "  settings.epochs: 1\n" in said.out
    assert said.out.count("seed 0, run ") == 3


def test_show_of_no_entry_is_said(call):
    code, said = call("show", "zz")
    assert code == 2
    assert "0 entries of the store begin with 'zz'; expected one" in said.err


@pytest.mark.parametrize(
    ("arguments", "gone", "left"),
    [
        (["--test=test_b"], 6, 3),
        (["--unused-for=1"], 0, 9),
        (["--unused-for=0"], 9, 0),
        (["--unused-for=0", "--test=test_a"], 3, 6),
        (["--all"], 9, 0),
    ],
)
def test_prune_deletes_what_it_is_told(call, arguments, gone, left):
    code, said = call("prune", *arguments)
    assert (code, said.out) == (0, f"{gone} runs deleted\n")
    assert call("ls")[1].out.splitlines()[-1].startswith(f"{left} runs")


def test_prune_of_what_is_old_leaves_what_was_used_since(call, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3 * 86_400)
    assert call("prune", "--unused-for=4")[1].out == "0 runs deleted\n"
    assert call("prune", "--unused-for=2")[1].out == "9 runs deleted\n"


@pytest.mark.parametrize("arguments", [[], ["--all", "--test=test_a"]])
def test_prune_wants_to_be_told(call, arguments):
    code, said = call("prune", *arguments)
    assert code == 2
    assert "say what to delete" in said.err


def test_verify_reads_everything(call):
    assert call("verify")[1].out == "9 runs read, nothing damaged\n"


def test_verify_finds_a_flipped_bit(call, store):
    from pytest_reprotest.store.database import Database

    database = Database(store)
    database.write("UPDATE runs SET labels = zeroblob(length(labels)) WHERE rowid = 2")
    database.close()
    code, said = call("verify")
    assert code == 1
    assert "it does not match its checksum" in said.out
    assert said.out.endswith("9 runs read, 1 damaged\n")


def test_a_damaged_file_is_told_and_left_alone(call, store):
    from pytest_reprotest.store.database import FILE

    (store / FILE).write_bytes(b"no database at all" * 99)
    for action in ("ls", "verify"):
        code, said = call(action)
        assert code == 2
        assert "is damaged: file is not a database" in said.err
    assert (store / FILE).read_bytes().startswith(b"no database")


def test_a_folder_without_a_store_is_told(tmp_path, capsys):
    assert main(["store", "ls", str(tmp_path)]) == 2
    assert "holds no store (runs.sqlite3); expected a folder that --repro-store wrote" in (
        capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("days", ["x", "-1", "nan"])
def test_prune_wants_days(call, days, capsys):
    with pytest.raises(SystemExit):
        call("prune", f"--unused-for={days}")
    assert f"got '{days}'; expected a number of days, such as 30" in capsys.readouterr().err
