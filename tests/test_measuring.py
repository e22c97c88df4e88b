import json
import math

import numpy as np
import pytest

from pytest_reprotest import AuditResult, FunctionTrainer, audit, measuring
from pytest_reprotest._audit import run_audit
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.measuring import distance_of, slim
from pytest_reprotest.options import resolve
from pytest_reprotest.plan import Run
from pytest_reprotest.registry import Registry
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.verdict import broken

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


def test_a_proof_by_one_process_is_broken_and_tells_its_settings():
    trainer = FunctionTrainer(lambda run: [0, 1, 1], y_true=[0, 1, 1])
    options = resolve(call={"deterministic": True, "runs": 2, "regularizers": "none"})
    result = run_audit(trainer, options, Registry())
    found = result["none"]
    assert found.verdict == broken(
        "2 runs were trained in one process, which proves nothing; expected two at least"
    )
    assert found.prediction_difference.value == 0
    assert result.settings["deterministic"] is True
    assert result.settings["switches"]["torch.backends.cudnn.benchmark"] is False
    assert result.settings["vary"] == []
    read = AuditResult.from_dict(json.loads(json.dumps(result.to_dict())))
    assert read == result
    assert read["none"].proof == found.proof


def test_regularizers_of_one_seed_are_not_compared():
    def train_fn(run):
        return [0, 1, 1] if run.regularizer == "none" else [0, 1, 0]

    trainer = FunctionTrainer(train_fn, y_true=[0, 1, 1])
    options = resolve(call={"deterministic": True, "regularizers": "none,dropout"})
    result = run_audit(trainer, options, Registry())
    assert (result.comparisons, result.notes) == ({}, ())
