"""Two traces: where they part, which cause fits, and the JSON form."""

import json

import pytest

from pytest_reprotest.divergence import (
    HASH_ORDER,
    LEFT_BEHIND,
    Divergence,
    first_difference,
    leaks,
    locate,
)
from pytest_reprotest.errors import DataError
from pytest_reprotest.trace import Draw, Event, Trace

BASE = (
    Event(0, "start", "0.weight", "a"),
    Event(0, "stream", "torch", "b"),
    Event(0, "inputs", "", "c"),
    Event(0, "forward", "0 (Linear)", "d"),
    Event(0, "gradient", "0.weight", "e"),
    Event(0, "weights", "0.weight", "f"),
    Event(1, "checkpoint", "loss", "g"),
    Event(1, "buffers", "1.count", "h"),
    Event(1, "forward", "0 (Linear)", "i", evaluation=True),
)


def changed(place, **fields):
    events = list(BASE)
    events[place] = events[place]._replace(**{"digest": "x", **fields})
    return tuple(events)


def drawing(kind, position=0, line="a.py:1 in f: call()"):
    return Draw(kind, f"{kind}()", line, position)


OTHERWISE = Trace(())
"""Of a third training that does not agree with the first."""


@pytest.mark.parametrize(
    ("place", "step", "what", "cause"),
    [
        (0, 1, "initial weights '0.weight'", "memory addresses"),
        (1, 1, "the state of torch's global generator", "drawn from another number of times"),
        (2, 1, "the inputs of the model", "no fixed order"),
        (3, 1, "the output of module '0 (Linear)'", "kernel in this module's forward"),
        (4, 1, "the gradient of '0.weight'", "kernel in backward"),
        (5, 1, "the weights '0.weight'", "in the optimizer"),
        (6, 2, "the checkpoint 'loss'", "memory addresses"),
        (7, 2, "the buffer '1.count'", "kernel in this module's forward"),
        (
            8,
            2,
            "the output of module '0 (Linear)' in evaluation",
            "kernel in this module's forward",
        ),
    ],
)
def test_the_first_difference_is_named_with_a_cause_that_fits(place, step, what, cause):
    other = (
        *changed(place)[: place + 1],
        *(event._replace(digest="y") for event in BASE[place + 1 :]),
    )
    found = locate(Trace(BASE), Trace(other), OTHERWISE)
    assert (found.step, found.what, found.trainings) == (step, what, 3)
    assert cause in found.cause
    assert str(found).startswith(f"first divergence in step {step}: {what}. Cause that fits: ")


def test_traces_that_are_the_same_do_not_diverge():
    assert locate(Trace(BASE), Trace(BASE, (drawing("clock"),)), Trace(BASE)) is None
    assert first_difference(Trace(BASE), Trace(BASE)) is None


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (BASE[:4], "gradient '0.weight' and one ends there"),
        ((*BASE[:4], *BASE[5:]), "gradient '0.weight' and weights '0.weight'"),
    ],
)
def test_trainings_that_do_different_things_are_told_as_such(other, told):
    assert (
        locate(Trace(BASE), Trace(other), OTHERWISE).what
        == f"the trainings do different things ({told})"
    )


def test_a_phase_that_was_chained_is_named_as_a_whole():
    one = Trace((Event(9, "forward", "", "a"),))
    other = Trace((Event(9, "forward", "", "b"),))
    assert locate(one, other, OTHERWISE).what == "something in the phase 'forward'"


@pytest.mark.parametrize(
    ("kinds", "taken"),
    [
        (["clock", "unseeded", "thread"], "unseeded"),
        (["thread", "clock"], "clock"),
        (["thread"], "thread"),
        (["global", "system"], "system"),
    ],
)
def test_a_call_that_no_seed_reaches_is_the_cause_the_likeliest_first(kinds, taken):
    one = Trace(BASE, tuple(drawing(kind, line=f"{kind}.py:1") for kind in kinds))
    found = locate(one, Trace(changed(2)), OTHERWISE)
    assert f"{taken}()" in found.cause
    assert found.line == f"{taken}.py:1"
    assert str(found).endswith(f"\n  at {taken}.py:1")


def test_a_call_after_the_divergence_is_not_its_cause():
    other = Trace(changed(2))
    later, before = (Trace(BASE, (drawing("clock", place),)) for place in (3, 2))
    assert "no fixed order" in locate(later, other, OTHERWISE).cause
    assert "the time of day" in locate(before, other, OTHERWISE).cause


def test_the_first_of_several_calls_of_a_kind_is_named():
    draws = (drawing("clock", 1, "late.py:1"), drawing("clock", 0, "early.py:1"))
    assert locate(Trace(BASE, draws), Trace(changed(6)), OTHERWISE).line == "early.py:1"


def test_what_agrees_where_texts_hash_alike_is_hash_order_whatever_was_called():
    one, other = Trace(BASE, (drawing("clock"),)), Trace(changed(2))
    assert locate(one, other, Trace(BASE)).cause == HASH_ORDER
    assert "the time of day" in locate(one, other, Trace(changed(2, digest="z"))).cause
    threaded = Trace(BASE, (drawing("thread"),))
    assert locate(threaded, other, Trace(BASE)).cause.startswith(f"{HASH_ORDER}; or threads")


def test_a_second_training_in_one_process_met_what_the_first_left_if_it_differs_only_there():
    one = Trace(BASE, (drawing("clock"),))
    found = locate(one, Trace(changed(0)), Trace(BASE), in_one_process=True)
    assert found.cause == LEFT_BEHIND
    found = locate(one, Trace(changed(0)), Trace(changed(0)), in_one_process=True)
    assert "the time of day" in found.cause


def test_only_streams_that_should_not_be_drawn_from_are_leaks():
    draws = [drawing(kind) for kind in ("system", "clock", "thread", "global", "evaluation")]
    bare = Draw("loaders", "two loaders", "")
    assert [*leaks([*draws, bare])] == [
        "global()\n  at a.py:1 in f: call()",
        "evaluation()\n  at a.py:1 in f: call()",
        "two loaders",
    ]


def test_the_json_form_reads_back():
    found = Divergence(3, 2, "forward", "0 (Linear)", "the output", "threads", "a.py:1")
    assert Divergence.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    for key in found.to_dict():
        wrong = {**found.to_dict(), key: []}
        with pytest.raises(DataError):
            Divergence.from_dict(wrong)
