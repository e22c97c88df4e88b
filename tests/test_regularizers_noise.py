from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from small_training import blobs, built, make_cnn, make_mlp, seeds
from torch import nn

from pytest_reprotest.errors import OptionError, RegularizerRefused
from pytest_reprotest.regularizers import _keyed, dropout, stochastic_depth
from pytest_reprotest.regularizers._keyed import KeyedDropout, keyed_uniforms
from pytest_reprotest.regularizers._surgery import Stage
from pytest_reprotest.training.model import build_model, key_noise


def keyed(p: float, dims: int | None = None, key: tuple[int, int] = (1, 2)) -> KeyedDropout:
    layer = KeyedDropout(p, dims)
    layer.noise_key.copy_(torch.tensor(key, dtype=torch.int32))
    return layer


def uniforms(key: tuple[int, int], call: int, count: int) -> np.ndarray:
    drawn = keyed_uniforms(
        torch.tensor(key, dtype=torch.int32), torch.tensor(call, dtype=torch.int32), count
    )
    return drawn.numpy()


# --- the hash ---------------------------------------------------------------------------------------


def lowbias32(x: np.ndarray) -> np.ndarray:
    """The published hash on unsigned integers, where no shift needs a mask."""
    x = x.astype(np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


@pytest.mark.parametrize(
    ("key", "call"),
    [((0, 0), 0), ((1, 2), 3), ((-5, 2**31 - 1), 70_000), ((-(2**31), -1), 2**31 - 1)],
)
def test_the_masks_are_lowbias32_of_the_positions_computed_without_signs(key, call):
    first, second = np.array(key, dtype=np.int64).astype(np.uint32).reshape(2, 1)
    step = np.array([(call * 0x9E3779B9) % 2**32], dtype=np.uint32)
    offset = lowbias32(first + step)
    stride = lowbias32(second ^ offset) | np.uint32(1)
    expected = lowbias32(np.arange(500, dtype=np.uint32) * stride + offset) >> np.uint32(8)
    np.testing.assert_array_equal(uniforms(key, call, 500), expected)


def suspicions(rows: np.ndarray) -> list[str]:
    """What tells rows of integers below 2^24 from independent uniform ones, at some five sigma."""
    n_rows, n = rows.shape
    scaled = (rows + 0.5) / 2**24
    centred = (scaled - 0.5) * math.sqrt(12)
    found = []
    if np.abs(centred.mean(axis=1) * math.sqrt(n)).max() > 5:
        found.append("mean of a row")
    if np.abs(centred.mean(axis=0) * math.sqrt(n_rows)).max() > 5.5:
        found.append("mean of a column")
    variances = ((centred**2).mean(axis=1) - 1) * math.sqrt(n / 0.8)
    if np.abs(variances).max() > 5:
        found.append("variance of a row")
    for lag in (1, 2, 3, 4, 7, 8, 16, 32, 64, 128, 256):
        products = centred[:, lag:] * centred[:, :-lag]
        if np.abs(products.mean(axis=1) * math.sqrt(n - lag)).max() > 5.5:
            found.append(f"autocorrelation at lag {lag}")
    correlations = centred @ centred.T / math.sqrt(n)
    if np.abs(correlations[~np.eye(n_rows, dtype=bool)]).max() > 6:
        found.append("correlation of two rows")
    for bit in range(24):
        share = ((rows >> bit) & 1).mean(axis=1)
        if np.abs((share - 0.5) * 2 * math.sqrt(n)).max() > 5.5:
            found.append(f"bit {bit}")
    counts = np.stack([np.bincount(row >> 19, minlength=32) for row in rows])
    chi_squared = ((counts - n / 32) ** 2 / (n / 32)).sum(axis=1)
    if ((chi_squared - 31) / math.sqrt(62)).max() > 8:
        found.append("histogram of a row")
    pairs = (rows[:, 1:] >> 21) * 8 + (rows[:, :-1] >> 21)
    counts = np.bincount(pairs.ravel(), minlength=64)
    expected = pairs.size / 64
    if ((((counts - expected) ** 2 / expected).sum() - 63) / math.sqrt(126)) > 6:
        found.append("histogram of neighbours")
    if len(np.unique(rows, axis=0)) < n_rows:
        found.append("two equal rows")
    return found


def of_calls(count: int = 64, n: int = 4096) -> np.ndarray:
    return np.stack([uniforms((123, -456), call, n) for call in range(count)])


def of_keys_one_bit_apart(n: int = 4096) -> np.ndarray:
    keys = [(7, 11)]
    keys += [(7 ^ (1 << bit), 11) for bit in range(31)]
    keys += [(7, 11 ^ (1 << bit)) for bit in range(31)]
    return np.stack([uniforms(key, 0, n) for key in keys])


def of_small_keys(n: int = 4096) -> np.ndarray:
    return np.stack([uniforms((a, b), 0, n) for a in range(8) for b in range(8)])


def of_runs_and_layers(n: int = 4096) -> np.ndarray:
    rows = []
    for run in range(16):
        model = nn.Sequential(*[KeyedDropout(0.5) for _ in range(4)])
        key_noise(model, seeds(run))
        rows += [keyed_uniforms(layer.noise_key, layer.noise_call, n).numpy() for layer in model]
    return np.stack(rows)


@pytest.mark.parametrize(
    "family", [of_calls, of_keys_one_bit_apart, of_small_keys, of_runs_and_layers]
)
def test_masks_are_uniform_and_independent_across_positions_calls_keys_layers_and_runs(family):
    assert suspicions(family()) == []


def test_the_checks_pass_a_good_generator():
    rows = np.random.default_rng(0).integers(0, 2**24, size=(64, 4096))
    assert suspicions(rows) == []


BAD_HASHES = {
    "no mixing": lambda x: x,
    "a product": lambda x: x * 0x7FEB352D,
    "one round": lambda x: (x ^ ((x >> 16) & 0xFFFF)) * 0x7FEB352D,
    "signed shifts": lambda x: (x ^ (x >> 16)) & -2,
}


@pytest.mark.parametrize("name", BAD_HASHES)
def test_the_checks_catch_a_bad_hash(monkeypatch, name):
    monkeypatch.setattr(_keyed, "_mix", BAD_HASHES[name])
    assert suspicions(of_calls()) != []


def test_a_stack_of_keys_draws_what_each_key_draws_alone():
    keys = torch.tensor([[1, 2], [3, 4], [-5, 6]], dtype=torch.int32)
    calls = torch.tensor([0, 7, 2], dtype=torch.int32)
    together = keyed_uniforms(keys, calls, 50)
    under_vmap = torch.vmap(lambda key, call: keyed_uniforms(key, call, 50))(keys, calls)
    for row in range(3):
        alone = keyed_uniforms(keys[row], calls[row], 50)
        assert torch.equal(together[row], alone)
        assert torch.equal(under_vmap[row], alone)


# --- keyed dropout ----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_of_p_is_dropped_and_the_rest_scaled(p):
    outputs = keyed(p)(torch.full((200, 500), 3.0))
    dropped = outputs == 0
    assert abs(dropped.float().mean().item() - p) < 5 * math.sqrt(p * (1 - p) / 100_000)
    assert torch.allclose(outputs[~dropped], torch.tensor(3.0 / (1 - p)))


def test_evaluation_and_p_of_zero_are_the_identity_and_count_no_call():
    inputs = torch.randn(5, 4)
    idle, zero = keyed(0.5).eval(), keyed(0.0)
    assert idle(inputs) is inputs
    assert zero(inputs) is inputs
    assert idle.noise_call == zero.noise_call == 0


def test_p_of_one_drops_everything():
    assert keyed(1.0)(torch.ones(3, 4)).eq(0).all()


def test_every_call_draws_another_mask_and_replays_from_its_number():
    layer = keyed(0.5)
    ones = torch.ones(20, 20)
    masks = [layer(ones) for _ in range(4)]
    assert all(not torch.equal(one, other) for one, other in pairwise(masks))
    layer.noise_call.fill_(2)
    assert torch.equal(layer(ones), masks[2])
    assert layer.noise_call == 3


def test_masks_do_not_touch_the_global_generator():
    before = torch.random.get_rng_state()
    keyed(0.5)(torch.ones(10))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dims_share_one_factor_over_the_rest():
    samples = keyed(0.5, dims=1)(torch.ones(64, 3, 5))
    assert {tuple(sample.unique().tolist()) for sample in samples} == {(0.0,), (2.0,)}
    channels = keyed(0.5, dims=2)(torch.ones(16, 8, 5, 5)).flatten(0, 1)
    assert {tuple(channel.unique().tolist()) for channel in channels} == {(0.0,), (2.0,)}


def test_the_gradient_passes_where_values_were_kept():
    inputs = torch.ones(100, requires_grad=True)
    outputs = keyed(0.25)(inputs)
    outputs.sum().backward()
    assert torch.equal(inputs.grad, outputs.detach())


def test_the_dtype_of_the_inputs_is_kept():
    assert keyed(0.5)(torch.ones(8, dtype=torch.float64)).dtype == torch.float64


def test_its_repr_tells_p_and_dims():
    assert repr(keyed(0.2)) == "KeyedDropout(p=0.2)"
    assert repr(keyed(0.2, dims=1)) == "KeyedDropout(p=0.2, dims=1)"


# --- dropout ----------------------------------------------------------------------------------------


def test_dropout_stands_after_every_hidden_layer_and_nowhere_else():
    model = built(make_mlp, dropout(0.3))
    assert repr(model[0].dropout) == repr(model[2].dropout) == "KeyedDropout(p=0.3)"
    assert type(model[4]) is nn.Linear
    assert sum(isinstance(m, KeyedDropout) for m in model.modules()) == 2


def test_dropout_comes_before_the_activation():
    model = built(make_mlp, dropout())
    assert [type(module) for module in model] == [Stage, nn.ReLU, Stage, nn.ReLU, nn.Linear]


def test_dropout_keeps_the_bias():
    assert built(make_mlp, dropout())[0].layer.bias is not None


def test_dropout_drops_whole_channels_after_a_convolution():
    model = built(make_cnn, dropout(0.5))
    outputs = model[0](torch.randn(8, 1, 4, 4))
    dropped = (outputs == 0).flatten(2)
    assert torch.equal(dropped.all(2), dropped.any(2))
    assert 0 < dropped.all(2).float().mean() < 1


def test_masks_differ_between_layers_and_runs_and_not_between_builds():
    ones = torch.ones(16, 8)

    def masks(run):
        model = built(make_mlp, dropout(), run)
        return [model[place].dropout(ones) for place in (0, 2)]

    first, second, again = masks(0), masks(1), masks(0)
    drawn = [*first, *second]
    for one in range(4):
        for other in range(one):
            assert not torch.equal(drawn[one], drawn[other])
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_masks_follow_the_noise_stream_alone():
    def key(vary):
        model = build_model(make_mlp, dropout(), seeds(3, vary=vary), torch.zeros(2, 6), "cpu")
        return model[0].dropout.noise_key.tolist()

    assert key(("noise",)) == key(("init", "data_order", "noise"))
    assert key(("init", "data_order")) == key(())
    assert key(("noise",)) != key(())


@pytest.mark.parametrize(
    "layer",
    [nn.Dropout(0.1), nn.Dropout1d(), nn.Dropout2d(), nn.Dropout3d(), nn.AlphaDropout()],
    ids=repr,
)
def test_dropout_is_refused_where_the_model_has_one(layer):
    with pytest.raises(RegularizerRefused) as refusal:
        built(lambda: nn.Sequential(nn.Linear(6, 8), layer, nn.Linear(8, 3)), dropout())
    assert str(refusal.value) == (
        f"'dropout' would come on top of '1' ({type(layer).__name__}), which the model already has; leave "
        "it out of the model factory, or leave out 'dropout'"
    )


@pytest.mark.parametrize("regularizer", [dropout, stochastic_depth])
@pytest.mark.parametrize("p", [-0.1, 1.0, 2, math.nan, math.inf, "a half", True, None])
def test_a_probability_is_from_0_to_below_1(regularizer, p):
    with pytest.raises(OptionError) as error:
        regularizer(p)
    assert str(error.value) == (
        f"{regularizer.name}(p={p!r}); expected a probability from 0 to below 1"
    )


# --- stochastic depth -------------------------------------------------------------------------------


def test_stochastic_depth_is_a_skip_with_a_branch_that_goes_per_sample():
    model = built(make_mlp, stochastic_depth(0.4))
    assert model[2].skip
    assert repr(model[2].branch) == "KeyedDropout(p=0.4, dims=1)"
    assert not model[0].skip
    assert model[0].branch is None


def test_each_sample_skips_the_layer_or_takes_it_scaled():
    p = 0.25
    model = built(make_mlp, stochastic_depth(p))
    stage = model[2]
    inputs = torch.randn(4000, 8)
    outputs, branch = stage(inputs), stage.layer(inputs)
    skipped = (outputs == inputs).all(1)
    taken = (inputs + branch / (1 - p))[~skipped]
    assert torch.allclose(outputs[~skipped], taken, atol=1e-6)
    assert abs(skipped.float().mean().item() - p) < 5 * math.sqrt(p * (1 - p) / 4000)


def test_prediction_takes_every_branch_unscaled():
    stage = built(make_mlp, stochastic_depth()).eval()[2]
    inputs = torch.randn(5, 8)
    assert torch.equal(stage(inputs), inputs + stage.layer(inputs))


def test_a_sequence_skips_as_one_sample():
    stage = built(make_mlp, stochastic_depth(0.5))[2]
    inputs = torch.randn(40, 7, 8)
    skipped = (stage(inputs) == inputs).flatten(1)
    assert torch.equal(skipped.all(1), skipped.any(1))
    assert skipped.all(1).any()


def test_stochastic_depth_is_refused_where_no_layer_keeps_its_shape():
    with pytest.raises(
        RegularizerRefused, match=r"'stochastic_depth' needs a hidden layer whose output"
    ):
        built(lambda: nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3)), stochastic_depth())


def test_stochastic_depth_works_on_the_data_it_is_for():
    inputs, _ = blobs(9)
    assert built(make_mlp, stochastic_depth())(inputs).shape == (9, 3)
