"""Forest plots: estimates below each other, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_reprotest.errors import DataError
from pytest_reprotest.report.plots.drawing import (
    FONT,
    LINE,
    Dot,
    Dots,
    Drawing,
    Line,
    Mark,
    Scale,
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
from pytest_reprotest.report.plots.lettering import fold, n_lines
from pytest_reprotest.report.plots.palette import signs
from pytest_reprotest.statistics import Estimate

_WIDTH, _ROW, _SHORTEST = 420, 26, 90
_LABEL_ROOM = 20  # font sizes


@dataclass(frozen=True)
class Row:
    """An estimate with its interval, and the group whose colour it has.

    >>> Row("dropout", Estimate(-0.003, -0.008, 0.002), "MLP").label
    'dropout'
    """

    label: str
    estimate: Estimate
    group: str = ""

    def __post_init__(self) -> None:
        check_text(self.label, "the label of a row", empty=False)
        check_text(self.group, f"the group of {self.label!r:.80}")
        check_estimate(self.estimate, f"the estimate of {self.label!r:.80}")


@dataclass(frozen=True)
class Forest(Figure):
    """Rows of estimates from the top down, each with its interval.

    Attributes
    ----------
    title : str
    x : Axis
        What is estimated.
    rows : sequence of Row
        Those of NaN are left out.
    zero : float or None
        Where a line crosses the rows: what an estimate is held against. None for no line.

    Raises
    ------
    DataError
        Where there is nothing to draw, or what is given are no rows.

    >>> change = Axis("change of prediction difference", "percent")
    >>> rows = [Row("dropout", Estimate(-0.003, -0.008, 0.002)), Row("adam", Estimate(0.001))]
    >>> len(Forest("Against the baseline", change, rows).rows)
    2
    """

    title: str
    x: Axis
    rows: Sequence[Row]
    zero: float | None = 0.0
    _note: str = field(init=False, repr=False, compare=False)
    _kept: list[Row] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_text(self.title, "the title of a figure")
        object.__setattr__(self, "rows", tuple(self.rows))
        for row in self.rows:
            if not isinstance(row, Row):
                raise DataError(f"{row!r:.80} is no Row(label, estimate)")
        if self.zero is not None and math.isnan(*numbers([self.zero], "the places of the line")):
            raise DataError(
                "the line of a forest is at NaN; expected a number, or None for no line"
            )
        kept = [row for row in self.rows if not math.isnan(row.estimate.value)]
        note = left_out(len(self.rows) - len(kept), len(self.rows), self.title)
        object.__setattr__(self, "_note", note)
        object.__setattr__(self, "_kept", kept)
        signs(row.group for row in kept)

    def tabulated(self) -> Numbers:
        """Each estimate with its interval."""
        grouped = any(row.group for row in self._kept)
        rows = [
            (row.label, *((row.group,) if grouped else ()), self.x.told(row.estimate))
            for row in self._kept
        ]
        headings = ("", *(("group",) if grouped else ()), self.x.label or "estimate")
        return Numbers(headings, tuple(rows))

    def drawing(self, spell: Spell) -> Drawing:
        """The rows from 0 downwards, each as high as its label is, in pixels."""
        ticks: list[tuple[float, str]] = []
        height = 0.0
        for row in self._kept:
            label = fold(spell(row.label), _LABEL_ROOM)
            row_height = max(_ROW, FONT * LINE * n_lines(label) + 6)
            ticks.append((-height - row_height / 2, label))
            height += row_height
        y = Scale("", "plain", (-height, 0.0), ticks)
        reached = [end for row in self._kept for end in reach(row.estimate)]
        marks: list[Mark] = []
        if self.zero is not None:
            reached.append(self.zero)
            marks.append(Line("", (self.zero, y.span[0]), (self.zero, y.span[1])))
        for group, sign in signs(row.group for row in self._kept).items():
            dots = [
                Dot(row.estimate.value, place, self._told(row, spell), ends(row.estimate))
                for (place, _), row in zip(ticks, self._kept, strict=True)
                if row.group == group
            ]
            marks.append(Dots(legend_name(spell(group)), sign, dots))
        x = self.x.scale(reached, spell)
        return compose(spell(self.title), self._note, x, y, marks, (_WIDTH, max(_SHORTEST, height)))

    def _told(self, row: Row, spell: Spell) -> str:
        name = ", ".join(map(spell, filter(None, (row.label, row.group))))
        return f"{name}: {self.x.told(row.estimate)}"
