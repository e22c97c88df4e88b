from __future__ import annotations

import pytest
import torch
from small_training import built, make_cnn, make_mlp
from torch import nn

from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import residual
from pytest_reprotest.regularizers._surgery import Stage


def test_the_skip_goes_around_layers_that_keep_their_shape():
    model = built(make_mlp, residual())
    assert [model[place].skip for place in (0, 2)] == [False, True]
    assert type(model[4]) is nn.Linear


def test_the_last_layer_gets_no_skip_though_it_keeps_its_shape():
    model = built(lambda: nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)), residual())
    assert model[0].skip
    assert type(model[2]) is nn.Linear


def test_a_stage_gives_its_inputs_plus_its_layer():
    stage = built(make_mlp, residual())[2]
    inputs = torch.randn(5, 8)
    weight, bias = stage.layer.weight, stage.layer.bias
    assert torch.allclose(stage(inputs), inputs + inputs @ weight.T + bias, atol=1e-6)


def test_the_activation_stays_after_the_sum():
    model = built(make_mlp, residual())
    assert [type(module) for module in model] == [Stage, nn.ReLU, Stage, nn.ReLU, nn.Linear]


def test_a_convolution_that_keeps_its_shape_gets_a_skip():
    model = built(make_cnn, residual())
    assert [model[place].skip for place in (0, 2)] == [False, True]
    inputs = torch.randn(2, 4, 4, 4)
    assert torch.equal(model[2](inputs), inputs + model[2].layer(inputs))


@pytest.mark.parametrize("text", ["residual+batch_norm", "batch_norm+residual"])
def test_the_branch_holds_the_norm(text):
    (regularizer,) = Registry().resolve([text])
    stage = built(make_mlp, regularizer)[2]
    inputs = torch.randn(5, 8)
    branch = inputs @ stage.layer.weight.T
    normed = (branch - branch.mean(0)) / (branch.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(stage(inputs), inputs + normed, atol=1e-5)


def test_a_model_in_which_no_skip_fits_is_refused():
    with pytest.raises(RegularizerRefused) as refusal:
        built(lambda: nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 5), nn.Linear(5, 3)), residual())
    assert str(refusal.value) == (
        "'residual' needs a hidden layer whose output has its input's shape, such as nn.Linear(128, 128); "
        "this model has none. Give it one, or build the skip connections in a model factory with a "
        "parameter named 'regularizer'"
    )
