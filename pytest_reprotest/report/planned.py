"""The summary of ``--repro-plan``: what would be trained, how long, and what it could show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_reprotest.forecast import Expected, Forecast, Span, Width
from pytest_reprotest.readers import HALF_WIDTH
from pytest_reprotest.report.letters import Spell
from pytest_reprotest.report.rows import NEUTRAL
from pytest_reprotest.report.table import Cell, columns, fold, wrap
from pytest_reprotest.report.terminal import HEADING, Line

_NARROWEST_NAME = 20
_PD, _ETA = "prediction_difference", "effective_accuracy"
_NO_PILOT = (
    "no pilot: without a limit on PD nothing tells how wide its interval will be. Train a few runs with "
    "--repro-json=pilot.json, then plan with --repro-pilot=pilot.json"
)


@dataclass(frozen=True)
class _Row:
    """A regularizer of a planned audit; without expectations where it does not fit the model."""

    forecast: Forecast
    label: str
    expected: Expected | None = None

    @property
    def widths(self) -> list[Width]:
        return [] if self.expected is None else list(self.expected.widths.values())

    @property
    def source(self) -> str:
        """Where the spread over runs came from."""
        return "/".join(dict.fromkeys(width.source for width in self.widths)) or "-"


@dataclass(frozen=True)
class _Layout:
    """The columns beside name, runs and time."""

    effective: bool
    source: bool
    wanted: float

    @property
    def headings(self) -> list[str]:
        return [
            "test, regularizer",
            "runs",
            "time",
            "PD",
            *(["ETA"] if self.effective else []),
            f"for ±{self.wanted:g}",
            *(["from"] if self.source else []),
        ]


def render_plan(
    forecasts: Sequence[Forecast],
    width: int,
    verbosity: int = 0,
    notes: Sequence[str] = (),
    wanted: float = HALF_WIDTH,
    spell: Spell = str,
) -> list[Line]:
    """The lines of the summary, none longer than the width but for names of tests.

    Parameters
    ----------
    width : int
        Columns of the terminal.
    verbosity : int
        pytest's: below 0 the table only.
    wanted : float
        The half-width that runs are counted for.
    spell : callable
        Gives texts the letters that the terminal has.
    """
    groups: dict[str, list[_Row]] = {}
    for forecast in forecasts:
        groups.setdefault(_title(forecast), []).extend(_rows(forecast))
    shown = [row for members in groups.values() for row in members]
    lines: list[Line] = []
    if shown:
        layout = _layout(shown, wanted)
        (heading, rule), *texts = _fitted(shown, _total(forecasts), layout, width, spell)
        lines.extend([Line(heading, HEADING), Line(rule)])
        remaining = iter(texts)
        for test, members in groups.items():
            lines.append(Line(spell(test), HEADING))
            for _ in members:
                lines.extend(map(Line, next(remaining)))
        lines.extend(Line(text, HEADING) for text in next(remaining))
    if verbosity < 0:
        return lines
    legend = _legend(shown, forecasts, layout) if shown else ""
    remarks = [*_remarks(forecasts, shown), *notes]
    lines.extend(Line(text) for text in wrap(legend, width, spell=spell))
    lines.extend(
        Line(text, NEUTRAL) for remark in remarks for text in wrap(remark, width, spell=spell)
    )
    return lines


def _title(forecast: Forecast) -> str:
    return forecast.test or forecast.name


def _rows(forecast: Forecast) -> list[_Row]:
    rows = [_Row(forecast, each.regularizer, each) for each in forecast.expected]
    return [*rows, *(_Row(forecast, label) for label in forecast.refusals)]


def _layout(shown: Sequence[_Row], wanted: float) -> _Layout:
    effective = any(row.expected is not None and _ETA in row.expected.widths for row in shown)
    sources = {width.source for row in shown for width in row.widths}
    return _Layout(effective, len(sources) > 1, wanted)


def _cells(row: _Row, layout: _Layout, name_width: int | None) -> list[Cell]:
    alone = len(row.forecast.expected) == 1 and row.label != "none"
    base = " (baseline)" if row.label == row.forecast.baseline and not alone else ""
    name = f"  {row.label}{base}"
    names = [name] if name_width is None else fold(name, name_width, indent="    ")
    expected = row.expected
    if expected is None:
        return [names, ["0"], ["-"], ["does not fit"], *[["-"]] * (len(layout.headings) - 4)]
    looks = row.forecast.looks
    return [
        names,
        [spanned(str(looks[0]), str(looks[-1]))],
        ["?" if expected.seconds is None else told_span(expected.seconds)],
        [_figure(expected.widths.get(_PD), "-" if row.forecast.proof else "no pilot")],
        *([[_figure(expected.widths.get(_ETA))]] if layout.effective else []),
        [_needed(row.widths)],
        *([[row.source]] if layout.source else []),
    ]


def _total(forecasts: Sequence[Forecast]) -> list[Cell]:
    runs = [
        sum(len(forecast.expected) * forecast.looks[at] for forecast in forecasts) for at in (0, -1)
    ]
    timed = [forecast.seconds for forecast in forecasts if forecast.seconds is not None]
    parts = [told_span((sum(s[0] for s in timed), sum(s[1] for s in timed)))] if timed else []
    if len(timed) < len(forecasts):
        parts.append("?")
    workers = max((forecast.workers for forecast in forecasts), default=1)
    name = "total" if workers == 1 else f"total, {workers} workers"
    return [[name], [spanned(str(runs[0]), str(runs[1]))], ["+".join(parts)]]


def _fitted(
    shown: Sequence[_Row], total: list[Cell], layout: _Layout, width: int, spell: Spell
) -> list[list[str]]:
    """The table; where it would be wider than the terminal names are folded, then sources left out."""
    padded = [*total, *[[""]] * (len(layout.headings) - len(total))]
    right = [1, 2, len(layout.headings) - 1 - layout.source]

    def table(name_width: int | None) -> list[list[str]]:
        cells = [_cells(row, layout, name_width) for row in shown]
        return columns(layout.headings, [*cells, padded], right, spell)

    found = table(None)
    excess = _widest(found) - width
    if excess > 0:
        longest = max(len(line) for row in shown for line in _cells(row, layout, None)[0])
        found = table(max(_NARROWEST_NAME, longest - excess))
        if layout.source and _widest(found) > width:
            return _fitted(shown, total, replace(layout, source=False), width, spell)
    return found


def _widest(table: Sequence[Sequence[str]]) -> int:
    return max(len(line) for lines in table for line in lines)


def _figure(width: Width | None, unknown: str = "-") -> str:
    if width is None:
        return unknown
    shown = f"{width.value:.3f}"
    return shown if width.half_width is None else f"{shown} ±{width.half_width:.3f}"


def _needed(widths: Sequence[Width]) -> str:
    """The runs that every interval of a row needs."""
    if not widths:
        return "-"
    runs = [width.runs for width in widths]
    return ">10000" if None in runs else str(max(number for number in runs if number is not None))


def _legend(shown: Sequence[_Row], forecasts: Iterable[Forecast], layout: _Layout) -> str:
    sources = {width.source for row in shown for width in row.widths}
    where = {"limit": "at the limit", "pilot": "as in the pilot"}
    parts = ["time: of training, from a few timed steps"]
    if any(forecast.workers > 1 for forecast in forecasts):
        parts[0] += "; in the total side by side, without the start of the workers"
    if sources:
        names = "PD, ETA" if layout.effective else "PD"
        told = " or ".join(text for source, text in where.items() if source in sources)
        parts.append(f"{names}: {told}, ± half of the 95% interval to expect")
        parts.append(f"for ±{layout.wanted:g}: runs that make it that narrow")
    return ". ".join(parts) + "."


def _remarks(forecasts: Sequence[Forecast], shown: Sequence[_Row]) -> list[str]:
    """What has to be said, once for all items of a test."""
    told = []
    for forecast in forecasts:
        test = _title(forecast)
        for label, reason in forecast.refusals.items():
            told.append(f"{test}: {label} does not fit: {reason}")
        told.extend(f"{test}: {note}" for note in forecast.notes)
    asked = [row.expected for row in shown if not row.forecast.proof]
    if any(expected is not None and _PD not in expected.widths for expected in asked):
        told.append(_NO_PILOT)
    return list(dict.fromkeys(told))


def told_span(span: Span) -> str:
    """A time, or the shortest and the longest.

    >>> told_span((0.31, 0.31)), told_span((12.0, 80.0)), told_span((40.0, 7500.0))
    ('0.3 s', '12..80 s', '40 s..2.1 h')
    """
    first, last = (told_seconds(seconds) for seconds in span)
    same = first.split()[1] == last.split()[1]
    return first if first == last else f"{first.split()[0] if same else first}..{last}"


def spanned(first: str, last: str) -> str:
    """The least and the most, once where they are one."""
    return first if first == last else f"{first}..{last}"


def told_seconds(seconds: float) -> str:
    """A time in the unit that is read most easily.

    >>> [told_seconds(seconds) for seconds in (0.04, 3.21, 47.2, 600.0, 9000.0, 200_000.0)]
    ['<0.1 s', '3.2 s', '47 s', '10 min', '2.5 h', '2.3 d']
    """
    if seconds < 0.05:
        return "<0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"
