"""Curves over steps: one for each run, their mean, and the band that holds them all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_reprotest.errors import DataError
from pytest_reprotest.report.plots.boxes import Values
from pytest_reprotest.report.plots.drawing import (
    Band,
    Curve,
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
from pytest_reprotest.report.plots.palette import Sign, signs

_AREA = (420, 300)
_STEPS = 100


@dataclass(frozen=True)
class Curves(Figure):
    """A thin curve for each run, a thick one for their mean, and the band from lowest to highest.

    Attributes
    ----------
    title : str
    x, y : Axis
        What the steps are, which are counted from 1 on, and what the values are.
    series : mapping of str to runs
        Series → its runs → their values, step by step. NaN is left out.

    Raises
    ------
    DataError
        Where there is nothing to draw, or values are no numbers.

    >>> loss = Curves("Loss", Axis("epoch"), Axis("loss"), {"none": [[0.9, 0.4], [0.8, 0.5]]})
    >>> list(loss.series)
    ['none']
    """

    title: str
    x: Axis
    y: Axis
    series: Mapping[str, Sequence[Values]]
    _note: str = field(init=False, repr=False, compare=False)
    _kept: dict[str, tuple[tuple[float, ...], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_text(self.title, "the title of a figure")
        if not isinstance(self.series, Mapping):
            raise DataError(
                f"the series are {self.series!r:.80}; expected a mapping of str to runs"
            )
        series: dict[str, tuple[tuple[float, ...], ...]] = {}
        for name, runs in self.series.items():
            check_text(name, "the name of a series", empty=False)
            series[name] = tuple(numbers(run, f"the values of {name!r:.80}") for run in runs)
        values = [value for runs in series.values() for run in runs for value in run]
        note = left_out(sum(map(math.isnan, values)), len(values), self.title)
        object.__setattr__(self, "series", series)
        object.__setattr__(self, "_note", note)
        kept = {
            name: runs
            for name, runs in series.items()
            if any(not math.isnan(value) for run in runs for value in run)
        }
        object.__setattr__(self, "_kept", kept)
        signs(kept)

    def tabulated(self) -> Numbers:
        """Mean, lowest and highest run at each step, or at about 100 of them."""
        rows = []
        for name, runs in self._kept.items():
            last = max(map(len, runs))
            for step in (*range(0, last - 1, math.ceil(last / _STEPS)), last - 1):
                values = [run[step] for run in runs if step < len(run)]
                known = [value for value in values if not math.isnan(value)]
                if known:
                    told = (sum(known) / len(known), min(known), max(known))
                    rows.append((str(step + 1), name, *map(self.y.text, told)))
        headings = (self.x.label or "step", self.y.label, "mean", "lowest", "highest")
        return Numbers(headings, tuple(rows))

    def drawing(self, spell: Spell) -> Drawing:
        """Curves over 1, 2, 3..."""
        marks: list[Mark] = []
        for name, sign in signs(self._kept).items():
            marks += self._marks(spell(name), sign, self._kept[name])
        runs = [run for found in self._kept.values() for run in found]
        last = max(map(len, runs))
        x = Scale(spell(self.x.label), self.x.format, (1, last) if last > 1 else (0.5, 1.5))
        values = (value for run in runs for value in run if not math.isnan(value))
        y = self.y.scale(values, spell)
        return compose(spell(self.title), self._note, x, y, marks, _AREA)

    def _marks(self, name: str, sign: Sign, runs: Sequence[Sequence[float]]) -> list[Mark]:
        columns = [
            [run[step] for run in runs if step < len(run) and not math.isnan(run[step])]
            for step in range(max(map(len, runs)))
        ]
        several = [(step + 1.0, values) for step, values in enumerate(columns) if len(values) > 1]
        band: list[Mark] = []
        if several:
            places, held = zip(*several, strict=True)
            band.append(Band(sign, places, list(map(min, held)), list(map(max, held))))
        thin = [Curve("", sign, _steps(run), run, True) for run in runs if len(run) > 1]
        # a curve of one step would not be seen
        alone = [
            Dot(1.0, run[0], f"{name}: {self.y.text(run[0])}")
            for run in runs
            if len(run) == 1 and not math.isnan(run[0])
        ]
        points = [Dots("", sign, alone, size=6)] if alone else []
        means = [sum(values) / len(values) if values else math.nan for values in columns]
        return [*band, *thin, *points, Curve(legend_name(name), sign, _steps(means), means)]


def _steps(values: Sequence[float]) -> list[float]:
    return [step + 1.0 for step in range(len(values))]
