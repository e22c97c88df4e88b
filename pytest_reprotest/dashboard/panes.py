"""The lower half of the page: one result whole, and two side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from pytest_reprotest.dashboard.address import Pair, query
from pytest_reprotest.dashboard.chosen import Filter
from pytest_reprotest.dashboard.elements import elements, graph, named, section, table, text
from pytest_reprotest.dashboard.entries import Entry
from pytest_reprotest.dashboard.figures import reported, when
from pytest_reprotest.dashboard.opened import Sides
from pytest_reprotest.dashboard.overview import verdict
from pytest_reprotest.differences import short
from pytest_reprotest.errors import DataError
from pytest_reprotest.report.html.section import Make
from pytest_reprotest.report.html.sections.attributed import attribution
from pytest_reprotest.report.html.sections.held import changes, comparison, gate, proof
from pytest_reprotest.report.html.sections.origin import reproduce, settings
from pytest_reprotest.report.html.sections.runs import curves, pairs
from pytest_reprotest.report.html.sections.samples import by_class, flips
from pytest_reprotest.report.html.sections.spread import PD, differences
from pytest_reprotest.report.html.summary import summary
from pytest_reprotest.report.html.united import Shown
from pytest_reprotest.report.plots import Boxes
from pytest_reprotest.report.rows import figure
from pytest_reprotest.result import AuditResult

SECTIONS: tuple[Make, ...] = (
    proof,
    gate,
    changes,
    comparison,
    flips,
    by_class,
    differences,
    pairs,
    curves,
    attribution,
    reproduce,
    settings,
)
"""Of the page's sections those that say something of one regularizer alone."""


def head(entry: Entry, series: list[Entry], asked: Filter, beside: str) -> list[Component]:
    """What is open, and the ways on from it: older, newer, the whole page, away."""
    place = next(n for n, each in enumerate(series) if each.key == entry.key)
    ways: list[Component] = []
    if place:
        older = series[place - 1].key
        ways.append(_link("← older", query(asked, Pair(older, beside if beside != older else ""))))
        if not beside:
            ways.append(_link("side by side with the one before", query(asked, Pair(entry.key, older))))  # fmt: skip
    if place + 1 < len(series):
        newer = series[place + 1].key
        ways.append(_link("newer →", query(asked, Pair(newer, beside if beside != newer else ""))))
    ways.append(html.A("the page of this test", href=f"page/{entry.key}", target="_blank"))
    ways.append(_link("close", query(asked)))
    return [
        html.P(
            [verdict(entry), " ", named(entry.series.test), ", ", named(entry.series.regularizer)],
            className="sentence",
        ),
        html.P(f"{when(entry.written)}, {text(entry.file)}", className="caption"),
        html.Nav(html.Ul([html.Li(way) for way in ways], className="ways")),
    ]


def _link(name: str, to: str) -> Component:
    return dcc.Link(name, href=to, refresh=False)


def whole(shown: Shown, alone: AuditResult, scheme: dict[str, Any]) -> list[Component | str]:
    """The table of a result's test, and the sections of one regularizer."""
    found: list[Component | str] = [html.H3("The test"), *elements(summary(shown))]
    for make in SECTIONS:
        try:
            made = make(alone)
        except DataError as error:  # others are there all the same
            found.append(html.P(text(str(error))))
            continue
        if made is not None:
            found.append(section(made, scheme))
    if not len(alone[alone.regularizers[0]].predictions):
        found.append(html.P("The file holds no predictions of this result, so it says nothing of single samples."))  # fmt: skip
    return found


def side_by_side(old: Entry, new: Entry, sides: Sides, scheme: dict[str, Any]) -> Component:
    """Two results: their figures, what became of each measure, and what else is not the same."""
    return html.Section(
        [
            html.H3("Side by side"),
            html.P(
                "The older result first. A change is new minus old, with its 95% interval over the runs of "
                "both; it is worse or better where its one-sided bound is beyond what is tolerated.",
                className="caption",
            ),
            *([html.P(["Not compared: ", text(sides.refused)])] if sides.refused else []),
            *(html.P(["Warning: ", text(warning)]) for warning in sides.warnings),
            _figures(old, new),
            *_changes(sides),
            *_boxes(old, new, sides, scheme),
            *_unlike(sides),
            *_samples(sides),
        ],
        id="sides",
    )


