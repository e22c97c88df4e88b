"""Datasets shaped like torchvision's and Hugging Face's, as an audit takes them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest import audit
from pytest_reprotest.errors import DataError

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import as_pairs


def images(count=24):
    """Bytes (count, 4, 4, 3) and labels, which the brightness tells."""
    labels = np.arange(count) % 2
    generator = np.random.default_rng(0)
    return generator.integers(0, 100, (count, 4, 4, 3), "u1") + 150 * labels[
        :, None, None, None
    ].astype("u1"), labels


class LikeTorchvision:
    """Rows are (picture, label), through a transform if there is one."""

    def __init__(self, transform):
        self.images, self.labels = images()
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, number):
        return self.transform(self.images[number]), int(self.labels[number])


class LikeHuggingFace(LikeTorchvision):
    """Rows are dicts; the dataset has a shape of rows and columns."""

    @property
    def shape(self):
        return len(self), 2

    def __getitem__(self, number):
        picture, label = super().__getitem__(number)
        return {"img": picture, "fine_label": label}


def to_pillow(array):
    return pytest.importorskip("PIL.Image").fromarray(array)


def to_tensor(array):
    """As torchvision's ToTensor does it."""
    return torch.from_numpy(array).permute(2, 0, 1).float() / 255


def make_net():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 2))


def audited(dataset):
    return audit(make_net, train=dataset, test=dataset, runs=2, epochs=4, batch_size=8)["none"]


def test_a_dataset_of_tensors_is_taken_as_it_is():
    found = audited(LikeTorchvision(to_tensor))

    assert found.predictions.shape == (2, 24)
    expected = audited(as_pairs(LikeTorchvision(to_tensor)))
    np.testing.assert_array_equal(found.predictions, expected.predictions)


def test_a_dataset_of_pillow_pictures_is_taken_as_pairs():
    with pytest.raises(DataError, match="give it a transform to tensors"):
        audited(LikeTorchvision(to_pillow))

    found = audited(as_pairs(LikeTorchvision(to_pillow)))

    expected = audited(LikeTorchvision(to_tensor))
    np.testing.assert_array_equal(found.predictions, expected.predictions)


@pytest.mark.parametrize(
    "transform",
    [to_pillow, np.asarray, lambda array: torch.from_numpy(array).permute(2, 0, 1)],
    ids=["pillow", "array", "tensor"],
)
def test_rows_that_are_dicts_are_taken_as_pairs(transform):
    with pytest.raises(DataError):
        audited(LikeHuggingFace(transform))

    found = audited(as_pairs(LikeHuggingFace(transform), image="img", label="fine_label"))

    expected = audited(LikeTorchvision(to_tensor))
    np.testing.assert_array_equal(found.predictions, expected.predictions)


def test_a_key_that_rows_lack_is_named_with_those_they_have():
    with pytest.raises(
        KeyError, match=r"row 0 has no 'image'; expected one of 'img', 'fine_label'"
    ):
        as_pairs(LikeHuggingFace(np.asarray))[0]


def test_grey_and_palette_pictures_become_channels():
    grey = to_pillow(np.full((2, 3), 51, np.uint8))
    pixels, label = as_pairs([(grey, 1)])[0]
    torch.testing.assert_close(pixels, torch.full((1, 2, 3), 0.2))
    assert label == 1

    pixels, _ = as_pairs([(grey.convert("P"), 1)])[0]
    torch.testing.assert_close(pixels, torch.full((3, 2, 3), 0.2))


def test_numbers_that_are_no_bytes_are_left_as_they_are():
    pixels, _ = as_pairs([(np.full((2, 2, 1), 0.7), 0)])[0]

    torch.testing.assert_close(pixels, torch.full((1, 2, 2), 0.7))
