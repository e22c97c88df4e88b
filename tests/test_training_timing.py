import time

import pytest
import torch
from small_training import SEQUENTIAL, blobs, make_cnn, make_mlp, some_runs, trainer_of
from torch import nn

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.regularizers import adam, batch_norm, dropout, none, orthogonal
from pytest_reprotest.training import timing
from pytest_reprotest.training.timing import Timed

STACKED = Placement("cpu", "stacked", 4)
PLACES = pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED], ids=["sequential", "stacked"])


def test_a_training_is_its_start_its_epochs_and_its_evaluation():
    timed = Timed(start=1.0, order=0.5, step=0.1, last_step=0.25, evaluation=2.0)
    assert timed.training(epochs=2, steps=4) == pytest.approx(1 + 2 * (0.5 + 0.3 + 0.25) + 2)
    assert timed.training(epochs=2, steps=1) == pytest.approx(1 + 2 * (0.5 + 0.25) + 2)


class Sleepy(torch.optim.SGD):
    """Takes ten milliseconds a step."""

    steps = 0

    def step(self, *args, **kwargs):
        time.sleep(0.01)
        Sleepy.steps += 1
        return super().step(*args, **kwargs)


def sleepy(parameters):
    return Sleepy(parameters, lr=0.1)


@pytest.mark.parametrize("drop_last", [True, False])
def test_a_few_steps_tell_how_long_many_take(monkeypatch, drop_last):
    monkeypatch.setattr(timing, "BUDGET", 0.1)
    Sleepy.steps = 0
    trainer = trainer_of(
        train=blobs(40), optimizer=sleepy, epochs=1000, batch_size=16, drop_last=drop_last
    )
    seconds = trainer.seconds_per_run(none(), SEQUENTIAL, 1)
    steps = 1000 * (2 if drop_last else 3)
    assert Sleepy.steps < 30
    assert 0.01 * steps < seconds < 0.04 * steps


@PLACES
@pytest.mark.parametrize("regularizer", [none(), adam(), batch_norm(), dropout(), orthogonal()])
def test_whatever_can_be_trained_can_be_timed(monkeypatch, placement, regularizer):
    monkeypatch.setattr(timing, "BUDGET", 0.01)
    trainer = trainer_of()
    trainer.prepare([regularizer], placement, 4)
    assert 0 < trainer.seconds_per_run(regularizer, placement, 3) < 5


def test_a_run_alone_in_its_stack_is_timed_with_its_twin(monkeypatch):
    monkeypatch.setattr(timing, "BUDGET", 0.01)
    assert trainer_of().seconds_per_run(none(), STACKED, 1) > 0


def test_one_step_an_epoch_and_images(monkeypatch):
    monkeypatch.setattr(timing, "BUDGET", 0.01)
    generator = torch.Generator().manual_seed(0)
    pair = torch.randn(12, 1, 4, 4, generator=generator), torch.arange(12) % 3
    trainer = trainer_of(make_cnn, train=pair, test=pair, batch_size=100)
    assert trainer.seconds_per_run(none(), STACKED, 2) > 0


@PLACES
def test_state_is_restored_and_a_training_afterwards_is_the_same(monkeypatch, placement):
    monkeypatch.setattr(timing, "BUDGET", 0.01)
    expected = list(trainer_of().train(some_runs(2), none(), placement))
    trainer = trainer_of(threads=1)
    torch.set_num_threads(2)
    before = torch.random.get_rng_state()
    trainer.seconds_per_run(none(), placement, 2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == 2
    assert torch.is_grad_enabled()
    torch.set_num_threads(1)
    found = list(trainer.train(some_runs(2), none(), placement))
    assert [outcome.losses for outcome in found] == [outcome.losses for outcome in expected]


def test_a_stack_out_of_memory_is_timed_in_halves(monkeypatch):
    asked = []

    def short_of_memory(build, *_):
        asked.append(len(build()))
        if len(asked) == 1:
            raise torch.OutOfMemoryError
        return 6.0

    monkeypatch.setattr("pytest_reprotest.training.torch_trainer.time_training", short_of_memory)
    assert trainer_of().seconds_per_run(none(), STACKED, 4) == 3.0
    assert asked == [4, 2]


def test_one_run_out_of_memory_is_an_error(monkeypatch):
    def none_left(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr("pytest_reprotest.training.torch_trainer.time_training", none_left)
    with pytest.raises(TrainingError, match=r"'none': cpu is out of memory for one run"):
        trainer_of().seconds_per_run(none(), SEQUENTIAL, 1)


def test_models_are_made_of_the_users_factory():
    made = []

    def factory() -> nn.Module:
        made.append(1)
        return make_mlp()

    trainer_of(factory).seconds_per_run(none(), STACKED, 3)
    assert len(made) == 3
