"""What a store answers: all of an audit that has not changed, to the last bit, and nothing of one that has."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from small_training import blobs, make_mlp
from torch import nn
from torch.utils.data import Dataset

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import OptionError
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.execution.processes import ProcessExecutor
from pytest_reprotest.interfaces import Executor, Placement, Regularizer, RunOutcome
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.regularizers import dropout, none
from pytest_reprotest.store.database import Database
from pytest_reprotest.store.executor import StoringExecutor
from pytest_reprotest.store.kept import NothingToResume

y_true = np.arange(12) % 3
numbers = np.linspace(0, 1, 12)
several = np.stack([np.arange(12) % 2, np.arange(12) // 6], axis=1)
TRAINING = {"train": blobs(), "test": blobs(30, seed=1), "epochs": 2, "batch_size": 16, "lr": 0.1}
WIDTH = 3


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """The runs that were trained, in this process or another."""
    found = []
    for executor in (LocalExecutor, ProcessExecutor):

        def run(self, trainer, plan, *rest, inner=executor.run):
            for outcome in inner(self, trainer, plan, *rest):
                found.append((outcome.run.regularizer, outcome.run.index))
                yield outcome

        monkeypatch.setattr(executor, "run", run)
    return found


def drawn(run):
    assert run.regularizer
    return run.generator("noise", kind="numpy").permutation(y_true)


def scored(run):
    assert run.regularizer
    return run.generator("init", kind="numpy").normal(size=(12, 3)) + 2 * np.eye(3)[y_true]


def measured(run):
    return numbers + run.generator("init", kind="numpy").normal(size=12)


def labelled(run):
    return run.generator("init", kind="numpy").normal(size=(12, 2)) + several


def make_one():
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1))


def make_two():
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))


def regression(n, seed):
    inputs, targets = blobs(n, seed)
    return inputs, targets.float() + inputs[:, 0]


def multilabel(n, seed):
    inputs, targets = blobs(n, seed)
    return inputs, torch.stack([targets > 0, targets > 1], dim=1).float()


def of_task(make, data, **more):
    return make, {**TRAINING, "train": data(48, 0), "test": data(30, 1), **more}


AUDITS = {
    "sequential": (make_mlp, {**TRAINING, "engine": "sequential", "regularizers": "none,dropout"}),
    "stacked": (make_mlp, {**TRAINING, "engine": "stacked", "regularizers": "none,dropout,adam"}),
    "regression": of_task(make_one, regression, task="regression", tolerance=0.1),
    "multilabel": of_task(make_two, multilabel, task="multilabel"),
    "ema": (make_mlp, {**TRAINING, "regularizers": "ema"}),
    "labels": (FunctionTrainer(drawn, y_true=y_true), {"regularizers": "none,dropout"}),
    "scores": (FunctionTrainer(scored, y_true=y_true), {}),
    "numbers": (FunctionTrainer(measured, y_true=numbers, task="regression", tolerance=0.1), {}),
    "several": (FunctionTrainer(labelled, y_true=several, task="multilabel"), {}),
}


def bits(result):
    """Everything of a result that training decides."""
    return {
        label: (
            found.predictions.dtype,
            found.predictions.tobytes(),
            np.array(found.losses).tobytes(),
            repr(found.score_distance),
            repr(found.summary),
            repr(found.verdict),
        )
        for label, found in result.by_regularizer.items()
    }


def forget(store, *indices):
    """Delete runs."""
    connection = sqlite3.connect(store / "runs.sqlite3")
    for index in indices:
        connection.execute("DELETE FROM runs WHERE run LIKE ?", (f"seed 0, run {index},%",))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("case", AUDITS.values(), ids=AUDITS)
def test_an_unchanged_audit_trains_nothing(case, tmp_path, trained):
    what, given = case
    asked = {"runs": 4, "device": "cpu", **given}
    plain = audit(what, **asked)
    first = audit(what, **asked, store=tmp_path)
    count = 4 * len(first.by_regularizer)
    assert len(trained) == 2 * count
    again = audit(what, **asked, store=tmp_path)
    assert len(trained) == 2 * count
    assert bits(plain) == bits(first) == bits(again)
    assert not any("store" in note for note in first.notes)
    (told,) = set(again.notes) - set(first.notes)
    assert told.startswith(f"all {count} runs are from the store {tmp_path}, trained ")
    del trained[:]
    forget(tmp_path, 1, 3)
    partly = audit(what, **asked, store=tmp_path, resume=True)
    assert {index for _, index in trained} == {1, 3}
    assert len(trained) == count // 2
    assert bits(partly) == bits(plain)


@pytest.mark.parametrize("left", [(0,), (2,), (0, 6), (1, 2, 3, 4, 5), (0, 2, 4, 6)])
def test_stacks_of_what_is_missing_are_those_of_the_whole(left, tmp_path, trained):
    asked = {**TRAINING, "engine": "stacked", "runs": 7, "regularizers": "dropout,batch_norm"}
    whole = audit(make_mlp, **asked, store=tmp_path)
    forget(tmp_path, *left)
    del trained[:]
    assert bits(audit(make_mlp, **asked, store=tmp_path)) == bits(whole)
    assert {index for _, index in trained} == set(left)


def make_wide():
    return nn.Sequential(nn.Linear(6, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 3))


def loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets)


def other_loss(outputs, targets):
    return 2 * nn.functional.cross_entropy(outputs, targets)


@dataclass(frozen=True)
class clipped(Regularizer):  # noqa: N801
    """Of a user's own."""

    name = "clipped"
    summary = "clips"
    by: float = 1.0

    def modify_recipe(self, recipe):
        return replace(recipe, max_grad_norm=self.by)


