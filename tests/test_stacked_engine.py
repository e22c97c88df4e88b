"""The stacked engine against the sequential one, and its runs against their neighbours."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest.interfaces import Placement
from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.objective import make_loss
from pytest_reprotest.training.sequential import SequentialTraining, epoch_order
from pytest_reprotest.training.stacked.direct import DirectStack
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack, train_stack
from pytest_reprotest.training.stacked.vmapped import VmappedStack
from pytest_reprotest.training.state import preserved_state, torch_generator
from pytest_reprotest.training.torch_trainer import TorchTrainer

N_SAMPLES, BATCH = 75, 32  # the last batch of an epoch is smaller


class ConvNet(nn.Module):
    """A forward of its own, so that only vmap can stack it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.scores = nn.Linear(8 * 4 * 4, 5)

    def forward(self, images):
        hidden = torch.relu(self.first(images))
        hidden = torch.max_pool2d(torch.relu(self.second(hidden)), 2)
        return self.scores(hidden.flatten(1))


def make_mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 5)
    )


class OwnForward(nn.Module):
    """Plain layers behind a forward of its own."""

    def __init__(self):
        super().__init__()
        self.layers = make_mlp()

    def forward(self, images):
        return self.layers(images) * 1.0


FACTORIES = {"mlp": make_mlp, "own forward": OwnForward, "cnn": ConvNet}
REGULARIZERS = (
    "none",
    "weight_decay(0.01)",
    "orthogonal",
    "dropout",
    "stochastic_depth",
    "batch_norm",
    "layer_norm",
    "group_norm(2)",
    "residual",
    "batch_norm+dropout+residual",
)
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop")


@pytest.fixture(autouse=True)
def _one_thread():
    with preserved_state(threads=1):
        yield


def source(dtype=torch.float32):
    rng = np.random.default_rng(0)
    images = torch.tensor(rng.normal(size=(N_SAMPLES, 1, 8, 8)), dtype=dtype)
    return TensorSource(images, torch.tensor(rng.integers(0, 5, N_SAMPLES)))


def prepared(name, regularizer, runs, **recipe):
    """The recipe and freshly initialized models of some runs."""
    found = Registry().resolve([regularizer])[0]
    changed = found.modify_recipe(Recipe(batch_size=BATCH, **recipe))
    sample = source().inputs[:2]
    models = [build_model(FACTORIES[name], found, run.seeds, sample, "cpu") for run in runs]
    return found, changed, models


def runs_of(indices, label="none"):
    return [Run(label, index, RunSeeds(0, index)) for index in indices]


def batches_of(run, steps):
    """The batches of a run, epoch after epoch."""
    order = torch_generator(run.seeds, "data_order")
    found = []
    while len(found) < steps:
        found.extend(epoch_order(order, N_SAMPLES).split(BATCH))
    return found[:steps]


def step_both(runs, models, recipe, regularizer, data, steps, order=None, stacking=make_stack):
    """The trainings of float64 models after some steps: one for each run, and one of their stack.

    The stack has the batches of ``order``, by default of the same runs.
    """
    models = [model.double() for model in models]
    alone = []
    for run, model in zip(runs, copy.deepcopy(models), strict=True):
        model.train()
        alone.append(SequentialTraining(model, recipe, regularizer, data, "cpu"))
        for index in batches_of(run, steps):
            alone[-1].step(index)
    stack = stacking(models)
    stack.train()
    together = StackTraining(stack, recipe, regularizer, data)
    for index in zip(*(batches_of(run, steps) for run in order or runs), strict=True):
        together.step(torch.stack(index))
    return alone, together


def models_of(trainings):
    return [training.model for training in trainings]


def train_both(name, regularizer, steps, seeds_of_stack=None, **recipe):
    """Float64 state of three runs after some steps: run by run, and stacked."""
    runs = runs_of(range(3))
    found, changed, models = prepared(name, regularizer, runs, **recipe)
    data = source(torch.float64)
    alone, together = step_both(runs, models, changed, found, data, steps, order=seeds_of_stack)
    optimizers = [training.optimizer for training in alone]
    return models_of(alone), together.stack, optimizers, together.optimizer


