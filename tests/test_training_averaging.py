"""Averaged weights and the statistics of batch norms under them, against a loop that keeps every step."""

import copy
import math
import time

import pytest
import torch
from small_training import SEQUENTIAL, blobs, some_runs, trained, trainer_of
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

from pytest_reprotest.interfaces import Placement
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import ema, none
from pytest_reprotest.training import timing
from pytest_reprotest.training.averaging import (
    WeightAverage,
    batch_norms,
    batches_in_order,
    recompute,
)
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.sequential import train_sequentially
from pytest_reprotest.training.stacked import engine
from pytest_reprotest.training.stacked.direct import DirectStack
from pytest_reprotest.training.stacked.vmapped import VmappedStack
from pytest_reprotest.training.state import preserved_state, torch_generator

N_SAMPLES, BATCH = 75, 16  # the last batch of an epoch is smaller
RECIPE = {"epochs": 3, "batch_size": BATCH, "lr": 0.1, "ema_decay": 0.9}
STACKED = Placement("cpu", "stacked", 3)
PLACES = pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED], ids=["sequential", "stacked"])


@pytest.fixture(autouse=True)
def _one_thread():
    with preserved_state(threads=1):
        yield


def make_mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 3)
    )


class OwnForward(nn.Module):
    """Plain layers behind a forward of its own, so that vmap stacks them."""

    def __init__(self):
        super().__init__()
        self.layers = make_mlp()

    def forward(self, images):
        return self.layers(images) * 1.0


def make_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)
    )


FACTORIES = {"mlp": make_mlp, "own forward": OwnForward, "cnn": make_cnn}
KINDS = {"mlp": DirectStack, "own forward": VmappedStack, "cnn": VmappedStack}