BASE = {**TRAINING, "runs": 2, "device": "cpu", "regularizers": ["none"]}
SAME = {
    "fewer runs": {},
    "thresholds": {"max_prediction_difference": 0.5, "min_accuracy": 0.1},
    "report only": {"report_only": True},
    "another copy of the data": {"train": tuple(part.clone() for part in blobs())},
    "another name": {"name": "x"},
}
OTHER = {
    "seed": {"seed": 1},
    "vary": {"vary": "init"},
    "epochs": {"epochs": 3},
    "lr": {"lr": 0.2},
    "batch size": {"batch_size": 8},
    "schedule": {"schedule": "linear"},
    "loss": {"loss": loss},
    "optimizer": {"optimizer": "adam"},
    "clipping": {"max_grad_norm": 1.0},
    "threads": {"threads": 2},
    "engine": {"engine": "stacked"},
    "a bit of the data": {"train": (torch.nextafter(blobs()[0], torch.tensor(9.0)), blobs()[1])},
    "a target": {"test": (blobs(30, seed=1)[0], blobs(30, seed=1)[1].flip(0))},
}


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """A store that tests only take from, or add to what no other asks for."""
    store = tmp_path_factory.mktemp("held")
    audit(make_wide, **{**BASE, "runs": 3, "engine": "sequential"}, store=store)
    return store


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_decides_no_run(change, held, trained):
    audit(make_wide, **{**BASE, "engine": "sequential", **change}, store=held)
    assert trained == []


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_what_decides_runs(change, held, trained):
    audit(make_wide, **{**BASE, "engine": "sequential", **change}, store=held)
    assert len(trained) == 2


def test_more_runs_are_added(held, trained):
    audit(make_wide, **{**BASE, "engine": "sequential", "runs": 5}, store=held)
    assert trained == [("none", 3), ("none", 4)]


def test_code_decides_runs(held, trained, monkeypatch):
    asked = {**BASE, "engine": "sequential"}
    audit(lambda: make_wide(), **asked, store=held)
    assert len(trained) == 2
    monkeypatch.setattr(f"{__name__}.WIDTH", 4)
    audit(make_wide, **asked, store=held)
    assert len(trained) == 4


def sgd(rate):
    return lambda parameters: torch.optim.SGD(parameters, lr=rate)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"optimizer": sgd(0.1)}, {"optimizer": sgd(0.2)}),
        ({"loss": loss}, {"loss": other_loss}),
        ({"schedule": lambda progress: 1.0}, {"schedule": lambda progress: 0.5}),
        ({"regularizers": [clipped(1.0)]}, {"regularizers": [clipped(0.5)]}),
        ({"regularizers": [dropout(0.1)]}, {"regularizers": [dropout(0.2)]}),
    ],
)
def test_callables_decide_runs(one, other, tmp_path, trained):
    base = {key: value for key, value in BASE.items() if key != "lr"}
    for count, asked in enumerate((one, other, one, other)):
        audit(make_wide, **{**base, **asked}, store=tmp_path)
        assert len(trained) == 2 * min(count + 1, 2)


