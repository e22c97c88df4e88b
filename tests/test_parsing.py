"""JSON that means harm is refused before it takes memory, and what is JSON otherwise is read as it is."""

import json
import tracemalloc

import pytest

from pytest_reprotest import parsing
from pytest_reprotest.errors import DataError
from pytest_reprotest.parsing import MAX_DEPTH, MAX_TEXT, parsed


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -3,
        10**300,
        0.5,
        1e-300,
        "é\n",
        "a:b,[{",
        [],
        {},
        [[1, {"a": [2]}]],
        {"a": {"": 1}},
    ],
)
def test_what_is_json_is_read_as_it_is(value):
    assert parsed(json.dumps(value).encode()) == value


def nested(depth):
    return b"[" * depth + b"]" * depth


def test_nesting_is_read_so_far_and_no_deeper():
    assert parsed(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 2, 900, 100_000):
        with pytest.raises(DataError, match=r"^it is nested more than 50 deep$"):
            parsed(nested(depth))
    with pytest.raises(DataError, match="nested"):
        parsed(b'{"a":' * 60 + b"1" + b"}" * 60)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "the entry 'c' is there twice"),
        ('{"\\u0061": 1, "a": 2}', "the entry 'a' is there twice"),
        ("[NaN]", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("1e999", "1e999 is too large for a number"),
        ("9" * 310, "a number has 310 digits"),
        ("[" + "9" * 6000 + "]", "a number has 6,000 digits"),
        (
            json.dumps({"a": "x" * (MAX_TEXT + 1)}),
            "a text has 1,048,577 characters, at most 1,048,576",
        ),
        (json.dumps({"x" * (MAX_TEXT + 1): 1}), "a text has 1,048,577 characters"),
        (json.dumps([[["x" * (MAX_TEXT + 1)]]]), "a text has 1,048,577 characters"),
    ],
)
def test_what_is_no_honest_json_is_refused(text, message):
    with pytest.raises(DataError) as refusal:
        parsed(text.encode())
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"\x00", b"{} {}", b"[1 2]"]
)
def test_what_is_no_json_is_pythons_own_error(data):
    with pytest.raises(ValueError, match=r".") as refusal:
        parsed(data)
    assert not isinstance(refusal.value, DataError)


def test_a_packed_array_may_be_longer_than_a_text():
    packed = "A" * (MAX_TEXT + 1)
    assert parsed(json.dumps({"zlib": packed}).encode()) == {"zlib": packed}


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'{"a":0},', b"0,"])
def test_many_small_things_are_counted_before_they_take_memory(piece, monkeypatch):
    monkeypatch.setattr(parsing, "MAX_ENTRIES", 1000)
    monkeypatch.setattr(parsing, "MAX_VALUES", 1000)
    data = b"[" + piece * 100_000 + b"0]"
    tracemalloc.start()
    try:
        with pytest.raises(
            DataError, match=r"^it has more than 1,000 (values|lists, objects and entries)$"
        ):
            parsed(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_more_bytes_than_a_file_may_have_are_refused(monkeypatch):
    monkeypatch.setattr(parsing, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="it has more than 10 bytes"):
        parsed(b"[0, 0, 0, 0]")
