"""Box plots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.report.plots.drawing import (
    FONT,
    Box,
    BoxRow,
    Dot,
    Dots,
    Drawing,
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
    check_text,
    left_out,
    numbers,
)
from pytest_reprotest.report.plots.lettering import fold
from pytest_reprotest.report.plots.palette import signs

Values = Sequence[float] | NDArray[Any]

_AREA = (420, 340)
_BOX, _GROUP = 38, 100  # pixels for a box, and for a group at the least
_FILLED = 0.8  # how much of a group's place its boxes take
_FIVE = ("lowest", "lower quartile", "median", "upper quartile", "highest")
_FEW = 30
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Boxes(Figure):
    """A box for each group of values, and all values as points on it.

    Boxes reach from quartile to quartile, whiskers to the last value within 1.5 times that distance.

    Attributes
    ----------
    title : str
    y : Axis
        What the values are.
    groups : mapping of str to values, or to a mapping of str to values
        Group → its values, or group → series → its values; series have colours and a legend. NaN is left
        out.
    x : str
        What the groups are.

    Raises
    ------
    DataError
        Where there is nothing to draw, or values are no numbers.

    >>> pd = Axis("prediction difference", "percent")
    >>> Boxes("Digits", pd, {"none": [0.03, 0.02], "dropout": [0.02, 0.01]}).series
    ['']
    >>> Boxes("Both nets", pd, {"none": {"MLP": [0.03, 0.02], "CNN": [0.01]}}).series
    ['MLP', 'CNN']
    """

    title: str
    y: Axis
    groups: Mapping[str, Values | Mapping[str, Values]]
    x: str = ""
    _note: str = field(init=False, repr=False, compare=False)
    _values: dict[str, dict[str, tuple[float, ...]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_text(self.title, "the title of a figure")
        check_text(self.x, "the name of what the groups are")
        copied: dict[str, dict[str, tuple[float, ...]]] = {}
        kept: dict[str, dict[str, tuple[float, ...]]] = {}
        n_given = n_kept = 0
        for group, series, values in _flat(self.groups):
            given = numbers(values, f"the values of {' '.join(filter(None, (group, series)))!r}")
            copied.setdefault(group, {})[series] = given
            found = tuple(value for value in given if not math.isnan(value))
            n_given, n_kept = n_given + len(given), n_kept + len(found)
            if found:
                kept.setdefault(group, {})[series] = found
        note = left_out(n_given - n_kept, n_given, self.title)
        names = {series for found in copied.values() for series in found}
        if "" in names and len(names) > 1:
            raise DataError(
                f"some groups of the figure {self.title!r:.80} have series and others do not; "
                "expected values for each group, or a mapping for each"
            )
        groups = {group: found.get("", found) for group, found in copied.items()}
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "_note", note)
        object.__setattr__(self, "_values", kept)
        signs(self.series)

    @property
    def series(self) -> list[str]:
        """The names of the series, in the order of their colours."""
        return list(dict.fromkeys(name for group in self._values.values() for name in group))

    def tabulated(self) -> Numbers:
        """What each box is drawn of, and the values where they are few."""
        several = self.series != [""]
        of_series = ("series",) if several else ()
        headings = (self.x or "group", *of_series, "values", *_FIVE, "each")
        rows = [
            (
                group,
                *((name,) if several else ()),
                str(len(values)),
                *map(self.y.text, np.percentile(values, [0, 25, 50, 75, 100]).tolist()),
                ", ".join(map(self.y.text, values)) if len(values) <= _FEW else "",
            )
            for group, by_series in self._values.items()
            for name, values in by_series.items()
        ]
        return Numbers(headings, tuple(rows))

    def drawing(self, spell: Spell) -> Drawing:
        """Groups at 0, 1, 2..., the boxes of their series side by side."""
        series = self.series
        n_groups = len(self._values)
        slot = max(_GROUP, _BOX * len(series) / _FILLED, _AREA[0] / n_groups)
        marks: list[Mark] = []
        for number, (name, sign) in enumerate(signs(series).items()):
            width = min(_FILLED / len(series), 1.5 * _BOX / slot)
            offset = (number - (len(series) - 1) / 2) * width
            boxes: list[Box] = []
            dots: list[Dot] = []
            for place, (group, by_series) in enumerate(self._values.items()):
                values = by_series.get(name, ())
                told = ", ".join(map(spell, filter(None, (group, name))))
                if values:
                    boxes.append(_box(values, place + offset, 0.8 * width))
                dots.extend(
                    Dot(place + offset + shift * width, value, f"{told}: {self.y.text(value)}")
                    for value, shift in zip(values, _scatter(len(values)), strict=True)
                )
            entry = legend_name(spell(name))
            marks += [BoxRow(entry, sign, boxes), Dots(entry, sign, dots, size=6, faint=True)]
        ticks = [
            (float(place), fold(spell(group), slot / FONT - 1))
            for place, group in enumerate(self._values)
        ]
        x = Scale(spell(self.x), "plain", (-0.5, n_groups - 0.5), ticks)
        everything = (
            value
            for group in self._values.values()
            for values in group.values()
            for value in values
        )
        y = self.y.scale(everything, spell)
        return compose(spell(self.title), self._note, x, y, marks, (slot * n_groups, _AREA[1]))


def _flat(groups: Any) -> Iterable[tuple[str, str, Any]]:
    """Group, series and values; the series has no name where there is but one."""
    if not isinstance(groups, Mapping):
        raise DataError(f"the groups are {groups!r:.80}; expected a mapping of names to values")
    for group, found in groups.items():
        check_text(group, "the name of a group", empty=False)
        if not isinstance(found, Mapping):
            yield group, "", found
            continue
        for series, values in found.items():
            check_text(series, f"the name of a series of {group!r:.80}", empty=False)
            yield group, series, values


def _box(values: Sequence[float], x: float, width: float) -> Box:
    q1, median, q3 = np.percentile(values, [25, 50, 75]).tolist()
    reach = 1.5 * (q3 - q1)
    # of few values the nearest one may lie within the box, which quartiles interpolate
    low = min(q1, *(value for value in values if value >= q1 - reach))
    high = max(q3, *(value for value in values if value <= q3 + reach))
    return Box(x, width, low, q1, median, q3, high)


def _scatter(number: int) -> list[float]:
    """Where points lie across a box, -0.25 to 0.25: spread evenly, and the same each time."""
    return [((0.5 + place * _GOLDEN) % 1 - 0.5) / 2 for place in range(number)]
