"""What became of each test over several files of results: a line for each file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pytest_reprotest.joined import title
from pytest_reprotest.report.letters import Spell
from pytest_reprotest.report.rows import Audited, figure, score_figure, verdict_word
from pytest_reprotest.report.table import Cell, columns, fold, wrap
from pytest_reprotest.report.terminal import HEADING, OVER_RUNS, Line
from pytest_reprotest.result import RegularizerResult
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.tasks import Names

_LEGEND = (
    "change: since the line above, in the order the files were given. Whether one is more than chance says "
    "python -m pytest_reprotest compare OLD NEW."
)
_NARROWEST_NAME = 16
_RIGHT = (1,)

Point = tuple[str, Audited, RegularizerResult]
"""A file, and what it holds of one regularizer of one test."""


def over_time(
    files: Mapping[str, Sequence[Audited]], width: int, spell: Spell = str
) -> Iterator[Line]:
    """The lines of a table of every test and regularizer that two files hold or more; none without any.

    Parameters
    ----------
    files : mapping
        Name of a file → its audits, in the order of time.
    width : int
        Columns of the terminal.
    """
    by_task: dict[Names, dict[tuple[str, str], list[Point]]] = {}
    for file, audits in files.items():
        for audited in audits:
            result = audited.result
            series = by_task.setdefault(result.task.names, {})
            for label, found in result.by_regularizer.items():
                series.setdefault((title(result), label), []).append((file, audited, found))
    told = False
    for names, series in by_task.items():
        several = {key: points for key, points in series.items() if len(points) > 1}
        if several:
            yield from _table(names, several, width, spell)
            told = True
    if told:
        yield from (Line(text) for text in wrap(f"{_LEGEND} {OVER_RUNS}", width, spell=spell))


def _table(
    names: Names, series: Mapping[tuple[str, str], Sequence[Point]], width: int, spell: Spell
) -> Iterator[Line]:
    short = names.effective_short
    effective = [short, "change"] if short else []
    headings = ["over time", "runs", names.score_short, "PD", "change", *effective, "verdict"]

    def table(name_width: int | None) -> list[list[str]]:
        cells = [
            _cells(point, before, bool(short), name_width)
            for points in series.values()
            for point, before in zip(points, (None, *points), strict=False)
        ]
        return columns(headings, cells, _RIGHT, spell)

    found = table(None)
    excess = max(len(line) for lines in found for line in lines) - width
    if excess > 0:
        longest = max(len(file) + 4 for points in series.values() for file, _, _ in points)
        found = table(max(_NARROWEST_NAME, longest - excess))
    (heading, rule), *texts = found
    yield Line(heading, HEADING)
    yield Line(rule)
    remaining, last = iter(texts), ""
    for (test, label), points in series.items():
        if test != last:
            yield Line(spell(test), HEADING)
        last = test
        yield Line(spell(f"  {label}"))
        for _ in points:
            yield from map(Line, next(remaining))


def _cells(
    point: Point, before: Point | None, effective: bool, name_width: int | None
) -> list[Cell]:
    file, audited, found = point
    name = f"    {file}"
    names = [name] if name_width is None else fold(name, name_width, indent="      ")
    old = None if before is None else before[2]
    differences = [
        _change(found.prediction_difference, None if old is None else old.prediction_difference),
        _change(found.effective_score, None if old is None else old.effective_score),
    ]
    return [
        names,
        [str(found.n_runs)],
        [score_figure(found, interval=False)],
        [figure(found.prediction_difference)],
        [differences[0]],
        *([[figure(found.effective_score, interval=False)], [differences[1]]] if effective else []),
        [verdict_word(found, audited)],
    ]


def _change(new: Estimate, old: Estimate | None) -> str:
    change = math.nan if old is None else new.value - old.value
    return "" if math.isnan(change) else f"{change:+.3f}"
