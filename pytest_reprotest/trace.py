"""A training as a sequence of digests, and the calls in it that no seed reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Phase = Literal[
    "start",
    "stream",
    "inputs",
    "forward",
    "checkpoint",
    "buffers",
    "gradient",
    "weights",
    "predictions",
]


class Event(NamedTuple):
    """One thing that a training computed.

    Attributes
    ----------
    step : int
        Steps of an optimizer before it.
    phase : str
        ``start`` (initial weights), ``stream`` (state of a global generator), ``inputs`` (of a batch),
        ``forward`` (output of a module), ``checkpoint``, ``buffers``, ``gradient``, ``weights``
        or ``predictions``.
    name : str
        Of the stream, module, parameter or checkpoint; empty for a whole phase.
    digest : str
    evaluation : bool
        Whether the model was in evaluation mode.
    """

    step: int
    phase: Phase
    name: str
    digest: str
    evaluation: bool = False


Kind = Literal["system", "clock", "unseeded", "thread", "global", "evaluation", "loaders"]


class Draw(NamedTuple):
    """A call that took what no seed of the run decides, or that took it from a stream it should not.

    Attributes
    ----------
    kind : str
        ``system`` (entropy of the operating system), ``clock``, ``unseeded`` (a generator seeded from the
        system), ``thread`` (one was started), ``global`` (a global generator that the function never
        seeds), ``evaluation`` (noise while predicting), ``loaders`` (of a DataLoader).
    what : str
        What was called, or a sentence about it.
    line : str
        The user's line, ``file.py:12 in train: source``; empty where there is none.
    position : int
        Events of the trace before it.
    """

    kind: Kind
    what: str
    line: str
    position: int = 0


@dataclass(frozen=True)
class Trace:
    """What was recorded along one training.

    Attributes
    ----------
    events : tuple of Event
        In the order of the training; empty where only calls were watched.
    draws : tuple of Draw
        Each kind and line once.
    """

    events: tuple[Event, ...] = ()
    draws: tuple[Draw, ...] = ()
