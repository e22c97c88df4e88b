"""What figures have in common: a title, axes, and refusals of what cannot be drawn."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.report.plots.drawing import Drawing, Scale, Span
from pytest_reprotest.statistics import Estimate

Format = Literal["plain", "percent"]
Spell = Callable[[str], str]
"""Makes a text one that a renderer can show."""

_LARGEST = 1e100
_LONGEST = 1000


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes
    ----------
    label : str
    format : {"plain", "percent"}
        Fractions, 0 to 1, are written as percentages under ``"percent"``.

    >>> Axis("prediction difference", "percent").text(0.0412), Axis("ratio").text(0.5)
    ('4.12%', '0.5')
    """

    label: str = ""
    format: Format = "plain"

    def __post_init__(self) -> None:
        check_text(self.label, "the label of an axis")
        if self.format not in get_args(Format):
            expected = " or ".join(map(repr, get_args(Format)))
            raise OptionError(f"the format of an axis is {self.format!r}; expected {expected}")

    def text(self, value: float) -> str:
        """A value as it is told under the mouse."""
        if self.format == "percent":
            return f"{100 * value:.2f}".rstrip("0").rstrip(".") + "%"
        return f"{value:.4g}"

    def told(self, estimate: Estimate) -> str:
        """An estimate and its interval."""
        interval = ends(estimate)
        if interval is None:
            return self.text(estimate.value)
        low, high = map(self.text, interval)
        return f"{self.text(estimate.value)} [{low}, {high}]"

    def scale(self, values: Iterable[float], spell: Spell) -> Scale:
        """The axis over some values, with a little room at both ends."""
        return Scale(spell(self.label), self.format, self._span(list(values)))

    def _span(self, values: list[float]) -> Span:
        low, high = min(values), max(values)
        length = high - low
        if length <= 1e-9 * max(abs(low), abs(high)):
            length = abs(low) / 10 or 0.01
        room, little = 0.06 * length, 0.02 * length
        # No ticks where values cannot be, and yet a point at the end is not cut in half.
        below = little if low >= 0 > low - room else room
        above = little if self.format == "percent" and high <= 1 < high + room else room
        return low - below, high + above


@dataclass(frozen=True)
class Numbers:
    """What a figure shows, as a table: for who can't see it, or has no mouse to ask it.

    Attributes
    ----------
    headings : tuple of str
    rows : tuple of tuples of str
        The first cell names a row.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Figure(ABC):
    """A figure as data. ``to_plotly`` and ``save`` draw it."""

    @abstractmethod
    def tabulated(self) -> Numbers:
        """Its numbers as texts."""

    @abstractmethod
    def drawing(self, spell: Spell) -> Drawing:
        """The marks that it comes down to; every text goes through ``spell``."""


def check_text(text: Any, what: str, empty: bool = True) -> None:
    """Refuse what is no text, or too long for a figure.

    Raises
    ------
    DataError
    """
    if not isinstance(text, str):
        raise DataError(f"{what} is {text!r:.80}; expected a str")
    if not empty and not text.strip():
        raise DataError(f"{what} is empty; give it a name")
    if len(text) > _LONGEST:
        raise DataError(
            f"{what} has {len(text)} characters, {text[:40]!r}...; expected at most {_LONGEST}"
        )


def numbers(values: Any, what: str) -> tuple[float, ...]:
    """Values as floats; NaN stays.

    Raises
    ------
    DataError
        Where they are not a sequence of numbers, or infinite.

    >>> numbers([1, 0.5], "the values of 'none'")
    (1.0, 0.5)
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):  # a ragged list
        array = np.empty(0, dtype=object)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise DataError(f"{what} are {values!r:.80}; expected a sequence of numbers")
    found: list[float] = array.astype(float).tolist()
    for value in found:
        if abs(value) <= _LARGEST or math.isnan(value):
            continue
        raise DataError(
            f"one of {what} is {value}, which cannot be drawn; pass NaN to leave it out"
        )
    return tuple(found)


def check_estimate(estimate: Any, what: str) -> None:
    """Refuse what is no estimate, is infinite, or has an interval that is upside down.

    Raises
    ------
    DataError
    """
    if not isinstance(estimate, Estimate):
        raise DataError(f"{what} is {estimate!r:.80}; expected an Estimate(value, low, high)")
    _, low, high = numbers([estimate.value, estimate.low, estimate.high], f"the ends of {what}")
    if low > high:
        raise DataError(f"the interval of {what} ends at {high}, below its start at {low}")


def ends(estimate: Estimate) -> Span | None:
    """An estimate's interval, from the estimate itself where an end is not known; None without any."""
    low, high = (
        estimate.value if math.isnan(end) else end for end in (estimate.low, estimate.high)
    )
    return None if math.isnan(estimate.low) and math.isnan(estimate.high) else (low, high)


def reach(estimate: Estimate) -> Span:
    """All that an estimate covers on an axis."""
    low, high = ends(estimate) or (estimate.value, estimate.value)
    return min(low, estimate.value), max(high, estimate.value)


def left_out(n_missing: int, n_given: int, title: str) -> str:
    """The note on values that are not drawn.

    Raises
    ------
    DataError
        Where nothing is left to draw.

    >>> left_out(1, 5, "PD")
    '1 of 5 values is NaN and left out'
    """
    if n_missing == n_given:
        why = "it has no values" if not n_given else f"all of its values ({n_given}) are NaN"
        raise DataError(f"there is nothing to draw in the figure {title!r:.80}: {why}")
    verb = "is" if n_missing == 1 else "are"
    return f"{n_missing} of {n_given} values {verb} NaN and left out" if n_missing else ""
