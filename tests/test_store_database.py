"""The store's file: shared, private, and never trusted."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.store import opening
from pytest_reprotest.store.database import FILE, Damage, Database, StoreError, StoreFailed
from pytest_reprotest.store.kept import Kept, NothingToResume
from pytest_reprotest.store.keys import Context

CONTEXT = Context("none", {"engine": "sequential"})
RUNS = [Run("none", index, RunSeeds(0, index)) for index in range(12)]


def outcome(run, size=50):
    return RunOutcome(run, np.arange(size) % (run.index + 2), (0.5, 0.25), 1.0)


def filled(folder, runs=RUNS, size=50):
    """A store with runs in it, closed: all of it in one file."""
    database = Database(folder)
    kept = Kept(database, "test")
    kept.begin(CONTEXT, False)
    for run in runs:
        kept.keep(CONTEXT, outcome(run, size), ())
    database.close()
    return folder / FILE


def taken(kept, runs=RUNS, size=50):
    """The runs that are there; each as it was kept."""
    found = [kept.take(CONTEXT, run, ()) for run in runs]
    for each in found:
        if each is not None:
            expected = outcome(each.run, size)
            assert np.array_equal(each.labels, expected.labels)
            assert (each.losses, each.seconds) == (expected.losses, expected.seconds)
    return [each.run.index for each in found if each is not None]


def everything(folder):
    """What a session finds there, and what it says; and that runs can be kept again."""
    database = Database(folder)
    kept = Kept(database, "test")
    kept.begin(CONTEXT, False)
    found = taken(kept)
    missing = [run for run in RUNS if run.index not in found]
    for run in missing:
        kept.keep(CONTEXT, outcome(run), ())
    told = kept.told(len(missing))
    database.close()
    return found, told, database.set_aside


def test_runs_come_back(tmp_path):
    filled(tmp_path)
    found, told, aside = everything(tmp_path)
    assert found == list(range(12))
    today = time.strftime("%Y-%m-%d")
    assert told == (f"all 12 runs are from the store {tmp_path}, trained {today}",)
    assert aside is None


def test_some_are_missing(tmp_path):
    filled(tmp_path, RUNS[:5])
    found, told, _ = everything(tmp_path)
    assert found == [0, 1, 2, 3, 4]
    assert told[0].startswith("5 of 12 runs are from the store")


def test_a_row_that_was_moved_to_another_key(tmp_path):
    path = filled(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM runs WHERE run LIKE 'seed 0, run 3,%'")
    connection.execute(
        "UPDATE runs SET run = replace(run, 'run 4', 'run 3') WHERE run LIKE '%run 4%'"
    )
    connection.commit()
    connection.close()
    found, told, _ = everything(tmp_path)
    assert found == [0, 1, 2, *range(5, 12)]
    assert told[1] == (
        "run 3 of 'none' (--repro-seed=0) is damaged in the store and was trained again: it does not match "
        "its checksum"
    )


def sql(*statements):
    def damage(path):
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return damage


def written(raw):
    return lambda path: path.write_bytes(raw)


def truncated(count):
    return lambda path: path.write_bytes(path.read_bytes()[:count])


def overwritten(at, raw):
    def damage(path):
        held = bytearray(path.read_bytes())
        held[at : at + len(raw)] = raw
        path.write_bytes(held)

    return damage


SET_ASIDE = {
    "garbage": written(b"garbage " * 600),
    "zeros": written(bytes(8192)),
    "cut in the header": truncated(50),
    "cut in the schema": truncated(3000),
    "no header": overwritten(0, b"\xff" * 16),
    "schema": overwritten(100, b"\x77" * 400),
    "another trigger": sql("CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END"),
    "another view": sql("CREATE VIEW v AS SELECT 1"),
    "another table": sql("CREATE TABLE more (x)"),
    "another index": sql("CREATE INDEX i ON runs (finished)"),
    "a table less": sql("DROP TABLE runs"),
    "a view as table": sql("DROP TABLE runs", "CREATE VIEW runs AS SELECT * FROM tests"),
}


@pytest.mark.parametrize("damage", SET_ASIDE.values(), ids=SET_ASIDE)
def test_a_damaged_file_is_set_aside(damage, tmp_path):
    path = filled(tmp_path)
    damage(path)
    held = path.read_bytes()
    found, _, aside = everything(tmp_path)
    assert found == []
    assert aside == tmp_path / f"{FILE}.damaged-1"
    assert aside.read_bytes() == held
    assert everything(tmp_path)[0] == list(range(12))


REFUSED = {
    "another program's": (
        sql("PRAGMA application_id = 5"),
        "is a database of another program; name another folder with --repro-store",
    ),
    "any other database": (
        lambda path: (path.unlink(), sql("CREATE TABLE mine (x)")(path)),
        "is a database of another program",
    ),
    "a newer version's": (
        sql("PRAGMA user_version = 2"),
        "was written by a newer version of pytest-reprotest (store version 2; this one reads 1). Upgrade "
        "pytest-reprotest, or name another folder",
    ),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is no file; name another folder"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "is no file"),
    "a dangling link": (
        lambda path: (path.unlink(), path.symlink_to(path.with_name("nowhere"))),
        "can't be made",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_stays_as_it_is(case, tmp_path):
    damage, told = case
    damage(filled(tmp_path))
    with pytest.raises(StoreError) as refused:
        Database(tmp_path)
    assert told in str(refused.value)
    assert os.path.lexists(tmp_path / FILE)


def test_an_empty_file_becomes_a_store(tmp_path):
    written(b"")(tmp_path / FILE)
    assert everything(tmp_path) == ([], (), None)


def test_a_link_to_a_store_is_followed(tmp_path):
    held = filled(tmp_path / "real")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / FILE).symlink_to(held)
    assert everything(tmp_path / "link")[0] == list(range(12))


def test_no_store_where_one_is_to_be_read(tmp_path):
    with pytest.raises(StoreError, match="holds no store"):
        Database(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def crashed(folder, runs=RUNS):
    """A store as a killed process leaves it, with the journal beside it."""
    database = Database(folder / "written")
    kept = Kept(database, "test")
    kept.begin(CONTEXT, False)
    for run in runs:
        kept.keep(CONTEXT, outcome(run), ())
    shutil.copytree(folder / "written", folder / "left")
    database.close()
    return folder / "left"


def test_what_a_killed_process_left_is_whole(tmp_path):
    assert everything(crashed(tmp_path))[0] == list(range(12))


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("damage", [None, b"", b"stale " * 999, bytes(32768)])
def test_a_journal_that_is_missing_or_stale(suffix, damage, tmp_path):
    folder = crashed(tmp_path)
    beside = folder / f"{FILE}{suffix}"
    beside.unlink() if damage is None else beside.write_bytes(damage)
    found, _, _ = everything(folder)
    if suffix == "-shm":
        assert found == list(range(12))
    assert everything(folder)[0] == list(range(12))


def test_a_damaged_file_takes_its_journal_along(tmp_path):
    """Left behind, it would be played into the new file."""
    folder = crashed(tmp_path)
    journal = (folder / f"{FILE}-wal").read_bytes()
    overwritten(0, b"\xff" * 100)(folder / FILE)
    (folder / f"{FILE}-wal").write_bytes(b"x" + journal[1:])
    found, _, aside = everything(folder)
    assert found == []
    assert aside is not None
    assert everything(folder)[0] == list(range(12))


@pytest.mark.parametrize("seed", range(40))
def test_flipped_and_cut_files_give_right_runs_or_none(seed, tmp_path):
    """Also while the file is open: 1 to 40 places, in the file or its journal."""
    drawn = random.Random(seed)
    folder = crashed(tmp_path) if seed % 2 else filled(tmp_path / "whole").parent
    victim = folder / (f"{FILE}-wal" if seed % 2 and drawn.random() < 0.5 else FILE)
    opened = Kept(Database(folder), "test") if seed % 5 == 0 else None
    raw = bytearray(victim.read_bytes())
    for _ in range(drawn.choice([1, 5, 40])):
        if raw:
            raw[drawn.randrange(len(raw))] ^= 1 << drawn.randrange(8)
    if drawn.random() < 0.3:
        del raw[drawn.randrange(len(raw) + 1) :]
    with victim.open("r+b") as file:
        file.write(raw)
        file.truncate(len(raw))
    if opened is not None:
        taken(opened)
        opened.keep(CONTEXT, outcome(RUNS[0]), ())
        opened.told(1)
    found, told = [], ()
    refused = None
    try:
        found, told, _ = everything(folder)
    except StoreError as error:  # its version or program number was hit
        refused = str(error)
    assert refused is None or "another program" in refused or "newer version" in refused
    assert set(found) <= set(range(12))
    assert all(isinstance(sentence, str) for sentence in told)


def test_damage_that_shows_while_it_is_used(tmp_path):
    path = filled(tmp_path, size=3000)
    database = Database(tmp_path)
    kept = Kept(database, "test")
    kept.begin(CONTEXT, False)
    raw = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (len(raw) - 4096))
    database._connection.close()
    database._connection = opening.connect(path, "rw")
    assert taken(kept, size=3000) == []
    kept.keep(CONTEXT, outcome(RUNS[2], 3000), ())
    assert database.set_aside == tmp_path / f"{FILE}.damaged-1"
    assert f"it is now {database.set_aside}, and a new one was begun" in kept.told(1)[0]
    assert taken(kept, size=3000) == [2]
    assert database.contexts_of("test", "none") == [(CONTEXT.key, CONTEXT.text)]


def test_a_file_that_another_process_has_replaced_is_not_set_aside(tmp_path):
    path = filled(tmp_path)
    ours = Database(tmp_path)
    shutil.move(path, tmp_path / "elsewhere")
    filled(tmp_path)
    ours.begin_anew(Damage("it is damaged"))
    assert ours.set_aside is None
    assert taken(Kept(ours, "test")) == list(range(12))


def test_a_locked_file_is_not_taken_for_damaged(tmp_path, monkeypatch):
    path = filled(tmp_path)
    database = Database(tmp_path)
    kept = Kept(database, "test")
    database._connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept.keep(CONTEXT, outcome(RUNS[0]), ())
    assert "database is locked" in kept.told(1)[0]
    assert taken(kept) == list(range(12))
    assert database.set_aside is None
    monkeypatch.setattr(
        database, "_connection", Failing(sqlite3.OperationalError("database is locked"))
    )
    assert taken(kept) == []
    assert database.set_aside is None
    assert "some runs were trained again, since the store was out of reach" in kept.told(1)[-1]
    other.close()


class Failing:
    """A connection on which everything fails."""

    def __init__(self, error):
        self.error = error

    def execute(self, *_):
        raise self.error

    cursor = execute


def test_a_full_disk(tmp_path):
    database = Database(tmp_path)
    kept = Kept(database, "test")
    kept.begin(CONTEXT, False)
    kept.keep(CONTEXT, outcome(RUNS[0]), ())
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    for run in RUNS[1:]:
        kept.keep(CONTEXT, outcome(run, 5000), ())
    told = kept.told(12)
    assert told == (
        f"finished runs are not kept, and would be trained again: {tmp_path / FILE}: database or disk is full",
    )
    assert taken(kept) == [0]


def read_only(monkeypatch, *modes):
    """As where files can't be written: the tests may run as root, who can."""
    real = opening.connect

    def connect(path, mode):
        if mode in modes:
            raise sqlite3.OperationalError("unable to open database file")
        return real(path, mode)

    monkeypatch.setattr(opening, "connect", connect)


