from __future__ import annotations

import copy
import pickle

import pytest
import torch
from small_training import built, make_cnn, make_mlp
from torch import nn

from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.regularizers import (
    batch_norm,
    dropout,
    group_norm,
    layer_norm,
    orthogonal,
    residual,
    stochastic_depth,
    weight_decay,
)
from pytest_reprotest.regularizers._surgery import Stage, hidden_stages, refuse_existing

SURGICAL = [
    dropout(),
    stochastic_depth(),
    batch_norm(),
    layer_norm(),
    group_norm(4),
    residual(),
]


def stage_names(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, Stage)]


def test_every_hidden_linear_is_wrapped_and_the_last_is_left_alone():
    model = make_mlp()
    stages = hidden_stages(model, "x")
    assert stage_names(model) == ["0", "2"]
    assert [stage.layer.in_features for stage in stages] == [6, 8]
    assert type(model[4]) is nn.Linear


def test_every_hidden_convolution_is_wrapped():
    model = make_cnn()
    hidden_stages(model, "x")
    assert stage_names(model) == ["0", "2"]
    assert type(model[5]) is nn.Linear


def test_a_convolution_may_be_the_last_layer():
    model = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Conv1d(4, 3, 3))
    hidden_stages(model, "x")
    assert stage_names(model) == ["0"]


def test_asking_twice_wraps_once():
    model = make_mlp()
    first = hidden_stages(model, "x")
    second = hidden_stages(model, "y")
    assert first == second
    assert stage_names(model) == ["0", "2"]


def test_layers_in_nested_modules_are_found_in_the_order_of_definition():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.ModuleList([nn.Linear(6, 8), nn.Linear(8, 8)])
            self.neck = nn.ModuleDict({"one": nn.Linear(8, 5)})
            self.gone = None
            self.register_module("nothing", None)
            self.head = nn.Linear(5, 3)

    model = Net()
    stages = hidden_stages(model, "x")
    assert stage_names(model) == ["body.0", "body.1", "neck.one"]
    assert [stage.width for stage in stages] == [8, 8, 5]
    assert type(model.head) is nn.Linear


def test_a_layer_that_stands_twice_in_one_container_stays_one_layer():
    def make():
        tied = nn.Linear(8, 8)
        return nn.Sequential(
            nn.Linear(6, 8), tied, nn.ReLU(), tied, nn.ReLU(), tied, nn.Linear(8, 3)
        )

    model = built(make, dropout())
    assert model[1] is model[3]
    assert model[1] is model[5]
    assert isinstance(model[1], Stage)
    assert model[1].dropout is not None


def test_a_layer_that_stands_in_two_containers_stays_one_layer():
    tied = nn.Linear(6, 6)
    model = nn.Sequential(nn.Sequential(tied), nn.Sequential(tied), nn.Linear(6, 3))
    stages = hidden_stages(model, "x")
    assert len(stages) == 1
    assert model[0][0] is model[1][0] is stages[0]


def test_a_subclass_of_a_layer_is_left_alone():
    class Mine(nn.Linear):
        pass

    model = nn.Sequential(Mine(6, 8), nn.Linear(8, 8), nn.Linear(8, 3))
    hidden_stages(model, "x")
    assert stage_names(model) == ["1"]


@pytest.mark.parametrize(
    ("model", "count"),
    [(nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), 1), (nn.Linear(6, 3), 1), (nn.ReLU(), 0)],
)
def test_a_model_without_hidden_layers_is_refused(model, count):
    with pytest.raises(RegularizerRefused) as refusal:
        hidden_stages(model, "dropout")
    assert str(refusal.value) == (
        f"'dropout' needs a hidden nn.Linear or nn.Conv layer; this model has {count} such layer in all, "
        "and the last one gives the scores"
    )


def test_what_a_model_already_has_is_refused_by_its_name():
    model = nn.Sequential(nn.Linear(6, 8), nn.Sequential(nn.BatchNorm1d(8)), nn.Linear(8, 3))
    with pytest.raises(RegularizerRefused) as refusal:
        refuse_existing(model, (nn.BatchNorm1d,), "batch_norm")
    assert str(refusal.value) == (
        "'batch_norm' would come on top of '1.0' (BatchNorm1d), which the model already has; leave it out "
        "of the model factory, or leave out 'batch_norm'"
    )


