"""A zoo of planted faults: each is found, and named with its line. Clean programs have nothing reported."""

from __future__ import annotations

import inspect
import random
import tempfile
import time
from dataclasses import replace

import faulty_programs as zoo
import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from small_training import some_runs, trainer_of
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.proof import prove
from pytest_reprotest.regularizers import none
from pytest_reprotest.training.proving import train_to_prove

BLOBS = (zoo.INPUTS, zoo.TARGETS)
HASH_ORDER = "the order of a set, or hash() of a text"
LEFT_BEHIND = "something that an earlier training in the same process left behind"


def proof_of(train_fn):
    """The result of a proof by three runs, in processes of their own."""
    trainer = FunctionTrainer(train_fn, y_true=zoo.TARGETS)
    return audit(trainer, runs=3, deterministic=True, workers=2)["none"]


def proof_of_model(factory, train=BLOBS):
    result = audit(
        factory, train=train, test=BLOBS, runs=3, deterministic=True, workers=2, epochs=2, lr=0.1
    )
    return result, result["none"]


def has_line(told: str, program, fragment: str) -> bool:
    """Whether a sentence ends with the program's line that holds the fragment."""
    lines, start = inspect.getsourcelines(program)
    number, text = next(
        (start + place, line.strip()) for place, line in enumerate(lines) if fragment in line
    )
    return f"faulty_programs.py:{number} in " in told and told.endswith(text)