@pytest.mark.parametrize("modes", [("rw",), ("rw", "ro")])
def test_a_store_that_can_only_be_read(modes, tmp_path, monkeypatch):
    filled(tmp_path, RUNS[:5])
    read_only(monkeypatch, *modes)
    found, told, aside = everything(tmp_path)
    assert found == [0, 1, 2, 3, 4]
    assert told[1:] == (
        f"finished runs are not kept, and would be trained again: {tmp_path / FILE} can be read only",
    )
    assert aside is None


def test_damage_where_it_can_only_be_read(tmp_path, monkeypatch):
    path = filled(tmp_path)
    read_only(monkeypatch, "rw")
    database = Database(tmp_path)
    kept = Kept(database, "test")
    database._connection = Failing(sqlite3.DatabaseError("database disk image is malformed"))
    database._connection.close = lambda: None
    assert taken(kept) == []
    kept.keep(CONTEXT, outcome(RUNS[0]), ())
    (told,) = kept.told(1)
    assert told.startswith("the store is damaged, and nothing more is taken from it or kept: ")
    assert told.endswith("it can be read only, so it stays where it is")
    written(b"garbage " * 600)(path)
    with pytest.raises(StoreError, match="can't be read: file is not a database"):
        Database(tmp_path)


@pytest.mark.parametrize("now", [-1e12, 0.0, 1e18, float("inf")])
def test_a_clock_that_jumps(now, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: now)
    filled(tmp_path)
    found, told, _ = everything(tmp_path)
    assert found == list(range(12))
    assert told[0].startswith("all 12 runs are from the store")


