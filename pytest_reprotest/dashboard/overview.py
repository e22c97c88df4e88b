"""The upper half of the page: legend, newest verdicts, and what is no result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from pytest_reprotest.dashboard.address import Pair, query
from pytest_reprotest.dashboard.chosen import Filter, by_series
from pytest_reprotest.dashboard.elements import aria, named, table, text
from pytest_reprotest.dashboard.entries import Entry
from pytest_reprotest.dashboard.figures import GLYPHS, Drawn, when
from pytest_reprotest.dashboard.index import Snapshot
from pytest_reprotest.report.rows import figure

MOST_ROWS, MOST_REFUSED = 200, 200
_LOOKS = {"green": "pass", "red": "fail", "yellow": "undecided", "": "open"}
_SIGNS = {"green": "✓ ", "red": "✗ ", "yellow": "! ", "": ""}


def status(snapshot: Snapshot, folder: Path) -> str:
    """How much there is, and whether all of it is read.

    >>> status(Snapshot(waiting=3), Path("results"))
    'results: no results yet; 3 files are still to be read.'
    """
    files = len({entry.file for entry in snapshot.entries})
    count = len(snapshot.entries)
    told = f"{text(str(folder))}: {count or 'no'} result{'s' * (count != 1)}"
    told += f" in {files} file{'s' * (files != 1)}" if count else " yet"
    if snapshot.waiting:
        are = "file is" if snapshot.waiting == 1 else "files are"
        return f"{told}; {snapshot.waiting} {are} still to be read."
    newest = f", the newest of {when(snapshot.entries[-1].written)}" if count else ""
    return f"{told}{newest}."


def empty(snapshot: Snapshot, folder: Path) -> list[Component]:
    """What to do where there is no result; nothing where there is one."""
    if snapshot.entries or snapshot.waiting:
        return []
    path = text(str(folder / "today.json"))
    return [
        html.Div(
            [
                html.P(["There are no results in ", named(str(folder)), " yet. Write some:"]),
                html.Pre(html.Code(f"pytest --repro-json={path}")),
                html.P("They are shown here as soon as they are written."),
            ],
            className="nothing",
        )
    ]


def legend(shown: Drawn) -> list[Component]:
    """The sign of each series, by test; each leads to that series alone."""
    by_test: dict[str, list[Component]] = {}
    for series in sorted(shown.series):
        sign = shown.signs[series]
        to = query(Filter((series.test,), (series.regularizer,)))
        glyph = html.Span(
            f"{GLYPHS[sign.plotly]} ", style={"color": sign.colour}, **aria(hidden="true")
        )
        by_test.setdefault(series.test, []).append(
            html.Li(
                [glyph, dcc.Link(named(series.regularizer), href=to, refresh=False)],
                className="ink" if sign.colour == "#000000" else "",
            )
        )
    return [
        html.Div([html.Strong(named(test)), html.Ul(found)], className="series")
        for test, found in by_test.items()
    ]


def newest(entries: list[Entry], asked: Filter, everything: Mapping[Any, list[Entry]]) -> list[Component]:  # fmt: skip
    """The newest entry of each series, with the change since the one before.

    Parameters
    ----------
    entries : list of Entry
        Those that the filter admits, oldest first.
    everything : mapping of Series to list of Entry
        All there are: the one before may not be among those that are shown.
    """
    found = by_series(entries)
    if not found:
        return [html.P("No result fits the filters.")]
    last = sorted((each[-1] for each in found.values()), key=lambda entry: entry.series)
    failing = [entry for entry in last if entry.style == "red"]
    ordered = [*failing, *(entry for entry in last if entry.style != "red")][:MOST_ROWS]
    rows = [_row(entry, asked, everything[entry.series]) for entry in ordered]
    headings = ["test", "regularizer", "verdict", "runs", "score", "PD", "change", "ETA", "written"]
    told: list[Component] = [table("Newest verdicts", headings, rows, "newest")]
    if len(last) > len(ordered):
        told.append(html.P(f"{len(ordered)} of {len(last)} are shown, failures first: filter to see others.", className="caption"))  # fmt: skip
    return told


def _row(entry: Entry, asked: Filter, series: list[Entry]) -> list[Any]:
    place = next(n for n, each in enumerate(series) if each.key == entry.key)
    before = series[place - 1] if place else None
    return [
        dcc.Link(named(entry.series.test), href=query(asked, Pair(entry.key)), refresh=False),
        named(entry.series.regularizer),
        verdict(entry),
        str(entry.n_runs),
        entry.score,
        figure(entry.prediction_difference),
        _change(entry, before),
        figure(entry.effective),
        html.Span(when(entry.written), title=text(entry.file)),
    ]


def _change(entry: Entry, before: Entry | None) -> str:
    if before is None:
        return "-"
    change = entry.prediction_difference.value - before.prediction_difference.value
    return "-" if math.isnan(change) else f"{change:+.3f}"


def verdict(entry: Entry) -> Component:
    """A verdict's word in its colour, with its mark."""
    return html.Span(
        f"{_SIGNS[entry.style]}{entry.verdict}", className=f"word {_LOOKS[entry.style]}"
    )


def refused(snapshot: Snapshot) -> tuple[str, list[Component]]:
    """How many files are no results, and why each is none."""
    count = len(snapshot.refused)
    title = "1 file is no result" if count == 1 else f"{count} files are no results"
    shown = list(snapshot.refused.values())[:MOST_REFUSED]
    told: list[Component] = [html.Ul([html.Li(text(reason)) for reason in shown])]
    if count > len(shown):
        told.append(html.P(f"{len(shown)} of them are shown."))
    return title, told
