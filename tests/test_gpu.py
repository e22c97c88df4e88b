"""On a CUDA device: the stack against the sequential engine, the graph against the eager step."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest import audit
from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.objective import set_rates
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack
from pytest_reprotest.training.stacked.graph import GraphedStep

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(300, 64)).astype("float32")
TARGETS = INPUTS[:, :10].argmax(axis=1)
DATA = {"train": (INPUTS, TARGETS), "test": (INPUTS, TARGETS)}


def make_mlp():
    return nn.Sequential(
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
    )


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("regularizer", ["none", "batch_norm+dropout", "orthogonal"])
def test_a_graphed_step_is_the_eager_step(optimizer, regularizer):
    found = Registry().resolve([regularizer])[0]
    recipe = found.modify_recipe(Recipe(optimizer=optimizer, lr=0.01))
    data = TensorSource(torch.tensor(INPUTS).cuda(), torch.tensor(TARGETS).cuda())
    runs = [Run("none", index, RunSeeds(0, index)) for index in range(4)]
    models = [build_model(make_mlp, found, run.seeds, data.inputs[:2], "cuda:0") for run in runs]
    eager, graphed = (
        StackTraining(make_stack(copy.deepcopy(models)), recipe, found, data, graphed=True)
        for _ in range(2)
    )
    step = GraphedStep(graphed)
    for number, size in enumerate([32, 32, 11, 32, 11]):
        index = torch.randint(300, (4, size), device="cuda")
        for training in (eager, graphed):
            training.stack.train()
            set_rates(training.optimizer, [0.01 / (number + 1)])
        eager.step(index)
        step(index)
    for name, leaf in eager.stack.leaves.items():
        torch.testing.assert_close(graphed.stack.leaves[name], leaf, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(graphed.total, eager.total)


def test_an_audit_on_the_gpu_agrees_with_the_cpu_within_its_intervals():
    given = {"runs": 6, "regularizers": "none,dropout", "epochs": 5, "batch_size": 32, **DATA}
    there = audit(make_mlp, device="cuda", **given)
    here = audit(make_mlp, device="cpu", **given)
    assert there.settings["device"] == "cuda:0"
    assert there.settings["engine"] == "stacked"
    for label in ("none", "dropout"):
        for name in ("accuracy", "prediction_difference"):
            first, second = getattr(there[label], name), getattr(here[label], name)
            assert first.low <= second.high
            assert second.low <= first.high


def test_an_audit_on_the_gpu_can_be_run_again():
    given = {"runs": 3, "epochs": 3, "batch_size": 32, "device": "cuda", **DATA}
    first, second = audit(make_mlp, **given), audit(make_mlp, **given)
    assert np.array_equal(first["none"].predictions, second["none"].predictions)


def test_an_attribution_on_the_gpu_tells_the_kernels_share():
    given = {"runs": 3, "epochs": 3, "batch_size": 32, "device": "cuda", **DATA}
    found = audit(make_mlp, attribute=True, **given)["none"].attribution
    assert [rung.name for rung in found.rungs][:3] == ["identical", "kernels", "one_ulp"]
    assert found["identical"].same_bits
    assert all(rung.n_runs == 3 for rung in found.rungs)


def test_every_visible_gpu_gets_a_worker():
    devices = ",".join(str(index) for index in range(torch.cuda.device_count()))
    result = audit(make_mlp, runs=4, epochs=1, device=f"cuda:{devices}", workers="auto", **DATA)
    assert result["none"].n_runs == 4
    assert result.settings["workers"] == torch.cuda.device_count()
