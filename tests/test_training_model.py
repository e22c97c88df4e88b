from __future__ import annotations

import functools
import random

import numpy as np
import pytest
import torch
from small_training import built, make_mlp, seeds
from torch import nn

from pytest_reprotest.errors import OptionError, TrainingError
from pytest_reprotest.regularizers import batch_norm, dropout, none
from pytest_reprotest.regularizers._keyed import KeyedDropout
from pytest_reprotest.training.model import (
    build_model,
    check_factory,
    fixed_start,
    key_noise,
    same_weights,
    takes_regularizer,
)


def refused(factory) -> str:
    with pytest.raises(TrainingError) as error:
        check_factory(factory)
    return str(error.value)


# --- factories --------------------------------------------------------------------------------------


def test_a_model_in_place_of_a_factory_is_refused():
    assert refused(make_mlp()) == (
        "got a model (Sequential) in place of a model factory; every run needs a fresh one. Pass a function "
        "that builds and returns it"
    )


@pytest.mark.parametrize("factory", [None, 3, "make_mlp"])
def test_what_cannot_be_called_is_refused(factory):
    assert refused(factory) == (
        f"got {factory!r} as model factory; expected a function that builds and returns an nn.Module"
    )


def test_a_factory_with_required_parameters_is_refused():
    def make(width, regularizer, *, depth, bias=True):
        raise AssertionError

    assert refused(make) == (
        "the model factory 'make' requires the parameters width, regularizer, depth; expected none, or one "
        "named 'regularizer'. Bind the others with functools.partial or a lambda"
    )


def test_a_training_function_in_place_of_a_factory_is_refused_with_the_way_out():
    def train_fn(run):
        raise AssertionError

    assert refused(train_fn) == (
        "'train_fn' takes a run, as training functions do; expected a function that builds a model. Wrap it: "
        "FunctionTrainer(train_fn, y_true=...)"
    )


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layer = nn.Linear(6, width)

    def forward(self, inputs):
        return self.layer(inputs)


@pytest.mark.parametrize(
    "factory",
    [
        make_mlp,
        lambda: make_mlp(),
        lambda regularizer: make_mlp(),
        lambda regularizer="none", width=3: make_mlp(),
        lambda *args, **options: make_mlp(),
        functools.partial(Net, width=3),
        Net,
    ],
)
def test_factories_that_need_nothing_or_the_regularizer_are_taken(factory):
    check_factory(factory)


def test_a_callable_without_a_signature_is_taken_at_its_word():
    class Opaque:
        __signature__ = "not a signature"

        def __call__(self):
            return make_mlp()

    opaque = Opaque()
    check_factory(opaque)
    assert not takes_regularizer(opaque)
    assert isinstance(built(opaque), nn.Sequential)


def test_whether_a_factory_builds_the_regularizer_in_is_read_from_its_parameters():
    assert takes_regularizer(lambda regularizer: None)
    assert takes_regularizer(lambda width=1, regularizer="none": None)
    assert not takes_regularizer(make_mlp)
    assert not takes_regularizer(lambda **options: None)


def test_what_a_factory_raises_is_told_with_its_line():
    def make():
        raise ValueError("no such width")

    with pytest.raises(TrainingError) as error:
        built(make)
    told = str(error.value)
    assert told.startswith("the model factory 'make' raised ValueError: no such width\n  at ")
    assert told.endswith('in make: raise ValueError("no such width")')


def test_our_own_errors_pass_through_a_factory():
    def make():
        raise OptionError("as it is")

    with pytest.raises(OptionError, match=r"^as it is$"):
        built(make)


@pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), ((make_mlp(),), "tuple")])
def test_a_factory_that_returns_no_module_is_refused(value, kind):
    with pytest.raises(TrainingError) as error:
        built(lambda: value)
    assert str(error.value) == (
        f"the model factory '<lambda>' returned {kind}; expected a torch.nn.Module. Does it end in 'return "
        "model'?"
    )


@pytest.mark.parametrize("factory", [nn.ReLU, lambda: nn.Linear(6, 3).requires_grad_(False)])
def test_a_model_with_nothing_to_train_is_refused(factory):
    with pytest.raises(
        TrainingError, match="has no parameter that requires a gradient; there is nothing"
    ):
        built(factory)


# --- initial weights --------------------------------------------------------------------------------


def weights(model: nn.Module) -> list[list[float]]:
    return [parameter.flatten().tolist() for parameter in model.parameters()]


def test_initial_weights_follow_the_init_stream_alone():
    def start(run, vary):
        return weights(
            build_model(make_mlp, none(), seeds(run, vary=vary), torch.zeros(2, 6), "cpu")
        )

    assert start(0, ("init",)) == start(0, ("init", "data_order", "noise")) == start(0, ())
    assert start(1, ("init",)) != start(0, ("init",))
    assert start(1, ("data_order", "noise")) == start(0, ("data_order", "noise"))


def test_the_base_seed_gives_other_weights():
    assert weights(
        build_model(make_mlp, none(), seeds(0, base=1), torch.zeros(2, 6), "cpu")
    ) != weights(built(make_mlp))


def test_initial_weights_do_not_depend_on_what_was_drawn_before():
    first = weights(built(make_mlp))
    torch.rand(17)
    np.random.rand(3)
    assert weights(built(make_mlp)) == first


