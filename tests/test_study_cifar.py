"""CIFAR-10 and CIFAR-100 in both versions, as archive and as folder, and what is said of wrong ones."""

import io
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from test_study_kit import N_TEST, N_TRAIN, check, md5, pictures, small

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import SPECS, MissingDataError, WrongDataError, load


def cifar(name):
    """Training batches and test batch of a small CIFAR: (images, labels) each."""
    classes = SPECS[name].n_classes
    images, labels = pictures(N_TRAIN, (3, 32, 32), classes)
    parts = 5 if classes == 10 else 1
    batches = list(zip(np.split(images, parts), np.split(labels, parts), strict=True))
    return batches, pictures(N_TEST, (3, 32, 32), classes)


def python_batch(images, labels, key):
    batch = {b"batch_label": b"batch", key: labels.tolist(), b"data": images.reshape(-1, 3072)}
    if key == b"fine_labels":
        batch[b"coarse_labels"] = [0] * len(labels)
    return pickle.dumps(batch, 2)


def binary_batch(images, labels, key):
    columns = [labels[:, None], images.reshape(-1, 3072)]
    if key == b"fine_labels":
        columns.insert(0, np.zeros((len(labels), 1), int))
    return np.concatenate(columns, axis=1).astype(np.uint8).tobytes()


VERSIONS = {
    ("cifar10", "python"): ("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    ("cifar10", "binary"): ("cifar-10-batches-bin", "cifar-10-binary.tar.gz"),
    ("cifar100", "python"): ("cifar-100-python", "cifar-100-python.tar.gz"),
    ("cifar100", "binary"): ("cifar-100-binary", "cifar-100-binary.tar.gz"),
}


def cifar_files(name, version, train, test):
    """File name → content."""
    write = python_batch if version == "python" else binary_batch
    ending = "" if version == "python" else ".bin"
    key = b"labels" if name == "cifar10" else b"fine_labels"
    names = [f"data_batch_{n}" for n in range(1, 6)] if name == "cifar10" else ["train"]
    last = "test_batch" if name == "cifar10" else "test"
    batches = zip([*names, last], [*train, test], strict=True)
    return {file + ending: write(*batch, key) for file, batch in batches}


def write_archive(path, folder, files):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for file, content in {"readme.html": b"<html>", **files}.items():
            member = tarfile.TarInfo(f"{folder}/{file}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_folder(folder, files):
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)


@pytest.mark.parametrize("within", ["cifar", "."], ids=["own folder", "data folder"])
@pytest.mark.parametrize("packed", [True, False], ids=["archive", "folder"])
@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_cifar_is_read_and_verified(tmp_path, name, version, packed, within):
    batches, test = cifar(name)
    files = cifar_files(name, version, batches, test)
    folder, archive = VERSIONS[name, version]
    base = tmp_path if within == "." else tmp_path / name
    sums = {file: md5(content) for file, content in files.items()}
    if packed:
        write_archive(base / archive, folder, files)
        sums = {archive: md5((base / archive).read_bytes())}
    else:
        write_folder(base / folder, files)
    spec = small(name, md5=sums)

    data = load(name, root=tmp_path, spec=spec)

    train = tuple(np.concatenate(part) for part in zip(*batches, strict=True))
    check(data, spec, train, test)


@pytest.mark.parametrize("packed", [True, False], ids=["archive", "folder"])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_of_other_content_is_refused_before_it_is_opened(tmp_path, name, packed):
    folder, archive = VERSIONS[name, "python"]
    file = "test_batch" if name == "cifar10" else "test"
    files = cifar_files(name, "python", *cifar(name))
    if packed:
        path = tmp_path / name / archive
        path.parent.mkdir()
        path.write_bytes(b"anything")
    else:
        write_folder(tmp_path / name / folder, {**files, file: b"cos\nsystem\n."})
        path = tmp_path / name / folder / file
    spec = small(name, md5={path.name: "1" * 32})

    with pytest.raises(WrongDataError, match=r"expected MD5 1{32}\. Get it from .*kriz/cifar"):
        load(name, root=tmp_path, spec=spec)


def test_a_hostile_batch_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = cifar_files("cifar10", "python", *cifar("cifar10"))
    files["data_batch_3"] = b"cos\nsystem\n(S'touch ran'\ntR."
    write_folder(tmp_path / "cifar10" / "cifar-10-batches-py", files)

    with pytest.raises(WrongDataError) as caught:
        load("cifar10", root=tmp_path, spec=small("cifar10"))

    path = tmp_path / "cifar10" / "cifar-10-batches-py" / "data_batch_3"
    assert str(caught.value) == (
        f"{path}: names os.system, which is no part of an array of bytes; it was not run. Get it from "
        "https://www.cs.toronto.edu/~kriz/cifar.html"
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        ({b"labels": [1]}, "'data' of shape None; expected (n, 3072) bytes"),
        (
            {b"data": np.zeros((1, 9), np.uint8), b"labels": [1]},
            "'data' of shape (1, 9); expected (n, 3072) bytes",
        ),
        (
            {b"data": np.zeros((1, 3072), np.uint8)},
            "no list of numbers as 'labels'; expected one label a picture",
        ),
        (
            {b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]},
            "no list of numbers as 'labels'; expected one label a picture",
        ),
        (
            {b"data": np.zeros((1, 3072), np.uint8), b"labels": [1, 2]},
            "1 pictures and 2 labels; expected one label a picture",
        ),
        ([1, 2], "'data' of shape None; expected (n, 3072) bytes"),
    ],
)
def test_a_batch_without_pictures_and_labels_is_refused(tmp_path, batch, told):
    files = cifar_files("cifar10", "python", *cifar("cifar10"))
    write_folder(
        tmp_path / "cifar-10-batches-py", {**files, "data_batch_1": pickle.dumps(batch, 2)}
    )

    with pytest.raises(WrongDataError) as caught:
        load("cifar10", root=tmp_path, spec=small("cifar10"))

    assert f"data_batch_1: {told}. Get it from" in str(caught.value)


