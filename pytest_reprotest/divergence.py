"""Where two trainings of one seed first differ, and which cause fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from pytest_reprotest.stored import entry
from pytest_reprotest.trace import Draw, Event, Trace

_CAUSES: dict[str, str] = {
    "unseeded": "an unseeded generator: {what}",
    "system": "entropy of the operating system: {what}",
    "clock": "the time of day: {what}",
    "thread": "threads, whose order nothing decides: {what}",
}
"""Kind of a call → the cause it is, in the order in which they are held to be likely."""
_WHAT = {
    "start": "initial weights {name!r}",
    "stream": "the state of {name}'s global generator",
    "inputs": "the inputs of the model",
    "forward": "the output of module {name!r}",
    "checkpoint": "the checkpoint {name!r}",
    "buffers": "the buffer {name!r}",
    "gradient": "the gradient of {name!r}",
    "weights": "the weights {name!r}",
    "predictions": "the predictions",
}
LEFT_BEHIND = (
    "something that an earlier training in the same process left behind: a model, optimizer, tensor or counter "
    "that is kept at module level, in a closure or in a default argument"
)
HASH_ORDER = (
    "the order of a set, or hash() of a text: the trainings agree where PYTHONHASHSEED is the same. Sort the "
    "set, or take zlib.crc32 in place of hash()"
)


_TRAININGS = 3  # two that part, and the first once more


class Difference(NamedTuple):
    """Where two traces part: how many events are the same before, and what comes then in each."""

    position: int
    left: Event | None
    right: Event | None

    @property
    def event(self) -> Event:
        """That of the first, or of the other where the first has ended."""
        found = self.left or self.right
        assert found is not None
        return found


@dataclass(frozen=True)
class Divergence:
    """The first thing that is not the same in two trainings of one seed.

    Attributes
    ----------
    step : int
        From 1 on; one more than the last where it is after all steps.
    trainings : int
        That it took to find it.
    phase, name : str
        As in ``trace.Event``.
    what : str
        In words.
    cause : str
        Which cause fits.
    line : str
        The user's line that it is about; empty where none is known.
    """

    step: int
    trainings: int
    phase: str
    name: str
    what: str
    cause: str
    line: str = ""

    def __str__(self) -> str:
        told = f"first divergence in step {self.step}: {self.what}. Cause that fits: {self.cause}"
        return f"{told}\n  at {self.line}" if self.line else told

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Divergence:
        """The inverse of ``to_dict``.

        Raises
        ------
        DataError
        """
        step, trainings = (entry(stored, key, int) for key in ("step", "trainings"))
        phase, name, what, cause, line = (
            entry(stored, key, str) for key in ("phase", "name", "what", "cause", "line")
        )
        return cls(step, trainings, phase, name, what, cause, line)


def first_difference(one: Trace, other: Trace) -> Difference | None:
    """The first place at which two traces part; None where they are the same.

    >>> same = Event(0, "forward", "0", "aa")
    >>> first_difference(Trace((same, Event(0, "forward", "1", "bb"))), Trace((same,)))
    Difference(position=1, left=Event(step=0, phase='forward', name='1', digest='bb', evaluation=False), right=None)
    """
    for position, (left, right) in enumerate(zip_longest(one.events, other.events)):
        if left != right:
            return Difference(position, left, right)
    return None


def locate(
    one: Trace, other: Trace, again: Trace, *, in_one_process: bool = False
) -> Divergence | None:
    """The first divergence of two traces, and its cause; None where they are the same.

    Parameters
    ----------
    one, other : Trace
        Of trainings of the same seed, under other values of PYTHONHASHSEED.
    again : Trace
        As ``one``, under its PYTHONHASHSEED, alone in a process of its own.
    in_one_process : bool
        ``other`` was trained after ``one`` in the same process.
    """
    found = first_difference(one, other)
    if found is None:
        return None
    event, line = found.event, ""
    draw = _responsible((*one.draws, *other.draws), found.position)
    if first_difference(one, again) is None:  # no clock and no entropy gives the same twice
        cause = LEFT_BEHIND if in_one_process else HASH_ORDER
        if any(each.kind == "thread" for each in (*one.draws, *other.draws)):
            cause += "; or threads, which came in the same order twice"
    elif draw is not None:
        cause, line = _CAUSES[draw.kind].format(what=draw.what), draw.line
    else:
        cause = _by_phase(event)
    what = _what(found.left, found.right)
    return Divergence(event.step + 1, _TRAININGS, event.phase, event.name, what, cause, line)


def _what(left: Event | None, right: Event | None) -> str:
    event = left or right
    assert event is not None
    if left is None or right is None or left[:3] != right[:3]:
        shown = " and ".join(_short(each) for each in (left, right))
        return f"the trainings do different things ({shown})"
    where = " in evaluation" if event.evaluation else ""
    if not event.name and event.phase not in ("inputs", "predictions"):
        return f"something in the phase {event.phase!r}{where}"
    return _WHAT[event.phase].format(name=event.name) + where


def _short(event: Event | None) -> str:
    return "one ends there" if event is None else f"{event.phase} {event.name!r}".strip()


def _responsible(draws: Sequence[Draw], position: int) -> Draw | None:
    """The first call of the likeliest kind among those before a place in the trace."""
    before = [draw for draw in draws if draw.position <= position]
    for kind in _CAUSES:
        of_kind = [draw for draw in before if draw.kind == kind]
        if of_kind:
            return min(of_kind, key=lambda draw: draw.position)
    return None


def _by_phase(event: Event) -> str:
    if event.phase == "stream":
        return (
            f"{event.name}'s global generator was drawn from another number of times, or seeded from "
            "something else than the run's seed"
        )
    if event.phase == "inputs":
        return (
            "data that come in no fixed order, or are changed on the way: the order of a set of objects, of "
            "files in a folder (sort them), or of threads"
        )
    if event.phase == "predictions":
        return (
            "something that no module, optimizer or checkpoint shows; run.checkpoint(name, value) in a "
            "FunctionTrainer tells more"
        )
    if event.phase in ("start", "checkpoint"):
        return "something else than the run's seed: memory addresses, files, or the network"
    if event.phase in ("gradient", "weights"):
        return "a nondeterministic kernel in backward or in the optimizer, or threads"
    return (
        "a nondeterministic kernel in this module's forward, threads, or the order of a set of objects, which "
        "follows memory addresses"
    )


def leaks(draws: Sequence[Draw]) -> Iterator[str]:
    """A sentence for each call that takes from a stream it should not, though bits agree here."""
    for draw in draws:
        if draw.kind in ("global", "evaluation", "loaders"):
            yield f"{draw.what}\n  at {draw.line}" if draw.line else draw.what
