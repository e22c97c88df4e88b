"""The study's data sets: what is not here, smaller ones, and the official files."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from test_study_idx import write_idx
from test_study_kit import pictures, small

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import (
    SPECS,
    MissingDataError,
    Spec,
    WrongDataError,
    load,
    load_or_skip,
    subset,
)
from regularizer_study.datasets.idx_files import NAMES
from regularizer_study.datasets.spec import ByteSource


def test_without_the_variable_a_data_set_is_missing(monkeypatch):
    monkeypatch.delenv("REPROTEST_DATA", raising=False)

    with pytest.raises(MissingDataError) as caught:
        load("cifar10")

    assert str(caught.value) == (
        "CIFAR-10 is not here: the environment variable REPROTEST_DATA is not set. Get it from "
        "https://www.cs.toronto.edu/~kriz/cifar.html into the folder 'cifar10' of the folder that "
        "REPROTEST_DATA names"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mnist", "has no train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], t10k-images"),
        (
            "cifar10",
            "has none of cifar-10-batches-py, cifar-10-python.tar.gz, cifar-10-batches-bin",
        ),
        ("cifar100", "has none of cifar-100-python, cifar-100-python.tar.gz, cifar-100-binary"),
        ("svhn", "has no train_32x32.mat, test_32x32.mat"),
        ("tiny_imagenet", "tiny-imagenet-200 has no wnids.txt"),
    ],
)
def test_files_that_are_not_there_are_named(tmp_path, name, told):
    with pytest.raises(MissingDataError) as caught:
        load(name, root=tmp_path)

    spec = SPECS[name]
    assert str(caught.value).startswith(f"{spec.title} is not here: ")
    assert told in str(caught.value)
    assert f"Get it from {spec.source} into the folder {spec.folder!r}" in str(caught.value)


def test_one_file_that_is_missing_is_named_alone(tmp_path):
    write_idx(tmp_path, "mnist")
    (tmp_path / "mnist" / f"{NAMES[3]}.gz").unlink()

    with pytest.raises(
        MissingDataError, match=r"mnist has no t10k-labels-idx1-ubyte\[\.gz\]\. Get"
    ):
        load("mnist", root=tmp_path, spec=small("mnist"))


def test_a_test_without_its_data_is_skipped_with_the_sentence(tmp_path):
    with pytest.raises(pytest.skip.Exception, match=r"SVHN is not here: .* has no train_32x32"):
        load_or_skip("svhn", root=tmp_path)


def test_a_test_with_wrong_data_is_not_skipped(tmp_path):
    write_idx(tmp_path, "mnist")

    with pytest.raises(WrongDataError):
        load_or_skip("mnist", root=tmp_path)


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ValueError, match="no data set 'minst'; expected one of digits, mnist, "):
        load("minst")


def test_the_digits_are_split_once_and_for_all(monkeypatch):
    monkeypatch.delenv("REPROTEST_DATA", raising=False)

    data = load("digits")

    assert data.train[0].shape == (1442, 1, 8, 8)
    assert data.test[0].shape == (355, 1, 8, 8)
    assert (data.train[0].min(), data.train[0].max()) == (0.0, 1.0)
    assert min(np.bincount(data.test[1])) >= 34
    assert max(np.bincount(data.test[1])) <= 36
    np.testing.assert_array_equal(load("digits").train[0], data.train[0])


def test_without_scikit_learn_the_digits_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)

    with pytest.raises(MissingDataError, match="scikit-learn, which is not installed: pip install"):
        load("digits")


def test_a_data_set_can_be_smaller_and_flat():
    data = load("digits", 50, flatten=True, test_limit=20)

    assert data.train[0].shape == (50, 64)
    assert data.shape == (64,)
    assert np.bincount(data.train[1]).tolist() == [5] * 10
    assert np.bincount(data.test[1]).tolist() == [2] * 10
    whole = load("digits")
    first = subset(whole.train[1], 50)
    np.testing.assert_array_equal(data.train[0], whole.train[0][first].reshape(50, 64))


@pytest.mark.parametrize(
    ("labels", "n", "expected"),
    [
        ([0, 0, 0, 0, 0, 0, 1, 1, 1], 3, [0, 1, 6]),
        ([1, 0, 1, 0, 1, 0], 4, [0, 1, 2, 3]),
        ([2, 2, 1, 1, 0, 0], 3, [0, 2, 4]),
        ([0, 1, 2], 2, [0, 1]),
        ([0, 1], 2, [0, 1]),
        ([0, 1], 9, [0, 1]),
        ([0, 0, 0, 1], 1, [0]),
    ],
)
def test_a_subset_has_the_first_of_each_class_in_proportion(labels, n, expected):
    assert subset(np.array(labels), n).tolist() == expected


def test_a_subset_of_none_is_refused():
    with pytest.raises(ValueError, match="a subset of 0 samples; expected at least 1"):
        subset(np.zeros(3, int), 0)


def test_pixels_are_converted_in_blocks_to_the_same_numbers(monkeypatch):
    images, labels = pictures(11, (3, 4, 4))
    whole = ByteSource(images, labels).take(np.arange(11))

    monkeypatch.setattr(ByteSource, "block", 3)

    np.testing.assert_array_equal(ByteSource(images, labels).take(np.arange(11)), whole)
    picked = ByteSource(images, labels).take(np.array([7, 2]))
    np.testing.assert_array_equal(picked, whole[[7, 2]])


def test_every_official_spec_is_whole():
    for name, spec in SPECS.items():
        assert isinstance(spec, Spec)
        assert spec.name == name
        assert all(
            len(each) == 32 and set(each) <= set("0123456789abcdef") for each in spec.md5.values()
        )


@pytest.mark.skipif("REPROTEST_DATA" not in os.environ, reason="REPROTEST_DATA is not set")
@pytest.mark.parametrize("name", [name for name in SPECS if name != "digits"])
def test_the_official_files_are_what_the_specs_say(name):
    spec = SPECS[name]

    data = load_or_skip(name, 1000)

    assert data.train[0].shape == (1000, *spec.shape)
    assert data.test[0].shape == (spec.n_test, *spec.shape)
    assert np.unique(data.train[1]).tolist() == list(range(spec.n_classes))
    assert data.train[0].min() == 0.0
    assert data.train[0].max() == 1.0
    if name == "mnist":
        assert data.test[1][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