@pytest.mark.parametrize("regularizer", SURGICAL, ids=lambda r: r.name)
@pytest.mark.parametrize("factory", [make_mlp, make_cnn])
def test_surgery_keeps_the_initial_weights_of_the_baseline(factory, regularizer):
    plain, furnished = built(factory), built(factory, regularizer)
    kinds = (nn.Linear, nn.Conv2d)
    before = [m.weight for m in plain.modules() if isinstance(m, kinds)]
    after = [m.weight for m in furnished.modules() if isinstance(m, kinds)]
    assert len(before) == len(after)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "regularizer", [*SURGICAL, orthogonal(), weight_decay()], ids=lambda r: r.name
)
def test_the_object_that_the_factory_returned_is_untouched(regularizer):
    mine = make_mlp()
    kept = copy.deepcopy(mine)
    model = built(lambda: mine, regularizer)
    model(torch.ones(4, 6)).sum().backward()
    assert repr(mine) == repr(kept)
    for one, other in zip(mine.parameters(), kept.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.grad is None


class Plus(nn.Module):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, inputs):
        return inputs + self.number


class Times(Plus):
    def forward(self, inputs):
        return inputs * self.number


def test_a_stage_applies_layer_norm_dropout_branch_and_then_the_skip():
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.bias.fill_(1.0)
    stage = Stage(layer)
    stage.branch, stage.dropout, stage.norm = Times(7.0), Times(5.0), Plus(3.0)
    stage.skip = True
    assert stage(torch.tensor([[10.0]])).item() == 10.0 + ((10.0 * 2 + 1) + 3.0) * 5.0 * 7.0


def test_a_bare_stage_is_its_layer():
    layer = nn.Linear(3, 2)
    inputs = torch.randn(4, 3)
    assert torch.equal(Stage(layer)(inputs), layer(inputs))


def test_a_stage_passes_on_the_attributes_of_its_layer():
    stage = Stage(nn.Conv2d(2, 4, 3, stride=2))
    assert stage.weight is stage.layer.weight
    assert (stage.out_channels, stage.stride) == (4, (2, 2))
    with pytest.raises(AttributeError, match="colour"):
        _ = stage.colour


def test_a_stage_can_be_copied_and_pickled():
    stage = Stage(nn.Linear(3, 3))
    stage.skip = True
    for twin in (copy.deepcopy(stage), pickle.loads(pickle.dumps(stage))):
        assert twin.layer is not stage.layer
        assert torch.equal(twin(torch.ones(1, 3)), stage(torch.ones(1, 3)))


def test_the_width_is_that_of_the_output():
    assert Stage(nn.Linear(3, 5)).width == 5
    assert Stage(nn.Conv1d(3, 7, 1)).width == 7


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(4, 4), (2, 4)),
        (nn.Linear(4, 5), (2, 4)),
        (nn.Conv1d(3, 3, 3, padding=1), (2, 3, 9)),
        (nn.Conv1d(3, 3, 3), (2, 3, 9)),
        (nn.Conv1d(3, 3, 1), (2, 3, 9)),
        (nn.Conv1d(3, 3, 1, padding="valid"), (2, 3, 9)),
        (nn.Conv1d(3, 3, 3, padding="valid"), (2, 3, 9)),
        (nn.Conv1d(3, 4, 3, padding=1), (2, 3, 9)),
        (nn.Conv1d(3, 3, 3, padding=2, dilation=2), (2, 3, 9)),
        (nn.Conv2d(3, 3, 3, padding=1, stride=2), (2, 3, 9, 9)),
        (nn.Conv2d(3, 3, (1, 3), padding=(0, 1)), (2, 3, 9, 9)),
        (nn.Conv2d(3, 3, (1, 3), padding=(1, 0)), (2, 3, 9, 9)),
        (nn.Conv2d(3, 3, 4, padding="same"), (2, 3, 9, 9)),
        (nn.Conv2d(3, 3, 2, padding=1), (2, 3, 9, 9)),
        (nn.Conv2d(3, 3, 3, padding=1, groups=3), (2, 3, 9, 9)),
        (nn.Conv3d(2, 2, 3, padding=1), (1, 2, 5, 5, 5)),
        (nn.Conv3d(2, 2, 3, padding=(1, 1, 0)), (1, 2, 5, 5, 5)),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_a_skip_is_said_to_fit_exactly_where_the_shape_is_kept(layer, shape):
    inputs = torch.zeros(shape)
    assert Stage(layer).keeps_shape == (layer(inputs).shape == inputs.shape)


def test_dropping_the_bias_leaves_no_parameter_behind():
    stage = Stage(nn.Linear(3, 4))
    stage.drop_bias()
    assert stage.layer.bias is None
    assert [name for name, _ in stage.named_parameters()] == ["layer.weight"]
    assert stage(torch.zeros(1, 3)).abs().sum() == 0