def test_a_binary_batch_that_breaks_off_is_refused(tmp_path):
    files = cifar_files("cifar100", "binary", *cifar("cifar100"))
    write_folder(tmp_path / "cifar-100-binary", {**files, "train.bin": files["train.bin"][:-5]})

    with pytest.raises(
        WrongDataError, match=r"train\.bin: 61,475 bytes; expected a multiple of 3,074"
    ):
        load("cifar100", root=tmp_path, spec=small("cifar100"))


def test_too_few_pictures_are_refused(tmp_path):
    write_folder(
        tmp_path / "cifar-10-batches-bin", cifar_files("cifar10", "binary", *cifar("cifar10"))
    )

    with pytest.raises(
        WrongDataError, match=r"20 training pictures; expected 50,000\. Get it from"
    ):
        load("cifar10", root=tmp_path, spec=small("cifar10", n_train=50_000))


def test_an_archive_is_refused_where_it_breaks_off_or_lacks_batches(tmp_path):
    files = cifar_files("cifar10", "python", *cifar("cifar10"))
    path = tmp_path / "cifar10" / "cifar-10-python.tar.gz"
    few = {name: content for name, content in files.items() if name != "test_batch"}
    write_archive(path, "cifar-10-batches-py", few)
    with pytest.raises(
        WrongDataError, match=r"it lacks cifar-10-batches-py/test_batch; expected all"
    ):
        load("cifar10", root=tmp_path, spec=small("cifar10"))

    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(
        WrongDataError, match=r"not a whole \.tar\.gz file .*; expected the archive"
    ):
        load("cifar10", root=tmp_path, spec=small("cifar10"))


def test_an_archive_s_member_that_is_far_too_large_is_not_read(tmp_path):
    files = cifar_files("cifar100", "python", *cifar("cifar100"))
    path = tmp_path / "cifar100" / "cifar-100-python.tar.gz"
    write_archive(path, "cifar-100-python", {**files, "train": bytes(1 << 22)})

    with pytest.raises(
        WrongDataError, match="cifar-100-python/train has 4,194,304 bytes; expected far"
    ):
        load("cifar100", root=tmp_path, spec=small("cifar100"))


def test_a_folder_that_lacks_a_batch_says_which(tmp_path):
    files = cifar_files("cifar10", "python", *cifar("cifar10"))
    del files["data_batch_4"]
    write_folder(tmp_path / "cifar10" / "cifar-10-batches-py", files)

    with pytest.raises(MissingDataError, match="cifar-10-batches-py has no data_batch_4"):
        load("cifar10", root=tmp_path, spec=small("cifar10"))