def test_flags_of_torch_decide_runs(tmp_path, trained):
    audit(make_wide, **BASE, store=tmp_path)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        audit(make_wide, **BASE, store=tmp_path)
    finally:
        torch.use_deterministic_algorithms(before)
    assert len(trained) == 4


def make_read():
    rate = float(SETTINGS.read_text(encoding="utf-8"))
    return nn.Sequential(nn.Linear(6, 8), nn.Dropout(rate), nn.Linear(8, 3))


def make_shifted():
    model = make_mlp()
    model.register_buffer("shift", torch.tensor(float(SETTINGS.read_text(encoding="utf-8"))))
    return model


SETTINGS = None


@pytest.mark.parametrize("make", [make_read, make_shifted])
def test_what_a_factory_reads_is_seen_in_its_model(make, tmp_path, trained, monkeypatch):
    """Also where it is in no weight."""
    monkeypatch.setattr(f"{__name__}.SETTINGS", tmp_path / "settings")
    for count, rate in enumerate((0.1, 0.2, 0.1, 0.2)):
        (tmp_path / "settings").write_text(str(rate), encoding="utf-8")
        audit(make, **BASE, store=tmp_path / "store")
        assert len(trained) == 2 * min(count + 1, 2)


def from_file(run):
    return np.load(FILE)[run.index]


FILE = None


