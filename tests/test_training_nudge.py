"""One initial weight moved by one ulp."""

import numpy as np
import pytest
import torch
from small_training import make_mlp, trained, trainer_of
from torch import nn

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.plan import Run
from pytest_reprotest.regularizers import none
from pytest_reprotest.seeds import ONE_ULP, RunSeeds
from pytest_reprotest.training.model import build_model


def built(run, factory=make_mlp, regularizer=None):
    seeds = RunSeeds(0, run, (ONE_ULP,))
    model = build_model(factory, regularizer or none(), seeds, torch.zeros(2, 6), "cpu")
    return {name: value.detach().numpy() for name, value in model.named_parameters()}


def moved(run, **kwargs):
    """Name and place of each element that is not as in run 0, with its value there and here."""
    start, other = built(0, **kwargs), built(run, **kwargs)
    return [
        (name, place, start[name][place], other[name][place])
        for name in start
        for place in zip(*np.nonzero(start[name] != other[name]), strict=True)
    ]


def test_each_run_but_the_first_moves_one_element_of_its_own_by_one_ulp():
    unmoved = build_model(make_mlp, none(), RunSeeds(0, 0, ()), torch.zeros(2, 6), "cpu")
    for name, value in unmoved.named_parameters():
        assert np.array_equal(built(0)[name], value.detach().numpy())
    places = set()
    for run in range(1, 31):
        ((name, place, before, after),) = moved(run)
        assert name.endswith("weight")
        assert after == np.nextafter(before, np.sign(before) * np.float32(np.inf))
        assert moved(run) == [(name, place, before, after)]  # the same again
        places.add((name, place))
    assert len(places) == 30


def test_weights_that_are_0_stay_so_since_the_next_number_is_lost_in_any_sum():
    def factory():
        model = make_mlp()
        nn.init.zeros_(model[0].weight)
        nn.init.zeros_(model[2].weight[1:])
        model[4].weight.requires_grad_(False)
        return model

    for run in range(1, 5):
        ((name, place, before, _),) = moved(run, factory=factory)
        assert (name, place[0]) == ("2.weight", 0)
        assert before != 0


def test_a_model_of_vectors_alone_has_one_of_them_moved():
    def factory():
        model = make_mlp()
        for layer in (0, 2, 4):
            model[layer].weight.requires_grad_(False)
        return model

    ((name, *_),) = moved(1, factory=factory)
    assert name.endswith("bias")


def test_a_model_that_starts_at_0_everywhere_is_refused():
    def factory():
        model = make_mlp()
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
        return model

    with pytest.raises(TrainingError, match="no initial weight can be moved by one ulp"):
        built(1, factory=factory)


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_most_runs_come_out_a_little_different_in_either_engine(engine):
    runs = [Run("none", index, RunSeeds(0, index, (ONE_ULP,)), ONE_ULP) for index in range(8)]
    found = trained(trainer_of(epochs=4), runs, placement=Placement("cpu", engine, 8))
    scores = [found[run.index].scores for run in runs]
    others = [each for each in scores[1:] if not np.array_equal(each, scores[0])]
    assert len(others) >= 5  # an ulp in front of a unit that is dead is nothing
    assert all(np.allclose(each, scores[0], atol=1e-4) for each in others)
