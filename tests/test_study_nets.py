"""The study's nets: numbers of parameters by hand, the order of layers, and both engines."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest import audit
from pytest_reprotest.regularizers import dropout

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import load
from regularizer_study.nets import Net
from regularizer_study.residual import ResidualStage

PIXELS, WIDTH, CLASSES = 28 * 28, 128, 10
FIRST = PIXELS * WIDTH
MIDDLE = WIDTH * WIDTH
LAST = WIDTH * CLASSES + CLASSES


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def kinds(net):
    """The names of the leaves, in order; repeated ones repeated."""
    if isinstance(net, nn.Sequential):
        return [kind for child in net for kind in kinds(child)]
    return [type(net).__name__]


@pytest.mark.parametrize(
    ("net", "parameters"),
    [
        (Net("mlp", 2), FIRST + WIDTH + LAST),
        (Net("mlp", 6), FIRST + WIDTH + 4 * (MIDDLE + WIDTH) + LAST),
        (Net("mlp", 20), FIRST + WIDTH + 18 * (MIDDLE + WIDTH) + LAST),
        (Net("mlp", 20, tied=True), FIRST + WIDTH + (MIDDLE + WIDTH) + LAST),
        (Net("mlp", 6, residual=True), FIRST + WIDTH + 4 * 2 * (MIDDLE + WIDTH) + LAST),
        # a norm: scale and shift of the inputs and after each stage but the last, whose bias alone is left
        (Net("mlp", 2, "layer"), 2 * PIXELS + FIRST + 2 * WIDTH + LAST),
        (Net("mlp", 6, "batch"), 2 * PIXELS + FIRST + 2 * WIDTH + 4 * (MIDDLE + 2 * WIDTH) + LAST),
        (
            Net("mlp", 6, "group", tied=True),
            2 * PIXELS + FIRST + 2 * WIDTH + MIDDLE + 2 * WIDTH + LAST,
        ),
        # one norm within each residual stage of two linear layers
        (
            Net("mlp", 6, "layer", residual=True),
            2 * PIXELS + FIRST + 2 * WIDTH + 4 * (2 * MIDDLE + 2 * WIDTH) + LAST,
        ),
        (Net("mlp", 2, noise="dropout"), FIRST + WIDTH + LAST),
        (Net("mlp", 2, in_shape=(3, 32, 32), n_classes=100), 3072 * 128 + 128 + 128 * 100 + 100),
    ],
    ids=lambda value: value.label if isinstance(value, Net) else None,
)
def test_an_mlp_has_the_parameters_of_the_study(net, parameters):
    assert count(net()) == parameters


def conv(n_in, n_out, size=3, bias=True):
    return n_in * n_out * size * size + n_out * bias


def test_a_convolutional_net_has_the_parameters_counted_by_hand():
    five = conv(1, 16) + conv(16, 32) + conv(32, 32) + conv(32, 64) + 64 * 10 + 10
    assert count(Net("cnn", 5)()) == five
    assert count(Net("cnn", 5, residual=True)()) == five + conv(16, 32, size=1)

    widths = [16, 16, 32, 64, 128]
    ten = conv(1, 16) + sum(conv(n, m) + conv(m, m) for n, m in pairwise(widths)) + 128 * 10 + 10
    assert count(Net("cnn", 10)()) == ten
    projections = sum(conv(n, m, size=1) for n, m in pairwise(widths[1:]))
    assert count(Net("cnn", 10, residual=True)()) == ten + projections

    eighteen = ten + sum(2 * conv(width, width) for width in widths[1:])
    assert count(Net("cnn", 18)()) == eighteen
    assert count(Net("cnn", 18, residual=True)()) == eighteen + projections

    # a norm takes the bias of each convolution and brings a scale and a shift
    normed = 16 + 2 * (16 + 32 + 64 + 128) * 2
    for norm in ("batch", "layer", "group"):
        assert count(Net("cnn", 18, norm)()) == eighteen + normed
        shortcuts = projections + (32 + 64 + 128)
        assert count(Net("cnn", 18, norm, residual=True)()) == eighteen + normed + shortcuts


@pytest.mark.parametrize("depth", [5, 10, 18])
def test_the_depth_of_a_convolutional_net_counts_its_layers(depth):
    layers = [
        each for each in Net("cnn", depth)().modules() if isinstance(each, nn.Conv2d | nn.Linear)
    ]

    assert len(layers) == depth


def test_the_order_of_layers_is_the_study_s():
    norm, linear = "LayerNorm", "Linear"
    stage = [linear, norm, "Dropout"]

    assert kinds(Net("mlp", 4, "layer", noise="dropout")()) == [
        "Flatten", norm, *stage, "ReLU", *stage, "ReLU", *stage, "ReLU", linear,
    ]  # fmt: skip
    residual = Net("mlp", 3, "batch", True, "dropout")()
    assert kinds(residual) == [
        "Flatten", "BatchNorm1d", linear, "BatchNorm1d", "Dropout", "ReLU", "ResidualStage", "ReLU", linear,
    ]  # fmt: skip
    (branch,) = [each.branch for each in residual if isinstance(each, ResidualStage)]
    assert kinds(branch) == [linear, "BatchNorm1d", "Dropout", "ReLU", linear]
    assert branch[0].bias is None
    assert branch[-1].bias is None
    assert {each.p for each in branch if isinstance(each, nn.Dropout)} == {0.5}


def test_at_depth_2_residual_changes_nothing():
    assert kinds(Net("mlp", 2, "layer", residual=True)()) == kinds(Net("mlp", 2, "layer")())


def test_tied_stages_are_one_and_fresh_ones_are_not():
    def matrices(net):
        return [each for each in net().parameters() if each.dim() == 2]

    assert len(matrices(Net("mlp", 20, tied=True))) == 3
    assert len(matrices(Net("mlp", 20))) == 20


def test_a_tied_net_applies_its_stage_once_a_depth():
    torch.manual_seed(0)
    net = Net("mlp", 5, "layer", tied=True, in_shape=(6,))()
    inputs = torch.randn(3, 6)
    _, norm, first, first_norm, _, stage, *_, last = net

    outputs = first_norm(first(norm(inputs)))
    for _ in range(3):
        outputs = stage[1](stage[0](outputs.relu()))

    torch.testing.assert_close(net(inputs), last(outputs.relu()))


def test_stochastic_depth_omits_whole_branches_of_samples():
    torch.manual_seed(0)
    stage = ResidualStage(nn.Identity(), omitted=0.25)
    for shape in ((4000, 3), (4000, 2, 3, 3)):
        inputs = torch.ones(shape)
        added = (stage.train()(inputs) - inputs).flatten(1)

        assert (added == added[:, :1]).all()
        assert added.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
        assert float((added[:, 0] == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
        torch.testing.assert_close(stage.eval()(inputs), 2 * inputs)


def test_dropout_in_the_factory_is_the_package_s_regularizer_where_that_fits():
    data = small()

    def audited(net, regularizer):
        found = audit(
            net, train=data.train, test=data.test, regularizers=[regularizer], epochs=2, runs=2
        )
        return found[found.regularizers[0]].predictions

    built_in = audited(Net("mlp", 3, noise="dropout", in_shape=(1, 8, 8)), "none")
    by_surgery = audited(Net("mlp", 3, in_shape=(1, 8, 8)), dropout())

    np.testing.assert_array_equal(built_in, by_surgery)


def test_a_factory_describes_itself():
    net = Net("cnn", 18, "group", residual=True, noise="stochastic_depth")

    assert net.label == "cnn-18, group norm, residual, stochastic depth"
    assert repr(net).startswith("Net(architecture='cnn', depth=18, norm='group', residual=True, ")
    assert net == Net("cnn", 18, "group", True, "stochastic_depth")
    assert net() is not net()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rnn", 2), "architecture='rnn'; expected one of mlp, cnn"),
        (("mlp", 2, "instance"), "norm='instance'; expected one of none, layer, batch, group"),
        (
            ("mlp", 2, "none", False, "blur"),
            "noise='blur'; expected one of none, dropout, stochastic",
        ),
        (("mlp", 1), "an MLP of depth 1; expected 2 or more linear stages"),
        (("cnn", 6), "a convolutional net of depth 6; expected one of 5, 10, 18"),
        (("mlp", 6, "none", True, "none", True), "tied=True is for MLPs without residual stages"),
        (("cnn", 5, "none", False, "none", True), "tied=True is for MLPs without residual stages"),
        (
            ("mlp", 6, "none", False, "stochastic_depth"),
            "'mlp-6, stochastic depth', which has no res",
        ),
        (("mlp", 2, "none", True, "stochastic_depth"), "which has no residual stage to leave out"),
        (
            ("cnn", 5, "none", False, "none", False, 10, (784,)),
            "in_shape=(784,) for a convolutional",
        ),
        (("mlp", 2, "group", False, "none", False, 10, (6,)), "norm='group' for 6 inputs, which 8"),
    ],
)
def test_a_net_that_cannot_be_is_refused(arguments, told):
    with pytest.raises(ValueError, match=r"expected|has no|is for|do not divide") as caught:
        Net(*arguments)

    assert told in str(caught.value)


def small(limit=96):
    return load("digits", limit, test_limit=40)


TRAINED = [
    Net("mlp", 2),
    Net("mlp", 6, "batch", tied=True, noise="dropout"),
    Net("mlp", 6, "group", residual=True, noise="dropout"),
    Net("mlp", 6, "layer", residual=True, noise="stochastic_depth"),
    Net("mlp", 20, "layer", tied=True),
    Net("cnn", 5, "batch", residual=True, noise="stochastic_depth"),
    Net("cnn", 5, "layer", noise="dropout"),
    Net("cnn", 10, "group", residual=True, noise="dropout"),
    Net("cnn", 18, "batch", residual=True),
]


@pytest.mark.parametrize("net", TRAINED, ids=lambda net: net.label)
def test_two_epochs_train_in_both_engines_and_auto_stacks(net):
    net = Net(**{**vars(net), "in_shape": (1, 8, 8)})
    data = small()

    def audited(engine):
        found = audit(
            net,
            train=data.train,
            test=data.test,
            runs=2,
            epochs=2,
            batch_size=32,
            lr=0.02,
            engine=engine,
            regularizers=["none", "orthogonal"],
        )
        return found.settings["engine"], [found[label].predictions for label in found.regularizers]

    chosen, stacked = audited("auto")
    _, sequential = audited("sequential")

    # The stacked engine compares three float64 steps with the sequential one before it is chosen.
    assert chosen == "stacked"
    for one, other in zip(stacked, sequential, strict=True):
        assert one.shape == other.shape == (2, 40)
        assert (one == other).mean() > 0.8  # float32 rounds differently
