"""Pictures of test samples: stored, read with suspicion, asked of the trainer, and recognised in inputs."""

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from pytest_reprotest import FunctionTrainer, audit, audit_predictions
from pytest_reprotest.errors import DataError
from pytest_reprotest.illustrating import illustrated
from pytest_reprotest.pictures import MOST_PICTURES, Pictures, joined_pictures
from pytest_reprotest.report.html.png import png
from pytest_reprotest.result import AuditResult
from pytest_reprotest.stored import pack
from pytest_reprotest.training.pictures import pictures_of

TRUTH = np.array([0, 1] * 10)


def grey(*samples, side=8):
    pixels = np.arange(len(samples) * side * side).reshape(len(samples), side, side) % 251
    return Pictures(samples, pixels.astype(np.uint8))


def shaky():
    """Run k is wrong on sample k alone."""
    runs = np.array([TRUTH] * 4)
    runs[range(4), range(4)] ^= 1
    return audit_predictions({"none": runs}, TRUTH)


def waves(n=40, side=8, channels=1):
    """Images of smooth stripes, each in its own direction."""
    generator = torch.Generator().manual_seed(0)
    across, down, start = (torch.rand(n, channels, 1, 1, generator=generator) for _ in range(3))
    axis = torch.arange(side)
    return torch.sin(across * axis + down * axis[:, None] + 6 * start)


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 5, 7, 3)])
def test_pictures_come_back_from_a_file(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    whole = replace(shaky(), pictures=Pictures((3, 1), pixels))
    read = AuditResult.from_dict(whole.to_dict())
    assert read.pictures.samples == (3, 1)
    assert np.array_equal(read.pictures.pixels, pixels)
    assert np.array_equal(read.pictures.of(1), pixels[1])
    assert read.pictures.of(2) is None


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([], "pictures is a list; expected an object"),
        ({"samples": [0]}, "the entry 'pixels' is missing"),
        ({"samples": [20], "pixels": pack(grey(0).pixels)}, "not among the 20"),
        ({"samples": [True], "pixels": pack(grey(0).pixels)}, "not among the 20"),
        ({"samples": [0, 1], "pixels": pack(grey(0).pixels)}, "1 pictures are of 2 samples"),
        ({"samples": [0, 0], "pixels": pack(grey(0, 1).pixels)}, "2 pictures are of 1 samples"),
        ({"samples": [0], "pixels": pack(np.zeros((1, 8, 49), np.uint8))}, r"shape \(1, 8, 49\)"),
        ({"samples": [0], "pixels": pack(np.zeros((1, 8, 8, 2), np.uint8))}, "shape"),
        ({"samples": [0], "pixels": pack(np.zeros((1, 8), np.uint8))}, "shape"),
        ({"samples": [], "pixels": pack(np.zeros((0, 8, 8), np.uint8))}, "shape"),
        ({"samples": [0], "pixels": pack(np.full((1, 8, 8), 300))}, "pictures are uint16"),
        ({"samples": [0], "pixels": {"dtype": "u1", "shape": [1, 2**20, 2**9], "zlib": ""}}, "at most 1,769,472"),
        ({"samples": [0], "pixels": {"dtype": "f4", "shape": [1, 8, 8], "zlib": pack(np.zeros((1, 8, 8)))["zlib"]}}, "labels are read as float32"),
    ],
)  # fmt: skip
def test_pictures_that_are_none_are_refused(stored, message):
    with pytest.raises(DataError, match=message):
        AuditResult.from_dict({**shaky().to_dict(), "pictures": stored})


def test_pictures_of_two_audits_are_joined_once_each():
    both = joined_pictures(grey(3, 1), grey(1, 5))
    assert both.samples == (3, 1, 5)
    assert np.array_equal(both.of(5), grey(1, 5).of(5))
    assert joined_pictures(None, both) is both is joined_pictures(both, None)
    assert joined_pictures(both, grey(7, side=9)) is both
    full = Pictures(tuple(range(MOST_PICTURES)), np.zeros((MOST_PICTURES, 1, 1), np.uint8))
    assert joined_pictures(full, grey(999, side=1)) is full


class Pictured(FunctionTrainer):
    """Run k is wrong on sample k alone; and there are pictures."""

    def __init__(self, answer):
        super().__init__(lambda run: np.where(np.arange(20) == run.index, 1 - TRUTH, TRUTH), y_true=TRUTH)  # fmt: skip
        self.answer = answer

    def pictures(self, samples):
        self.asked = samples
        return self.answer(samples)


