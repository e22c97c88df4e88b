"""Bytes of stores, damaged in every way: the runs that were kept, or none and a sentence, never others."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from damage import damaged, fuzz
from hypothesis import given
from hypothesis import strategies as st

from pytest_reprotest._audit import run_audit
from pytest_reprotest.commands import main
from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.options import resolve
from pytest_reprotest.registry import Registry
from pytest_reprotest.shards.merging import merged
from pytest_reprotest.shards.shard import Shard
from pytest_reprotest.shards.training import train_part
from pytest_reprotest.store.database import FILE, Database
from pytest_reprotest.store.executor import StoringExecutor
from pytest_reprotest.training.function_trainer import FunctionTrainer

y_true = np.arange(40) % 4
ASKED = {"runs": 3, "regularizers": ["none", "dropout"], "max_prediction_difference": 0.9}


def drawn(run):
    """Labels that the noise stream decides, and scores that lead to them."""
    assert run.regularizer
    return run.generator("noise", kind="numpy").random((40, 4)) + np.eye(4)[y_true]


def audited(executor):
    trainer = FunctionTrainer(drawn, y_true=y_true, depends_on=[])
    return run_audit(trainer, resolve(marker=ASKED), Registry(), name="test_a", executor=executor)


def told(result):
    found = result.to_dict()
    for each in found["regularizers"].values():
        del each["seconds"]
    return {**found, "notes": None, "settings": {**found["settings"], "origins": None}}


def sentence(refusal):
    assert len(str(refusal)) > 20


@pytest.fixture(scope="module")
def store():
    """The bytes of a store that holds an audit's runs and what judges them, and the result."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        train_part(
            FunctionTrainer(drawn, y_true=y_true, depends_on=[]),
            resolve(marker=ASKED),
            Registry(),
            Shard(1, 1),
            LocalExecutor(),
            database,
            name="test_a",
        )
        database.close()
        yield (Path(folder) / FILE).read_bytes(), told(audited(LocalExecutor()))


@fuzz(60)
@given(data=st.data())
def test_a_damaged_store_gives_right_runs_or_a_sentence(store, data):
    whole, expected = store
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / FILE).write_bytes(data.draw(damaged(whole)))
        try:
            database = Database(folder)
        except ReprotestError as refusal:
            sentence(refusal)
            return
        result = audited(StoringExecutor(LocalExecutor(), database, "test_a"))
        database.close()
        assert told(result) == expected
    finally:
        shutil.rmtree(folder)


@fuzz(60)
@given(data=st.data())
def test_a_damaged_part_is_joined_right_or_refused_in_a_sentence(store, data):
    whole, expected = store
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / FILE).write_bytes(data.draw(damaged(whole)))
        try:
            database = Database(folder, create=False)
        except ReprotestError as refusal:
            sentence(refusal)
            return
        try:
            results = merged([database])
        except ReprotestError as refusal:
            sentence(refusal)
        else:
            assert [told(result) for result in results] == [expected]
        finally:
            database.close()
    finally:
        shutil.rmtree(folder)


@fuzz(40)
@given(data=st.data(), action=st.sampled_from(["ls", "verify", "prune"]))
def test_commands_end_with_a_code_and_a_sentence(store, data, action):
    whole, _ = store
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / FILE).write_bytes(data.draw(damaged(whole)))
        more = ["--all"] if action == "prune" else []
        assert main(["store", action, str(folder), *more]) in (0, 1, 2)
    finally:
        shutil.rmtree(folder)
