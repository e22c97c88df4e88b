"""The ladder trained: what each rung gives, on which runs, and what becomes of one that can't be trained."""

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
import torch
from small_training import blobs, make_mlp
from torch import nn

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.attributing import attributed
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.interfaces import Placement, RunOutcome, Trainer
from pytest_reprotest.measuring import judged
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import none
from pytest_reprotest.seeds import ONE_ULP

DATA = {"train": blobs(), "test": blobs(60, seed=1), "batch_size": 8, "lr": 0.1}
RUNGS = ["identical", "one_ulp", "init", "data_order", "noise", "all"]


def small(factory=make_mlp, **settings):
    return audit(factory, **{**DATA, "runs": 4, "epochs": 10, "attribute": True, **settings})


def values(result, label="none"):
    return {rung.name: rung.prediction_difference.value for rung in result[label].attribution.rungs}


# --- torch --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_a_seed_gives_the_same_bits_and_sources_give_shares_in_either_engine(engine):
    result = small(engine=engine, regularizers=["none", "dropout"])
    for label, noisy in (("none", False), ("dropout", True)):
        found = result[label].attribution
        assert [rung.name for rung in found.rungs] == RUNGS
        assert all(rung.n_runs == 4 for rung in found.rungs)
        assert found["identical"].same_bits
        assert found["identical"].share.value == 0
        assert math.isnan(found["identical"].share.low)
        assert found["noise"].same_bits is not noisy
        assert found["init"].prediction_difference.value > 0
        assert found["data_order"].prediction_difference.value > 0
        assert found["all"].share.value == 1
        assert found["all"].prediction_difference == result[label].prediction_difference


def test_nothing_is_trained_twice_and_the_audits_own_runs_stay_as_they_are():
    trained = Counter()

    def progress(plan):
        trained.update(run.rung for run in plan.runs)
        return lambda outcome: None

    plain = small(attribute=False)
    found = small(progress=progress)
    assert trained == {"": 4, "identical": 4, "one_ulp": 4, "init": 4, "data_order": 4, "noise": 4}
    assert np.array_equal(found["none"].predictions, plain["none"].predictions)
    assert plain["none"].attribution is None
    assert found["none"].verdict == plain["none"].verdict


def test_where_one_source_varies_the_audits_own_runs_are_its_rung():
    trained = Counter()

    def progress(plan):
        trained.update(run.rung for run in plan.runs)
        return lambda outcome: None

    result = small(vary="init", progress=progress)
    found = result["none"].attribution
    assert trained["init"] == 0
    assert trained["all"] == 4
    assert found["init"].prediction_difference == result["none"].prediction_difference
    assert found["all"].share.value == 1


def test_workers_and_chunks_change_nothing():
    one, two = small(engine="sequential"), small(engine="sequential", workers=2)
    assert one["none"].attribution == two["none"].attribution


def test_weights_that_are_fixed_are_a_rung_in_which_nothing_varies():
    start = make_mlp().state_dict()

    def pretrained():
        model = make_mlp()
        model.load_state_dict(start)
        return model

    result = small(pretrained, vary="data_order,noise")
    found = result["none"].attribution
    assert result.passed
    assert found["init"].same_bits
    assert found["all"].prediction_difference.value > 0
    assert "varying only the initial weights or the noise changes nothing" in found.meaning[-1]


def test_a_regularizer_whose_own_runs_are_broken_has_no_attribution():
    result = small(lr=1e9)
    assert result["none"].verdict.broken
    assert result["none"].attribution is None


def test_a_rung_whose_runs_predict_one_class_is_left_out():
    class Constant(Counting):
        def labels(self, run):
            return np.zeros_like(self.y_true) if run.rung == "noise" else super().labels(run)

    found = climbed(Constant())
    assert found["noise"].left_out.startswith("constant predictor: run")
    assert found["init"].left_out == ""


# --- a training function ------------------------------------------------------------------------

Y_TRUE = np.arange(60) % 3


def drawn(run, source):
    noise = run.generator(source, kind="numpy")
    return np.where(noise.random(60) < 0.2, (Y_TRUE + 1) % 3, Y_TRUE)


def test_a_function_cannot_be_nudged_and_what_it_does_not_draw_from_is_0():
    found = audit(
        FunctionTrainer(lambda run: drawn(run, "init"), y_true=Y_TRUE), runs=4, attribute=True
    )["none"].attribution
    assert found["one_ulp"].left_out == (
        "FunctionTrainer has no initial weights that could be moved by one ulp"
    )
    assert found["one_ulp"].n_runs == 0
    assert found["identical"].share.value == found["noise"].share.value == 0
    assert found["noise"].same_bits
    assert found["init"].share.value == pytest.approx(1, abs=0.4)
    assert "one_ulp left out: FunctionTrainer has no initial weights" in found.meaning[-1]