def assert_same_state(alone, stack):
    values = {**stack.leaves, **stack.buffers}
    for run, model in enumerate(alone):
        for name, value in (*model.named_parameters(), *model.named_buffers()):
            torch.testing.assert_close(
                values[name][run], value, rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}"
            )


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("name", FACTORIES)
def test_fifty_float64_steps_agree_with_the_sequential_engine(name, regularizer):
    if name == "own forward" and regularizer not in ("none", "dropout", "batch_norm"):
        pytest.skip("the same path as the cnn's linear layers")
    alone, stack, *_ = train_both(name, regularizer, 50 if name == "mlp" else 12, lr=0.05)
    assert isinstance(stack, DirectStack if name == "mlp" else VmappedStack)
    assert_same_state(alone, stack)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_agrees_in_parameters_and_state(optimizer):
    alone, stack, single, together = train_both(
        "mlp", "none", 50, optimizer=optimizer, lr=0.01, weight_decay=0.01
    )
    assert_same_state(alone, stack)
    for run, model in enumerate(alone):
        for name, parameter in model.named_parameters():
            kept = together.state.get(stack.leaves[name], {})
            for key, value in kept.items():
                expected = single[run].state[parameter][key]
                if value.dim():  # step counts are shared
                    torch.testing.assert_close(value[run], expected, rtol=1e-9, atol=1e-11)


def test_clipping_is_by_run():
    alone, stack, *_ = train_both("mlp", "none", 20, lr=0.5, max_grad_norm=0.1)
    assert_same_state(alone, stack)
    free, *_ = train_both("mlp", "none", 20, lr=0.5)
    assert not torch.allclose(next(free[0].parameters()), next(alone[0].parameters()), rtol=1e-3)


def test_negative_control_swapped_seeds_do_not_agree():
    alone, stack, *_ = train_both("mlp", "none", 50, seeds_of_stack=runs_of([1, 0, 2]), lr=0.05)
    with pytest.raises(AssertionError):
        assert_same_state(alone, stack)


def test_negative_control_a_mean_over_runs_does_not_agree(monkeypatch):
    def step(self, index):
        self.optimizer.zero_grad(set_to_none=True)
        self.objective(index).mean().backward()
        self.optimizer.step()

    monkeypatch.setattr(StackTraining, "step", step)
    alone, stack, *_ = train_both("mlp", "none", 50, lr=0.05)
    with pytest.raises(AssertionError):
        assert_same_state(alone, stack)


def test_first_float32_gradients_agree_at_torchs_default_tolerance():
    runs = runs_of(range(3))
    found, recipe, models = prepared("mlp", "none", runs, max_grad_norm=1e9)
    data = source()
    stack = make_stack([copy.deepcopy(model) for model in models])
    stack.train()
    index = torch.stack([torch.arange(BATCH)] * 3)
    StackTraining(stack, recipe, found, data).step(index)
    for run, model in enumerate(models):
        inputs, targets = data.take(index[run])
        make_loss(recipe)(model(inputs), targets).backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(stack.leaves[name].grad[run], parameter.grad)


def trained_state(name, regularizer, indices, **recipe):
    """Labels and losses of runs trained together."""
    runs = runs_of(indices)
    found, changed, models = prepared(name, regularizer, runs, epochs=2, **recipe)
    trained = train_stack(runs, models, changed, found, source(), source(), "cpu")
    return {
        index: (result.labels.tolist(), result.losses)
        for index, result in zip(indices, trained, strict=True)
    }


@pytest.mark.parametrize(
    ("name", "regularizer", "recipe"),
    [
        ("mlp", "none", {"optimizer": "sgd"}),
        ("mlp", "none", {"optimizer": "momentum", "schedule": "cosine"}),
        ("mlp", "batch_norm+dropout+residual", {"optimizer": "adam", "lr": 0.01}),
        ("mlp", "layer_norm", {"optimizer": "rmsprop", "max_grad_norm": 1.0}),
        ("mlp", "orthogonal", {"optimizer": "adamw"}),
        ("mlp", "group_norm(2)+stochastic_depth", {"optimizer": "nesterov"}),
        ("own forward", "batch_norm+dropout", {"optimizer": "adam"}),
        ("cnn", "batch_norm+dropout", {"optimizer": "adam", "max_grad_norm": 1.0}),
        ("cnn", "group_norm(2)+residual", {"optimizer": "sgd"}),
    ],
)
def test_a_run_is_the_same_bits_alone_among_three_and_among_ten(name, regularizer, recipe):
    ten = trained_state(name, regularizer, range(10), **recipe)
    assert trained_state(name, regularizer, [7], **recipe)[7] == ten[7]
    three = trained_state(name, regularizer, [9, 7, 2], **recipe)
    assert {run: three[run] for run in (2, 7, 9)} == {run: ten[run] for run in (2, 7, 9)}
    assert ten[2] != ten[7]


