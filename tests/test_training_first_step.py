from __future__ import annotations

import pytest
import torch
from small_training import blobs, built, make_cnn, make_mlp
from torch import nn
from torch.nn import functional

from pytest_reprotest.errors import DataError, RegularizerRefused, TrainingError
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import batch_norm, dropout, none, orthogonal, residual
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.first_step import (
    check_prediction,
    check_step,
    recorded_calls,
    smallest_batch,
)


def check(factory, regularizer=None, n=48, n_classes=3, **recipe):
    regularizer = regularizer or none()
    settings = {"batch_size": 16, **recipe}
    check_step(
        built(factory, regularizer),
        Recipe(**settings),
        regularizer,
        TensorSource(*blobs(n)),
        n_classes,
        "cpu",
    )


def refused(error=TrainingError, **arguments) -> str:
    with pytest.raises(error) as info:
        check(**arguments)
    return str(info.value)


class Of(nn.Module):
    """A linear model whose scores go through a function."""

    def __init__(self, change, width=3):
        super().__init__()
        self.layer = nn.Linear(6, width)
        self.change = change

    def forward(self, inputs):
        return self.change(self.layer(inputs))


@pytest.mark.parametrize("regularizer", [none(), dropout(), batch_norm(), residual(), orthogonal()])
def test_what_can_be_trained_passes(regularizer):
    check(make_mlp, regularizer)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda scores: (scores, scores), "a tuple"),
        (lambda scores: {"logits": scores}, "a dict"),
        (lambda scores: None, "a NoneType"),
        (lambda scores: scores[:, 0], "(16,)"),
        (lambda scores: scores.unsqueeze(2), "(16, 3, 1)"),
        (lambda scores: scores[:7], "(7, 3)"),
        (lambda scores: scores.sum(), "()"),
    ],
)
def test_what_is_no_table_of_scores_is_refused(change, shown):
    assert refused(factory=lambda: Of(change)) == (
        f"the model returned {shown} for 16 inputs; expected a tensor of scores (16, n_classes)"
    )


def test_a_model_that_predicts_otherwise_than_it_trains_is_refused():
    class Auxiliary(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, inputs):
            scores = self.layer(inputs)
            return scores if self.training else (scores, scores)

    assert refused(factory=Auxiliary) == (
        "the model returned a tuple for 16 inputs; expected a tensor of scores (16, n_classes)"
    )


def test_labels_outside_the_classes_are_refused():
    assert refused(DataError, factory=lambda: nn.Linear(6, 2)) == (
        "labels outside the classes: the largest label is 2, the model gives scores for 2 classes (0 … 1). "
        "Widen its last layer, or re-encode the labels"
    )


def test_one_score_for_two_classes_is_refused():
    assert refused(factory=lambda: nn.Linear(6, 1), n_classes=1) == (
        "the model gives one score a sample; expected one for each class, so 2 for a binary task"
    )


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (
            lambda scores, targets: functional.cross_entropy(scores, targets, reduction="none"),
            "(16,)",
        ),
        (lambda scores, targets: 0.5, "a float"),
    ],
)
def test_a_loss_that_is_no_scalar_is_refused(loss, shown):
    assert refused(factory=make_mlp, loss=loss) == (
        f"the loss returned {shown}; expected a scalar tensor, the mean over the batch"
    )


def test_a_schedule_without_factors_is_refused():
    assert refused(factory=make_mlp, schedule=lambda progress: None).startswith(
        "schedule= returned None"
    )


def test_an_optimizer_that_needs_a_closure_is_found():
    with pytest.raises(TypeError, match="closure"):
        check(make_mlp, optimizer=lambda parameters: torch.optim.LBFGS(parameters))


def test_a_test_set_unlike_the_train_set_is_refused():
    model = built(make_mlp)
    check_prediction(model, TensorSource(*blobs(3)), "cpu")
    narrow = TensorSource(torch.zeros(3, 5), torch.arange(3))
    with pytest.raises(DataError) as error:
        check_prediction(model, narrow, "cpu")
    told = str(error.value)
    assert told.startswith(
        "the model trains on train= and can't predict test=, whose inputs are torch.float32 of shape (n, 5): "
        "mat1 and mat2 shapes cannot be multiplied"
    )
    assert told.endswith("Prepare both sets the same way")


