"""What the design says holds everywhere, looked at in the streams, batches, weights and masks themselves."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from small_training import SEQUENTIAL, blobs, images, make_cnn, make_mlp, seeds, trained, trainer_of
from torch import nn

from pytest_reprotest import audit
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.plan import Run
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import dropout, none
from pytest_reprotest.seeds import SOURCES, RunSeeds
from pytest_reprotest.training.function_trainer import FunctionTrainer
from pytest_reprotest.training.state import torch_generator

SUBSETS = [
    (),
    ("init",),
    ("data_order",),
    ("noise",),
    ("init", "data_order"),
    ("init", "noise"),
    ("data_order", "noise"),
    SOURCES,
]


def stacked(chunk: int) -> Placement:
    return Placement("cpu", "stacked", chunk)


def runs_of(indices, label="none", vary=SOURCES, base=0) -> list[Run]:
    return [Run(label, index, RunSeeds(base, index, vary)) for index in indices]


def small_audit(factory=make_mlp, **settings):
    base = {
        "train": blobs(),
        "test": blobs(60, seed=1),
        "runs": 4,
        "epochs": 4,
        "batch_size": 8,
        "lr": 0.2,
        "device": "cpu",
    }
    return audit(factory, **{**base, **settings})


def predictions(result) -> dict[str, list]:
    return {label: result[label].predictions.tolist() for label in result.regularizers}


# --- 1. seeds: what varies, and what does not -------------------------------------------------------


@pytest.mark.parametrize("vary", SUBSETS, ids="+".join)
def test_a_source_varies_between_runs_exactly_where_it_is_to(vary):
    for source in SOURCES:
        permutations = {
            tuple(
                torch.randperm(
                    30, generator=torch_generator(seeds(run, vary=vary), source)
                ).tolist()
            )
            for run in range(4)
        }
        assert len(permutations) == (4 if source in vary else 1)


class Spy(nn.Module):
    """Writes down what each training step sees: its weights, its samples, its dropout mask."""

    seen: list[tuple] = []  # noqa: RUF012 - one list for all copies of the model

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)
        self.drop = nn.Dropout(0.5)

    def forward(self, inputs):
        mask = self.drop(torch.ones(len(inputs), 6))
        if self.training:
            weights = tuple(self.layer.weight.flatten().tolist())
            self.seen.append((weights, inputs[:, 0].tolist(), mask.tolist()))
        return self.layer(inputs * mask)


def what_runs_see(vary, indices=range(3), base=0):
    """Of each run: initial weights, the samples of all batches, the masks of all steps."""
    inputs = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
    inputs[:, 0] = torch.arange(40) / 40
    trainer = trainer_of(Spy, train=(inputs, torch.arange(40) % 3), batch_size=16)
    found = []
    for run in runs_of(indices, vary=vary, base=base):
        Spy.seen = []
        assert trained(trainer, [run])[run.index].failure is None
        weights, batches, masks = zip(*Spy.seen, strict=True)
        found.append((weights[0], batches, masks))
    return found


@pytest.mark.parametrize("vary", SUBSETS, ids="+".join)
def test_weights_batches_and_masks_differ_exactly_where_their_source_varies(vary):
    seen = what_runs_see(vary)
    for place, source in enumerate(SOURCES):
        distinct = {repr(run[place]) for run in seen}
        assert len(distinct) == (3 if source in vary else 1), source


def test_what_does_not_vary_is_run_0s():
    everything = what_runs_see(SOURCES)[0]
    for vary in SUBSETS:
        for place, source in enumerate(SOURCES):
            if source not in vary:
                assert what_runs_see(vary, indices=[2])[0][place] == everything[place]


def test_a_source_that_varies_is_the_same_whatever_else_varies():
    everything = what_runs_see(SOURCES, indices=[2])[0]
    for place, source in enumerate(SOURCES):
        assert what_runs_see((source,), indices=[2])[0][place] == everything[place]


def test_every_epoch_sees_every_sample_once_in_a_new_order():
    _, batches, _ = what_runs_see(())[0]
    first, second = (
        [round(40 * x) for batch in part for x in batch] for part in (batches[:3], batches[3:])
    )
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second


def test_masks_differ_from_step_to_step():
    _, _, masks = what_runs_see(())[0]
    full = [repr(mask) for mask in masks if len(mask) == 16]
    assert len(set(full)) == len(full) == 4


def test_another_base_seed_changes_every_source():
    one, other = what_runs_see(SOURCES, [1], base=0)[0], what_runs_see(SOURCES, [1], base=1)[0]
    assert all(first != second for first, second in zip(one, other, strict=True))


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_with_nothing_to_vary_all_runs_are_one(engine):
    result = small_audit(
        vary="none", engine=engine, regularizers=["none", "dropout", "batch_norm", "adam"]
    )
    for label in result.regularizers:
        assert result[label].prediction_difference.value == 0.0
        assert result[label].prediction_difference.low == 0.0
        assert len(set(result[label].losses)) == 1
        assert (result[label].predictions == result[label].predictions[0]).all()


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
@pytest.mark.parametrize("vary", ["init", "data_order", "noise"])
def test_each_source_alone_makes_runs_differ(engine, vary):
    result = small_audit(vary=vary, engine=engine, regularizers=["dropout"])
    assert len(set(result["dropout"].losses)) == 4


def test_noise_alone_changes_nothing_in_a_model_without_noise():
    result = small_audit(vary="noise")
    assert len(set(result["none"].losses)) == 1
    assert result["none"].prediction_difference.value == 0.0


def test_a_function_that_follows_its_streams_is_the_same_where_nothing_varies():
    y_true = np.arange(30) % 3

    def train_fn(run):
        noise = run.generator("noise", kind="numpy")
        start = run.generator("init", kind="numpy")
        order = run.generator("data_order").initial_seed()
        wrong = (noise.random(30) + start.random(30) < 0.5) | (y_true == order % 3)
        return np.where(wrong, (y_true + 1) % 3, y_true)

    trainer = FunctionTrainer(train_fn, y_true=y_true)
    same = audit(trainer, runs=4, vary="none", device="cpu")
    assert same["none"].prediction_difference.value == 0.0
    other = audit(trainer, runs=4, vary="all", device="cpu")
    assert other["none"].prediction_difference.value > 0.0


# --- 2. independence: run k is run k, whoever trains beside it --------------------------------------

SPECIFICATIONS = [
    "none",
    "dropout",
    "stochastic_depth",
    "batch_norm",
    "momentum",
    "orthogonal",
    "layer_norm+dropout+adam",
]


@pytest.mark.parametrize("specification", SPECIFICATIONS)
@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_a_run_is_the_same_alone_among_3_among_10_and_in_reverse(specification, engine):
    (regularizer,) = Registry().resolve([specification])
    label = regularizer.label

    def outcomes(indices):
        placement = SEQUENTIAL if engine == "sequential" else stacked(len(indices))
        found = trained(trainer_of(epochs=3), runs_of(indices, label), regularizer, placement)
        assert [outcome.failure for outcome in found.values()] == [None] * len(indices)
        return {run: (outcome.losses, outcome.labels.tolist()) for run, outcome in found.items()}

    among_10 = outcomes(range(10))
    assert len({repr(outcome) for outcome in among_10.values()}) == 10
    among_3 = outcomes([0, 1, 2])
    assert among_3 == {run: among_10[run] for run in range(3)}
    assert outcomes(list(range(10))[::-1]) == among_10
    assert outcomes([7, 2, 5]) == {run: among_10[run] for run in (7, 2, 5)}
    for run in (0, 7):
        assert outcomes([run]) == {run: among_10[run]}


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_runs_of_a_convolutional_net_are_independent_too(engine):
    def outcomes(indices):
        trainer = trainer_of(make_cnn, train=images(), test=images(6, 1), batch_size=4)
        placement = SEQUENTIAL if engine == "sequential" else stacked(len(indices))
        found = trained(trainer, runs_of(indices, "dropout"), dropout(), placement)
        return {run: (outcome.losses, outcome.labels.tolist()) for run, outcome in found.items()}

    among_4 = outcomes([0, 1, 2, 3])
    assert outcomes([3, 1]) == {run: among_4[run] for run in (3, 1)}
    assert outcomes([2]) == {2: among_4[2]}


def test_a_run_does_not_depend_on_the_regularizers_beside_it():
    alone = predictions(small_audit(regularizers=["dropout"]))
    beside = predictions(small_audit(regularizers=["none", "batch_norm", "dropout", "adam"]))
    assert alone["dropout"] == beside["dropout"]


def test_a_run_does_not_depend_on_the_number_of_runs():
    few, many = (small_audit(runs=runs, regularizers=["dropout"]) for runs in (2, 6))
    assert (many["dropout"].predictions[:2] == few["dropout"].predictions).all()
    assert many["dropout"].losses[:2] == few["dropout"].losses


def test_a_run_does_not_depend_on_what_was_drawn_before():
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    first = predictions(small_audit(regularizers=["none", "dropout"]))
    random.random()
    np.random.rand(100)
    torch.rand(100)
    assert predictions(small_audit(regularizers=["none", "dropout"])) == first


@pytest.mark.parametrize("index", [0, 3])
def test_any_run_of_an_audit_can_be_replayed_alone(index):
    result = small_audit(regularizers=["none", "dropout"], engine="sequential", seed=5)
    trainer = trainer_of(test=blobs(60, seed=1), epochs=4, batch_size=8, lr=0.2)
    for regularizer in (none(), dropout()):
        outcome = trained(trainer, runs_of([index], regularizer.label, base=5), regularizer)[index]
        label = regularizer.label
        assert outcome.labels.tolist() == result[label].predictions[index].tolist()
        assert outcome.losses == result[label].losses[index]


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_an_audit_repeats_itself_to_the_last_bit_and_another_seed_gives_others(engine):
    settings = {"regularizers": "all", "engine": engine, "runs": 2, "epochs": 2}
    first, second = small_audit(**settings), small_audit(**settings)
    other = small_audit(**settings, seed=1)
    for label in first.regularizers:
        assert first[label].losses == second[label].losses
        assert first[label].losses != other[label].losses
        assert len(first[label].losses) == 2
    assert predictions(first) == predictions(second)
    assert predictions(first) != predictions(other)


def test_regularizers_start_from_the_same_weights():
    starts = {}

    class Start(nn.Linear):
        def forward(self, inputs):
            starts.setdefault(label, self.weight.detach().clone())
            return super().forward(inputs)

    trainer = trainer_of(
        lambda: nn.Sequential(
            nn.Linear(6, 8), nn.Linear(8, 8), nn.ReLU(), Start(8, 8), nn.Linear(8, 3)
        )
    )
    for specification in SPECIFICATIONS:
        (regularizer,) = Registry().resolve([specification])
        label = regularizer.label
        trained(trainer, runs_of([1], label), regularizer)
    assert len(starts) == len(SPECIFICATIONS)
    assert all(torch.equal(start, starts["none"]) for start in starts.values())


# --- 4. threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_computes_with_the_threads_of_the_recipe(threads):
    counts = set()

    class Counting(nn.Linear):
        def forward(self, inputs):
            counts.add(torch.get_num_threads())
            return super().forward(inputs)

    small_audit(lambda: Counting(6, 3), threads=threads, runs=2, epochs=1, engine="sequential")
    assert counts == {threads}


def test_one_thread_is_the_default_however_many_there_are():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with_two = predictions(small_audit())
        torch.set_num_threads(1)
        assert predictions(small_audit()) == with_two
    finally:
        torch.set_num_threads(before)


# --- 5. state is restored ---------------------------------------------------------------------------


def global_state():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2:],
        torch.random.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
    )


def failing(error, in_training=True):
    """A factory of models that raise in training, once enough steps were taken to be past the checks."""
    steps = []

    class Failing(nn.Linear):
        def forward(self, inputs):
            if self.training:
                steps.append(None)
                torch.rand(3)
                np.random.rand(3)
                random.random()
            if len(steps) > (5 if in_training else 0):
                raise error
            return super().forward(inputs)

    return lambda: Failing(6, 3)


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
@pytest.mark.parametrize("gradients", [True, False])
def test_global_state_is_restored_after_success(engine, gradients):
    with torch.set_grad_enabled(gradients):
        before = global_state()
        assert small_audit(regularizers=["none", "dropout"], engine=engine)["none"].n_runs == 4
        assert global_state() == before


def test_global_state_is_restored_after_a_run_that_raised():
    before = global_state()
    result = small_audit(failing(ValueError("no")), engine="sequential")
    assert "ValueError: no" in result["none"].verdict.reasons[0]
    assert global_state() == before


def test_global_state_is_restored_after_a_check_that_raised():
    before = global_state()
    with pytest.raises(Exception, match="a first step on a small batch raised ValueError: no"):
        small_audit(failing(ValueError("no"), in_training=False))
    assert global_state() == before


@pytest.mark.parametrize("in_training", [True, False])
def test_global_state_is_restored_after_ctrl_c(in_training):
    before = global_state()
    with pytest.raises(KeyboardInterrupt):
        small_audit(failing(KeyboardInterrupt(), in_training), engine="sequential")
    assert global_state() == before


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_global_state_is_as_before_between_runs_too(engine):
    before = global_state()
    trainer = trainer_of()
    placement = SEQUENTIAL if engine == "sequential" else stacked(3)
    for _ in trainer.train(runs_of(range(3)), none(), placement):
        assert global_state() == before


def test_the_users_data_and_model_are_untouched():
    train, test = blobs(), blobs(60, seed=1)
    kept = [tensor.clone() for tensor in (*train, *test)]

    def make():
        return nn.Sequential(
            nn.ReLU(inplace=True), nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 3)
        )

    for engine in ("sequential", "auto"):
        small_audit(make, train=train, test=test, engine=engine, regularizers=["none", "dropout"])
        for tensor, copy in zip((*train, *test), kept, strict=True):
            assert torch.equal(tensor, copy)
