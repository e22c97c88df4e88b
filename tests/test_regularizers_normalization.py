from __future__ import annotations

import pytest
import torch
from small_training import built, make_cnn, make_mlp
from torch import nn

from pytest_reprotest.errors import OptionError, RegularizerRefused
from pytest_reprotest.regularizers import batch_norm, group_norm, layer_norm
from pytest_reprotest.regularizers.normalization import Features

ALL = [batch_norm(), layer_norm(), group_norm(4)]


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("regularizer", "norm"),
    [
        (batch_norm(), nn.BatchNorm1d(8)),
        (layer_norm(), nn.LayerNorm(8)),
        (group_norm(4), nn.GroupNorm(4, 8)),
    ],
    ids=["batch_norm", "layer_norm", "group_norm"],
)
def test_an_mlp_gets_a_norm_after_every_hidden_layer(regularizer, norm):
    model = built(make_mlp, regularizer)
    for place in (0, 2):
        assert type(model[place].norm) is Features
        assert repr(model[place].norm.norm) == repr(norm)
    assert type(model[4]) is nn.Linear


@pytest.mark.parametrize(
    ("regularizer", "norm"),
    [
        (batch_norm(), nn.BatchNorm2d(4)),
        (layer_norm(), nn.GroupNorm(1, 4)),
        (group_norm(2), nn.GroupNorm(2, 4)),
    ],
    ids=["batch_norm", "layer_norm", "group_norm"],
)
def test_a_cnn_gets_norms_over_channels(regularizer, norm):
    model = built(make_cnn, regularizer)
    for place in (0, 2):
        assert repr(model[place].norm) == repr(norm)
    assert type(model[5]) is nn.Linear


@pytest.mark.parametrize(
    ("layer", "kind"),
    [(nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d), (nn.Conv3d, nn.BatchNorm3d)],
)
def test_batch_norm_has_the_dimensions_of_the_convolution(layer, kind):
    model = built(lambda: nn.Sequential(layer(2, 4, 1), layer(4, 3, 1)), batch_norm())
    assert type(model[0].norm) is kind


@pytest.mark.parametrize("regularizer", ALL, ids=lambda r: r.name)
@pytest.mark.parametrize("factory", [make_mlp, make_cnn])
def test_hidden_biases_go_and_the_last_one_stays(factory, regularizer):
    model = built(factory, regularizer)
    assert model[0].layer.bias is None
    assert model[2].layer.bias is None
    assert model[-1].bias is not None


@pytest.mark.parametrize("regularizer", ALL, ids=lambda r: r.name)
def test_a_norm_has_the_dtype_of_its_layer(regularizer):
    model = built(lambda: make_mlp().double(), regularizer)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert model(numbers(4, 6).double()).dtype == torch.float64


def test_batch_norm_is_the_formula_over_the_batch():
    stage = built(make_mlp, batch_norm())[0]
    inputs = numbers(10, 6)
    products = inputs @ stage.layer.weight.T
    mean, variance = products.mean(0), products.var(0, unbiased=False)
    expected = (products - mean) / (variance + 1e-5).sqrt()
    assert torch.allclose(stage(inputs), expected, atol=1e-5)
    running = stage.norm.norm.running_mean
    assert torch.allclose(running, 0.1 * mean, atol=1e-6)
    stage.eval()
    predicted = (products - running) / (stage.norm.norm.running_var + 1e-5).sqrt()
    assert torch.allclose(stage(inputs), predicted, atol=1e-5)


def test_layer_norm_is_the_formula_over_the_features():
    stage = built(make_mlp, layer_norm())[0]
    inputs = numbers(10, 6)
    products = inputs @ stage.layer.weight.T
    mean = products.mean(1, keepdim=True)
    variance = products.var(1, unbiased=False, keepdim=True)
    assert torch.allclose(stage(inputs), (products - mean) / (variance + 1e-5).sqrt(), atol=1e-5)