def test_the_check_of_the_test_set_leaves_the_model_as_it_is():
    model = built(make_mlp, batch_norm())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_prediction(model, TensorSource(*blobs(3)), "cpu")
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


# --- batches of one sample --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "batch_size", "drop_last", "smallest"),
    [
        (48, 16, False, 16),
        (49, 16, False, 1),
        (49, 16, True, 16),
        (50, 16, False, 2),
        (10, 16, False, 10),
        (10, 16, True, 10),
        (16, 16, True, 16),
        (5, 1, False, 1),
    ],
)
def test_the_smallest_batch_of_an_epoch(n, batch_size, drop_last, smallest):
    assert smallest_batch(Recipe(batch_size=batch_size, drop_last=drop_last), n) == smallest


def test_a_last_batch_of_one_sample_is_refused_where_batch_norm_cannot_train_on_it():
    assert refused(factory=make_mlp, regularizer=batch_norm(), n=33) == (
        "the last batch of an epoch holds 1 sample (33 samples, batch_size=16), and the model can't be trained "
        "on it: Expected more than 1 value per channel when training, got input size torch.Size([1, 8]). Set "
        "drop_last=True, or another batch_size"
    )


def test_the_ways_out_that_are_named_lead_out():
    check(make_mlp, batch_norm(), n=33, drop_last=True)
    check(make_mlp, batch_norm(), n=33, batch_size=17)


def test_a_last_batch_of_one_sample_is_fine_without_batch_norm():
    check(make_mlp, n=33)


def test_a_model_that_squeezes_a_batch_of_one_away_is_refused():
    assert "the model returned (3,) for 1 inputs" in refused(
        factory=lambda: Of(lambda scores: scores.squeeze()), n=33
    )


# --- surgery that the forward passes by -------------------------------------------------------------


class FromAList(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)
        self.steps = [self.first, nn.ReLU(), self.head]

    def forward(self, inputs):
        for step in self.steps:
            inputs = step(inputs)
        return inputs


class ByItsWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs):
        return self.head(functional.linear(inputs, self.first.weight, self.first.bias).relu())


@pytest.mark.parametrize("factory", [FromAList, ByItsWeight])
def test_a_layer_that_is_reached_another_way_is_refused(factory):
    check(factory, none())
    assert refused(RegularizerRefused, factory=factory, regularizer=dropout()) == (
        "'dropout' was put around the layer 'first', which the model reaches by another way than calling that "
        "attribute (a list of layers, or its weight), so it would do nothing; call the attribute, or hold "
        "layers in nn.ModuleList"
    )


class HeadFirst(nn.Module):
    """Defines the layer of its scores before the layer that feeds it."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 3)
        self.body = nn.Linear(6, 8)

    def forward(self, inputs):
        return self.head(self.body(inputs).relu())


def test_a_model_that_defines_its_layers_out_of_order_is_refused():
    check(HeadFirst, none())
    assert refused(RegularizerRefused, factory=HeadFirst, regularizer=dropout()) == (
        "'dropout' takes the layer that the model defines last for the one that gives the scores, but 'head' "
        "is called after it; define layers in the order of their use"
    )


def test_a_hidden_layer_that_is_never_used_is_no_reason_to_refuse():
    class Spare(nn.Module):
        def __init__(self):
            super().__init__()
            self.spare = nn.Linear(6, 8)
            self.body = nn.Linear(6, 8)
            self.head = nn.Linear(8, 3)

        def forward(self, inputs):
            return self.head(self.body(inputs).relu())

    check(Spare, dropout())


def test_scores_from_a_weight_are_no_reason_to_refuse():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(6, 8)
            self.head = nn.Linear(8, 3)

        def forward(self, inputs):
            return functional.linear(self.body(inputs).relu(), self.head.weight)

    check(Tied, dropout())


def test_calls_are_recorded_in_order_and_hooks_removed():
    model = make_cnn()
    with recorded_calls(model) as calls:
        model(torch.zeros(1, 1, 4, 4))
    assert calls == [model[0], model[2], model[5]]
    model(torch.zeros(1, 1, 4, 4))
    assert len(calls) == 3
