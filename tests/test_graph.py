"""The graphed step's bookkeeping, with CUDA played by a recorder: capturing must leave no trace.

On a CUDA device tests/test_gpu.py takes over.
"""

import contextlib
import copy

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack
from pytest_reprotest.training.stacked.graph import GraphedStep

RNG = np.random.default_rng(0)
DATA = TensorSource(
    torch.tensor(RNG.normal(size=(60, 8)), dtype=torch.float32),
    torch.tensor(RNG.integers(0, 3, 60)),
)


class Recorded(StackTraining):
    """Like a captured stream: under capture a step is kept for replay and not taken."""

    capturing = False
    captures = 0

    def step(self, index):
        if self.capturing:
            self.captures += 1
            self.kept = index
        else:
            super().step(index)


class FakeCuda:
    """The few names of torch.cuda that a capture uses."""

    def __init__(self, training):
        self.training = training

    def install(self, monkeypatch):
        training = self.training

        class Stream:
            def wait_stream(self, other):
                return None

        class Graph:
            def replay(self):
                training.step(self.index)

        @contextlib.contextmanager
        def graph(target):
            training.capturing = True
            yield
            training.capturing = False
            target.index = training.kept

        for name, value in {
            "Stream": Stream,
            "current_stream": Stream,
            "stream": lambda _: contextlib.nullcontext(),
            "CUDAGraph": Graph,
            "graph": graph,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)


def make_mlp():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
@pytest.mark.parametrize("regularizer", ["none", "batch_norm+dropout"])
def test_steps_of_several_sizes_leave_the_same_state_as_without_a_graph(
    monkeypatch, optimizer, regularizer
):
    found = Registry().resolve([regularizer])[0]
    recipe = found.modify_recipe(Recipe(optimizer=optimizer, lr=0.05, max_grad_norm=10.0))
    runs = [Run("none", index, RunSeeds(0, index)) for index in range(2)]
    models = [build_model(make_mlp, found, run.seeds, DATA.inputs[:2], "cpu") for run in runs]
    eager = StackTraining(make_stack(copy.deepcopy(models)), recipe, found, DATA)
    graphed = Recorded(make_stack(copy.deepcopy(models)), recipe, found, DATA)
    FakeCuda(graphed).install(monkeypatch)
    step = GraphedStep(graphed)
    for size in (16, 16, 7, 16, 7):
        index = torch.randint(60, (2, size))
        eager.step(index)
        step(index)
    assert graphed.captures == 2  # one a batch size
    values = {**graphed.stack.leaves, **graphed.stack.buffers}
    for name, value in {**eager.stack.leaves, **eager.stack.buffers}.items():
        assert torch.equal(values[name], value), name
    assert torch.equal(graphed.total, eager.total)
