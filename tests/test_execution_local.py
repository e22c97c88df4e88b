from __future__ import annotations

import numpy as np
import pytest
from small_training import SEQUENTIAL

from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.interfaces import Placement, RunOutcome, Trainer
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.regularizers import adam, dropout, none

REGULARIZERS = {"none": none(), "dropout": dropout(), "adam": adam()}


class Scripted(Trainer):
    """Notes what it is asked to train, and fails the runs it is told to."""

    def __init__(self, failing=()):
        self.failing = failing
        self.asked = []
        self.closed = 0

    @property
    def y_true(self):
        return np.array([0, 1])

    def train(self, runs, regularizer, placement):
        self.asked.append((regularizer.label, [run.index for run in runs], placement))
        try:
            for run in runs:
                failed = (run.regularizer, run.index) in self.failing
                yield RunOutcome(run, np.array([0, 1]), failure="no" if failed else None)
        finally:
            self.closed += 1


def execute(trainer, runs=3, placement=SEQUENTIAL):
    plan = make_plan(Options(runs=runs), list(REGULARIZERS))
    return [
        (outcome.run.regularizer, outcome.run.index)
        for outcome in LocalExecutor().run(trainer, plan, REGULARIZERS, placement)
    ]


def test_every_run_is_trained_in_the_plans_order():
    trainer = Scripted()
    assert execute(trainer) == [(label, run) for label in REGULARIZERS for run in range(3)]


def test_chunks_are_of_one_regularizer_and_of_the_placements_size():
    trainer = Scripted()
    placement = Placement("cpu", "stacked", 2)
    execute(trainer, runs=4, placement=placement)
    assert [(label, runs) for label, runs, _ in trainer.asked] == [
        (label, chunk) for label in REGULARIZERS for chunk in ([0, 1], [2, 3])
    ]
    assert {asked for _, _, asked in trainer.asked} == {placement}


def test_a_regularizer_is_left_at_its_first_failed_run_and_the_others_go_on():
    trainer = Scripted(failing={("none", 1), ("adam", 0)})
    assert execute(trainer) == [
        ("none", 0),
        ("none", 1),
        ("dropout", 0),
        ("dropout", 1),
        ("dropout", 2),
        ("adam", 0),
    ]


def test_the_rest_of_a_failed_chunk_is_not_waited_for():
    trainer = Scripted(failing={("none", 0)})
    trained = execute(trainer, placement=Placement("cpu", "stacked", 3))
    assert [run for label, run in trained if label == "none"] == [0]
    assert trainer.closed == len(trainer.asked)


def test_nothing_is_trained_before_it_is_asked_for():
    trainer = Scripted()
    plan = make_plan(Options(runs=3), ["none"])
    outcomes = LocalExecutor().run(trainer, plan, REGULARIZERS, SEQUENTIAL)
    assert trainer.asked == []
    assert next(outcomes).run.index == 0
    assert len(trainer.asked) == 1


def test_an_exception_of_a_trainer_passes_through():
    class Broken(Scripted):
        def train(self, runs, regularizer, placement):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(Broken())


def test_it_trains_one_chunk_at_a_time_and_has_nothing_to_close():
    executor = LocalExecutor()
    assert executor.n_workers == 1
    executor.close()
    assert len(execute(Scripted())) == 9