def test_layer_norm_of_a_convolution_is_over_channels_and_positions():
    stage = built(make_cnn, layer_norm())[0]
    inputs = numbers(3, 1, 4, 4)
    maps = stage.layer(inputs)
    mean = maps.mean((1, 2, 3), keepdim=True)
    variance = maps.var((1, 2, 3), unbiased=False, keepdim=True)
    assert torch.allclose(stage(inputs), (maps - mean) / (variance + 1e-5).sqrt(), atol=1e-5)


def test_group_norm_is_the_formula_over_each_group():
    stage = built(make_mlp, group_norm(2))[0]
    inputs = numbers(10, 6)
    products = inputs @ stage.layer.weight.T
    for group in (slice(0, 4), slice(4, 8)):
        part = products[:, group]
        mean = part.mean(1, keepdim=True)
        variance = part.var(1, unbiased=False, keepdim=True)
        expected = (part - mean) / (variance + 1e-5).sqrt()
        assert torch.allclose(stage(inputs)[:, group], expected, atol=1e-5)


@pytest.mark.parametrize("regularizer", ALL, ids=lambda r: r.name)
def test_a_sequence_is_normalized_position_by_position(regularizer):
    stage = built(make_mlp, regularizer)[0]
    inputs = numbers(5, 7, 6)
    outputs = stage(inputs)
    assert outputs.shape == (5, 7, 8)
    flat = built(make_mlp, regularizer)[0](inputs.reshape(35, 6))
    assert torch.allclose(outputs.reshape(35, 8), flat, atol=1e-6)


@pytest.mark.parametrize(
    ("groups", "width", "told"),
    [
        (8, 12, "; numbers that fit are [1, 2, 3, 4, 6], e.g. group_norm(3)"),
        (3, 7, "; numbers that fit are [1], e.g. group_norm(1)"),
        (16, 8, "; numbers that fit are [1, 2, 4], e.g. group_norm(2)"),
        (
            8,
            8,
            ", since a group of one feature normalizes to 0; numbers that fit are [1, 2, 4], e.g. "
            "group_norm(2)",
        ),
        (1, 1, ", since a group of one feature normalizes to 0; numbers that fit are none"),
    ],
)
def test_groups_that_do_not_fit_the_width_are_refused(groups, width, told):
    with pytest.raises(RegularizerRefused) as refusal:
        built(lambda: nn.Sequential(nn.Linear(6, width), nn.Linear(width, 3)), group_norm(groups))
    assert str(refusal.value) == (
        f"'group_norm' with {groups} groups does not fit a hidden layer of width {width}{told}"
    )


def test_a_group_of_one_channel_is_fine_since_it_has_positions():
    assert repr(built(make_cnn, group_norm(4))[0].norm) == repr(nn.GroupNorm(4, 4))


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(
        RegularizerRefused, match=r"width 4; numbers that fit are \[1, 2, 4\], e\.g\. group_n"
    ):
        built(make_cnn, group_norm())


@pytest.mark.parametrize("groups", [0, -1, 2.0, "8", True, None])
def test_groups_are_counted(groups):
    with pytest.raises(OptionError) as error:
        group_norm(groups)
    assert str(error.value) == f"group_norm(groups={groups!r}); expected an integer of at least 1"


@pytest.mark.parametrize("regularizer", ALL, ids=lambda r: r.name)
@pytest.mark.parametrize(
    "norm",
    [nn.BatchNorm1d(8), nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.InstanceNorm1d(8)],
    ids=lambda norm: type(norm).__name__,
)
def test_a_model_with_a_norm_is_refused(regularizer, norm):
    with pytest.raises(RegularizerRefused) as refusal:
        built(lambda: nn.Sequential(nn.Linear(6, 8), norm, nn.Linear(8, 3)), regularizer)
    assert str(refusal.value) == (
        f"'{regularizer.name}' would come on top of '1' ({type(norm).__name__}), which the model already "
        f"has; leave it out of the model factory, or leave out '{regularizer.name}'"
    )
