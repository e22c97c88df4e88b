"""Packing and typed reading: what is written reads back, and nothing else does harm."""

import base64
import math
import tracemalloc
import zlib

import numpy as np
import pytest
import strategies
from hypothesis import given

from pytest_reprotest import stored
from pytest_reprotest.errors import DataError
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.stored import (
    entry,
    estimate_in,
    estimate_out,
    number_in,
    number_out,
    pack,
    packed_bytes,
    texts,
    unpack,
)

# --- labels -------------------------------------------------------------------------------------


@given(strategies.audits(min_runs=1))
def test_labels_read_back_as_they_were(drawn):
    predictions, y_true = drawn
    for labels in (predictions, y_true):
        packed = pack(labels)
        assert packed_bytes(packed) == labels.size * int(packed["dtype"][1])
        read = unpack(packed, labels.ndim)
        assert read.tolist() == labels.tolist()
        assert read.dtype == np.min_scalar_type(int(labels.max()))
        assert read.flags.c_contiguous
        assert read.flags.writeable
        assert unpack(labels.tolist(), labels.ndim).tolist() == labels.tolist()


def test_the_bytes_are_those_of_the_smallest_type_sample_by_sample():
    packed = pack(np.array([[1, 258], [3, 4]]))
    assert (packed["dtype"], packed["shape"]) == ("u2", [2, 2])
    raw = zlib.decompress(base64.b64decode(packed["zlib"]))
    assert raw == bytes([1, 0, 3, 0, 2, 1, 4, 0])


def test_no_run_at_all_reads_back_as_none():
    empty = np.empty((0, 4), dtype=np.uint8)
    assert unpack(pack(empty), 2).shape == (0, 0)
    assert unpack([], 2).shape == (0, 0)


def test_runs_that_agree_take_little_room():
    labels = np.tile(np.random.default_rng(0).integers(0, 10, 10_000), (20, 1))
    assert len(pack(labels)["zlib"]) < 0.1 * labels.size


def packed(**changes):
    return {**pack(np.array([[0, 1], [0, 2]])), **changes}


BOMB = base64.b64encode(zlib.compress(bytes(10_000_000))).decode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "there is null; expected a packed array, or a list"),
        ("0110", "there is '0110' (a text); expected a packed array"),
        (7, "there is 7 (an integer); expected a packed array"),
        ([[0, 1], [0]], "a list can't be read as an array"),
        ([[0.5, 1.0]], "labels are read as float64; expected integers"),
        ([["0", "1"]], "a list holds '0' (a text); expected numbers"),
        ([[True, False]], "a list holds True (true or false); expected numbers"),
        ([[None, 1]], "a list holds null; expected numbers"),
        ([[2**70, 1]], "expected integers"),
        ([[-1, 1]], "labels go from -1 to 1; expected 0 up, below 2^63"),
        ([[2**63, 2**63]], "to 9223372036854775808; expected 0 up, below 2^63"),
        ([0, 1], "an array has shape (2,); expected 2 dimensions"),
        ({}, "the entry 'dtype' is missing"),
        (packed(dtype="object"), "an array of type 'object' and shape [2, 2] can't be unpacked"),
        (packed(dtype="f4", shape=[1, 1]), "labels are read as float32; expected integers"),
        (packed(dtype="O"), "an array of type 'O' and shape [2, 2] can't be unpacked"),
        (packed(dtype=8), "dtype is 8 (an integer); expected a text"),
        (packed(shape=[2, -2]), "shape [2, -2] can't be unpacked"),
        (packed(shape=[2, 2.0]), "shape [2, 2.0] can't be unpacked"),
        (packed(shape=[2, True]), "shape [2, True] can't be unpacked"),
        (packed(shape="22"), "shape is '22' (a text); expected a list"),
        (packed(shape=[2, 3]), "an array does not unpack to its shape [2, 3]"),
        (packed(shape=[1, 2]), "an array does not unpack to its shape [1, 2]"),
        (packed(shape=[4]), "an array has shape (4,); expected 2 dimensions"),
        (packed(shape=[2**29, 4]), "an audit's arrays take 2,147,483,648 bytes; expected at most"),
        (packed(shape=[2**62, 2**62]), "can't be unpacked"),
        (packed(zlib=None), "zlib is null; expected a text"),
        (packed(zlib="not base64!"), "an array can't be unpacked"),
        (packed(zlib="é"), "an array can't be unpacked"),
        (
            packed(zlib=packed()["zlib"][:4] + "\n" + packed()["zlib"][4:]),
            "an array can't be unpacked",
        ),
        (packed(zlib=""), "an array does not unpack to its shape"),
        (packed(zlib="AAAA"), "an array can't be unpacked: Error -3"),
        (packed(zlib=BOMB), "an array does not unpack to its shape [2, 2]"),
        (
            packed(zlib=base64.b64encode(zlib.compress(bytes(4))[:-1]).decode()),
            "an array does not unpack to its shape",
        ),
        (
            packed(zlib=base64.b64encode(zlib.compress(bytes(4)) + b"more").decode()),
            "an array does not unpack to its shape",
        ),
    ],
)
def test_what_is_no_label_array_is_refused(value, message):
    with pytest.raises(DataError) as refusal:
        unpack(value, 2)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_a_text_that_unpacks_to_more_than_its_shape_says_is_not_unpacked():
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            unpack(packed(zlib=BOMB), 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # of ten million


def test_a_shape_with_no_bytes_behind_it_takes_no_memory(monkeypatch):
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            unpack(packed(shape=[2**14, 2**14]), 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # of 268 million


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([[0.5, -1.25], [3.0, 2.0**100]], "f4"),
        ([[0.1, 1.0]], "f8"),
        ([[1e300, 1.0]], "f8"),
    ],
)
def test_numbers_read_back_as_they_were_in_the_smaller_type_that_holds_them(values, dtype):
    packed = pack(np.array(values))
    assert packed["dtype"] == dtype
    read = unpack(packed, 2, floats=True)
    assert read.tolist() == values
    assert read.dtype == np.dtype(dtype)
    assert unpack(values, 2, floats=True).tolist() == values


