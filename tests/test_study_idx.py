"""MNIST and Fashion-MNIST: small IDX files, and what is said of wrong ones."""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from test_study_kit import N_TEST, N_TRAIN, check, md5, pictures, small

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import SPECS, WrongDataError, load
from regularizer_study.datasets.idx_files import NAMES


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(root, name, packed=True):
    """Four files; gives training set, test set and the content of each file."""
    folder = root / name
    folder.mkdir()
    train, test = pictures(N_TRAIN, (1, 28, 28)), pictures(N_TEST, (1, 28, 28))
    arrays = (train[0][:, 0], train[1], test[0][:, 0], test[1])
    content = dict(zip(NAMES, map(idx_bytes, arrays), strict=True))
    for file, held in content.items():
        path = folder / (f"{file}.gz" if packed else file)
        path.write_bytes(gzip.compress(held) if packed else held)
    return train, test, content


@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "unpacked"])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_and_verified(tmp_path, name, packed):
    train, test, content = write_idx(tmp_path, name, packed)
    spec = small(name, md5={file: md5(held) for file, held in content.items()})

    check(load(name, root=tmp_path, spec=spec), spec, train, test)


def test_the_folder_is_the_one_that_the_environment_names(tmp_path, monkeypatch):
    train, test, _ = write_idx(tmp_path, "mnist")
    monkeypatch.setenv("REPROTEST_DATA", str(tmp_path))

    check(load("mnist", spec=small("mnist")), SPECS["mnist"], train, test)


@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "unpacked"])
def test_an_idx_file_of_other_content_is_refused(tmp_path, packed):
    _, _, content = write_idx(tmp_path, "mnist", packed)
    found, other = md5(content[NAMES[2]]), "0" * 32
    path = tmp_path / "mnist" / (NAMES[2] + ".gz" * packed)
    length = len(content[NAMES[2]])

    with pytest.raises(WrongDataError) as caught:
        load("mnist", root=tmp_path, spec=small("mnist", md5={NAMES[2]: other}))

    assert str(caught.value) == (
        f"{path}: MD5 {found} of {length:,} unpacked bytes; expected MD5 {other}. Get it from "
        "https://ossci-datasets.s3.amazonaws.com/mnist/"
    )


@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "unpacked"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda held: held[:-3], "truncated: 15677 elements; its header says 15680"),
        (lambda held: held[:10], "truncated within its header"),
        (lambda held: b"\1" + held[1:], "magic number '01000803'; expected '00000803'"),
        (lambda held: held + bytes(9), "more than 15,696 unpacked bytes; expected 15,696"),
        (lambda held: b"", "magic number ''; expected '00000803'"),
    ],
    ids=["truncated", "header", "magic", "long", "empty"],
)
def test_a_damaged_idx_file_is_refused(tmp_path, packed, change, told):
    _, _, content = write_idx(tmp_path, "mnist", packed)
    path = tmp_path / "mnist" / (NAMES[0] + ".gz" * packed)
    held = change(content[NAMES[0]])
    path.write_bytes(gzip.compress(held) if packed else held)

    with pytest.raises(WrongDataError) as caught:
        load("mnist", root=tmp_path, spec=small("mnist"))

    assert str(caught.value).startswith(f"{path}: {told}")
    assert "https://ossci-datasets.s3.amazonaws.com/mnist/" in str(caught.value)


def test_a_broken_off_gzip_file_is_refused(tmp_path):
    write_idx(tmp_path, "mnist")
    path = tmp_path / "mnist" / f"{NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(
        WrongDataError, match=r"idx3-ubyte\.gz: not a whole gzip file .* are at http"
    ):
        load("mnist", root=tmp_path, spec=small("mnist"))


def test_a_file_that_unpacks_without_end_is_not_unpacked_to_the_end(tmp_path, monkeypatch):
    write_idx(tmp_path, "mnist")
    path = tmp_path / "mnist" / f"{NAMES[1]}.gz"
    path.write_bytes(gzip.compress(bytes(1 << 26)))
    monkeypatch.setattr(
        "regularizer_study.datasets.idx_files.read_idx",
        lambda path, shape: pytest.fail("unpacked") if len(shape) == 1 else np.zeros(shape, "u1"),
    )

    with pytest.raises(WrongDataError, match=r"more than 28 unpacked bytes; expected 28"):
        load("mnist", root=tmp_path, spec=small("mnist"))


def test_labels_that_are_no_classes_are_refused(tmp_path):
    write_idx(tmp_path, "mnist")

    with pytest.raises(WrongDataError, match=r"training labels from 0 to 9; expected .* 0 to 4\."):
        load("mnist", root=tmp_path, spec=small("mnist", n_classes=5))