def images(dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randn(N_SAMPLES, 1, 4, 4, generator=generator) + 1.0
    return TensorSource(drawn.to(dtype), torch.arange(N_SAMPLES) % 3)


def models_of(factory, runs, regularizer=None):
    sample = images().inputs[:2]
    return [build_model(factory, regularizer or none(), run.seeds, sample, "cpu") for run in runs]


def alone(model, run, data, recipe, regularizer=None):
    """The outcome of one run; the model is left as it predicted."""
    return train_sequentially(run, model, recipe, regularizer or none(), data, data, "cpu")


def together(monkeypatch, models, runs, data, recipe, regularizer=None):
    """The outcomes of a stack, and the stack as it predicted."""
    made = []

    def recorded(given):
        made.append(make_stack(given))
        return made[-1]

    make_stack = engine.make_stack
    with monkeypatch.context() as patched:
        patched.setattr(engine, "make_stack", recorded)
        outcomes = engine.train_stack(
            runs, models, recipe, regularizer or none(), data, data, "cpu"
        )
    return outcomes, made[0]


def state_of(stack, slot):
    return {name: value[slot] for name, value in {**stack.leaves, **stack.buffers}.items()}


def by_the_formula(model, run, data, recipe):
    """Train a copy by a plain loop, keep the weights of every step, and average them at the end."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr)
    order = torch_generator(run.seeds, "data_order")
    kept = []
    for _ in range(recipe.epochs):
        for index in torch.randperm(N_SAMPLES, generator=order).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(data.inputs[index]), data.targets[index]).backward()
            optimizer.step()
            kept.append([parameter.detach().clone() for parameter in model.parameters()])
    d, last = recipe.ema_decay, len(kept)
    with torch.no_grad():
        for place, parameter in enumerate(model.parameters()):
            terms = [
                (1 - d) * d ** (last - t) * weights[place]
                for t, weights in enumerate(kept, start=1)
            ]
            parameter.copy_(sum(terms) / (1 - d**last))
    update_bn(data.inputs[: N_SAMPLES // BATCH * BATCH].split(BATCH), model)
    return {
        name: value
        for name, value in (*model.named_parameters(), *model.named_buffers())
        if "num_batches_tracked" not in name
    }


# --- against the formula, and against torch's update_bn ---------------------------------------------


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", FACTORIES)
def test_both_engines_predict_with_what_a_loop_that_keeps_all_steps_finds(monkeypatch, name, decay):
    runs, data = some_runs(3), images(torch.float64)
    recipe = Recipe(**{**RECIPE, "ema_decay": decay})
    models = [model.double() for model in models_of(FACTORIES[name], runs)]
    expected = [
        by_the_formula(model, run, data, recipe) for model, run in zip(models, runs, strict=True)
    ]
    outcomes, stack = together(monkeypatch, copy.deepcopy(models), runs, data, recipe)
    assert type(stack) is KINDS[name]
    for slot, (run, model) in enumerate(zip(runs, models, strict=True)):
        outcome = alone(model, run, data, recipe)
        single = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for key, value in expected[slot].items():
            for found in (single[key], state_of(stack, slot)[key]):
                torch.testing.assert_close(found, value, rtol=1e-9, atol=1e-11)
        assert outcome.labels.tolist() == outcomes[slot].labels.tolist()
        assert outcomes[slot].losses == pytest.approx(outcome.losses, rel=1e-6)


@pytest.mark.parametrize("name", FACTORIES)
def test_a_run_is_the_same_bits_whatever_the_chunk(monkeypatch, name):
    def bits(indices):
        runs = [some_runs(5)[index] for index in indices]
        models = models_of(FACTORIES[name], runs)
        outcomes, stack = together(monkeypatch, models, runs, images(), Recipe(**RECIPE))
        return {
            index: (
                outcomes[slot].scores.tolist(),
                {key: value.tolist() for key, value in state_of(stack, slot).items()},
            )
            for slot, index in enumerate(indices)
        }

    five = bits([0, 1, 2, 3, 4])
    assert bits([3, 1]) == {index: five[index] for index in (3, 1)}
    assert bits([4, 0, 2]) == {index: five[index] for index in (4, 0, 2)}
    assert bits([2])[2] == five[2]  # trained with a twin
    assert five[0] != five[1]


# --- what is averaged, and what is not --------------------------------------------------------------


def make_half_frozen():
    model = make_mlp()
    model[1].weight.requires_grad_(False)
    return model


def test_frozen_parameters_are_left_alone(monkeypatch):
    runs, recipe = some_runs(2), Recipe(**RECIPE)
    models = models_of(make_half_frozen, runs)
    before = [model[1].weight.clone() for model in models]
    _, stack = together(monkeypatch, copy.deepcopy(models), runs, images(), recipe)
    for slot, (run, model) in enumerate(zip(runs, models, strict=True)):
        alone(model, run, images(), recipe)
        assert torch.equal(model[1].weight, before[slot])
        assert torch.equal(stack.leaves["1.weight"][slot], before[slot])


def test_constant_weights_are_their_own_average():
    for decay in (1e-9, 0.5, 0.999, 1 - 1e-9):
        weight = torch.full((3,), 1.7, requires_grad=True)
        average = WeightAverage([weight], decay)
        for _ in range(5):
            average.update()
        with torch.no_grad():
            weight.zero_()
        average.put()
        assert weight.tolist() == pytest.approx([1.7] * 3, rel=1e-6)


def test_weights_of_low_precision_are_averaged_in_a_higher_one():
    weight = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    average = WeightAverage([weight], 0.999)
    with torch.no_grad():
        for value in (1.0, 2.0):
            weight.fill_(value)
            for _ in range(700):
                average.update()
    average.put()
    old, new = 0.999**700 * (1 - 0.999**700), 1 - 0.999**700
    assert weight.dtype == torch.bfloat16
    assert weight[0].item() == pytest.approx((old + 2 * new) / (old + new), rel=0.005)


@PLACES
def test_losses_are_those_of_the_weights_that_are_trained(placement):
    averaged, raw = (
        trained(trainer_of(epochs=3), some_runs(3, "ema"), regularizer, placement)
        for regularizer in (ema(0.9), none())
    )
    for run in range(3):
        assert averaged[run].losses == raw[run].losses
        assert averaged[run].scores.tolist() != raw[run].scores.tolist()


# --- the statistics of batch norms ------------------------------------------------------------------


class Recorded(nn.Linear):
    """Notes the mode and size of each call."""

    def __init__(self, calls):
        super().__init__(6, 3)
        self.calls = calls

    def forward(self, inputs):
        self.calls.append((self.training, len(inputs)))
        return super().forward(inputs)


@pytest.mark.parametrize(
    ("n", "sizes"), [(40, [16, 16]), (32, [16, 16]), (10, [10])], ids=["rest", "whole", "one"]
)
def test_one_pass_in_evaluation_leaves_out_an_incomplete_batch_where_there_is_a_whole_one(n, sizes):
    calls = []
    model = nn.Sequential(nn.BatchNorm1d(6), Recorded(calls))
    recipe = Recipe(epochs=2, batch_size=16, ema_decay=0.9)
    train, test = TensorSource(*blobs(n)), TensorSource(*blobs(5, seed=1))
    train_sequentially(some_runs(1)[0], model, recipe, none(), train, test, "cpu")
    assert [size for training, size in calls if not training] == [*sizes, 5]  # 5 are predicted


def test_without_a_batch_norm_there_is_no_pass():
    calls = []
    train, test = TensorSource(*blobs(32)), TensorSource(*blobs(5, seed=1))
    recipe = Recipe(epochs=1, batch_size=16, ema_decay=0.9)
    for norm in (nn.LayerNorm(6), nn.BatchNorm1d(6, track_running_stats=False)):
        calls.clear()
        model = nn.Sequential(norm, Recorded(calls))
        train_sequentially(some_runs(1)[0], model, recipe, none(), train, test, "cpu")
        assert calls == [(True, 16), (True, 16), (False, 5)]


class Kept(nn.Module):
    """Keeps its first batch norm in evaluation, as fine-tuning does."""

    def __init__(self):
        super().__init__()
        self.kept, self.norm = nn.BatchNorm1d(6), nn.BatchNorm1d(6)
        self.scores = nn.Linear(6, 3)

    def forward(self, inputs):
        return self.scores(self.norm(self.kept(inputs)))

    def train(self, mode=True):
        super().train(mode)
        self.kept.eval()
        return self


def test_a_batch_norm_that_the_model_keeps_in_evaluation_keeps_its_statistics(monkeypatch):
    runs, data, recipe = some_runs(2), TensorSource(*blobs(40)), Recipe(**RECIPE)
    models = [build_model(Kept, none(), run.seeds, data.inputs[:2], "cpu") for run in runs]
    _, stack = together(monkeypatch, copy.deepcopy(models), runs, data, recipe)
    alone(models[0], runs[0], data, recipe)
    for found in (state_of(stack, 0), models[0].state_dict()):
        assert found["kept.running_mean"].tolist() == [0.0] * 6
        assert found["kept.running_var"].tolist() == [1.0] * 6
        assert found["norm.running_mean"].abs().min() > 0.0


@pytest.mark.parametrize("momentum", [0.3, None])
def test_momenta_are_restored_also_after_an_error(momentum):
    model = nn.Sequential(nn.BatchNorm1d(6, momentum=momentum), nn.Linear(6, 3))
    data = TensorSource(*blobs(32))
    batches = batches_in_order(32, 16, "cpu")

    def failing(inputs):
        assert model[0].momentum == 1.0
        raise KeyboardInterrupt

    recompute(batch_norms(model), model.train, model, data, batches)
    assert model[0].momentum == momentum
    with pytest.raises(KeyboardInterrupt):
        recompute(batch_norms(model.train()), model.train, failing, data, batches)
    assert model[0].momentum == momentum


@pytest.mark.parametrize("factory", [make_mlp, make_cnn])
def test_momenta_of_a_stack_are_restored(monkeypatch, factory):
    runs = some_runs(2)
    _, stack = together(monkeypatch, models_of(factory, runs), runs, images(), Recipe(**RECIPE))
    stack.train()
    assert [holder.momentum for _, holder in stack.batch_norms()] == [0.1]


@pytest.mark.parametrize("name", FACTORIES)
def test_nothing_is_dropped_and_no_stream_moves_on(monkeypatch, name):
    (regularizer,) = Registry().resolve(["dropout"])
    runs, data = some_runs(2), images()
    models = models_of(FACTORIES[name], runs, regularizer)
    passes = []

    def watched(*given):
        before = torch.random.get_rng_state()
        recompute(*given)
        passes.append(torch.equal(torch.random.get_rng_state(), before))

    monkeypatch.setattr(engine, "recompute", watched)
    recipe = Recipe(**RECIPE)
    _, stack = together(monkeypatch, copy.deepcopy(models), runs, data, recipe, regularizer)
    calls = [value for key, value in stack.buffers.items() if "noise_call" in key]
    assert passes == [True]
    assert [call.tolist() for call in calls] == [[15, 15]]  # one a step
    alone(models[0], runs[0], data, recipe, regularizer)
    single = [value for key, value in models[0].named_buffers() if "noise_call" in key]
    assert [call.item() for call in single] == [15]


# --- what goes wrong --------------------------------------------------------------------------------


@PLACES
def test_a_loss_that_is_not_finite_is_told_as_divergence(placement):
    outcomes = trained(trainer_of(lr=1e30, epochs=4), some_runs(2), ema(), placement)
    for outcome in outcomes.values():
        assert outcome.labels is None
        assert outcome.failure.startswith("the training loss became ")


def test_a_run_that_diverges_in_a_stack_leaves_the_others_alone(monkeypatch):
    runs, data, recipe = some_runs(3), images(), Recipe(**RECIPE)
    models = models_of(make_mlp, runs)
    clean, _ = together(monkeypatch, copy.deepcopy(models), runs, data, recipe)
    with torch.no_grad():
        models[1][1].weight.fill_(math.nan)
    found, _ = together(monkeypatch, models, runs, data, recipe)
    assert str(found[1]).startswith("the training loss became nan in epoch 1 of 3")
    for run in (0, 2):
        assert found[run].scores.tolist() == clean[run].scores.tolist()


# --- the planner ------------------------------------------------------------------------------------


@PLACES
def test_the_time_of_the_update_is_planned(monkeypatch, placement):
    monkeypatch.setattr(timing, "BUDGET", 0.02)
    update = WeightAverage.update

    def slow(self):
        time.sleep(0.01)
        update(self)

    monkeypatch.setattr(WeightAverage, "update", slow)
    trainer = trainer_of(epochs=100)  # three steps each
    count = 1 if placement is SEQUENTIAL else 2
    seconds = {
        regularizer.label: count * trainer.seconds_per_run(regularizer, placement, count)
        for regularizer in (none(), ema())
    }
    assert seconds["none"] < 3.0 < seconds["ema"] < 12.0


@PLACES
def test_the_time_of_the_pass_is_planned_batch_by_batch(monkeypatch, placement):
    monkeypatch.setattr(timing, "BUDGET", 0.02)
    asked = []

    def slow(norms, switch, forward, train, batches):
        asked.append([len(index) for index in batches])
        time.sleep(0.02)
        recompute(norms, switch, forward, train, batches)

    monkeypatch.setattr(timing, "recompute", slow)
    trainer = trainer_of(train=blobs(1600 + 5), epochs=1)
    count = 1 if placement is SEQUENTIAL else 2
    (normed,) = Registry().resolve(["ema+batch_norm"])
    for regularizer in (none(), ema(), Registry().resolve(["batch_norm"])[0]):
        trainer.seconds_per_run(regularizer, placement, count)
    assert asked == []
    seconds = count * trainer.seconds_per_run(normed, placement, count)
    assert asked == [[16]] * timing.FEWEST
    assert 100 * 0.02 < seconds < 4 * 100 * 0.02