def test_what_a_function_reads_has_to_be_said(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(f"{__name__}.FILE", tmp_path / "file.npy")
    np.save(tmp_path / "file.npy", np.stack([y_true, np.roll(y_true, 1)]))
    unsaid = FunctionTrainer(from_file, y_true=y_true)
    for count in (1, 2):
        result = audit(unsaid, runs=2, store=tmp_path / "store")
        assert len(trained) == 2 * count
        assert (
            "finished runs are neither kept nor taken from the store: train_fn names 'load', and what is read "
            "there can't be seen; say what it reads with depends_on=[...]"
        ) in result.notes
    del trained[:]
    said = FunctionTrainer(from_file, y_true=y_true, depends_on=[tmp_path / "file.npy"])
    for _ in range(2):
        audit(said, runs=2, store=tmp_path / "store")
    assert len(trained) == 2
    np.save(tmp_path / "file.npy", np.stack([y_true, np.roll(y_true, 2)]))
    audit(said, runs=2, store=tmp_path / "store")
    assert len(trained) == 4


class FromFile(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        with open(__file__, encoding="utf-8"):  # noqa: PTH123
            return torch.rand(6), torch.tensor(index % 3)


def test_samples_that_are_read_each_time_are_not_seen(tmp_path, trained):
    result = audit(make_mlp, **{**BASE, "train": FromFile()}, store=tmp_path)
    assert (
        "finished runs are neither kept nor taken from the store: data names 'open', and what is read there "
        "can't be seen"
    ) in result.notes


def test_runs_that_fail_are_trained_again(tmp_path, trained):
    trainer = FunctionTrainer(lambda run: y_true if run.index < 2 else 1 / 0, y_true=y_true)
    for expected in ([0, 1, 2], [2]):
        del trained[:]
        result = audit(trainer, runs=4, store=tmp_path)
        assert [index for _, index in trained] == expected
        assert "ZeroDivisionError" in result["none"].verdict.reasons[0]


def test_resuming_what_has_changed(tmp_path, trained):
    audit(make_mlp, **BASE, store=tmp_path, name="a")
    with pytest.raises(NothingToResume) as refused:
        audit(make_mlp, **{**BASE, "lr": 0.2}, store=tmp_path, name="a", resume=True)
    assert str(refused.value) == (
        "'none' can't be resumed: what its stored runs depended on has changed: content.recipe (its content); "
        "settings.lr: 0.1 before, 0.2 now. Undo the change, or leave --repro-resume out to train it anew"
    )
    audit(make_mlp, **{**BASE, "lr": 0.2}, store=tmp_path, name="b", resume=True)
    with pytest.raises(OptionError, match="store="):
        audit(make_mlp, **BASE, resume=True)


def test_looks_of_an_adaptive_audit(tmp_path, trained):
    asked = {"decision": "confidence", "max_runs": 8, "runs": 4, "max_prediction_difference": 0.62}
    trainer = FunctionTrainer(drawn, y_true=y_true)
    first = audit(trainer, **asked, store=tmp_path)
    count = len(trained)
    assert count > 4
    assert bits(audit(trainer, **asked, store=tmp_path)) == bits(first)
    assert len(trained) == count


def test_rungs_of_an_attribution(tmp_path, trained):
    asked = {**BASE, "epochs": 8, "runs": 3, "attribute": True}
    first = audit(make_mlp, **asked, store=tmp_path)
    count = len(trained)
    assert count > 3
    again = audit(make_mlp, **asked, store=tmp_path)
    assert len(trained) == count
    assert bits(again) == bits(first)
    assert again["none"].attribution == first["none"].attribution


class Noted(Executor):
    """Notes which plans it is given."""

    def __init__(self):
        self.plans = []

    def run(self, trainer, plan, regularizers, placement):
        self.plans.append(plan)
        return iter([RunOutcome(run, y_true) for run in plan.runs])


def test_a_proof_of_determinism_is_trained_anew(tmp_path):
    inner, database = Noted(), Database(tmp_path)
    plan = make_plan(Options(runs=2), ["none"])
    proof = Placement("cpu", "sequential", 1, deterministic=True)
    for _ in range(2):
        executor = StoringExecutor(inner, database)
        assert len(list(executor.run(AUDITS["labels"][0], plan, {"none": none()}, proof))) == 2
        assert executor.told() == (
            "a proof of determinism is trained anew, whatever the store holds",
        )
    assert inner.plans == [plan, plan]
    assert database.ask("SELECT count(*) FROM runs") == [(0,)]
    database.close()


def test_stacks_on_a_gpu_are_kept_whole(tmp_path):
    """There a run may come out otherwise in another stack."""
    inner, database = Noted(), Database(tmp_path)
    plan = make_plan(Options(runs=7), ["none"])
    stacked = Placement("mps", "stacked", 3)

    def trained():
        executor = StoringExecutor(inner, database)
        del inner.plans[:]
        found = list(executor.run(AUDITS["labels"][0], plan, {"none": none()}, stacked))
        assert sorted(outcome.run.index for outcome in found) == list(range(7))
        return [[run.index for run in part] for each in inner.plans for part in each.chunks(3)]

    assert trained() == [[0, 1, 2], [3, 4], [5, 6]]
    assert trained() == []
    forget(tmp_path, 4)
    assert trained() == [[3, 4]]
    database.close()


def test_workers_share_what_they_train(tmp_path, trained):
    """One worker is not held for two: other libraries may follow the threads that workers are given."""
    asked = {**BASE, "runs": 4, "engine": "sequential", "workers": 2}
    first = audit(make_mlp, **asked, store=tmp_path)
    assert len(trained) == 4
    forget(tmp_path, 2)
    assert bits(audit(make_mlp, **{**asked, "workers": 3}, store=tmp_path)) == bits(first)
    assert len(trained) == 5


class Folder(torch.utils.data.Dataset):
    """Samples with noise, of a folder that it names."""

    def __init__(self, root):
        self.root = root

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.randn(6), index % 3


def test_a_random_dataset_that_names_a_folder_is_not_kept(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    test = (torch.randn(9, 6), torch.arange(9) % 3)
    asked = {"runs": 2, "epochs": 1, "batch_size": 4, "test": test, "store": tmp_path / "store"}

    def make_net():
        return torch.nn.Linear(6, 3)

    kept = audit(make_net, train=Folder("nowhere/samples"), **asked)
    assert not [note for note in kept.notes if "store" in note]
    told = audit(make_net, train=Folder(folder), **asked).notes
    assert any(f"data names '{folder}', and what is read there can't be seen" in n for n in told)
