"""Which engine an audit takes, and the sentence where it is not the stacked one."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pytest_reprotest import audit
from pytest_reprotest.errors import OptionError, TrainingError

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(60, 8)).astype("float32")
TARGETS = (INPUTS[:, 0] > 0).astype("int64") + (INPUTS[:, 1] > 0.5)


def mlp(*extra):
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), *extra, nn.Linear(16, 3))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.GRU(8, 16, batch_first=True)
        self.scores = nn.Linear(16, 3)

    def forward(self, inputs):
        return self.scores(self.cells(inputs.unsqueeze(1))[0][:, 0])


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = mlp()

    def forward(self, inputs):
        return self.layers(inputs + 0.01 * torch.rand_like(inputs))


class DataDependent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = mlp()

    def forward(self, inputs):
        if inputs.sum() > 0:
            return self.layers(inputs)
        return self.layers(-inputs)


class SeesItsBatch(nn.Module):
    """Stacks without an error and computes something else: only the comparison can tell."""

    def __init__(self):
        super().__init__()
        self.first, self.scores = nn.Linear(8, 16), nn.Linear(16, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, inputs):
        self.calls = self.calls + 1  # replaced, not updated: lost under functional_call
        return self.scores(torch.relu(self.first(inputs)) * (1 + 0.1 * self.calls))


class TwoPlaces(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad / (parameter.grad.norm() + 1)


def run(factory, **settings):
    given = {"runs": 2, "epochs": 1, "batch_size": 16, **settings}
    return audit(factory, train=(INPUTS, TARGETS), test=(INPUTS, TARGETS), **given)


def detached(scores, targets):
    """Reads a number out of a tensor, as no batched tensor allows."""
    return (
        functional.cross_entropy(scores, targets) * functional.cross_entropy(scores, targets).item()
    )


@pytest.mark.parametrize(
    ("factory", "settings", "reason"),
    [
        (Recurrent, {}, "GRU 'cells' has no batching rule in torch.func.vmap"),
        (
            lambda: mlp(nn.AlphaDropout(0.1)),
            {},
            "AlphaDropout '2' draws from a random stream that runs would share",
        ),
        (
            lambda: mlp(nn.BatchNorm1d(16, momentum=None)),
            {},
            "BatchNorm1d '2' with momentum=None averages by a count that vmap cannot read",
        ),
        (Noisy, {}, "torch cannot run it stacked (RuntimeError: vmap: called random operation"),
        (DataDependent, {}, "torch cannot run it stacked (RuntimeError: vmap: It looks like"),
        (SeesItsBatch, {}, "after 3 float64 steps"),
        (
            mlp,
            {"optimizer": TwoPlaces},
            "the optimizer TwoPlaces may mix elements of different runs (stacked are SGD, Adam",
        ),
        (
            mlp,
            {"loss": detached},
            "torch cannot run it stacked",
        ),
    ],
)
def test_what_cannot_be_stacked_trains_one_by_one_and_is_told_why(factory, settings, reason):
    result = run(factory, **settings)
    assert result.settings["engine"] == "sequential"
    assert len(result.notes) == 1
    assert result.notes[0].startswith("engine sequential: 'none' can't be stacked: ")
    assert reason in result.notes[0]
    with pytest.raises(TrainingError, match="engine 'stacked' was asked for; 'none' can't be") as e:
        run(factory, engine="stacked", **settings)
    assert reason in str(e.value)
    assert "Use --repro-engine=auto" in str(e.value)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adagrad, torch.optim.NAdam])
def test_elementwise_optimizers_given_as_callables_are_stacked(optimizer):
    result = run(mlp, optimizer=lambda parameters: optimizer(parameters, lr=0.05))
    assert result.settings["engine"] == "stacked"
    assert result.notes == ()


def test_a_loss_of_the_users_own_is_stacked():
    def smoothed(scores, targets):
        return functional.cross_entropy(scores, targets, label_smoothing=0.1)

    assert run(mlp, loss=smoothed).settings["engine"] == "stacked"


def test_one_engine_for_all_regularizers_of_an_audit():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = mlp()

        def forward(self, inputs):
            return self.layers(inputs)

    def factory(regularizer):
        return Recurrent() if regularizer == "dropout" else Branching()

    result = run(factory, regularizers="none,dropout")
    assert result.settings["engine"] == "sequential"
    assert "'dropout' can't be stacked: GRU" in result.notes[0]


def test_sequential_on_request_needs_no_reason():
    result = run(mlp, engine="sequential")
    assert result.settings["engine"] == "sequential"
    assert result.settings["chunk"] == 1
    assert result.notes == ()


def test_a_random_dataset_is_trained_one_by_one():
    class Jittered(torch.utils.data.Dataset):
        def __len__(self):
            return len(INPUTS)

        def __getitem__(self, index):
            return torch.from_numpy(INPUTS[index]) + 0.01 * torch.randn(8), int(TARGETS[index])

    result = audit(mlp, train=Jittered(), test=(INPUTS, TARGETS), runs=2, epochs=1)
    assert "the training set gives a random sample at each reading" in result.notes[0]


def test_a_training_function_cannot_be_stacked():
    from pytest_reprotest import FunctionTrainer

    trainer = FunctionTrainer(lambda run: TARGETS, y_true=TARGETS)
    with pytest.raises(OptionError, match="FunctionTrainer trains one run at a time"):
        audit(trainer, runs=2, engine="stacked")


def test_the_chunk_changes_no_result(monkeypatch):
    import pytest_reprotest.training.ladder as ladder

    whole = run(mlp, runs=5, regularizers="none,batch_norm", epochs=2)
    for chunk in (1, 2, 3):
        monkeypatch.setattr(ladder, "best_chunk", lambda *_, size=chunk: size)
        parts = run(mlp, runs=5, regularizers="none,batch_norm", epochs=2)
        assert parts.settings["chunk"] == chunk
        for label in ("none", "batch_norm"):
            assert np.array_equal(parts[label].predictions, whole[label].predictions)
            assert parts[label].losses == whole[label].losses


def test_slow_fallback_is_enabled_again_after_the_check():
    run(Noisy)
    assert torch._C._functorch._is_vmap_fallback_enabled()