@pytest.mark.parametrize(
    ("train_fn", "cause", "fragment"),
    [
        (zoo.seeds_by_time, "the time of day: time.time_ns()", "time_ns"),
        (zoo.batch_from_the_system, "entropy of the operating system: os.urandom", "urandom"),
        (zoo.noise_without_a_seed, "unseeded generator: NumPy's generator", "default_rng()"),
        (zoo.order_without_a_seed, "unseeded generator: Random() without", "random.Random()"),
        (zoo.sum_in_the_order_of_threads, "threads, whose order nothing decides", "pool.map"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_no_seed_reaches_is_found_at_its_line(train_fn, cause, fragment):
    found = proof_of(train_fn)
    assert found.verdict.broken
    divergence = found.proof.divergence
    assert divergence is not None
    assert cause in divergence.cause
    assert has_line(divergence.line, train_fn, fragment)
    assert found.verdict.reasons[0] == str(divergence)


@pytest.mark.parametrize(
    ("train_fn", "cause", "what"),
    [
        (zoo.order_of_a_set, HASH_ORDER, "the inputs of the model"),
        (zoo.order_of_a_set_that_is_timed, HASH_ORDER, "the inputs of the model"),
        (zoo.hash_of_a_text, HASH_ORDER, "initial weights '0.weight'"),
        (zoo.model_of_the_module, LEFT_BEHIND, "initial weights '0.weight'"),
        (zoo.optimizer_goes_on, LEFT_BEHIND, "the weights '0.weight'"),
        (zoo.cached_tensor_is_changed, LEFT_BEHIND, "the inputs of the model"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_differs_by_process_or_by_its_past_is_found(train_fn, cause, what):
    found = proof_of(train_fn)
    divergence = found.proof.divergence
    assert found.verdict.broken
    assert divergence is not None
    assert (divergence.step, divergence.trainings) == (1, 3)
    assert what in divergence.what
    assert divergence.cause.startswith(cause)


@pytest.mark.parametrize(
    ("train_fn", "told", "fragment"),
    [
        (zoo.shuffles_by_random, "Python's global generator, which the training", "random.shuffle"),
        (zoo.shares_a_generator, "one generator serves two DataLoaders in turns", "test = "),
        (zoo.shares_the_global_generator, "PyTorch's global generator serves two", "test = "),
        (zoo.workers_that_draw_alike, "workers start from the same state of NumPy's", "loader = "),
        (zoo.dropout_in_evaluation, "dropout is on while no gradients are rec", "return model("),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_drawn_from_the_wrong_stream_is_told_though_bits_agree(train_fn, told, fragment):
    found = proof_of(train_fn)
    assert not found.verdict.broken
    leak = next(leak for leak in found.proof.leaks if told in leak)
    assert has_line(leak, train_fn, fragment)


@pytest.mark.parametrize(
    ("program", "told", "fragment"),
    [
        (zoo.NoisyForward, "torch's rand draws from torch's global generator", "torch.rand"),
        (zoo.TransformByNumPy, "np.random.rand draws from NumPy's global generator", "np.random"),
    ],
    ids=["forward", "transform"],
)
def test_models_and_data_that_draw_from_global_generators_are_told(program, told, fragment):
    factory, train = (
        (zoo.make_mlp, program()) if program is zoo.TransformByNumPy else (program, BLOBS)
    )
    _, found = proof_of_model(factory, train)
    (leak,) = found.proof.leaks
    assert told in leak
    assert has_line(leak, program, fragment)
    assert not found.verdict.broken


def test_a_factory_that_returns_one_model_is_told():
    result, found = proof_of_model(zoo.same_model)
    assert found.proof.differences == ()
    assert any("'same_model' returned the same model object twice" in note for note in result.notes)


def test_a_factory_that_takes_from_the_system_is_refused_with_its_line():
    with pytest.raises(
        ReprotestError, match=r"os\.urandom at .*faulty_programs\.py:\d+ in weights"
    ):
        proof_of_model(zoo.weights_of_the_system)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="atomic additions need a GPU")
def test_atomic_additions_of_a_gpu_are_named():
    class Adding(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = zoo.make_mlp()

        def forward(self, inputs):
            summed = torch.zeros_like(inputs).put_(
                torch.zeros(inputs.numel(), dtype=torch.int64, device=inputs.device),
                inputs.flatten(),
                accumulate=True,
            )
            return self.layers(inputs + summed)

    result = audit(Adding, train=BLOBS, test=BLOBS, runs=2, deterministic=True, device="cuda")
    assert "put_" in "".join(result["none"].verdict.reasons)


# -- clean programs -----------------------------------------------------------------------------------------------

PROVING = Placement("cpu", "sequential", 1, deterministic=True)


def nothing_is_reported(trainer):
    """Trained twice, watched and recorded from beginning to end, here: processes are for the faults."""
    (one, other) = train_to_prove(
        trainer, some_runs(2, vary=()), none(), replace(PROVING, traced=True)
    )
    assert (one.failure, other.failure) == (None, None)
    elsewhere = replace(other.digests, process=-1)
    proof = prove([one, replace(other, digests=elsewhere)])
    assert (proof.differences, proof.leaks) == ((), ())
    assert one.trace.events == other.trace.events


def make_rich():
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "adam", "lr": 0.01, "schedule": "cosine"}, {"ema_decay": 0.9}],
    ids=["sgd", "adam", "ema"],
)
@pytest.mark.parametrize("factory", [zoo.make_mlp, make_rich], ids=["mlp", "dropout"])
def test_nothing_is_reported_of_sound_models(factory, settings):
    nothing_is_reported(trainer_of(factory, **settings))


def seeds_all(run):
    zoo.seeded(run)
    order = list(range(48))
    random.shuffle(order)
    return zoo.scores(zoo.fit(zoo.make_mlp(), zoo.batches(order), lambda x: x + np.random.rand()))


def draws_from_its_own(run):
    model = zoo.make_mlp_seeded(run)
    order = run.generator("data_order", kind="numpy").permutation(48)
    noise = run.generator("noise")
    return zoo.scores(
        zoo.fit(model, zoo.batches(order), lambda x: x + torch.rand(x.shape, generator=noise))
    )


def own_generators_by_number(run):
    model, order = zoo.make_mlp_seeded(run), list(range(48))
    random.Random(run.seed).shuffle(order)
    rng = np.random.default_rng(run.seed)
    return zoo.scores(zoo.fit(model, zoo.batches(order), lambda x: x + float(rng.normal())))


def two_loaders(run):
    zoo.seeded(run)
    model, pairs = zoo.make_mlp(), TensorDataset(*BLOBS)
    train = DataLoader(pairs, 16, shuffle=True, generator=run.generator("data_order"))
    test = DataLoader(pairs, 48, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        model.train()
        for inputs, targets in train:
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            found = torch.cat([model(inputs) for inputs, _ in test])
        run.checkpoint("scores", found)
    return found


def loader_with_workers(run):
    zoo.seeded(run)
    model = zoo.make_mlp()
    loader = DataLoader(
        zoo.NoisyByNumPy(), 16, num_workers=2, generator=run.generator("data_order")
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for inputs, targets in loader:
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    return zoo.scores(model)


def dropout_while_training(run):
    zoo.seeded(run)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    return zoo.scores(zoo.fit(model, zoo.batches()))


def takes_the_time_of_its_steps(run):
    zoo.seeded(run)
    started = time.perf_counter()
    found = zoo.scores(zoo.fit(zoo.make_mlp(), zoo.batches()))
    assert time.perf_counter() > started
    return found


def keeps_a_file(run):
    zoo.seeded(run)
    model = zoo.make_mlp()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), f"{folder}/start.pt")
        model.load_state_dict(torch.load(f"{folder}/start.pt"))
    return zoo.scores(zoo.fit(model, zoo.batches()))


def sorts_its_set(run):
    zoo.seeded(run)
    names = {f"sample-{number}" for number in range(48)}
    order = (int(name.split("-")[1]) for name in sorted(names))
    return zoo.scores(zoo.fit(zoo.make_mlp(), zoo.batches(order)))


def forest(run):
    seed = run.seed % 2**32
    return RandomForestClassifier(8, random_state=seed).fit(*BLOBS).predict(BLOBS[0])


@pytest.mark.parametrize(
    "train_fn",
    [
        seeds_all,
        draws_from_its_own,
        own_generators_by_number,
        two_loaders,
        loader_with_workers,
        dropout_while_training,
        takes_the_time_of_its_steps,
        keeps_a_file,
        sorts_its_set,
        forest,
    ],
    ids=lambda value: value.__name__,
)
def test_nothing_is_reported_of_sound_functions(train_fn):
    nothing_is_reported(FunctionTrainer(train_fn, y_true=zoo.TARGETS))
