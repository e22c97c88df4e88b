import math

import numpy as np
import pytest

from pytest_reprotest import FunctionTrainer, audit, measuring
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.measuring import distance_of, slim
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import RunSeeds

RUN = Run("none", 0, RunSeeds(0, 0))
CERTAIN = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)


def test_the_distance_is_that_of_the_scores_of_all_runs():
    assert distance_of([CERTAIN, 1 - CERTAIN]) == 2.0


@pytest.mark.parametrize(
    "scores",
    [[CERTAIN], [CERTAIN, None], [CERTAIN, CERTAIN[:1]], []],
    ids=["one run", "a run without", "other shapes", "none"],
)
def test_without_the_scores_of_all_runs_there_is_none(scores):
    assert math.isnan(distance_of(scores))


def test_scores_are_kept_as_long_as_those_of_all_runs_are_not_too_many(monkeypatch):
    monkeypatch.setattr(measuring, "_SCORES", 8)
    outcome = RunOutcome(RUN, CERTAIN.argmax(1), scores=CERTAIN)
    assert slim(outcome, before=1) is outcome
    assert slim(outcome, before=2).scores is None
    assert (slim(outcome, before=2).labels == outcome.labels).all()


def test_an_audit_of_more_scores_than_are_kept_is_measured_without_their_distance(monkeypatch):
    def train_fn(run):
        return CERTAIN if run.index % 2 else np.array([[0.9, 0.1], [0.2, 0.8]])

    trainer = FunctionTrainer(train_fn, y_true=[0, 1])
    assert audit(trainer, runs=3).details("none").score_distance > 0
    monkeypatch.setattr(measuring, "_SCORES", 8)
    found = audit(trainer, runs=3)
    assert math.isnan(found.details("none").score_distance)
    assert found["none"].n_runs == 3
