import math

import numpy as np
import pytest
import torch
from small_training import SEQUENTIAL, blobs, make_mlp, some_runs, trained, trainer_of

from pytest_reprotest import FunctionTrainer, audit
from pytest_reprotest.errors import OptionError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import adam, ema, none

STACKED = Placement("cpu", "stacked", 3)
PLACES = pytest.mark.parametrize("placement", [SEQUENTIAL, STACKED], ids=["sequential", "stacked"])


def resolved(text):
    (found,) = Registry().resolve([text])
    return found


def scores(regularizer, placement=SEQUENTIAL, factory=make_mlp, **recipe):
    found = trained(
        trainer_of(factory, **recipe), some_runs(3, regularizer.label), regularizer, placement
    )
    assert [outcome.failure for outcome in found.values()] == [None] * 3
    return [found[run].scores.tolist() for run in range(3)]


def test_the_decay_is_set_and_the_rest_of_the_recipe_left_as_it_is():
    recipe = Recipe(epochs=3, lr=0.2, weight_decay=0.01)
    changed = ema().modify_recipe(recipe)
    assert changed.ema_decay == 0.99
    assert {**vars(changed), "ema_decay": None} == vars(recipe)


def test_it_replaces_a_decay_of_the_recipe():
    assert ema(0.9).modify_recipe(Recipe(ema_decay=0.5)).ema_decay == 0.9


def test_without_it_nothing_is_averaged():
    assert Recipe().ema_decay is None
    assert none().modify_recipe(Recipe()).ema_decay is None
    assert Recipe(ema_decay=0.99).describe()["ema_decay"] == 0.99


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, -0.1, 1.5, math.nan, math.inf, "0.9", True])
def test_a_decay_is_above_0_and_below_1(value):
    for name, refused in (
        (f"ema(decay={value!r})", lambda: ema(value)),
        (f"ema_decay={value!r}", lambda: Recipe(ema_decay=value)),
    ):
        with pytest.raises(OptionError) as error:
            refused()
        assert str(error.value) == f"{name}; expected a number above 0 and below 1"


def test_none_is_no_decay_of_the_regularizer():
    with pytest.raises(OptionError, match=r"^ema\(decay=None\); expected a number above 0"):
        ema(None)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("ema", "ema"),
        ("ema()", "ema"),
        ("ema(0.999)", "ema(0.999)"),
        ("ema(decay=0.99)", "ema"),
        ("ema(decay=0.999)", "ema(0.999)"),
        ("ema+dropout", "ema+dropout"),
    ],
)
def test_labels_tell_a_decay_that_is_not_the_default(text, label):
    assert resolved(text).label == label
    assert resolved(label) == resolved(text)


def test_it_can_be_asked_for_once():
    with pytest.raises(OptionError, match="names a regularizer twice"):
        resolved("ema+ema(0.9)")


@PLACES
@pytest.mark.parametrize("other", ["batch_norm", "dropout", "momentum", "batch_norm+dropout"])
def test_it_combines_with_others_in_any_order(placement, other):
    both, turned = resolved(f"ema(0.9)+{other}"), resolved(f"{other}+ema(0.9)")
    found = scores(both, placement)
    assert found == scores(turned, placement)
    assert found != scores(resolved(other), placement)
    assert found == scores(resolved(other), placement, ema_decay=0.9)


@pytest.mark.parametrize("text", ["ema(0.9)", "ema(0.9)+batch_norm", "ema(0.9)+dropout"])
def test_both_engines_agree(text):
    alone, together = scores(resolved(text)), scores(resolved(text), STACKED)
    np.testing.assert_allclose(np.array(together), np.array(alone), rtol=1e-3, atol=1e-5)


def test_an_optimizer_of_ones_own_is_averaged_too():
    own = {"optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.1)}
    assert scores(ema(0.9), **own) == scores(ema(0.9))
    assert scores(ema(0.9), **own) != scores(none(), **own)


def test_with_a_factory_by_hand_it_still_holds():
    labels = []

    def by_hand(regularizer):
        labels.append(regularizer)
        return make_mlp()

    assert scores(ema(0.9), factory=by_hand) == scores(ema(0.9))
    assert set(labels) == {"ema(0.9)"}


def test_a_penalty_and_an_optimizer_beside_it_are_kept():
    recipe = resolved("ema+adam(1e-3)").modify_recipe(Recipe())
    assert (recipe.optimizer, recipe.lr, recipe.ema_decay) == ("adam", 1e-3, 0.99)
    assert adam(1e-3).modify_recipe(Recipe(ema_decay=0.5)).ema_decay == 0.5


def test_a_training_function_has_to_read_it_as_any_other():
    y_true = np.array([0, 1, 1, 0])
    given = {"runs": 2, "regularizers": ["none", "ema"], "device": "cpu"}
    result = audit(FunctionTrainer(lambda run: y_true, y_true=y_true), **given)
    assert (
        "never read run.regularizer, so 'ema' was not applied" in result["ema"].verdict.reasons[0]
    )
    seen = []

    def train_fn(run):
        seen.append(run.regularizer)
        return y_true

    assert audit(FunctionTrainer(train_fn, y_true=y_true), **given)["ema"].n_runs == 2
    assert seen == ["none", "none", "ema", "ema"]


def test_an_audit_stacks_it_and_tells_the_decay():
    given = {"train": blobs(), "test": blobs(30, seed=1), "epochs": 2, "batch_size": 16, "lr": 0.1}
    result = audit(make_mlp, runs=2, regularizers=["none", "ema(0.9)"], ema_decay=0.5, **given)
    assert result.settings["engine"] == "stacked"
    assert result.settings["training"]["ema_decay"] == 0.5
    own = audit(make_mlp, runs=2, ema_decay=0.9, **given)["none"].predictions
    np.testing.assert_array_equal(result["ema(0.9)"].predictions, own)
