from __future__ import annotations

import math

import pytest
import torch
from small_training import SEQUENTIAL, blobs, built, make_mlp, some_runs, trained, trainer_of
from torch import nn

from pytest_reprotest.errors import OptionError
from pytest_reprotest.interfaces import Placement
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import none, orthogonal, weight_decay
from pytest_reprotest.training.objective import make_optimizer


def penalty_of(model: nn.Module, coefficient: float = 1.0) -> torch.Tensor:
    return orthogonal(coefficient).penalty(model, dict(model.named_parameters()))


def deviation_by_loops(weight: torch.Tensor) -> float:
    """Sum over all pairs of columns (or rows, where these are fewer) of (their product - delta)^2."""
    rows = weight.flatten(1).tolist()
    columns = [list(column) for column in zip(*rows, strict=True)]
    vectors = columns if len(rows) >= len(columns) else rows
    total = 0.0
    for i, one in enumerate(vectors):
        for j, other in enumerate(vectors):
            product = sum(a * b for a, b in zip(one, other, strict=True))
            total += (product - (1.0 if i == j else 0.0)) ** 2
    return total


# --- orthogonal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 6), (6, 1)])
def test_the_penalty_of_one_matrix_is_the_loop_over_pairs(shape):
    model = nn.Linear(shape[1], shape[0]).double()
    assert penalty_of(model).item() == pytest.approx(deviation_by_loops(model.weight), rel=1e-12)


def test_a_known_number():
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
    # W'W = [[1, 2], [2, 5]], minus I: [[0, 2], [2, 4]]
    assert penalty_of(model).item() == 4 + 4 + 16
    assert penalty_of(model, 0.5).item() == 12


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
def test_a_kernel_is_flattened_to_its_inputs(kind):
    model = kind(2, 5, 2).double()
    assert penalty_of(model).item() == pytest.approx(deviation_by_loops(model.weight), rel=1e-12)


def test_an_orthogonal_matrix_costs_nothing_wide_or_tall():
    for shape in ((3, 7), (7, 3), (4, 4)):
        model = nn.Linear(shape[1], shape[0], bias=False).double()
        nn.init.orthogonal_(model.weight)
        assert penalty_of(model).item() == pytest.approx(0, abs=1e-20)


def test_all_matrices_are_summed_the_last_too_and_biases_and_norms_are_left_out():
    model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3)).double()
    expected = deviation_by_loops(model[0].weight) + deviation_by_loops(model[2].weight)
    assert penalty_of(model).item() == pytest.approx(expected, rel=1e-12)


def test_matrices_inside_stages_are_found():
    (both,) = Registry().resolve(["orthogonal(1.0)+dropout"])
    furnished, plain = built(make_mlp, both), built(make_mlp)
    found = both.penalty(furnished, dict(furnished.named_parameters()))
    assert found.item() == pytest.approx(penalty_of(plain).item(), rel=1e-6)


def test_a_matrix_in_two_places_counts_once():
    tied = nn.Linear(4, 4)
    model = nn.Sequential(tied, nn.ReLU(), tied)
    assert penalty_of(model).item() == pytest.approx(deviation_by_loops(tied.weight), rel=1e-5)
    other = nn.Linear(4, 4)
    other.weight = tied.weight
    model = nn.Sequential(tied, other)
    assert penalty_of(model).item() == pytest.approx(deviation_by_loops(tied.weight), rel=1e-5)


def test_a_matrix_that_belongs_to_an_embedding_is_left_out():
    embedding, head = nn.Embedding(5, 4), nn.Linear(4, 5)
    head.weight = embedding.weight
    assert penalty_of(nn.Sequential(embedding, head)) is None


def test_values_are_read_from_the_parameters_given():
    model = nn.Linear(3, 3).double()
    given = {"weight": torch.eye(3, dtype=torch.float64)}
    assert orthogonal().penalty(model, given).item() == 0


def test_its_gradient_is_four_times_w_times_the_deviation():
    model = nn.Linear(3, 5, bias=False).double()
    penalty_of(model, 0.7).backward()
    weight = model.weight.detach()
    expected = 0.7 * 4 * weight @ (weight.T @ weight - torch.eye(3, dtype=torch.float64))
    assert torch.allclose(model.weight.grad, expected, rtol=1e-12)


def test_orthogonal_makes_trained_weights_more_orthogonal():
    def deviation(regularizer):
        last = {}

        def remember(parameters):
            last["weights"] = parameters
            return torch.optim.SGD(parameters, lr=0.05)

        trainer = trainer_of(optimizer=remember, epochs=20)
        trained(trainer, some_runs(1), regularizer)
        return sum(deviation_by_loops(w) for w in last["weights"] if w.dim() == 2)

    assert deviation(orthogonal(1.0)) < 0.1 * deviation(none())