@pytest.mark.parametrize("umask", [0, 0o077, 0o277])
def test_files_are_private_whatever_the_umask(umask, tmp_path):
    before = os.umask(umask)
    try:
        database = Database(tmp_path / "store")
        Kept(database, "test").begin(CONTEXT, False)
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "store").iterdir()
        }
    finally:
        os.umask(before)
    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) & 0o077 == 0
    database.close()


def test_a_fork_closes_nothing(tmp_path):
    database = Database(tmp_path)
    database._process = -1
    database.close()
    assert taken(Kept(database, "test")) == []


def test_columns_of_other_types_or_sizes(tmp_path):
    path = filled(tmp_path)
    for number, change in enumerate(
        ("labels = 'text'", "header = 3", "checksum = zeroblob(5000)", "losses = 5"), 1
    ):
        sql(f"UPDATE runs SET {change} WHERE run LIKE 'seed 0, run {number},%'")(path)
    sql("UPDATE runs SET header = hex(zeroblob(40000)) WHERE run LIKE 'seed 0, run 6,%'")(path)
    database = Database(tmp_path)
    for number in (1, 3, 4, 6):
        with pytest.raises(DataError):
            database.find(CONTEXT.key, f"seed 0, run {number}, vary init,data_order,noise")
    database.close()
    found, told, _ = everything(tmp_path)
    assert found == [0, 5, *range(7, 12)]
    assert told[-1] == "1 more runs are damaged there"


