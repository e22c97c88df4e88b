"""SVHN and Tiny-ImageNet from small files, and what is said of wrong ones."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from test_study_kit import N_TEST, N_TRAIN, check, md5, pictures, small

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import SPECS, MissingDataError, WrongDataError, load


def write_svhn(root, images, labels, name):
    (root / "svhn").mkdir(exist_ok=True)
    path = root / "svhn" / name
    savemat(
        path, {"X": images.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:, None]}
    )
    return path


def test_svhn_is_read_and_verified_and_its_ten_means_zero(tmp_path):
    train, test = pictures(N_TRAIN, (3, 32, 32)), pictures(N_TEST, (3, 32, 32))
    paths = [
        write_svhn(tmp_path, *train, "train_32x32.mat"),
        write_svhn(tmp_path, *test, "test_32x32.mat"),
    ]
    spec = small("svhn", md5={path.name: md5(path.read_bytes()) for path in paths})

    check(load("svhn", root=tmp_path, spec=spec), spec, train, test)


def test_a_wrong_svhn_file_is_refused(tmp_path):
    images, labels = pictures(N_TRAIN, (3, 32, 32))
    write_svhn(tmp_path, images, labels, "test_32x32.mat")
    path = write_svhn(tmp_path, images, labels, "train_32x32.mat")

    def refused(told, **changes):
        with pytest.raises(WrongDataError) as caught:
            load("svhn", root=tmp_path, spec=small("svhn", n_test=N_TRAIN, **changes))
        assert f"{path}: {told}" in str(caught.value)
        assert "Get it from http://ufldl.stanford.edu/housenumbers/" in str(caught.value)

    refused("MD5 ", md5={"train_32x32.mat": "2" * 32})
    path.write_bytes(path.read_bytes()[:300])
    refused("not a MATLAB file with X and y (")
    savemat(path, {"X": images.transpose(2, 3, 1, 0), "y": labels[1:, None]})
    refused("20 pictures and 19 labels; expected one label a picture")
    savemat(path, {"X": images, "y": labels[:, None]})
    refused("X is uint8 of shape (20, 3, 32, 32); expected uint8 of shape (32, 32, 3, n)")
    savemat(path, {"X": images.transpose(2, 3, 1, 0), "y": labels[:, None]})
    refused("a label 0; expected 1 to 10, where 10 means 0")


WNIDS = ("n02124075", "n04067472")


def write_tiny(root, broken=None):
    """Two classes of 64 × 64 pictures of one colour each, which JPEG keeps nearly."""
    image = pytest.importorskip("PIL.Image")
    base = root / "tiny_imagenet" / "tiny-imagenet-200"
    base.mkdir(parents=True)
    (base / "wnids.txt").write_text("\n".join(WNIDS))
    (base / "val" / "images").mkdir(parents=True)
    notes = []
    for number, wnid in enumerate(WNIDS):
        folder = base / "train" / wnid / "images"
        folder.mkdir(parents=True)
        for count in (0, 1, 2, 10):  # 10 follows 2, not 1
            image.new("RGB", (64, 64), (20 * count, 100, number * 200)).save(
                folder / f"{wnid}_{count}.JPEG", quality=95
            )
        image.new("L", (64, 64), 90).save(base / "val" / "images" / f"val_{number}.JPEG")
        notes.append(f"val_{number}.JPEG\t{wnid}\t0\t32\t44\t62")
    (base / "val" / "val_annotations.txt").write_text("\n".join(notes))
    return base


def tiny_spec(**changes):
    return small("tiny_imagenet", n_train=8, n_test=2, n_classes=2, **changes)


def test_tiny_imagenet_is_read_from_its_folder(tmp_path):
    write_tiny(tmp_path)

    data = load("tiny_imagenet", root=tmp_path, spec=tiny_spec())

    inputs, labels = data.train
    assert inputs.shape == (8, 3, 64, 64)
    assert inputs.dtype == np.float32
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    reds = inputs[:4, 0].mean((1, 2)) * 255
    np.testing.assert_allclose(reds, [0, 20, 40, 200], atol=4)
    np.testing.assert_allclose(inputs[4:, 2] * 255, 200, atol=4)
    assert data.test[1].tolist() == [0, 1]
    np.testing.assert_allclose(data.test[0] * 255, 90, atol=2)  # grey in all three channels


def test_of_tiny_imagenet_only_what_is_taken_is_decoded(tmp_path):
    base = write_tiny(tmp_path)
    for path in (base / "train").rglob("*_10.JPEG"):
        path.write_bytes(b"not a picture")

    data = load("tiny_imagenet", 4, root=tmp_path, spec=tiny_spec())

    assert data.train[1].tolist() == [0, 0, 1, 1]
    with pytest.raises(WrongDataError, match=r"n02124075_10\.JPEG: not a whole JPEG picture"):
        load("tiny_imagenet", root=tmp_path, spec=tiny_spec())


def test_a_wrong_tiny_imagenet_is_refused(tmp_path):
    image = pytest.importorskip("PIL.Image")
    base = write_tiny(tmp_path)

    def refused(error, told, spec=None):
        with pytest.raises(error) as caught:
            load("tiny_imagenet", root=tmp_path, spec=spec or tiny_spec())
        assert told in str(caught.value)
        assert "Get it from http://cs231n.stanford.edu/tiny-imagenet-200.zip" in str(caught.value)

    path = base / "train" / WNIDS[1] / "images" / f"{WNIDS[1]}_0.JPEG"
    held = path.read_bytes()
    path.write_bytes(held[:-200])
    refused(WrongDataError, f"{path}: not a whole JPEG picture (OSError: ")
    image.new("RGB", (32, 64)).save(path)
    refused(WrongDataError, f"{path}: 32 × 64 pixels; expected a picture of 64 × 64 pixels")
    image.new("RGB", (64, 64)).save(path, format="PNG")
    refused(WrongDataError, f"{path}: not a whole JPEG picture (UnidentifiedImageError")
    path.unlink()
    refused(WrongDataError, "7 training pictures; expected 8")
    path.write_bytes(held)
    official = replace(SPECS["tiny_imagenet"], n_train=8)
    refused(WrongDataError, "wnids.txt: 2 classes; expected 200 different ones", official)
    shutil.move(base / "train" / WNIDS[0], base / "elsewhere")
    refused(MissingDataError, f"{base / 'train' / WNIDS[0] / 'images'} is not there")
    shutil.move(base / "elsewhere", base / "train" / WNIDS[0])
    notes = base / "val" / "val_annotations.txt"
    notes.write_text("../../secret.JPEG\tn02124075\t0\t0\t0\t0")
    refused(WrongDataError, "line 1 is '../../secret.JPEG")
    notes.write_text("val_0.JPEG\tn9\t0\t0\t0\t0")
    refused(WrongDataError, "val_annotations.txt: line 1 is 'val_0.JPEG")
    notes.write_text("val_0.JPEG\tn02124075\nval_7.JPEG\tn02124075")
    refused(MissingDataError, "val_7.JPEG is not there")
    notes.unlink()
    refused(MissingDataError, "val_annotations.txt is not there")


def test_without_pillow_tiny_imagenet_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    (tmp_path / "tiny_imagenet").mkdir()
    (tmp_path / "tiny_imagenet" / "wnids.txt").write_text("\n".join(WNIDS))

    with pytest.raises(MissingDataError) as caught:
        load("tiny_imagenet", root=tmp_path)

    assert str(caught.value) == (
        "Tiny-ImageNet's pictures are decoded with Pillow, which is not installed: pip install pillow"
    )
