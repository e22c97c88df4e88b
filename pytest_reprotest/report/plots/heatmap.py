"""Heat maps: a table of values as colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pytest_reprotest.errors import DataError
from pytest_reprotest.report.plots.boxes import Values
from pytest_reprotest.report.plots.drawing import FONT, LINE, Cells, Drawing, Scale, compose
from pytest_reprotest.report.plots.figure import (
    Axis,
    Figure,
    Numbers,
    Spell,
    check_text,
    left_out,
    numbers,
)
from pytest_reprotest.report.plots.lettering import fold, n_lines, widest

_LONGEST_SIDE, _SMALLEST, _LARGEST = 380, 16, 34
_LABEL_ROOM = 16  # font sizes
_SCALE = 110  # of the colours, in pixels


@dataclass(frozen=True)
class HeatMap(Figure):
    """A square for each value, in rows from the top down.

    Attributes
    ----------
    title : str
    x, y : str
        What columns and rows are.
    columns, rows : sequence of str
        Their names.
    values : rows of values
        NaN has no colour.
    value : Axis
        What the values are.

    Raises
    ------
    DataError
        Where there is nothing to draw, or names and values are not as many.

    >>> pd = Axis("PD", "percent")
    >>> found = HeatMap("Pairs", "run", "run", ["0", "1"], ["0"], [[0.0, 0.1]], pd)
    >>> found.rows
    ('0',)
    """

    title: str
    x: str
    y: str
    columns: Sequence[str]
    rows: Sequence[str]
    values: Sequence[Values]
    value: Axis
    _known: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for text in (self.title, self.x, self.y):
            check_text(text, "a title of a figure")
        for name in (*self.columns, *self.rows):
            check_text(name, "the name of a column or row", empty=False)
        values = tuple(numbers(row, "the values of a row") for row in self.values)
        if len(values) != len(self.rows) or {len(row) for row in values} - {len(self.columns)}:
            raise DataError(
                f"the figure {self.title!r:.80} has {len(self.rows)} rows and {len(self.columns)} columns "
                f"by name; expected as many values, got {[len(row) for row in values]!r:.80}"
            )
        known = tuple(value for row in values for value in row if not math.isnan(value))
        left_out(sum(map(len, values)) - len(known), sum(map(len, values)), self.title)
        for name, found in (
            ("columns", tuple(self.columns)),
            ("rows", tuple(self.rows)),
            ("values", values),
            ("_known", known),
        ):
            object.__setattr__(self, name, found)

    def tabulated(self) -> Numbers:
        """Each row, with the names of the columns above."""
        rows = [
            (name, *("" if math.isnan(value) else self.value.text(value) for value in values))
            for name, values in zip(self.rows, self.values, strict=True)
        ]
        return Numbers((f"{self.y} \\ {self.x}", *self.columns), tuple(rows))

    def drawing(self, spell: Spell) -> Drawing:
        """Columns at 0, 1, 2..., rows at 0, -1, -2..."""
        side = _side(len(self.columns))
        columns = [spell(name) for name in self.columns]
        rows = [fold(spell(name), _LABEL_ROOM) for name in self.rows]
        every = math.ceil((max(map(widest, columns)) + 0.6) * FONT / side)  # names stay apart
        x = Scale(
            spell(self.x),
            "plain",
            (-0.5, len(columns) - 0.5),
            [(float(at), name) for at, name in enumerate(columns) if at % every == 0],
        )
        y = Scale(
            spell(self.y),
            "plain",
            (0.5 - len(rows), 0.5),
            [(-float(at), name) for at, name in enumerate(rows)],
        )
        height = max(side, max(LINE * FONT * n_lines(name) for name in rows))
        values = [list(map(float, row)) for row in self.values]
        hovers = [
            [
                f"{row}, {column}: {self.value.text(at)}"
                for column, at in zip(columns, found, strict=True)
            ]
            for row, found in zip(map(spell, self.rows), values, strict=True)
        ]
        low, high = min(self._known), max(self._known)
        span = (low, high) if high > low else (low, low + 0.01)
        cells = Cells(spell(self.value.label), self.value.format, values, hovers, span)
        area = (side * len(columns), max(height * len(rows), 150))
        drawn = compose(spell(self.title), "", x, y, [cells], area)
        return replace(drawn, width=drawn.width + _SCALE)


def _side(number: int) -> float:
    return min(max(_LONGEST_SIDE / number, _SMALLEST), _LARGEST)