def _figures(old: Entry, new: Entry) -> Component:
    both = (old, new)
    rows: list[list[Any]] = [
        ["written", *(when(each.written) for each in both)],
        ["file", *(named(each.file) for each in both)],
        *(
            [name, *(named(getattr(each.series, name)) for each in both)]
            for name in ("test", "regularizer")
            if getattr(old.series, name) != getattr(new.series, name)
        ),
        ["verdict", *(verdict(each) for each in both)],
        ["runs", *(str(each.n_runs) for each in both)],
        ["score", *(each.score for each in both)],
        ["PD", *(figure(each.prediction_difference) for each in both)],
        ["effective score", *(figure(each.effective) for each in both)],
    ]
    return table("Two results", ["", "old", "new"], rows, "sides")


def _changes(sides: Sides) -> Iterator[Component]:
    if sides.comparison is None:
        return
    told = [
        *(f"can't be trusted any more: {r}" for rs in sides.comparison.broken.values() for r in rs),
        *sides.comparison.uncompared.values(),
    ]
    if told:
        yield html.Ul([html.Li(text(each)) for each in told])
    rows = []
    for change in sides.comparison.changes:
        value, low, high = change.change.value, change.change.low, change.change.high
        look = {"worse": "fail", "better": "pass"}.get(change.status, "open")
        rows.append(
            [
                change.measure.replace("_", " "),
                f"{change.old:.4f}",
                f"{change.new:.4f}",
                f"{value:+.4f}" if low != low else f"{value:+.4f} [{low:+.4f}, {high:+.4f}]",
                f"{change.limit.value:g}",
                html.Span(change.status, className=f"word {look}"),
            ]
        )
    if rows:
        headings = ["measure", "old", "new", "change", "tolerated", "status"]
        yield html.H4("What became of each measure")
        yield table("Changes", headings, rows)


def _boxes(old: Entry, new: Entry, sides: Sides, scheme: dict[str, Any]) -> Iterator[Component]:
    groups = {}
    for name, entry, result in (("old", old, sides.old), ("new", new, sides.new)):
        found = result[entry.series.regularizer]
        if len(found.predictions) < 2:
            return
        matrix = found.pairwise
        groups[name] = [matrix[i, j] for i in range(len(matrix)) for j in range(i)]
    boxes = Boxes("", PD, groups, "result")
    yield html.H4("Prediction difference of each pair of runs")
    yield graph(reported(boxes), "Prediction difference of pairs in both results", scheme)


def _unlike(sides: Sides) -> Iterator[Component]:
    yield html.H4("What else is not the same")
    rows = [[named(each.key), _value(each.old), _value(each.new)] for each in sides.settings]
    if rows:
        yield table("Settings that differ", ["setting", "old", "new"], rows, "settings")
    if sides.fingerprint:
        parts = [
            html.Li([html.Strong(f"{group}: "), text("; ".join(told))])
            for group, told in sides.fingerprint.items()
        ]
        yield html.Ul(parts)
    if not rows and not sides.fingerprint:
        yield html.P(
            "Settings, software and machine are the same, as far as both results know them."
        )


def _value(value: Any) -> Component:
    return named(short(value))


def _samples(sides: Sides) -> Iterator[Component]:
    if not sides.samples:
        return
    yield html.H4("Samples whose flip rate changed most")
    rows = [[str(each.place), f"{each.old:.3f}", f"{each.new:.3f}", f"{each.new - each.old:+.3f}"] for each in sides.samples]  # fmt: skip
    yield table("Samples whose flip rate changed most", ["sample", "old", "new", "change"], rows)