@pytest.mark.parametrize(
    "draw", [torch.rand, np.random.rand, lambda n: [random.random() for _ in range(n)]]
)
def test_all_three_global_generators_are_seeded(draw):
    def make():
        model = nn.Linear(6, 3)
        with torch.no_grad():
            model.bias.copy_(torch.as_tensor(draw(3)))
        return model

    assert weights(built(make, run=0)) == weights(built(make, run=0))
    assert weights(built(make, run=0))[1] != weights(built(make, run=1))[1]


def test_the_model_is_a_copy():
    mine = make_mlp()
    assert built(lambda: mine) is not mine
    assert same_weights(built(lambda: mine), mine)


def test_weights_are_compared_to_the_last_bit():
    one = make_mlp()
    other = make_mlp()
    assert not same_weights(one, other)
    other.load_state_dict(one.state_dict())
    assert same_weights(one, other)
    with torch.no_grad():
        other[4].bias[2] = torch.nextafter(other[4].bias[2], torch.tensor(9.0))
    assert not same_weights(one, other)
    assert not same_weights(one, one[0])


def test_fixed_weights_are_told_with_the_sources_that_can_vary():
    told = str(fixed_start(make_mlp, seeds(), ""))
    assert told == (
        "the model factory 'make_mlp' gives the same initial weights for every seed, so 'init', which is to "
        "vary, does not. Build the model inside the factory and don't seed there; or, where the weights are "
        "meant to be the same, say vary='data_order,noise'"
    )
    assert str(fixed_start(make_mlp, seeds(vary=("init",)), "")).endswith("say vary='none'")


# --- lazy modules -----------------------------------------------------------------------------------


def lazy():
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))


def test_lazy_modules_are_initialized_from_the_init_stream():
    first, again, other = built(lazy, run=0), built(lazy, run=0), built(lazy, run=1)
    assert type(first[0]) is nn.Linear
    assert (first[0].in_features, first[2].in_features) == (6, 8)
    assert weights(first) == weights(again)
    assert weights(first) != weights(other)


def test_a_lazy_model_takes_surgery():
    model = built(lazy, batch_norm())
    assert model[0].layer.bias is None
    assert model[0].norm.norm.num_features == 8


def test_lazy_initialization_learns_nothing_from_its_inputs():
    def make():
        return nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.LazyLinear(3))

    model = build_model(make, none(), seeds(), 5 + torch.rand(2, 6), "cpu")
    assert model[1].num_batches_tracked == 0
    assert model[1].running_mean.abs().sum() == 0
    assert model.training


def test_lazy_initialization_leaves_its_inputs_as_they_are():
    sample = -torch.ones(2, 6)
    build_model(
        lambda: nn.Sequential(nn.ReLU(inplace=True), nn.LazyLinear(3)),
        none(),
        seeds(),
        sample,
        "cpu",
    )
    assert (sample == -1).all()


# --- the user's own dropout -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Dropout(0.3), "KeyedDropout(p=0.3)"),
        (nn.Dropout1d(0.3), "KeyedDropout(p=0.3, dims=2)"),
        (nn.Dropout2d(0.3), "KeyedDropout(p=0.3, dims=2)"),
        (nn.Dropout3d(0.3), "KeyedDropout(p=0.3, dims=2)"),
    ],
    ids=repr,
)
def test_the_models_own_dropout_becomes_keyed(layer, expected):
    model = built(lambda: nn.Sequential(nn.Linear(6, 3), nn.Sequential(layer)))
    assert repr(model[1][0]) == expected


def test_a_dropout_that_stands_twice_is_replaced_twice_by_one():
    def make():
        drop = nn.Dropout()
        return nn.Sequential(nn.Linear(6, 6), drop, nn.Linear(6, 6), drop, nn.Sequential(drop))

    model = built(make)
    assert isinstance(model[1], KeyedDropout)
    assert model[1] is model[3]
    assert model[1] is model[4][0]
    ones = torch.ones(20, 6)
    assert not torch.equal(model[1](ones), model[3](ones))


def test_a_subclass_of_dropout_is_left_alone():
    class Mine(nn.Dropout):
        pass

    model = built(lambda: nn.Sequential(nn.Linear(6, 3), Mine()))
    assert type(model[1]) is Mine


def test_a_model_that_is_a_dropout_with_weights_beside_it_keeps_them():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.2)
            self.gone = None
            self.layer = nn.Linear(6, 3)

    model = built(Whole)
    assert repr(model.drop) == "KeyedDropout(p=0.2)"
    assert type(model.layer) is nn.Linear


def test_a_lone_dropout_has_nothing_to_train():
    with pytest.raises(TrainingError, match="no parameter that requires a gradient"):
        built(nn.Dropout)


def test_noise_layers_are_keyed_by_their_place_and_start_at_call_0():
    model = nn.Sequential(KeyedDropout(0.5), nn.Linear(2, 2), KeyedDropout(0.5))
    model[0](torch.ones(3, 2))
    key_noise(model, seeds(0))
    keys = [model[place].noise_key.tolist() for place in (0, 2)]
    assert keys[0] != keys[1]
    assert model[0].noise_call == 0
    key_noise(model, seeds(1))
    assert [model[place].noise_key.tolist() for place in (0, 2)] != keys
    key_noise(model, seeds(0))
    assert [model[place].noise_key.tolist() for place in (0, 2)] == keys


def test_added_dropout_is_keyed_too():
    assert built(make_mlp, dropout())[0].dropout.noise_key.tolist() != [0, 0]
