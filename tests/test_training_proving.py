"""Trainings that leave digests: sound ones agree, planted faults are found. Processes are for other tests."""

import os
import random
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_training import blobs, make_mlp, some_runs, trainer_of
from torch import nn
from torch.utils.data import Dataset

from pytest_reprotest import FunctionTrainer
from pytest_reprotest.errors import DataError, TrainingError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.proof import prove
from pytest_reprotest.regularizers import none
from pytest_reprotest.training.content import tensor_digest
from pytest_reprotest.training.proving import train_to_prove

PROVING = Placement("cpu", "sequential", 1, deterministic=True)


def outcomes_of(trainer, count=2):
    runs = some_runs(count, vary=())
    found = list(train_to_prove(trainer, runs, none(), PROVING))
    assert [each.failure for each in found] == [None] * count
    # as if each had had a process of its own
    return [
        replace(each, digests=replace(each.digests, process=place))
        for place, each in enumerate(found)
    ]


def differences(trainer):
    """What differs, each sentence up to its numbers."""
    return [told.split(":")[0].split(" on ")[0] for told in prove(outcomes_of(trainer)).differences]


def make_rich():
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )


class Augmented(Dataset):
    """Samples with noise from the generators that a run seeds."""

    def __init__(self, draw=lambda: torch.randn(6)):
        self.inputs, self.targets = blobs()
        self.draw = draw

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return self.inputs[index] + 0.1 * self.draw(), self.targets[index]


class Forward(nn.Module):
    """A model whose inputs go through a function first."""

    def __init__(self, change):
        super().__init__()
        self.change, self.layers = change, make_mlp()

    def forward(self, inputs):
        return self.layers(self.change(inputs))


@pytest.mark.parametrize(
    "trainer",
    [
        lambda: trainer_of(),
        lambda: trainer_of(make_rich),
        lambda: trainer_of(make_rich, train=Augmented()),
        lambda: trainer_of(train=Augmented(lambda: torch.full((6,), random.random()))),
        lambda: trainer_of(make_rich, optimizer="adam", lr=0.01, schedule="cosine"),
        lambda: trainer_of(make_rich, ema_decay=0.9),
    ],
    ids=["mlp", "batch norm, dropout", "augmented", "by random", "adam", "ema"],
)
def test_sound_trainings_agree_to_the_last_bit(trainer):
    found = outcomes_of(trainer(), count=3)
    proof = prove(found)
    assert proof.differences == ()
    assert proof.compared == ("weights", "buffers", "losses", "predictions")
    left = found[0].digests
    assert left.start.keys() == {*left.weights, *left.buffers}
    assert any(left.start[name] != after for name, after in left.weights.items())


def test_other_seeds_are_told_apart():
    outcomes = list(train_to_prove(trainer_of(), some_runs(2), none(), PROVING))
    told = prove(outcomes).differences
    assert told[1].startswith("initial weights differ: 6 of 6 tensors, first '0.weight' (run 1")
    assert told[2].startswith("losses differ from epoch 1 of 2 on: ")


def noise_of_the_system(inputs):
    seed = int.from_bytes(os.urandom(7), "little")
    return inputs + torch.randn(inputs.shape, generator=torch.Generator().manual_seed(seed))


def noise_of_the_clock(inputs):
    torch.manual_seed(time.perf_counter_ns())
    return inputs + torch.randn(inputs.shape)


@pytest.mark.parametrize("noise", [noise_of_the_system, noise_of_the_clock])
def test_noise_that_no_seed_reaches_is_found_from_the_first_epoch_on(noise):
    outcomes = outcomes_of(trainer_of(lambda: Forward(noise)))
    told = prove(outcomes).differences
    assert told[0].startswith("losses differ from epoch 1 of 2 on: ")
    assert told[1].startswith(
        "weights after training differ: 6 of 6 tensors, first 'layers.0.weight'"
    )


def test_a_shuffle_of_ones_own_is_found():
    def shuffled(inputs):
        order = list(range(len(inputs)))
        random.SystemRandom().shuffle(order)
        return inputs[order]

    assert differences(trainer_of(lambda: Forward(shuffled)))[0].startswith("losses differ")


def test_a_buffer_that_counts_what_only_the_process_knows_is_found():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = make_mlp()
            self.register_buffer("stamp", torch.zeros((), dtype=torch.int64))

        def forward(self, inputs):
            self.stamp.fill_(time.perf_counter_ns())
            return self.layers(inputs)

    assert differences(trainer_of(Counting)) == ["buffers after training differ"]


def test_noise_in_evaluation_alone_is_found_in_the_scores():
    class Late(Forward):
        def forward(self, inputs):
            return self.layers(inputs if self.training else 10 * noise_of_the_system(inputs))

    told = differences(trainer_of(lambda: Late(None)))  # noise as strong as this moves labels, too
    assert [each.split(" differ")[0] for each in told] == ["predictions"]


def test_a_factory_that_seeds_by_the_clock_is_refused_before_anything_trains():
    def make_by_clock():
        torch.manual_seed(time.perf_counter_ns())
        return make_mlp()

    trainer = trainer_of(make_by_clock)
    with pytest.raises(TrainingError, match="gave other initial weights for the same seed"):
        trainer.prepare([none()], PROVING, 2)
    assert differences(trainer)[0] == "initial weights differ"


