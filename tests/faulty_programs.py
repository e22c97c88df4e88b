"""Trainings with one planted fault each. Each says by which words it must be named, and by which source line.

They run in worker processes, which get them by value: whatever they share at module level is as a user's would be.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from small_training import blobs
from torch import nn
from torch.nn import functional
from torch.nn.utils import skip_init
from torch.utils.data import DataLoader, Dataset, TensorDataset

from pytest_reprotest.training.function_trainer import RunContext

INPUTS, TARGETS = blobs()


def make_mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def seeded(run: RunContext) -> None:
    """What every sound loop does."""
    random.seed(run.seed)
    np.random.seed(run.seed % 2**32)
    torch.manual_seed(run.seed)


def fit(model, batches, change=lambda inputs: inputs, optimizer=None):
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
    for index in batches:
        loss = functional.cross_entropy(model(change(INPUTS[index])), TARGETS[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def scores(model):
    model.eval()
    with torch.no_grad():
        return model(INPUTS)


def batches(order=range(48)):
    return torch.tensor(list(order)).split(16)


# -- streams that belong to nobody -------------------------------------------------------------------------------


class NoisyForward(nn.Module):
    """Draws its noise from torch's global generator."""

    def __init__(self):
        super().__init__()
        self.layers = make_mlp()

    def forward(self, inputs):
        noise = torch.rand(inputs.shape) if self.training else 0.5
        return self.layers(inputs + noise)


def shuffles_by_random(run):
    model = make_mlp_seeded(run)
    order = list(range(48))
    random.shuffle(order)
    return scores(fit(model, batches(order)))


def make_mlp_seeded(run):
    """A model from a generator of the run's, so that nothing global is drawn from."""
    layers = [skip_init(nn.Linear, 6, 8), nn.ReLU(), skip_init(nn.Linear, 8, 3)]
    model, generator = nn.Sequential(*layers), run.generator("init")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


class TransformByNumPy(Dataset):
    def __len__(self):
        return 48

    def __getitem__(self, index):
        return INPUTS[index] + 0.1 * float(np.random.rand()), TARGETS[index]


def in_turns(train, test):
    """The scores after two epochs, each with an evaluation."""
    model = make_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        for inputs, targets in train:
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        for inputs, _ in test:
            found = model(inputs).detach()
    return found


def shares_a_generator(run):
    seeded(run)
    pairs, generator = TensorDataset(INPUTS, TARGETS), torch.Generator().manual_seed(run.seed)
    train = DataLoader(pairs, batch_size=16, shuffle=True, generator=generator)
    test = DataLoader(pairs, batch_size=48, generator=generator)
    return in_turns(train, test)


def shares_the_global_generator(run):
    seeded(run)
    pairs = TensorDataset(INPUTS, TARGETS)
    train = DataLoader(pairs, batch_size=16, shuffle=True)
    test = DataLoader(pairs, batch_size=48)
    return in_turns(train, test)


def seed_alike(worker):
    np.random.seed(0)


class NoisyByNumPy(Dataset):
    def __len__(self):
        return 48

    def __getitem__(self, index):
        return INPUTS[index] + torch.from_numpy(np.random.normal(size=6)).float(), TARGETS[index]


def workers_that_draw_alike(run):
    seeded(run)
    model = make_mlp()
    generator = torch.Generator().manual_seed(run.seed)
    loader = DataLoader(
        NoisyByNumPy(), 16, num_workers=2, worker_init_fn=seed_alike, generator=generator
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for inputs, targets in loader:
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    return scores(model)


def dropout_in_evaluation(run):
    seeded(run)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    fit(model, batches())
    with torch.no_grad():  # model.eval() is missing
        return model(INPUTS)


# -- what no seed reaches ----------------------------------------------------------------------------------------


def seeds_by_time(run):
    torch.manual_seed(time.time_ns())
    return scores(fit(make_mlp(), batches()))


def batch_from_the_system(run):
    seeded(run)
    order = np.frombuffer(os.urandom(48), np.uint8).argsort()
    return scores(fit(make_mlp(), batches(order)))


def noise_without_a_seed(run):
    seeded(run)
    generator = np.random.default_rng()
    return scores(fit(make_mlp(), batches(), lambda x: x + float(generator.normal())))


def order_without_a_seed(run):
    seeded(run)
    order = list(range(48))
    random.Random().shuffle(order)
    return scores(fit(make_mlp(), batches(order)))


def order_of_a_set(run):
    seeded(run)
    names = {f"sample-{number}" for number in range(48)}
    return scores(fit(make_mlp(), batches(int(name.split("-")[1]) for name in names)))


def order_of_a_set_that_is_timed(run):
    """Clock, entropy and threads are there as well, and are not to blame."""
    started, name = time.time(), uuid.uuid4().hex
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(len, [name, name])) == [32, 32]
    found = order_of_a_set(run)
    assert time.time() >= started
    return found


def hash_of_a_text(run):
    seeded(run)
    torch.manual_seed(hash("my experiment"))
    return scores(fit(make_mlp(), batches()))


def sum_in_the_order_of_threads(run):
    seeded(run)
    gate, lock = threading.Barrier(4), threading.Lock()

    def change(inputs):
        total = torch.zeros(inputs.shape)

        def add(part):
            gate.wait()
            found = part * torch.ones(inputs.shape)
            with lock:
                total.mul_(1.0001).add_(found)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, [1.0, 1e-3, 3e-5, 0.7]))
        return inputs + total

    return scores(fit(make_mlp(), batches() * 20, change))


# -- what a training leaves behind in its process -----------------------------------------------------------------

KEPT: dict[str, nn.Module] = {}
STATES: dict[str, dict] = {}
SCALE = torch.ones(6)


def model_of_the_module(run):
    seeded(run)
    model = KEPT.setdefault("model", make_mlp())
    model.train()
    return scores(fit(model, batches()))


def optimizer_goes_on(run):
    seeded(run)
    model = make_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    if "state" in STATES:
        optimizer.load_state_dict(STATES["state"])
    fit(model, batches(), optimizer=optimizer)
    STATES["state"] = optimizer.state_dict()
    return scores(model)


def cached_tensor_is_changed(run):
    seeded(run)
    return scores(fit(make_mlp(), batches(), lambda inputs: inputs * SCALE.mul_(0.99)))


with torch.random.fork_rng(devices=[]):
    torch.manual_seed(0)
    SAME = make_mlp()


def same_model():
    return SAME


def weights_of_the_system():
    torch.manual_seed(int.from_bytes(os.urandom(7), "little"))
    return make_mlp()