def test_arrays_of_three_dimensions_read_back_as_they_were():
    labels = np.arange(24).reshape(2, 3, 4)
    assert unpack(pack(labels), 3).tolist() == labels.tolist()


@pytest.mark.parametrize("values", [[["a"]], [[True]], [[None]]])
def test_what_are_no_numbers_is_refused(values):
    with pytest.raises(DataError, match=r"a list holds .*; expected numbers"):
        unpack(values, 2, floats=True)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(number):
    with pytest.raises(DataError, match="not finite; expected finite numbers"):
        unpack(pack(np.array([[number, 0.5]])), 2, floats=True)


def test_no_number_at_all_reads_back_as_none():
    assert unpack(pack(np.empty((0, 4))), 2, floats=True).dtype == np.float64


# --- other values -------------------------------------------------------------------------------


def test_numbers_that_are_none_become_null_and_back():
    assert [number_out(x) for x in (0.5, math.nan, math.inf)] == [0.5, None, None]
    assert number_in(0.5) == 0.5
    assert number_in(3) == 3.0
    assert math.isnan(number_in(None))


@pytest.mark.parametrize("value", ["0.5", True, [], {}, math.inf, math.nan, 10**400])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(DataError, match=r"^seconds is .*; expected a (finite )?number"):
        number_in(value, "seconds")


def test_estimates_read_back_and_unknown_parts_are_left_alone():
    estimate = Estimate(0.5, math.nan, 0.75)
    read = estimate_in({"accuracy": {**estimate_out(estimate), "level": 0.9}}, "accuracy")
    assert (read.value, read.high) == (0.5, 0.75)
    assert math.isnan(read.low)
    with pytest.raises(DataError, match="accuracy is '9' \\(a text\\); expected a number"):
        estimate_in({"accuracy": {"value": "9"}}, "accuracy")


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ({}, str, "the entry 'key' is missing"),
        ({"key": 3}, str, "key is 3 (an integer); expected a text"),
        ({"key": None}, str, "key is null; expected a text"),
        ({"key": True}, int, "key is True (true or false); expected an integer"),
        ({"key": 1}, bool, "key is 1 (an integer); expected true or false"),
        ({"key": []}, dict, "key is a list; expected an object"),
        ({"key": "x" * 99}, list, f"key is {'x' * 99!r:.40} (a text); expected a list"),
        ([], str, "there is a list; expected an object with the entry 'key'"),
    ],
)
def test_an_entry_of_another_kind_is_refused(value, kind, message):
    with pytest.raises(DataError) as refusal:
        entry(value, "key", kind)
    assert str(refusal.value) == message


def test_texts_are_texts():
    assert texts({"notes": ["a", "b"]}, "notes") == ("a", "b")
    with pytest.raises(DataError, match="notes holds 1 \\(an integer\\); expected texts"):
        texts({"notes": ["a", 1]}, "notes")


def test_the_most_that_is_unpacked_is_enough_for_an_audit_of_a_thousand_runs():
    assert stored.MAX_ARRAY_BYTES >= 1000 * 10_000 * 100


def test_more_axes_than_arrays_have_are_refused():
    with pytest.raises(DataError, match="can't be unpacked"):
        unpack({"dtype": "u1", "shape": [1] * 100, "zlib": ""}, 2)
    with pytest.raises(DataError, match="a list holds a list; expected numbers"):
        unpack([[[[[0]]]]], 2)


def test_a_long_text_among_short_ones_takes_no_memory():
    with pytest.raises(DataError, match=r"a list holds 'a.* \(a text\); expected numbers"):
        unpack([["a" * 1000] + ["b"] * 10**6], 2)
