from __future__ import annotations

from itertools import permutations

import pytest
import torch
from small_training import built, make_cnn, make_mlp, some_runs, trained, trainer_of

from pytest_reprotest.errors import OptionError, RegularizerRefused
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers.combined import Combined


def combined(text: str) -> Regularizer:
    (found,) = Registry().resolve([text])
    return found


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def test_its_label_joins_the_parts_labels():
    assert combined("batch_norm + weight_decay(0.01)").label == "batch_norm+weight_decay(0.01)"


PARTS = ["batch_norm", "dropout(0.1)", "stochastic_depth(0.3)", "weight_decay(0.01)", "momentum"]


@pytest.mark.parametrize("factory", [make_mlp, make_cnn])
def test_the_order_of_the_parts_changes_neither_model_nor_recipe(factory):
    models, recipes = set(), set()
    for order in permutations(PARTS):
        regularizer = combined("+".join(order))
        models.add(repr(built(factory, regularizer)))
        recipes.add(str(regularizer.modify_recipe(Recipe(lr=0.2))))
    assert len(models) == len(recipes) == 1


def test_the_order_of_the_parts_changes_no_prediction():
    first, second = (
        trained(trainer_of(), some_runs(2, text), combined(text))
        for text in ("dropout+stochastic_depth+momentum", "stochastic_depth+momentum+dropout")
    )
    assert [first[run].losses for run in first] == [second[run].losses for run in second]


def test_everything_at_once_stands_in_one_stage():
    model = built(make_mlp, combined("residual+layer_norm+dropout+orthogonal"))
    stage = model[2]
    assert stage.skip
    assert repr(stage.dropout) == "KeyedDropout(p=0.5)"
    assert type(stage.norm.norm).__name__ == "LayerNorm"
    assert stage.layer.bias is None
    assert not model[0].skip


@pytest.mark.parametrize("text", ["weight_decay(0.01)+adam", "adam+weight_decay(0.01)"])
def test_weight_decay_stays_beside_a_part_that_replaces_a_callable(text):
    recipe = combined(text).modify_recipe(Recipe(optimizer=sgd))
    assert (recipe.optimizer, recipe.weight_decay) == ("adam", 0.01)


def test_a_callable_optimizer_is_changed_by_every_part():
    optimizer = sgd(list(make_mlp().parameters()))
    combined("dropout+weight_decay(0.01)").modify_optimizer(optimizer)
    assert optimizer.param_groups[0]["weight_decay"] == 0.01


def test_penalties_are_summed():
    class Ones(Regularizer):
        name = "ones"
        summary = "adds 1"

        def penalty(self, model, parameters):
            return torch.ones(())

    class Tens(Ones):
        name = "tens"

        def penalty(self, model, parameters):
            return 10 * torch.ones(())

    silent = combined("dropout+batch_norm")
    model = make_mlp()
    assert silent.penalty(model, {}) is None
    assert Combined((Ones(), *silent.parts)).penalty(model, {}).item() == 1
    assert Combined((Ones(), *silent.parts, Tens())).penalty(model, {}).item() == 11


def test_a_regularizer_named_twice_is_refused():
    with pytest.raises(OptionError) as error:
        combined("dropout(0.1)+dropout(0.2)")
    assert str(error.value) == (
        "'dropout(0.1)+dropout(0.2)' names a regularizer twice; name each one once"
    )


def test_two_optimizers_are_refused():
    with pytest.raises(OptionError) as error:
        combined("adam+dropout+momentum")
    assert str(error.value) == (
        "'adam+dropout+momentum' sets the optimizer twice (adam and momentum); keep one"
    )


def test_two_norms_are_refused_when_the_model_is_built():
    with pytest.raises(
        RegularizerRefused, match=r"'layer_norm' would come on top of '0\.norm\.norm'"
    ):
        built(make_mlp, combined("batch_norm+layer_norm"))


def test_what_one_part_refuses_all_refuse():
    with pytest.raises(RegularizerRefused, match="'group_norm' with 3 groups"):
        built(make_mlp, combined("dropout+group_norm(3)"))
