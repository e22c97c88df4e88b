"""What renderers draw: marks at numbers, in a frame. Every kind of figure comes down to these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_reprotest.report.plots.lettering import fold, n_lines, widest
from pytest_reprotest.report.plots.palette import Sign

Span = tuple[float, float]
"""The low and the high end of something."""

FONT, TITLE, NOTE = 12, 15, 11
"""Sizes of letters, in pixels."""
LINE = 1.35
"""The distance of lines, in sizes of letters."""
DPI = 100
"""Pixels that make an inch."""
INK, GRID = "#333333", "#DDDDDD"

_LEGEND_ROOM = 22  # font sizes
_BESIDE_TEXT = 60  # the sign of a legend's entry and what is around it, in pixels
_NARROWEST_TITLE = 380


@dataclass(frozen=True)
class Scale:
    """An axis of the frame: its label, how numbers on it are written, and what it spans.

    Attributes
    ----------
    format : {"plain", "percent"}
    span : (float, float)
    ticks : sequence of (float, str), optional
        Where names take the place of numbers, they and their places.
    """

    label: str
    format: str
    span: Span
    ticks: Sequence[tuple[float, str]] | None = None

    @property
    def ticks_width(self) -> float:
        """How much the texts beside a vertical axis take, in pixels."""
        return FONT * (6 if self.ticks is None else max(widest(text) for _, text in self.ticks))

    @property
    def ticks_height(self) -> float:
        """How much the texts below a horizontal axis take, in pixels."""
        lines = 1 if self.ticks is None else max(n_lines(text) for _, text in self.ticks)
        return FONT * LINE * lines


@dataclass(frozen=True)
class Dot:
    """A point with what is told of it under the mouse, and its intervals where it has any."""

    x: float
    y: float
    hover: str
    x_interval: Span | None = None
    y_interval: Span | None = None


@dataclass(frozen=True)
class Dots:
    """The points of a series.

    Attributes
    ----------
    name : str
        Its name in the legend; empty where it is not named there.
    size : float
        Of a point, in pixels.
    faint : bool
        Half transparent, since points lie over each other.
    """

    name: str
    sign: Sign
    dots: Sequence[Dot]
    size: float = 9
    faint: bool = False


@dataclass(frozen=True)
class Box:
    """The quartiles of some values, and how far the whiskers reach."""

    x: float
    width: float
    low: float
    q1: float
    median: float
    q3: float
    high: float


@dataclass(frozen=True)
class BoxRow:
    """The boxes of a series, which has the same name as its points."""

    name: str
    sign: Sign
    boxes: Sequence[Box]


@dataclass(frozen=True)
class Line:
    """A dashed line to hold the data against, from a point to another."""

    name: str
    start: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A line through points; where y is NaN it is broken.

    Attributes
    ----------
    faint : bool
        Thin and half transparent, since curves lie over each other.
    """

    name: str
    sign: Sign
    x: Sequence[float]
    y: Sequence[float]
    faint: bool = False


@dataclass(frozen=True)
class Band:
    """What lies between two curves of a series."""

    sign: Sign
    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Cells:
    """Squares whose colour is a value, in columns and rows at 0, 1, 2...; NaN has none.

    Attributes
    ----------
    label : str
        What the values are.
    format : {"plain", "percent"}
    values, hovers : by row, then by column
    span : (float, float)
        The values of the first and the last colour.
    """

    label: str
    format: str
    values: Sequence[Sequence[float]]
    hovers: Sequence[Sequence[str]]
    span: Span


Mark = Dots | BoxRow | Line | Curve | Band | Cells
Named = Dots | Line | Curve
"""The marks that a legend may have."""


@dataclass(frozen=True)
class Drawing:
    """A figure as renderers get it; all text is in lines already.

    Attributes
    ----------
    width, height : int
        Of all of it, in pixels.
    """

    title: str
    note: str
    x: Scale
    y: Scale
    marks: Sequence[Mark]
    width: int
    height: int

    @property
    def above(self) -> int:
        """The height of title and note, in pixels."""
        return round(LINE * (TITLE * n_lines(self.title) + NOTE * n_lines(self.note))) + 24

    @property
    def named(self) -> list[str]:
        """The names in the legend."""
        return [mark.name for mark in self.marks if isinstance(mark, Named) and mark.name]


def legend_name(text: str) -> str:
    """A name in the lines that a legend has room for."""
    return fold(text, _LEGEND_ROOM)


def compose(
    title: str,
    note: str,
    x: Scale,
    y: Scale,
    marks: Iterable[Mark],
    area: tuple[float, float],
) -> Drawing:
    """Lay a drawing out around an area of (width, height) pixels, as large as its text needs it to be."""
    width, height = area
    x = replace(x, label=fold(x.label, width / FONT))
    y = replace(y, label=fold(y.label, height / FONT))
    beside = y.ticks_width + LINE * FONT * n_lines(y.label) + 40
    below = x.ticks_height + LINE * FONT * n_lines(x.label) + 30
    drawing = Drawing(title, note, x, y, tuple(marks), 0, 0)
    entries = drawing.named
    legend = max((FONT * widest(name) + _BESIDE_TEXT for name in entries), default=20)
    entries_height = sum(LINE * FONT * n_lines(name) + 8 for name in entries)
    main = max(beside + width, _NARROWEST_TITLE)
    drawing = replace(
        drawing, title=fold(title, (main - 40) / TITLE), note=fold(note, (width - 20) / NOTE)
    )
    return replace(
        drawing,
        width=round(main + legend),
        height=round(drawing.above + max(height, entries_height) + below),
    )
