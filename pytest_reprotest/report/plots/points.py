"""Scatter plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_reprotest.errors import DataError
from pytest_reprotest.report.plots.drawing import (
    Dot,
    Dots,
    Drawing,
    Line,
    Mark,
    Span,
    compose,
    legend_name,
)
from pytest_reprotest.report.plots.figure import (
    Axis,
    Figure,
    Numbers,
    Spell,
    check_estimate,
    check_text,
    ends,
    left_out,
    numbers,
    reach,
)
from pytest_reprotest.report.plots.palette import signs
from pytest_reprotest.statistics import Estimate

_AREA = (460, 400)


@dataclass(frozen=True)
class Point:
    """A point, with an interval where its estimates have one.

    Attributes
    ----------
    x, y : Estimate
    text : str
        What is told of it under the mouse, beside its numbers.

    >>> Point(Estimate(0.054, 0.05, 0.058), Estimate(0.027), "10 runs").y.value
    0.027
    """

    x: Estimate
    y: Estimate
    text: str = ""

    def __post_init__(self) -> None:
        check_estimate(self.x, "x of a point")
        check_estimate(self.y, "y of a point")
        check_text(self.text, "the text of a point")

    @property
    def missing(self) -> bool:
        """Whether it has no place."""
        return math.isnan(self.x.value) or math.isnan(self.y.value)


@dataclass(frozen=True)
class ReferenceLine:
    """A straight line through two points (x, y), as far as the frame reaches.

    >>> ReferenceLine("calibrated ensemble: PD = error", (0, 0), (1, 1)).within((2, 3), (1, 5))
    ((2.0, 2.0), (3.0, 3.0))
    """

    label: str
    start: tuple[float, float]
    end: tuple[float, float]

    def __post_init__(self) -> None:
        check_text(self.label, "the label of a line", empty=False)
        given = [numbers(point, f"the points of the line {self.label!r:.80}") for point in (self.start, self.end)]  # fmt: skip
        if given[0] == given[1] or any(len(at) != 2 or any(map(math.isnan, at)) for at in given):
            raise DataError(
                f"the line {self.label!r:.80} goes through {self.start} and {self.end}; "
                "expected two different points (x, y)"
            )

    def within(self, x: Span, y: Span) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """Its two ends in a frame; None where it passes by."""
        first, last = -math.inf, math.inf
        steps = [end - start for start, end in zip(self.start, self.end, strict=True)]
        for start, step, (low, high) in zip(self.start, steps, (x, y), strict=True):
            if step:
                times = sorted(((low - start) / step, (high - start) / step))
                first, last = max(first, times[0]), min(last, times[1])
            elif not low <= start <= high:
                return None
        if first >= last:
            return None
        return self._at(first), self._at(last)

    def _at(self, time: float) -> tuple[float, float]:
        (x, y), (to_x, to_y) = self.start, self.end
        return x + time * (to_x - x), y + time * (to_y - y)


@dataclass(frozen=True)
class Points(Figure):
    """Points of one or several series, with intervals, and a line to hold them against.

    Attributes
    ----------
    title : str
    x, y : Axis
    series : mapping of str to points
        In the order of their colours. Points without a place, NaN, are left out.
    line : ReferenceLine, optional

    Raises
    ------
    DataError
        Where there is nothing to draw, or what is given are no points.

    >>> error, pd = Axis("error", "percent"), Axis("prediction difference", "percent")
    >>> diagonal = ReferenceLine("calibrated ensemble", (0, 0), (1, 1))
    >>> none = [Point(Estimate(0.054), Estimate(0.027, 0.023, 0.031))]
    >>> list(Points("PD against error", error, pd, {"none": none}, diagonal).series)
    ['none']
    """

    title: str
    x: Axis
    y: Axis
    series: Mapping[str, Sequence[Point]]
    line: ReferenceLine | None = None
    _note: str = field(init=False, repr=False, compare=False)
    _kept: dict[str, list[Point]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_text(self.title, "the title of a figure")
        if not isinstance(self.series, Mapping):
            raise DataError(
                f"the series are {self.series!r:.80}; expected a mapping of str to points"
            )
        series = {name: tuple(points) for name, points in self.series.items()}
        object.__setattr__(self, "series", series)
        for name, points in series.items():
            check_text(name, "the name of a series", empty=False)
            for point in points:
                if not isinstance(point, Point):
                    raise DataError(f"{point!r:.80} in series {name!r:.80} is no Point(x, y)")
        kept = {
            name: [point for point in points if not point.missing]
            for name, points in series.items()
        }
        n_given, n_kept = (sum(map(len, each.values())) for each in (series, kept))
        note = left_out(n_given - n_kept, n_given, self.title)
        object.__setattr__(self, "_note", note)
        object.__setattr__(self, "_kept", {name: found for name, found in kept.items() if found})
        signs(self._kept)

    def tabulated(self) -> Numbers:
        """Each point with its intervals."""
        rows = [
            (name, self.x.told(point.x), self.y.told(point.y), point.text)
            for name, points in self._kept.items()
            for point in points
        ]
        return Numbers(("", self.x.label or "x", self.y.label or "y", ""), tuple(rows))

    def drawing(self, spell: Spell) -> Drawing:
        """Points at their estimates."""
        points = [point for found in self._kept.values() for point in found]
        xs = [end for point in points for end in reach(point.x)]
        ys = [end for point in points for end in reach(point.y)]
        x, y = self.x.scale(xs, spell), self.y.scale(ys, spell)
        marks: list[Mark] = []
        if self.line is not None:
            if self.line.within(x.span, y.span) is None:  # what is asked for is shown
                (x1, y1), (x2, y2) = self.line.start, self.line.end
                x, y = self.x.scale([*xs, x1, x2], spell), self.y.scale([*ys, y1, y2], spell)
            drawn = self.line.within(x.span, y.span)
            if drawn is not None:
                marks.append(Line(legend_name(spell(self.line.label)), *drawn))
        for name, sign in signs(self._kept).items():
            dots = [self._dot(spell(name), point, spell) for point in self._kept[name]]
            marks.append(Dots(legend_name(spell(name)), sign, dots))
        return compose(spell(self.title), self._note, x, y, marks, _AREA)

    def _dot(self, name: str, point: Point, spell: Spell) -> Dot:
        told = [
            name,
            f"{spell(self.x.label) or 'x'}: {self.x.told(point.x)}",
            f"{spell(self.y.label) or 'y'}: {self.y.told(point.y)}",
            *filter(None, [spell(point.text)]),
        ]
        return Dot(point.x.value, point.y.value, "\n".join(told), ends(point.x), ends(point.y))