def test_a_dataset_that_draws_from_the_system_is_refused_before_anything_trains():
    system = random.SystemRandom()
    with pytest.raises(DataError, match="so no seed reaches them"):
        trainer_of(train=Augmented(lambda: torch.full((6,), system.random())))


def test_a_function_has_its_predictions_compared():
    y_true = np.array([0, 1, 1, 0])
    steady = FunctionTrainer(lambda run: np.eye(2)[y_true], y_true=y_true)
    proof = prove(outcomes_of(steady))
    assert (proof.differences, proof.compared) == ((), ("predictions",))

    def loose(run):
        return np.eye(2)[y_true] * random.SystemRandom().uniform(0.6, 0.9)

    assert differences(FunctionTrainer(loose, y_true=y_true)) == [
        "scores behind the predictions differ, though no prediction does (run 1 against run 0)"
    ]


def test_nothing_is_digested_where_nothing_is_to_be_proven():
    (found,) = trainer_of().train(some_runs(1), none(), Placement("cpu", "sequential", 1))
    assert found.digests is None


def test_the_consumer_computes_with_its_own_switches():
    for _ in train_to_prove(trainer_of(), some_runs(2), none(), PROVING):
        assert not torch.are_deterministic_algorithms_enabled()


def unpooled(inputs):
    return torch.zeros_like(inputs).put_(torch.arange(inputs.numel()), inputs)


def test_an_operation_without_a_deterministic_kernel_is_named_with_the_users_line():
    trainer = trainer_of(lambda: Forward(unpooled))
    (found,) = train_to_prove(trainer, some_runs(1), none(), PROVING)
    line = unpooled.__code__.co_firstlineno + 1
    assert found.failure == (
        "the operation put_ has no deterministic implementation in PyTorch, so one seed does not decide what "
        f"it computes\n  at {__file__}:{line} in unpooled: "
        "return torch.zeros_like(inputs).put_(torch.arange(inputs.numel()), inputs)\n"
        "  compute it by other operations; docs/determinism.md says which"
    )
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_type_of_a_module_stands_where_no_line_is_the_users():
    class Unpool(nn.MaxUnpool1d):
        pass

    Unpool.forward = nn.MaxUnpool1d.forward

    class Pool(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)
            self.unpool = Unpool(2)

        def forward(self, inputs):
            index = torch.arange(3).expand(len(inputs), 1, 3)
            return self.layer(self.unpool(inputs[:, None, ::2], index).squeeze(1))

    (found,) = train_to_prove(trainer_of(Pool), some_runs(1), none(), PROVING)
    assert "the operation max_unpooling2d_forward_out has no deterministic" in found.failure
    assert "in forward: return self.layer(self.unpool(" in found.failure


class Fussy(torch.autograd.Function):
    """Identity with a backward that PyTorch would refuse."""

    @staticmethod
    def forward(ctx, inputs):
        return inputs.clone()

    @staticmethod
    def backward(ctx, gradient):
        return torch.zeros_like(gradient).put_(torch.arange(gradient.numel()), gradient)


def test_an_operation_that_raises_in_backward_is_told_with_its_forward():
    def fussy(inputs):
        return Fussy.apply(inputs.requires_grad_())

    (found,) = train_to_prove(trainer_of(lambda: Forward(fussy)), some_runs(1), none(), PROVING)
    line = fussy.__code__.co_firstlineno + 1
    assert "the operation put_ has no deterministic implementation" in found.failure
    assert (
        f"in backward; forward was at {__file__}:{line} in fussy: "
        "return Fussy.apply(inputs.requires_grad_())" in found.failure
    )


def test_a_function_of_ones_own_is_told_where_it_called_backward():
    def train_fn(run):
        weight = torch.ones(3, requires_grad=True)
        Fussy.apply(weight).sum().backward()

    trainer = FunctionTrainer(train_fn, y_true=np.array([0, 1]))
    (found,) = train_to_prove(trainer, some_runs(1), none(), PROVING)
    assert "\n  in backward, called at " in found.failure


def test_a_fake_operation_of_ones_own_is_told_alike():
    def fake(inputs):
        raise RuntimeError(
            "fake_op does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation"
        )

    (found,) = train_to_prove(trainer_of(lambda: Forward(fake)), some_runs(1), none(), PROVING)
    assert found.failure.startswith("the operation fake_op has no deterministic implementation")
    assert "in fake: raise RuntimeError(" in found.failure


def test_tensors_of_any_kind_have_a_digest():
    kinds = [
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2, dtype=torch.complex64).conj(),
        torch.eye(2).to_sparse(),
        torch.zeros(0),
        torch.tensor(1.0),
        torch.ones(2, 3).T,
        torch.ones(2, dtype=torch.bool),
    ]
    assert len({tensor_digest(tensor) for tensor in kinds}) == len(kinds)
    assert tensor_digest(torch.ones(2, 3).T) == tensor_digest(torch.ones(3, 2))
