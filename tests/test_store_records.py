"""Rows: a run comes back to the last bit, or not at all."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.store.records import checksum, outcome_of, record_of

RUN = Run("none", 3, RunSeeds(0, 3))
KINDS = ["b1", "i1", "i4", "i8", "u1", "u8", "f2", "f4", "f8", ">i4", ">f8"]
numbers = st.sampled_from(KINDS).flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(max_dims=3, max_side=4))
)
outcomes = st.builds(
    RunOutcome,
    st.just(RUN),
    numbers,
    st.lists(st.floats(), max_size=5).map(tuple),
    st.floats(0, 1e9),
    note=st.none() | st.text(max_size=5),
    scores=st.none() | arrays.arrays("f4", arrays.array_shapes(max_dims=2, max_side=4)),
)


def bits(array):
    little = array.astype(array.dtype.newbyteorder("<"))
    return little.dtype.str, little.shape, little.tobytes()


@given(outcomes)
def test_a_run_comes_back_to_the_last_bit(outcome):
    record = record_of(outcome, "here")
    found = outcome_of(record, RUN, "here")
    assert bits(found.labels) == bits(outcome.labels)
    assert (found.scores is None) == (outcome.scores is None)
    if found.scores is not None:
        assert bits(found.scores) == bits(outcome.scores)
    assert np.array(found.losses).tobytes() == np.array(outcome.losses).tobytes()
    assert (found.run, found.seconds, found.note) == (RUN, outcome.seconds, outcome.note)
    assert found.labels.flags.writeable


@given(outcomes, st.data())
def test_any_flipped_bit_is_found(outcome, data):
    record = record_of(outcome, "here")
    names = [name for name, value in vars(record).items() if value]
    name = data.draw(st.sampled_from(names))
    value = getattr(record, name)
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    at = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[at // 8] ^= 1 << at % 8
    flipped = raw.decode("utf-8", "replace") if isinstance(value, str) else bytes(raw)
    with pytest.raises(DataError, match="does not match its checksum"):
        outcome_of(replace(record, **{name: flipped}), RUN, "here")


def test_a_row_of_another_place():
    record = record_of(RunOutcome(RUN, np.array([0, 1])), "here")
    with pytest.raises(DataError, match="checksum"):
        outcome_of(record, RUN, "there")


def test_bytes_that_went_from_one_column_to_the_next():
    record = record_of(RunOutcome(RUN, np.array([0, 1], "u1"), scores=np.zeros(1, "f4")), "here")
    moved = replace(record, labels=record.labels + record.scores[:1], scores=record.scores[1:])
    with pytest.raises(DataError, match="checksum"):
        outcome_of(moved, RUN, "here")


@pytest.mark.parametrize(
    "outcome",
    [
        RunOutcome(RUN, failure="no"),
        RunOutcome(RUN, np.array([0, 1]), failure="no"),
        RunOutcome(RUN),
        RunOutcome(RUN, np.array(["a", None], dtype=object)),
        RunOutcome(RUN, np.array([1j])),
    ],
)
def test_what_is_no_finished_run_has_no_row(outcome):
    assert record_of(outcome, "here") is None


WHOLE = {"labels": ["|u1", [2]], "scores": None, "seconds": 1.0, "note": None}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "[" * 10**5,
        "[]",
        "{}",
        *(
            json.dumps(WHOLE | changed)
            for changed in (
                {"labels": ["|O", [2]]},
                {"labels": ["|V1", [2]]},
                {"labels": ["|u1", [-2]]},
                {"labels": ["|u1", [2.0]]},
                {"labels": ["|u1", [True, 2]]},
                {"labels": ["|u1", [10**30, 0]]},
                {"labels": ["|u1", [3]]},
                {"labels": ["|u1", []]},
                {"labels": ["|u1", [1, 1, 1, 2]]},
                {"labels": ["|u1"]},
                {"labels": [["|u1"], [2]]},
                {"labels": None},
                {"scores": ["<f4", [1]]},
                {"seconds": "x"},
                {"seconds": None},
                {"note": 3},
            )
        ),
    ],
)
def test_whoever_forges_a_checksum_gets_no_further(header):
    row = record_of(RunOutcome(RUN, np.array([0, 1], "u1")), "here")
    forged = replace(row, header=header, checksum=checksum("here", header, *row.arrays))
    with pytest.raises(DataError):
        outcome_of(forged, RUN, "here")


def test_losses_that_are_no_number():
    losses = (math.nan, math.inf, -math.inf, -0.0)
    record = record_of(RunOutcome(RUN, np.array([0]), losses), "here")
    assert [*map(repr, outcome_of(record, RUN, "here").losses)] == ["nan", "inf", "-inf", "-0.0"]
