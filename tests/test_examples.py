"""The examples: the reader of MNIST's files on files made here, and both audits as a stranger runs them."""

import gzip
import importlib
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from pytest_reprotest.registry import BUILT_IN
from pytest_reprotest.stored import unpack

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def idx(monkeypatch):
    """The examples' module of that name."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("idx")


def idx_bytes(array, code=0x08):
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_gz(path, content):
    path.write_bytes(gzip.compress(content))
    return path


def write_mnist(folder, n_train=40, n_test=20):
    """Four files of random pictures whose top rows tell the label."""
    generator = np.random.default_rng(0)
    for name, count in (("train", n_train), ("t10k", n_test)):
        labels = np.arange(count) % 10
        images = generator.integers(0, 32, size=(count, 28, 28))
        images[np.arange(count), labels] = 255
        write_gz(folder / f"{name}-images-idx3-ubyte.gz", idx_bytes(images))
        write_gz(folder / f"{name}-labels-idx1-ubyte.gz", idx_bytes(labels))


def test_an_idx_file_is_read_in_its_shape_and_order(idx, tmp_path):
    images = np.arange(12).reshape(2, 2, 3)
    path = write_gz(tmp_path / "images.gz", idx_bytes(images))

    found = idx.read_idx(path, (None, 2, 3))

    assert found.dtype == np.uint8
    assert found.flags.writeable
    np.testing.assert_array_equal(found, images)


def test_an_idx_file_of_labels_has_one_dimension(idx, tmp_path):
    path = write_gz(tmp_path / "labels.gz", idx_bytes(np.array([7, 2, 1])))

    assert idx.read_idx(path, (None,)).tolist() == [7, 2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            idx_bytes(np.zeros((2, 2)), code=0x0D),
            "magic number '00000d02'; expected '00000802', unsigned bytes in 2 dimensions",
        ),
        (
            idx_bytes(np.zeros(4)),
            "magic number '00000801'; expected '00000802', unsigned bytes in 2 dimensions",
        ),
        (b"", "magic number ''; expected '00000802'"),
        (idx_bytes(np.zeros((2, 2)))[:9], "truncated within its header"),
        (idx_bytes(np.zeros((2, 3))), "shape (2, 3); expected (any, 2)"),
        (idx_bytes(np.zeros((3, 2)))[:-1], "truncated: 5 elements; its header says 6"),
        (idx_bytes(np.zeros((3, 2))) + b"\0", "too long: 7 elements; its header says 6"),
    ],
    ids=[
        "floats",
        "dimensions",
        "empty",
        "header",
        "shape",
        "truncated",
        "too long",
    ],
)
def test_a_wrong_idx_file_is_refused_by_name(idx, tmp_path, content, message):
    path = write_gz(tmp_path / "wrong.gz", content)

    with pytest.raises(idx.IdxError) as caught:
        idx.read_idx(path, (None, 2))

    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_download_that_broke_off_is_refused(idx, tmp_path):
    path = write_gz(tmp_path / "half.gz", idx_bytes(np.arange(200)))
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(
        idx.IdxError, match=r"half\.gz: not a whole gzip file .*; download it again"
    ):
        idx.read_idx(path, (None,))


def test_a_file_that_is_not_gzipped_is_refused(idx, tmp_path):
    path = tmp_path / "plain.gz"
    path.write_bytes(idx_bytes(np.arange(4)))

    with pytest.raises(idx.IdxError, match=r"plain\.gz: not a whole gzip file"):
        idx.read_idx(path, (None,))


def test_a_gzip_file_with_damaged_data_is_refused(idx, tmp_path):
    path = tmp_path / "damaged.gz"
    squeezed = zlib.compress(idx_bytes(np.arange(4)))[2:-4]
    header = gzip.compress(b"")[:10]
    path.write_bytes(header + b"\xff" + squeezed)

    with pytest.raises(idx.IdxError, match=r"damaged\.gz: not a whole gzip file"):
        idx.read_idx(path, (None,))


def test_mnist_is_read_from_its_four_files(idx, tmp_path):
    write_mnist(tmp_path)

    found = idx.load_mnist(tmp_path)

    assert found.train_images.shape == (40, 28, 28)
    assert found.test_images.shape == (20, 28, 28)
    assert found.train_labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert (found.test_images[3, 3] == 255).all()


def test_images_and_labels_of_different_number_are_refused(idx, tmp_path):
    write_mnist(tmp_path)
    write_gz(tmp_path / "t10k-labels-idx1-ubyte.gz", idx_bytes(np.zeros(19)))

    with pytest.raises(
        idx.IdxError, match="20 t10k images and 19 labels; expected one label an image"
    ):
        idx.load_mnist(tmp_path)


def test_a_label_that_is_no_digit_is_refused(idx, tmp_path):
    write_mnist(tmp_path)
    write_gz(tmp_path / "train-labels-idx1-ubyte.gz", idx_bytes(np.full(40, 10)))

    with pytest.raises(idx.IdxError, match="a train label is 10; expected 0 to 9"):
        idx.load_mnist(tmp_path)


@pytest.fixture
def run_example(pytester, monkeypatch, _loaded):
    """Run a file of the examples in this process; gives pytest's result and the audits by test name."""
    for module in ("sklearn.datasets", "sklearn.model_selection"):
        importlib.import_module(
            module
        )  # pytester forgets modules that are new; these load only once

    monkeypatch.setenv("COLUMNS", "100")

    def run(name, *args):
        out = pytester.path / "out.json"
        result = pytester.runpytest_inprocess(
            str(EXAMPLES / name),
            "-p",
            "no:cacheprovider",
            "-rs",
            "--repro-runs=2",
            f"--repro-json={out}",
            *args,
        )
        audits = json.loads(out.read_text(encoding="utf-8"))["audits"]
        return result, {stored["name"].partition("::")[2]: stored for stored in audits}

    return run


