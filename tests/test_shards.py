"""Audits in parts: who trains what, and that joining them gives what one machine gives."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_training import trainer_of

from pytest_reprotest import FunctionTrainer
from pytest_reprotest._audit import run_audit
from pytest_reprotest.errors import DataError, OptionError, TrainingError
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.options import Options, resolve
from pytest_reprotest.plan import make_plan
from pytest_reprotest.registry import Registry
from pytest_reprotest.shards.judging import options_in, options_out
from pytest_reprotest.shards.merging import merged
from pytest_reprotest.shards.parts import Part, damaged_parts, kept
from pytest_reprotest.shards.shard import Shard, read_shard
from pytest_reprotest.shards.training import train_part
from pytest_reprotest.store.database import Database, StoreError

LABELS = ["none", "dropout", "weight_decay"]
ASKED = {"runs": 4, "regularizers": LABELS, "max_prediction_difference": 0.3, "seed": 7}


def parts_in(folder, count, options=None, trainer=trainer_of, name="test_a"):
    """Stores of all parts, trained one after another."""
    stores = []
    for part in range(1, count + 1):
        stores.append(Database(folder / str(part)))
        train_part(
            trainer(),
            options or resolve(marker=ASKED),
            Registry(),
            Shard(part, count),
            LocalExecutor(),
            stores[-1],
            name=name,
        )
    return stores


def whole(options=None, trainer=trainer_of):
    return run_audit(trainer(), options or resolve(marker=ASKED), Registry(), name="test_a")


def told(result):
    """Everything but what a clock measured."""
    found = result.to_dict()
    found["settings"]["chunk"] = None
    for each in found["regularizers"].values():
        del each["seconds"]
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 20])
@pytest.mark.parametrize("placement", [Placement(), Placement("cuda:0", "stacked", 2)])
def test_every_run_is_in_one_part(count, placement):
    plan = make_plan(Options(runs=5), ["none", "dropout"])
    shares = [Shard(part, count).of(plan, placement, 1) for part in range(1, count + 1)]
    runs = [run for share in shares for run in share.runs]
    assert sorted(map(str, runs)) == sorted(map(str, plan.runs))
    pieces = [len(share.chunks(placement.chunk)) for share in shares if share.runs]
    assert placement.device != "cpu" or max(map(len, (s.runs for s in shares))) <= -(-10 // count)
    assert placement.device == "cpu" or sum(pieces) == len(plan.chunks(placement.chunk))


def test_off_the_cpu_stacks_stay_as_one_machine_makes_them():
    plan = make_plan(Options(runs=5), ["none", "dropout"])
    stacked = Placement("cuda:0", "stacked", 3)
    found = [
        chunk
        for part in (1, 2, 3)
        for chunk in Shard(part, 3).of(plan, stacked, 1).chunks(stacked.chunk)
    ]
    assert found == plan.chunks(stacked.chunk)


@pytest.mark.parametrize(
    "text", ["", "2", "0/3", "4/3", "1/0", "a/b", "1/99999", "-1/3", "1/2/3", None]
)
def test_a_part_that_can_not_be_is_refused(text):
    with pytest.raises(OptionError, match="expected a part and their number, such as 2/4"):
        read_shard(text)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_joined_parts_are_the_audit_of_one_machine_to_the_last_bit(tmp_path, count):
    (joined,) = merged(parts_in(tmp_path, count))
    assert told(joined) == told(whole())
    for label, found in joined.by_regularizer.items():
        assert found.losses == whole()[label].losses


def test_the_verdict_is_given_where_parts_are_joined(tmp_path):
    strict = resolve(marker={**ASKED, "max_prediction_difference": {"dropout": 0.0}})

    def trainer():
        return trainer_of(epochs=15)

    (joined,) = merged(parts_in(tmp_path, 2, strict, trainer))
    assert told(joined) == told(whole(strict, trainer))
    assert "is above max_prediction_difference=0" in " ".join(joined["dropout"].verdict.reasons)
    assert not joined.passed


def test_a_part_that_is_missing_is_named(tmp_path):
    first, _, third = parts_in(tmp_path, 3)
    with pytest.raises(StoreError, match=r"'test_a' lacks part 2/3; give the store that holds it"):
        merged([first, third])
    with pytest.raises(
        StoreError, match=r"lacks parts 2/3, 3/3; .*: --repro-shard=2/3 and --repro-shard=3/3"
    ):
        merged([first])


def test_runs_that_were_deleted_are_missed(tmp_path):
    stores = parts_in(tmp_path, 2)
    stores[1].write("DELETE FROM runs WHERE run LIKE '%run 3,%'")
    with pytest.raises(StoreError, match=r"run 3 of .* is in none of the stores; train its part"):
        merged(stores)


def test_parts_of_two_divisions_are_not_joined(tmp_path):
    stores = [*parts_in(tmp_path / "a", 2), *parts_in(tmp_path / "b", 3)]
    with pytest.raises(StoreError, match="was trained in 2 and in 3 parts"):
        merged(stores)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 8}, "options.seed: 7 in the first, 8 in the other"), ({"runs": 5}, "options.runs")],
)
def test_parts_under_other_options_are_not_joined(tmp_path, change, named):
    first, _ = parts_in(tmp_path / "a", 2)
    _, second = parts_in(tmp_path / "b", 2, resolve(marker={**ASKED, **change}))
    with pytest.raises(StoreError, match=named):
        merged([first, second])


def test_parts_of_other_code_are_not_joined(tmp_path):
    first, _ = parts_in(tmp_path / "a", 2)
    _, second = parts_in(tmp_path / "b", 2, trainer=lambda: trainer_of(epochs=3))
    with pytest.raises(StoreError, match=r"is not one audit in .*settings\.training\.epochs: 2"):
        merged([first, second])


def test_workers_may_differ_between_parts(tmp_path):
    stores = parts_in(tmp_path, 2)
    ((shard, part),) = kept(stores[1])
    other = replace(part, settings={**part.settings, "workers": 9, "chunk": 1})
    from pytest_reprotest.shards.parts import keep

    keep(other, shard, stores[1])
    assert told(merged(stores)[0]) == told(whole())


def test_several_audits_are_joined_each_for_itself(tmp_path):
    stores = parts_in(tmp_path / "a", 2)
    stores += parts_in(tmp_path / "b", 3, name="test_b", options=resolve(marker={"runs": 2}))
    assert [result.name for result in merged(stores)] == ["test_a", "test_b"]


def test_stores_without_parts_are_named(tmp_path):
    with pytest.raises(StoreError, match="no part of an audit is in"):
        merged([Database(tmp_path)])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"deterministic": True}, r"reproducibility\(deterministic=True\) and --repro-shard"),
        ({"attribute": True}, r"reproducibility\(attribute=True\) and --repro-shard"),
        ({"decision": "confidence", "max_runs": 20, "min_accuracy": 0.1}, r"max_runs=20\) and"),
    ],
)
def test_what_judges_while_it_trains_is_refused(tmp_path, asked, told):
    with pytest.raises(OptionError, match=told):
        parts_in(tmp_path, 2, resolve(marker={"runs": 3, **asked}))


def test_a_run_that_fails_fails_its_part(tmp_path):
    def train_fn(run):
        if run.index == 2:
            raise ValueError("no luck")
        return np.array([0, 1, run.index % 2])

    def trainer():
        return FunctionTrainer(train_fn, y_true=[0, 1, 1])

    with pytest.raises(TrainingError, match=r"run 2 of 'none' .*failed: ValueError: no luck"):
        parts_in(tmp_path, 2, resolve(marker={"runs": 4}), trainer)
    assert not list(kept(Database(tmp_path / "2")))


def test_what_no_store_takes_can_not_be_trained_in_parts(tmp_path):
    def trainer():
        return FunctionTrainer(lambda run: Path("labels.txt").read_text(), y_true=[0, 1, 1])

    with pytest.raises(StoreError, match=r"can't be trained in parts.*names 'read_text'"):
        parts_in(tmp_path, 2, resolve(marker={"runs": 4}), trainer)


@pytest.mark.parametrize(
    "given",
    [
        ({"runs": "3", "min_accuracy": "0.5"}, {"max_prediction_difference": {"dropout": 0.1}}),
        ({"report_only": True}, {"vary": "none", "runs": 2}),
        ({}, {"decision": "confidence", "confidence": 0.9, "min_accuracy": 0.5, "runs": 3}),
        ({"compat": "study"}, {"on_inconclusive": "skip", "vary": ["init"]}),
    ],
)
def test_what_judges_is_read_back_as_it_was(given):
    options = resolve(*given)
    back = options_in(json.loads(json.dumps(options_out(options))))
    assert options_out(back) == options_out(options)
    assert back.rule == options.rule
    assert back.bounds.limits("dropout") == options.bounds.limits("dropout")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("y_true",), {"dtype": "u1", "shape": [2**40], "zlib": ""}),
        (("y_true",), []),
        (("options", "runs"), "many"),
        (("options", "bounds"), 3),
        (("options", "origins"), {"runs": "elsewhere"}),
        (("regularizers",), []),
        (("regularizers", 0, "runs"), 5),
        (("regularizers", 1, "label"), "none"),
        (("task",), {"name": "cake"}),
        (("name",), None),
    ],
)
def test_a_part_that_is_none_is_refused_in_a_sentence(tmp_path, path, value):
    (store,) = parts_in(tmp_path, 1)
    ((_, part),) = kept(store)
    stored = part.to_dict()
    node = stored
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(DataError):
        Part.from_dict(stored)


def test_a_part_whose_text_was_changed_is_refused(tmp_path):
    (store,) = parts_in(tmp_path, 1)
    store.write("UPDATE shards SET audit = replace(audit, '\"seed\":7', '\"seed\":8')")
    with pytest.raises(StoreError, match=r"part 1 of 'test_a' can't be read: .*checksum"):
        merged([store])
    assert [*damaged_parts(store)]


def test_two_stores_of_one_part_that_differ_are_not_joined(tmp_path):
    """Whichever came last would decide."""
    stores = parts_in(tmp_path / "a", 1)
    stores += parts_in(tmp_path / "b", 1, trainer=lambda: trainer_of(epochs=3))
    for given in (stores, stores[::-1]):
        with pytest.raises(StoreError, match="is not one audit in"):
            merged(given)


def test_another_division_takes_the_place_of_the_one_before(tmp_path):
    for count in (2, 3):
        stores = parts_in(tmp_path, count)
    assert told(merged(stores)[0]) == told(whole())
