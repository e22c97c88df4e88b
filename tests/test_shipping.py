"""Data shipped to workers: bit for bit, once, for as long as its bytes are the same."""

import math

import pytest
import torch

from pytest_reprotest.training.shipping import Hold, Loaded

NUMBERS = torch.arange(3000, dtype=torch.float32).view(1500, 2)


@pytest.fixture
def hold(tmp_path):
    return Hold(tmp_path)


def files(hold):
    return {path.name: path.stat().st_ino for path in hold.folder.iterdir() if not path.suffix}


@pytest.mark.parametrize(
    "tensor",
    [NUMBERS, NUMBERS.t(), NUMBERS[::2], NUMBERS.to(torch.uint8)[:1025, 0], NUMBERS[:1, :1], NUMBERS > 3],
    ids=["plain", "transposed", "strided", "bytes", "small", "bool"],
)  # fmt: skip
def test_a_tensor_arrives_as_it_was(hold, tensor):
    received = Loaded().load(hold.ship({"data": tensor}, ()))
    assert received["data"].dtype == tensor.dtype
    assert torch.equal(received["data"], tensor)


def test_equal_data_is_written_once_and_mapped_once(hold):
    loaded = Loaded()
    first = loaded.load(hold.ship([NUMBERS], ()))[0]
    before = files(hold)
    second = loaded.load(hold.ship(["another trainer", NUMBERS.clone()], ()))[1]
    assert files(hold) == before
    assert first.data_ptr() == second.data_ptr()


@pytest.mark.parametrize("value", [7.0, -0.0, math.nan])
def test_data_that_changed_in_one_bit_pattern_is_written_again(hold, value):
    data = NUMBERS.clone()
    loaded = Loaded()
    loaded.load(hold.ship(data, ()))
    before = files(hold)
    data[0, 0] = value
    received = loaded.load(hold.ship(data, ()))
    assert received.view(torch.int32).equal(data.view(torch.int32))
    assert set(files(hold)).isdisjoint(before)  # what only the first needed is gone


def test_not_a_number_is_equal_to_itself(hold):
    data = torch.full((2000,), math.nan)
    hold.ship(data, ())
    before = files(hold)
    hold.ship(data.clone(), ())
    assert files(hold) == before


def test_another_shape_or_type_of_the_same_bytes_is_other_data(hold):
    loaded = Loaded()
    for data in (NUMBERS, NUMBERS.view(2, 1500), NUMBERS.view(torch.int32)):
        received = loaded.load(hold.ship(data, ()))
        assert (received.dtype, received.shape) == (data.dtype, data.shape)


def test_a_worker_cannot_change_what_others_see(hold):
    path = hold.ship(NUMBERS, ())
    Loaded().load(path).zero_()
    assert torch.equal(Loaded().load(path), NUMBERS)