def test_the_digits_example_audits_every_regularizer_against_limits_of_its_own(run_example):
    # Its limits are those of five runs, so two runs are reported and not judged.
    result, audits = run_example(
        "test_digits_mlp.py", "-k", "not stopped_early", "--repro-report-only"
    )

    result.assert_outcomes(passed=1, deselected=1)
    found = audits["test_digits_mlp"]["regularizers"]
    assert list(found) == list(BUILT_IN)
    assert all(
        set(one["limits"]) == {"max_prediction_difference", "min_effective_accuracy"}
        for one in found.values()
    )
    assert all(one["accuracy"]["value"] > 0.9 for one in found.values())


def test_the_digits_example_shows_a_breach_as_an_expected_failure(run_example):
    result, audits = run_example("test_digits_mlp.py", "-k", "stopped_early")

    result.assert_outcomes(xfailed=1, deselected=1)
    result.stdout.fnmatch_lines(["*none (baseline) * fail (xfail)"])
    verdict = audits["test_digits_mlp_stopped_early"]["regularizers"]["none"]["verdict"]
    assert verdict["status"] == "fail"
    assert not verdict["broken"]


@pytest.mark.parametrize("where", ["unset", "empty folder", "a file is missing"])
def test_the_mnist_example_without_data_is_skipped_with_the_way_to_get_it(
    run_example, monkeypatch, tmp_path, where
):
    monkeypatch.delenv("REPROTEST_DATA", raising=False)
    if where != "unset":
        monkeypatch.setenv("REPROTEST_DATA", str(tmp_path))
    if where == "a file is missing":
        (tmp_path / "mnist").mkdir()
        write_mnist(tmp_path / "mnist")
        (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()

    result, audits = run_example("test_mnist_mlp.py")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*MNIST is not here: download train-images-idx3-ubyte.gz, *t10k-labels-idx1-ubyte.gz from "
            "https://* into a folder named mnist, and set the environment variable REPROTEST_DATA to the "
            "folder that holds it"
        ]
    )
    assert audits == {}


def test_the_mnist_example_audits_what_lies_in_the_folder(run_example, monkeypatch, tmp_path):
    (tmp_path / "mnist").mkdir()
    write_mnist(tmp_path / "mnist", n_train=512, n_test=100)
    monkeypatch.setenv("REPROTEST_DATA", str(tmp_path))

    result, audits = run_example("test_mnist_mlp.py", "--repro-report-only")

    result.assert_outcomes(passed=1)
    audit = audits["test_mnist_mlp"]
    assert list(audit["regularizers"]) == list(BUILT_IN)
    assert unpack(audit["y_true"], 1).tolist() == list(range(10)) * 10
    assert all(
        set(one["limits"]) == {"max_prediction_difference", "min_effective_accuracy"}
        for one in audit["regularizers"].values()
    )


def test_a_damaged_mnist_file_is_an_error_and_not_a_skip(run_example, monkeypatch, tmp_path):
    (tmp_path / "mnist").mkdir()
    write_mnist(tmp_path / "mnist")
    write_gz(tmp_path / "mnist" / "train-labels-idx1-ubyte.gz", idx_bytes(np.zeros(3)))
    monkeypatch.setenv("REPROTEST_DATA", str(tmp_path))

    result, _ = run_example("test_mnist_mlp.py")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*IdxError: *mnist: 40 train images and 3 labels*"])


@pytest.mark.skipif("REPROTEST_DATA" not in os.environ, reason="REPROTEST_DATA is not set")
def test_the_mnist_example_reads_the_real_files(run_example):
    result, audits = run_example(
        "test_mnist_mlp.py", "--repro-regularizers=layer_norm", "--repro-report-only"
    )

    result.assert_outcomes(passed=1)
    audit = audits["test_mnist_mlp"]
    y_true = unpack(audit["y_true"], 1)
    assert y_true[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert len(y_true) == 10_000
    assert audit["regularizers"]["layer_norm"]["accuracy"]["value"] > 0.9
