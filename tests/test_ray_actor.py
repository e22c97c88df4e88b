"""What a Ray worker does, in this process: Ray itself only hands over what was put there."""

import types

import numpy as np
import pytest
import torch

from pytest_reprotest import FunctionTrainer
from pytest_reprotest.errors import DataError, TrainingError
from pytest_reprotest.execution.ray_actor import Actor, Shipped
from pytest_reprotest.interfaces import Placement, Trainer
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.regularizers import none
from pytest_reprotest.training.parcels import Unpacked, changes, noted, pack, take_over
from pytest_reprotest.training.switches import states

ray = pytest.importorskip("ray")
LABELS = np.array([0, 1] * 10)
LARGE = torch.arange(3000, dtype=torch.float32)


@pytest.fixture(autouse=True)
def handed_over(monkeypatch):
    context = types.SimpleNamespace(get_node_id=lambda: "node")
    monkeypatch.setattr(ray, "get", lambda reference: reference)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)


def shipped(trainer, number=0):
    parcel = pack((trainer, {"none": none()}, states()), trainer.callables(), "")
    return Shipped(number, parcel.code, parcel.data)


def outcomes(actor, trainer, placement):
    runs = make_plan(Options(runs=3), ["none"]).runs
    found, more = actor.train(shipped(trainer), runs, placement)
    batches = [found]
    while more:
        found, more = actor.more()
        batches.append(found)
    return [[outcome.run.index for outcome in batch] for batch in batches]


class Learning(FunctionTrainer):
    """Notes something when it prepares, as the trainer of torch does."""

    def prepare(self, regularizers, asked, n_runs):
        self.learned = n_runs
        return super().prepare(regularizers, asked, n_runs)


def test_outcomes_come_one_by_one_and_those_of_a_stack_together():
    trainer = FunctionTrainer(lambda run: LABELS, y_true=LABELS)
    assert outcomes(Actor(), trainer, Placement(engine="sequential")) == [[0], [1], [2], []]
    assert outcomes(Actor(), trainer, Placement(engine="stacked")) == [[0, 1, 2]]


def test_a_proof_tells_processes_apart_across_nodes():
    trainer = FunctionTrainer(lambda run: LABELS, y_true=LABELS)
    runs = make_plan(Options(runs=2, vary=()), ["none"]).runs
    placement, found = Placement(engine="sequential", deterministic=True), set()
    for host in ("one", "one", "other"):
        actor = Actor()
        actor._host = host
        (outcome,), _ = actor.train(shipped(trainer), runs, placement)
        found.add(outcome.digests.process)
    assert len(found) == 2


def test_what_cannot_be_loaded_or_raises_is_a_failure_in_words():
    class Broken(Trainer):
        y_true = LABELS

        def train(self, runs, regularizer, placement):
            raise OSError("no disk")

    runs = make_plan(Options(runs=2), ["none"]).runs
    actor = Actor()
    (outcome,), more = actor.train(shipped(Broken()), runs, Placement())
    assert more
    assert actor.more() == ([], False)
    assert outcome.failure == f"in a Ray worker on {actor._host}: OSError: no disk"
    (outcome,), _ = Actor().train(Shipped(0, b"cnowhere\nx\n.", {}), runs, Placement())
    assert "No module named 'nowhere'. Code that is trained has to be importable" in outcome.failure


def test_a_worker_tells_what_it_computes_with():
    greeting = Actor().greet("cpu")
    assert greeting.node == "node"
    assert sorted(greeting.kind) == ["machine", "versions"]
    assert Actor().surroundings(states(), "cpu", 1, False)["threads"]["inter_op"] >= 1


def test_an_answer_brings_what_the_trainer_noted():
    trainer = Learning(lambda run: LABELS, y_true=LABELS)
    asked = Placement("cpu", "auto")
    answer = Actor().ask(shipped(trainer), "prepare", "cpu", (none(),), asked, 7)
    assert answer.value.placement.engine == "sequential"
    assert sorted(answer.changed) == ["learned"]
    take_over(trainer, answer.changed)
    assert trainer.learned == 7


@pytest.mark.parametrize(
    ("error", "device", "kind", "told"),
    [
        (DataError("bad data"), "cpu", DataError, "^bad data$"),
        (OSError("no disk"), "cpu", TrainingError, "in a Ray worker on .*: OSError: no disk"),
        (OSError("no disk"), "cuda:0", TrainingError, "a GPU, and torch .* there sees none"),
    ],
)
def test_an_answer_may_be_an_error(monkeypatch, error, device, kind, told):
    class Raising(FunctionTrainer):
        def prepare(self, *arguments):
            raise error

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    trainer = Raising(lambda run: LABELS, y_true=LABELS)
    answer = Actor().ask(shipped(trainer), "prepare", device)
    with pytest.raises(kind, match=told):
        raise answer.error


def test_large_tensors_travel_once_and_arrive_as_copies():
    parcel = pack({"one": LARGE, "again": LARGE.clone(), "small": LARGE[:3].clone()}, (), "")
    assert len(parcel.data) == 1
    assert len(parcel.code) < LARGE.numel()
    fetched, unpacked = [], Unpacked()

    def fetch(name):
        fetched.append(name)
        read_only = parcel.data[name].copy()
        read_only.flags.writeable = False
        return read_only

    found = unpacked.load(parcel.code, fetch)
    assert torch.equal(found["one"], LARGE)
    found["one"].zero_()
    assert LARGE[-1] == 2999
    unpacked.load(parcel.code, fetch)
    assert len(fetched) == 1


def test_what_cannot_be_sent_is_told_and_large_tensors_stay_where_they_are():
    with pytest.raises(TrainingError, match="or use --repro-executor=local"):
        pack((_ for _ in ()), (), "--repro-executor=local")
    trainer = FunctionTrainer(lambda run: LABELS, y_true=LABELS)
    before = noted(trainer)
    trainer.placed, trainer.generator = LARGE, (_ for _ in ())
    found = changes(before, trainer)
    assert sorted(found) == ["placed"]
    other = FunctionTrainer(lambda run: LABELS, y_true=LABELS)
    take_over(other, found)
    assert not hasattr(other, "placed")