def test_one_seed_for_all_cannot_vary_a_single_source():
    def by_seed(run):
        return np.random.default_rng(run.seed).integers(0, 3, 60)

    result = audit(FunctionTrainer(by_seed, y_true=Y_TRUE), runs=3, attribute=True)
    found = result["none"].attribution
    assert result.passed
    assert found["identical"].same_bits
    assert found.meaning[-1] == (
        "init, data_order, noise left out: train_fn reads run.seed, one number that can't vary a single "
        "source. Draw from run.generator(source) for each"
    )


def test_a_function_that_draws_from_elsewhere_is_told_so():
    unseeded = np.random.default_rng()

    def restless(run):
        return unseeded.integers(0, 3, 60)

    found = audit(FunctionTrainer(restless, y_true=Y_TRUE), runs=3, attribute=True)
    assert found["none"].attribution.meaning[0].startswith("runs of one seed differ (PD 0.")


# --- where rungs are trained --------------------------------------------------------------------


class Counting(Trainer):
    """Leaves labels that the runs' rung decides, and where it was asked to train."""

    nudges = True

    def __init__(self):
        self.placements = {}

    @property
    def y_true(self):
        return Y_TRUE

    def labels(self, run):
        rng = np.random.default_rng(run.seeds.sequence("init"))
        return np.where(rng.random(60) < 0.2, (Y_TRUE + 1) % 3, Y_TRUE)

    def train(self, runs, regularizer, placement):
        for run in runs:
            self.placements[run.rung] = placement
            yield RunOutcome(run, self.labels(run))


def climbed(trainer, device="cpu", **settings):
    options = Options(runs=3, **settings)
    place = Placement(device, "stacked", 3)
    runs = make_plan(options, ["none"]).runs
    own = judged("none", [*trainer.train(runs, none(), place)], trainer, options, 3)
    regularizers = {each.label: each for each in Registry().resolve(["none"])}
    found, _ = attributed({"none": own}, trainer, options, regularizers, place, LocalExecutor())
    return found["none"].attribution


def test_on_a_gpu_kernels_are_a_rung_and_identical_runs_have_the_switches_set(monkeypatch):
    opened = []

    class Proving(LocalExecutor):
        def __init__(self, options):
            opened.append(options)

        def close(self):
            opened.append("closed")

    monkeypatch.setattr("pytest_reprotest.execution.choice.open_executor", Proving)
    monkeypatch.setattr(
        "pytest_reprotest.execution.local.train_chunk",
        lambda trainer, runs, regularizer, placement: trainer.train(runs, regularizer, placement),
    )
    trainer = Counting()
    found = climbed(trainer, "cuda:0")
    assert [rung.name for rung in found.rungs][:3] == ["identical", "kernels", ONE_ULP]
    assert trainer.placements["identical"] == Placement("cuda:0", "sequential", 1, True)
    assert trainer.placements["kernels"] == Placement("cuda:0", "sequential", 1)
    assert trainer.placements["init"] == Placement("cuda:0", "stacked", 3)
    assert dataclasses.replace(opened[0], deterministic=False) == Options(runs=3)
    assert opened[1:] == ["closed"]


def test_what_an_executor_notes_is_handed_on_once():
    class Noting(Counting):
        def train(self, runs, regularizer, placement):
            for outcome in super().train(runs, regularizer, placement):
                yield dataclasses.replace(outcome, note="halved" if outcome.run.rung else None)

    result = audit(Noting(), runs=3, attribute=True)
    assert result.notes.count("halved") == 1


# --- digits -------------------------------------------------------------------------------------


def test_on_digits_one_ulp_grows_and_everything_gives_at_least_what_each_source_does():
    datasets = pytest.importorskip("sklearn.datasets")
    inputs, targets = datasets.load_digits(return_X_y=True)
    inputs = torch.tensor(inputs / 16, dtype=torch.float32)
    found = audit(
        lambda: nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        ),
        train=(inputs[:1000], targets[:1000]),
        test=(inputs[1000:], targets[1000:]),
        runs=5,
        epochs=15,
        batch_size=16,
        optimizer="momentum",
        lr=0.1,
        drop_last=True,
        attribute=True,
    )["none"].attribution
    assert found["identical"].same_bits
    assert found["identical"].prediction_difference.value == 0
    assert found["one_ulp"].prediction_difference.value > 0
    whole = found["all"].prediction_difference
    for source in ("one_ulp", "init", "data_order", "noise"):
        alone = found[source]
        assert alone.prediction_difference.low <= whole.high
        assert math.isnan(alone.share.low) or alone.share.low <= 1