def test_what_can_not_be_written_is_told(tmp_path):
    database = Database(tmp_path)
    with pytest.raises(StoreFailed, match="surrogates"):
        database.note_use("\ud800", CONTEXT)
    assert everything(tmp_path)[0] == []


def test_resuming_under_other_conditions(tmp_path):
    filled(tmp_path)
    kept = Kept(Database(tmp_path), "test")
    kept.begin(CONTEXT, resume=True)
    with pytest.raises(NothingToResume) as refused:
        kept.begin(Context("none", {"engine": "stacked"}), resume=True)
    assert str(refused.value) == (
        "'none' can't be resumed: what its stored runs depended on has changed: engine: 'sequential' before, "
        "'stacked' now. Undo the change, or leave --repro-resume out to train it anew"
    )
    kept.begin(Context("dropout", {"engine": "stacked"}), resume=True)


WRITERS = """
import os, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_store_database import CONTEXT, Database, Kept, outcome
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import RunSeeds

for number in range(4):
    if not os.fork():
        kept = Kept(Database(Path(sys.argv[1])), "test")
        kept.begin(CONTEXT, False)
        for index in range(number, 100, 4):
            kept.keep(CONTEXT, outcome(Run("none", index, RunSeeds(0, index))), ())
        print(*kept.told(0), end="", flush=True)
        os._exit(0)
for _ in range(4):
    os.wait()
"""


def test_four_processes_that_begin_and_fill_it_at_once(tmp_path):
    here = [os.path.dirname(__file__), *filter(None, sys.path)]  # noqa: PTH120
    command = [sys.executable, "-c", WRITERS, str(tmp_path / "store"), *here]
    assert subprocess.check_output(command, text=True) == ""
    runs = [Run("none", index, RunSeeds(0, index)) for index in range(100)]
    assert taken(Kept(Database(tmp_path / "store"), "test"), runs) == list(range(100))