def test_the_loss_that_is_reported_holds_the_penalty():
    outcomes = {
        coefficient: trained(trainer_of(epochs=1, lr=1e-12), some_runs(1), orthogonal(coefficient))[
            0
        ]
        for coefficient in (1.0, 2.0, 3.0)
    }
    first, second, third = (outcome.losses[0] for outcome in outcomes.values())
    assert third - second == pytest.approx(second - first, rel=1e-4)
    assert second - first > 1


def test_a_model_without_matrices_is_refused():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factors = nn.Parameter(torch.rand(3))

        def forward(self, inputs):
            return inputs[:, :3] * self.factors

    prepared = trainer_of(Scale).prepare([orthogonal()], SEQUENTIAL, 2)
    assert prepared.refusals == {
        "orthogonal": "'orthogonal' needs nn.Linear or nn.Conv layers; this model has none"
    }


# --- weight decay -----------------------------------------------------------------------------------


def test_weight_decay_trains_like_sgd_by_hand():
    decay, lr = 0.05, 0.1
    inputs, targets = blobs()
    handmade = built(make_mlp)
    for start in range(0, 48, 16):
        batch = slice(start, start + 16)
        loss = nn.functional.cross_entropy(handmade(inputs[batch]), targets[batch])
        gradients = torch.autograd.grad(loss, list(handmade.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(handmade.parameters(), gradients, strict=True):
                parameter -= lr * (gradient + decay * parameter)
    model = built(make_mlp, weight_decay(decay))
    optimizer = make_optimizer(
        weight_decay(decay).modify_recipe(Recipe(lr=lr)), model.parameters(), weight_decay(decay)
    )
    for start in range(0, 48, 16):
        batch = slice(start, start + 16)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
        optimizer.step()
    for one, other in zip(handmade.parameters(), model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_lone_weight_decays_by_the_formula():
    weight = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    recipe = weight_decay(0.5).modify_recipe(Recipe(lr=0.1))
    optimizer = make_optimizer(recipe, [weight], weight_decay(0.5))
    weight.grad = torch.tensor(3.0, dtype=torch.float64)
    optimizer.step()
    assert weight.item() == pytest.approx(2.0 - 0.1 * (3.0 + 0.5 * 2.0), rel=1e-12)


def test_adamw_decays_apart_from_the_gradient():
    weight = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    recipe = weight_decay(0.5).modify_recipe(Recipe(optimizer="adamw", lr=0.1))
    optimizer = make_optimizer(recipe, [weight], weight_decay(0.5))
    weight.grad = torch.tensor(0.0, dtype=torch.float64)
    optimizer.step()
    assert weight.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5), rel=1e-12)


def test_weight_decay_replaces_the_recipes():
    assert weight_decay(1e-3).modify_recipe(Recipe(weight_decay=0.1)).weight_decay == 1e-3
    assert weight_decay().modify_recipe(Recipe()).weight_decay == 1e-4


def test_weight_decay_reaches_every_group_of_an_optimizer_given_as_a_callable():
    def two_groups(parameters):
        groups = [{"params": parameters[:1]}, {"params": parameters[1:], "weight_decay": 0.3}]
        return torch.optim.SGD(groups, lr=0.1)

    recipe = weight_decay(0.02).modify_recipe(Recipe(optimizer=two_groups))
    made = make_optimizer(recipe, make_mlp().parameters(), weight_decay(0.02))
    assert [group["weight_decay"] for group in made.param_groups] == [0.02, 0.02]


def test_an_optimizer_without_weight_decay_is_refused():
    trainer = trainer_of(optimizer=lambda parameters: torch.optim.Rprop(parameters))
    prepared = trainer.prepare([none(), weight_decay()], Placement(), 2)
    assert prepared.refusals == {
        "weight_decay": "'weight_decay' needs an optimizer that has weight decay; Rprop has none. Audit "
        "another optimizer, or leave it out"
    }


@pytest.mark.parametrize("regularizer", [weight_decay, orthogonal])
@pytest.mark.parametrize("value", [0, -1e-4, math.nan, math.inf, "1e-4", False, None])
def test_coefficients_are_above_0(regularizer, value):
    with pytest.raises(OptionError) as error:
        regularizer(value)
    assert str(error.value) == (
        f"{regularizer.name}(coefficient={value!r}); expected a finite number above 0"
    )


def test_neither_changes_the_model():
    for regularizer in (weight_decay(), orthogonal()):
        assert repr(built(make_mlp, regularizer)) == repr(built(make_mlp))
