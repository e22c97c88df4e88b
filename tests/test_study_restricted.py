"""Pickles of CIFAR's batches: what is admitted, and that nothing a hostile one names is run."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets.restricted import RefusedPickleError, read_pickle


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def array_pickle(state, build=b"b"):
    """A pickle that rebuilds an array from a state given as code."""
    return b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR" + state + build


BYTES = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_a_batch_is_read_as_numpy_wrote_it(protocol):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    batch = {b"data": pixels, b"labels": [3, 1], "batch_label": "training batch 1 of 5"}

    found = read_pickle(pickle.dumps(batch, protocol))

    np.testing.assert_array_equal(found[b"data"], pixels)
    assert found[b"data"].dtype == np.uint8
    assert found[b"labels"] == [3, 1]
    assert found["batch_label"] == "training batch 1 of 5"


def test_a_batch_is_read_as_python_2_and_its_numpy_wrote_it():
    # Strings of Python 2 (S), the module's name before NumPy 2, and an array in Fortran's order.
    state = b"(I1\n(I2\nI3\nt" + BYTES + b"I1\nS'abcdef'\nt"
    content = b"(dS'data'\n" + array_pickle(state) + b"sS'labels'\n(lI7\naI9\nas."

    found = read_pickle(content)

    assert found[b"labels"] == [7, 9]
    assert found[b"data"].tobytes() == b"acebdf"


@pytest.mark.parametrize(
    ("function", "args", "name"),
    [
        (os.system, ("touch ran",), "posix.system"),
        (eval, ("open('ran', 'w')",), "builtins.eval"),
        (exec, ("open('ran', 'w')",), "builtins.exec"),
        (getattr, ("numpy", "load"), "builtins.getattr"),
        (np.load, ("ran.npy", None, True), "numpy.load"),
        (np.save, ("ran", 0), "numpy.save"),
        (np.fromfile, ("ran",), "numpy.fromfile"),
        (open, ("ran", "w"), "_?io.open"),
        (bytearray, (10,), "builtins.bytearray"),
        (Path, ("ran",), "pathlib.*Path"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_what_a_hostile_pickle_calls_is_named_and_not_run(
    tmp_path, monkeypatch, function, args, name, protocol
):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"data": Call(function, *args)}, protocol)

    with pytest.raises(RefusedPickleError, match=r"^names .*; it was not run$") as caught:
        read_pickle(content)

    assert list(tmp_path.iterdir()) == []
    if protocol >= 3:  # earlier ones name it as Python 2 did
        caught.match(name)


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch ran'\ntR.",
        b"(S'touch ran'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch ran'\no.",  # OBJ
        b"\x80\x02cnumpy\nndarray\n)\x81.",  # NEWOBJ on what is an argument only
        b"cnumpy\nndarray\n(I9\ntR.",  # a call of it
        b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.dump\x93.",  # a path of attributes
        b"\x80\x02\x82\x01.",  # the extension registry
        b"S'x'\nQ.",  # a persistent id
        b"cnumpy.core.multiarray\n_reconstruct\n(dS'__call__'\nI1\nsb.",  # BUILD on a function
        b"cnumpy\ndtype\n(dS'x'\nI1\nsb.",
        b"c_codecs\nencode\n(NtR.",
        b"c_codecs\nencode\n(VZW\nS'base64'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n.",
        array_pickle(b"(I1\n(I2\ntcnumpy\ndtype\n(S'O8'\ntRI0\n(lcos\nsystem\nat") + b".",
        array_pickle(b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\ntRI0\nS'ab'\nt") + b".",
        array_pickle(b"(I1\n(I9999999\nt" + BYTES + b"I0\nS'ab'\nt") + b".",
        array_pickle(b"(I1\n(I-2\nt" + BYTES + b"I0\nS'ab'\nt") + b".",
        array_pickle(b"(I1\n(I2\ntS'u1'\nI0\nS'ab'\nt") + b".",
        b"",
        b"not a pickle",
        pickle.dumps({"data": [1] * 100})[:-30],
    ],
)
def test_what_is_no_array_of_bytes_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(RefusedPickleError):
        read_pickle(content)

    assert list(tmp_path.iterdir()) == []


def test_a_refused_pickle_leaves_the_next_one_as_it_was():
    with pytest.raises(RefusedPickleError, match="sets the state of 'MakeDtype'"):
        read_pickle(b"cnumpy\ndtype\n(dS'x'\nI1\nsb.")

    pixels = np.arange(4, dtype=np.uint8)
    np.testing.assert_array_equal(read_pickle(pickle.dumps(pixels, 2)), pixels)


def test_an_array_of_other_numbers_is_refused_by_its_type():
    with pytest.raises(RefusedPickleError, match="holds an array of dtype 'f8'; expected bytes"):
        read_pickle(pickle.dumps({"data": np.zeros(3)}, 2))


def test_an_array_that_is_not_where_batches_have_one_is_no_array():
    nested = read_pickle(pickle.dumps({"data": [np.zeros(2, np.uint8)]}, 2))

    assert not isinstance(nested["data"][0], np.ndarray)
