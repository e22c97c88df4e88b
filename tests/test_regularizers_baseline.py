from __future__ import annotations

import pytest
import torch
from small_training import built, make_mlp, seeds, some_runs, trained, trainer_of
from torch import nn

from pytest_reprotest import audit
from pytest_reprotest.errors import OptionError, RegularizerRefused
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import by_hand, none
from pytest_reprotest.training.state import seed_globals


def test_none_changes_neither_model_nor_recipe_nor_loss():
    seed_globals(seeds(), "init")
    mine = make_mlp()
    model = built(make_mlp, none())
    assert repr(model) == repr(mine)
    assert all(
        torch.equal(one, other)
        for one, other in zip(model.parameters(), mine.parameters(), strict=True)
    )
    recipe = Recipe()
    assert none().modify_recipe(recipe) is recipe
    assert none().penalty(model, dict(model.named_parameters())) is None


def test_none_leaves_a_callable_optimizer_as_it_is():
    optimizer = torch.optim.SGD(make_mlp().parameters(), lr=0.1)
    before = repr(optimizer)
    none().modify_optimizer(optimizer)
    assert repr(optimizer) == before


def make_by_hand(regularizer):
    width = {"wide": 32, "narrow": 2}.get(regularizer, 8)
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3))


def test_a_factory_gets_the_label_and_its_model_is_left_as_it_is():
    assert built(make_by_hand, by_hand("wide"))[0].out_features == 32
    assert built(make_by_hand, by_hand("narrow"))[0].out_features == 2
    assert repr(built(make_by_hand, none())) == repr(make_by_hand("none"))


def test_a_factory_that_builds_in_by_hand_is_spared_the_surgery():
    from pytest_reprotest.regularizers import dropout

    assert repr(built(make_by_hand, dropout())) == repr(make_by_hand("dropout"))


def test_by_hand_trains_what_the_factory_built():
    outcomes = trained(trainer_of(make_by_hand), some_runs(2, "wide"), by_hand("wide"))
    assert all(outcome.failure is None for outcome in outcomes.values())


def test_by_hand_is_refused_where_the_factory_does_not_ask_for_the_label():
    with pytest.raises(RegularizerRefused) as refusal:
        audit(
            make_mlp,
            train=(torch.rand(8, 6), torch.arange(8) % 3),
            test=(torch.rand(8, 6), torch.arange(8) % 3),
            regularizers=["none", by_hand("mixup")],
            device="cpu",
        )
    assert str(refusal.value) == (
        "'mixup' is built by hand, and the model factory does not do it; give the factory a parameter named "
        "'regularizer', which gets the label"
    )


@pytest.mark.parametrize("tag", ["", "mix up", "mix-up", "1st", None, 3])
def test_a_tag_is_an_identifier(tag):
    with pytest.raises(OptionError) as error:
        by_hand(tag)
    assert str(error.value) == f"by_hand({tag!r}); expected an identifier, such as 'mixup'"
