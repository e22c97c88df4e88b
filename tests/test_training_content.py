import pytest
import torch
from torch.utils.data import TensorDataset

from pytest_reprotest.training.content import content_hash
from pytest_reprotest.training.data import DatasetSource, TensorSource, as_source

INPUTS = torch.arange(12.0).reshape(4, 3)
TARGETS = torch.tensor([0, 1, 1, 0])


def hashed(inputs=INPUTS, targets=TARGETS):
    return content_hash(TensorSource(inputs, targets))


def test_the_same_content_has_the_same_hash_however_it_is_held():
    assert hashed() == hashed(INPUTS.clone(), TARGETS.clone())
    assert hashed() == hashed(INPUTS.T.contiguous().T)
    assert hashed() == hashed(INPUTS.requires_grad_(False).clone().requires_grad_())
    assert hashed() == content_hash(as_source(TensorDataset(INPUTS, TARGETS), "test", fixed=True))
    assert hashed() == content_hash(as_source((INPUTS.numpy(), TARGETS.numpy()), "t", fixed=True))


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        (INPUTS + torch.tensor([0.0, 0.0, 1e-6]), TARGETS),
        (INPUTS, 1 - TARGETS),
        (INPUTS.double(), TARGETS),
        (INPUTS.view(torch.int32), TARGETS),  # the same bytes
        (INPUTS.reshape(4, 3, 1), TARGETS),
        (INPUTS.flip(0), TARGETS),
        (INPUTS[:3], TARGETS[:3]),
    ],
)
def test_other_content_has_another_hash(inputs, targets):
    assert hashed(inputs, targets) != hashed()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.uint8, torch.complex64])
def test_types_that_numpy_does_not_know_have_a_hash_too(dtype):
    assert len(hashed(INPUTS.to(dtype))) == 32
    assert hashed(INPUTS.to(dtype)) != hashed(INPUTS.to(dtype) * 0)


def test_views_that_are_resolved_late_have_the_hash_of_what_they_show():
    inputs = torch.complex(INPUTS, INPUTS)
    assert hashed(inputs.conj()) == hashed(torch.complex(INPUTS, -INPUTS)) != hashed(inputs)


def test_samples_that_are_not_held_have_none():
    assert content_hash(DatasetSource(TensorDataset(INPUTS, TARGETS))) is None
    assert hashed(INPUTS.to_sparse()) is None


def test_no_input_at_all_has_one():
    assert len(hashed(torch.ones(4, 0))) == 32