def test_weights_too_are_the_same_bits_whatever_the_neighbours():
    def weights(indices):
        runs = runs_of(indices)
        found, recipe, models = prepared("mlp", "batch_norm+dropout", runs, optimizer="adam")
        stack = make_stack(models)
        stack.train()
        training = StackTraining(stack, recipe, found, source())
        for index in zip(*(batches_of(run, 9) for run in runs), strict=True):
            training.step(torch.stack(index))
        values = {**stack.leaves, **stack.buffers}
        return {
            run: [value[slot].tolist() for value in values.values()]
            for slot, run in enumerate(indices)
        }

    ten, three = weights(range(10)), weights([5, 0, 9])
    assert all(three[run] == ten[run] for run in (5, 0, 9))


def audit_of(**settings):
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(200, 64)).astype("float32")
    targets = (inputs[:, :5].argmax(axis=1)).astype("int64")
    trainer = TorchTrainer(
        make_mlp, (inputs[:150], targets[:150]), (inputs[150:], targets[150:]), Recipe(**settings)
    )
    regularizer = Registry().resolve(["none"])
    prepared = trainer.prepare(regularizer, Placement("cpu", "auto"), n_runs=5)
    return trainer, regularizer[0], prepared


def test_auto_takes_the_stack_and_measures_a_chunk():
    _, _, prepared = audit_of(epochs=1, batch_size=32)
    assert prepared.placement.engine == "stacked"
    assert 2 <= prepared.placement.chunk <= 5
    assert prepared.notes == ()


def test_a_run_that_diverges_fails_alone():
    trainer, regularizer, prepared = audit_of(epochs=3, batch_size=32)
    runs = runs_of(range(3))
    build = trainer._model

    def poisoned(regularizer, seeds, device):
        model = build(regularizer, seeds, device)
        if seeds.run == 1:
            with torch.no_grad():
                next(model.parameters()).fill_(float("nan"))
        return model

    trainer._model = poisoned
    outcomes = list(trainer.train(runs, regularizer, prepared.placement))
    assert [outcome.failure is None for outcome in outcomes] == [True, False, True]
    assert "the training loss became nan in epoch 1 of 3" in outcomes[1].failure
    trainer._model = build
    clean = list(trainer.train(runs, regularizer, prepared.placement))
    assert outcomes[0].labels.tolist() == clean[0].labels.tolist()


def test_a_stack_that_does_not_fit_into_memory_is_halved_and_says_so(monkeypatch):
    trainer, regularizer, prepared = audit_of(epochs=2, batch_size=32)
    runs = runs_of(range(4))
    whole = [o.labels.tolist() for o in trainer.train(runs, regularizer, prepared.placement)]
    import pytest_reprotest.training.torch_trainer as module

    def small_memory(runs, *rest):
        if len(runs) > 2:
            raise torch.OutOfMemoryError("planted")
        return train_stack(runs, *rest)

    monkeypatch.setattr(module, "train_stack", small_memory)
    halves = list(trainer.train(runs, regularizer, prepared.placement))
    assert [outcome.labels.tolist() for outcome in halves] == whole
    assert {o.note for o in halves} == {
        "4 runs did not fit into the memory of cpu; trained in halves"
    }


def test_a_single_run_that_does_not_fit_into_memory_fails(monkeypatch):
    trainer, regularizer, prepared = audit_of(epochs=1)
    import pytest_reprotest.training.torch_trainer as module

    def no_memory(*_):
        raise torch.OutOfMemoryError("planted")

    monkeypatch.setattr(module, "train_stack", no_memory)
    outcomes = list(trainer.train(runs_of([0]), regularizer, prepared.placement))
    assert outcomes[0].failure.startswith(
        "cpu is out of memory for one run: OutOfMemoryError: planted"
    )


def test_the_callers_weights_are_not_touched_by_a_stack():
    runs = runs_of(range(2))
    found, recipe, models = prepared("mlp", "none", runs)
    before = [parameter.clone() for parameter in models[0].parameters()]
    stack = make_stack(models)
    stack.train()
    StackTraining(stack, recipe, found, source()).step(torch.stack([torch.arange(BATCH)] * 2))
    assert all(
        torch.equal(now, then) for now, then in zip(models[0].parameters(), before, strict=True)
    )