def test_a_trainer_is_asked_for_the_samples_that_flip_most():
    trainer = Pictured(lambda samples: grey(*samples).pixels)
    result = illustrated(shaky(), trainer)
    assert trainer.asked == (0, 1, 2, 3) == result.pictures.samples
    assert illustrated(shaky(), Pictured(lambda samples: None)).pictures is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda samples: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda samples: np.zeros((4, 8, 8)), "pictures are float64; expected a uint8 array"),
        (lambda samples: [[1]], "pictures are list; expected a uint8 array"),
        (lambda samples: grey(1).pixels, "1 pictures are of 4 samples"),
    ],
)
def test_a_trainer_that_fails_at_pictures_costs_no_audit(answer, told):
    result = illustrated(shaky(), Pictured(answer))
    assert result.pictures is None
    assert result.notes == (f"no pictures of samples: Pictured.pictures gave none ({told})",)


def test_runs_that_agree_ask_for_no_picture():
    same = audit_predictions({"none": np.array([TRUTH] * 3)}, TRUTH)
    assert illustrated(same, Pictured(lambda samples: 1 / 0)) is same


def test_an_audit_of_images_has_pictures_and_one_of_a_table_none():
    images, targets = waves(), torch.arange(40) % 2

    def net():
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))

    data = {"train": (images, targets), "test": (images, targets), "epochs": 1, "batch_size": 8}
    result = audit(net, runs=3, **data)
    prone = [sample for sample, _ in result.details("none").most_flip_prone]
    assert sorted(result.pictures.samples) == sorted(prone)
    expected = 255 * (images[prone[0], 0] + 1) / 2
    assert np.abs(result.pictures.of(prone[0]) - expected.numpy()).max() < 3
    table = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    data = {"train": (table, targets), "test": (table, targets), "epochs": 1, "batch_size": 8}
    assert audit(lambda: nn.Linear(2, 2), runs=3, **data).pictures is None


@pytest.mark.parametrize(
    "inputs",
    [
        waves(),
        waves().permute(0, 2, 3, 1),
        waves()[:, 0],
        waves().flatten(1),
        waves().double().flatten(1),
        waves().flatten(1) * torch.logspace(-3, 3, 64),
    ],
    ids=["channels first", "last", "none", "flat", "float64", "features of other scales"],
)
def test_inputs_that_are_images(inputs):
    assert pictures_of(inputs, [4, 7]).shape == (2, 8, 8)


@pytest.mark.parametrize(
    "inputs",
    [
        waves(channels=3),
        waves(channels=3).permute(0, 2, 3, 1),
        waves(channels=3).flatten(1),
        waves(channels=3).permute(0, 2, 3, 1).flatten(1),
    ],
    ids=["channels first", "last", "flat, channels first", "flat, channels last"],
)
def test_images_in_colours(inputs):
    of_first = pictures_of(waves(channels=3), [4])
    assert of_first.shape == (1, 8, 8, 3)
    assert np.array_equal(pictures_of(inputs, [4]), of_first)


NOISE = torch.randn(200, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "inputs",
    [
        NOISE,
        NOISE.cumsum(1)[:, :63],
        NOISE + NOISE[:, :1],
        NOISE.reshape(200, 8, 8),
        NOISE.reshape(200, 8, 8).cumsum(1),
        (10 * waves().flatten(1)).long(),
        waves(n=19).flatten(1),
        waves(side=7).flatten(1),
        torch.zeros(40, 64),
        torch.zeros(0, 1, 8, 8),
        waves()[:, :, :, 0, None].expand(40, 1, 8, 2),
        waves().unsqueeze(1),
    ],
    ids=["table", "no square", "one factor", "noise", "sequence", "tokens", "few", "small", "constant", "empty", "narrow", "volume"],
)  # fmt: skip
def test_inputs_that_are_none(inputs):
    assert pictures_of(inputs, [4]) is None


def test_bytes_stay_as_they_are_and_nan_is_no_number():
    images = (100 + 20 * waves()).to(torch.uint8)
    assert np.array_equal(pictures_of(images, [3])[0], images[3, 0].numpy())
    images = waves()
    images[3, 0, 0, 0] = torch.nan
    assert pictures_of(images, [3])[0, 0, 0] in (127, 128)


@pytest.mark.parametrize(("shape", "size"), [((96, 48), (48, 24)), ((64, 64), (48, 48)), ((48, 48), (48, 48)), ((4, 500), (1, 48))])  # fmt: skip
def test_large_images_are_made_smaller(shape, size):
    images = torch.linspace(0, 1, shape[0] * shape[1]).reshape(1, 1, *shape)
    assert pictures_of(images, [0]).shape == (1, *size)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_a_png_holds_every_pixel(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    data, found, place = png(pixels), {}, 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length) == (zlib.crc32(name + body),)
        found[name], place = body, place + 12 + length
    assert struct.unpack(">IIBBBBB", found[b"IHDR"]) == (7, 5, 8, 2 * (len(shape) > 2), 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(5, -1)
    assert not rows[:, 0].any()
    assert np.array_equal(rows[:, 1:], pixels.reshape(5, -1))
