"""Entries as figures over time, in Plotly's JSON; and any figure of the reports in the colours of a page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from pytest_reprotest.dashboard.chosen import by_series
from pytest_reprotest.dashboard.entries import Entry, Series
from pytest_reprotest.report.plots import Axis, Figure, to_plotly
from pytest_reprotest.report.plots.drawing import GRID, INK
from pytest_reprotest.report.plots.lettering import clean
from pytest_reprotest.report.plots.palette import MOST, Sign, signs
from pytest_reprotest.statistics import Estimate

MOST_SERIES, MOST_POINTS = 24, 2000
"""What a figure draws at the most: more can't be told apart, or takes a browser seconds."""

GLYPHS = {
    "circle": "●",
    "square": "■",
    "triangle-up": "▲",
    "diamond": "◆",
    "cross": "✚",
    "triangle-down": "▼",
    "x": "✖",
    "star": "★",
    "pentagon": "⬟",
}
"""The shapes of points as characters, for a legend outside the figure."""

BLACK = "#000000"
_LATEST = 253370764800.0  # the year 9999
_COLOURS = {
    False: {INK: "#1f2328", BLACK: "#1f2328", GRID: "#d0d7de", "shade": "#f3f5f7"},
    True: {INK: "#e6e9ec", BLACK: "#e6e9ec", GRID: "#3a414a", "shade": "#20252b"},
}
"""Dark or not → what is drawn in ink, as a grid and as a shade, in the colours of the style sheet."""


@dataclass(frozen=True)
class Drawn:
    """The entries that figures show.

    Attributes
    ----------
    series : mapping of Series to list of Entry
        Oldest first.
    signs : mapping of Series to Sign
    note : str
        What is left out; empty where nothing is.
    """

    series: Mapping[Series, list[Entry]]
    signs: Mapping[Series, Sign]
    note: str


def when(written: float) -> str:
    """A time as it is shown, in the zone of this machine.

    >>> when(86400.0 * 400)[:4]
    '1971'
    """
    return _moment(written).strftime("%Y-%m-%d %H:%M")


def _moment(written: float) -> datetime:
    return datetime.fromtimestamp(min(max(written, 0.0), _LATEST))


def drawn(entries: Sequence[Entry], everything: Sequence[Entry]) -> Drawn:
    """What is drawn of the chosen entries.

    Parameters
    ----------
    everything : sequence of Entry
        All that could be chosen, oldest first: a series keeps its sign whatever else is shown.
    """
    spreading = [entry for entry in entries if entry.spreads]
    found = by_series(spreading)
    shown = dict(list(found.items())[:MOST_SERIES])
    kept = {id(entry) for entry in _newest([e for each in shown.values() for e in each])}
    told = []
    if len(found) > len(shown):
        told.append(
            f"{len(shown)} of {len(found)} series are drawn, those written last: choose a test or "
            "a regularizer to see others."
        )
    if len(kept) < sum(map(len, shown.values())):
        told.append(f"The newest {len(kept)} results are drawn: choose fewer series for all.")
    if len(spreading) < len(entries):
        told.append("Proofs of determinism and single runs have no spread, and are not drawn.")
    known = list(dict.fromkeys(entry.series for entry in everything if entry.spreads))
    named = known if len(known) <= MOST else list(shown)
    by_name = signs(map(_name, named))
    return Drawn(
        {s: [entry for entry in each if id(entry) in kept] for s, each in shown.items()},
        {series: by_name[_name(series)] for series in shown},
        " ".join(told),
    )


def _newest(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.written)[-MOST_POINTS:]


def _name(series: Series) -> str:
    return "\0".join(series)


def difference_over_time(shown: Drawn) -> dict[str, Any]:
    """Prediction difference with its intervals."""
    axis = Axis("prediction difference", "percent")
    return _over_time(shown, axis, lambda entry: entry.prediction_difference)


def effective_over_time(shown: Drawn) -> dict[str, Any]:
    """Effective Test Accuracy with its intervals, or what a regression has in its place."""
    names = sorted(
        {e.effective_name for each in shown.series.values() for e in each if e.effective_name}
    )
    # what is no fraction of samples is no percentage, either
    axis = Axis(", ".join(names) or "ETA", "percent" if names in ([], ["ETA"]) else "plain")
    return _over_time(shown, axis, lambda entry: entry.effective)


def _over_time(shown: Drawn, axis: Axis, read: Callable[[Entry], Estimate]) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    ringed: list[tuple[Entry, Estimate]] = []
    for series, entries in shown.series.items():
        found = [
            (entry, estimate)
            for entry in entries
            if not math.isnan((estimate := read(entry)).value)
        ]
        if found:
            traces += _traces(found, shown.signs[series], axis)
            ringed += [(entry, e) for entry, e in found if entry.style in ("red", "yellow")]
    if ringed:
        traces.append(
            {
                "type": "scatter",
                "x": [_moment(entry.written).isoformat() for entry, _ in ringed],
                "y": [estimate.value for _, estimate in ringed],
                "mode": "markers",
                "marker": {
                    "symbol": "circle-open",
                    "size": 16,
                    "color": INK,
                    "line": {"width": 1.5},
                },
                "hoverinfo": "skip",
            }
        )
    return {"data": traces, "layout": _layout(axis, empty=not traces)}


def _traces(
    found: list[tuple[Entry, Estimate]], sign: Sign, axis: Axis
) -> tuple[dict[str, Any], dict[str, Any]]:
    x = [_moment(entry.written).isoformat() for entry, _ in found]
    across = [value for at in x for value in (at, at, None)]
    ends = [value for _, e in found for value in (_known(e.low), _known(e.high), None)]
    intervals = {
        "type": "scatter",
        "x": across,
        "y": ends,
        "mode": "lines",
        "line": {"color": sign.colour, "width": 1.2},
        "opacity": 0.6,
        "hoverinfo": "skip",
    }
    points = {
        "type": "scatter",
        "x": x,
        "y": [estimate.value for _, estimate in found],
        "customdata": [entry.key for entry, _ in found],
        "mode": "lines+markers",
        "line": {"color": sign.colour, "width": 1, "dash": "dot"},
        "marker": {"color": sign.colour, "symbol": sign.plotly, "size": 9},
        "hovertemplate": f"{'<br>'.join(map(plain, found[0][0].series))}<br>%{{text}}<extra></extra>",
        "text": [_told(entry, estimate, axis) for entry, estimate in found],
    }
    return intervals, points


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _told(entry: Entry, estimate: Estimate, axis: Axis) -> str:
    lines = [
        f"{axis.label}: {axis.told(estimate)}",
        f"{entry.n_runs} runs, {entry.verdict}",
        f"{when(entry.written)}, {entry.file}",
    ]
    return "<br>".join(map(plain, lines))


def plain(text: str, most: int = 90) -> str:
    """A text in which nothing is a tag or an entity to Plotly, cut where it is long.

    >>> plain("<b>&")
    '&lt;b&gt;&amp;'
    """
    shown = clean(text)
    cut = shown if len(shown) <= most else f"{shown[:most]}…"
    return escape(cut, quote=False).replace("$", "&#36;").replace("%{", "&#37;{")


def _layout(axis: Axis, empty: bool) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "height": 320,
        "margin": {"t": 16, "l": 8, "r": 16, "b": 8},
        "xaxis": {**_axis(), "type": "date"},
        "yaxis": {
            **_axis(),
            "title": {"text": plain(axis.label), "standoff": 12},
            "tickformat": ".6~%" if axis.format == "percent" else None,
        },
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
    }
    if empty:
        nothing = {"text": "no values to draw", "showarrow": False, "xref": "paper"}
        layout["xaxis"]["visible"] = layout["yaxis"]["visible"] = False
        layout["annotations"] = [{**nothing, "yref": "paper", "x": 0.5, "y": 0.5}]
    return layout


def _axis() -> dict[str, Any]:
    return {"automargin": True, "gridcolor": GRID, "linecolor": INK, "showline": True, "zeroline": False}  # fmt: skip


def reported(figure: Figure) -> dict[str, Any]:
    """A figure of the reports, without its title; it may be less wide than it asks for.

    Raises
    ------
    ReprotestError
        Where Plotly is not installed.
    """
    made: dict[str, Any] = json.loads(str(to_plotly(figure).to_json()))
    layout = made["layout"]
    layout.pop("title", None)
    layout["margin"]["t"] = 16
    if layout.get("showlegend"):
        layout["legend"] = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    return made


def coloured(figure: dict[str, Any], dark: bool = False, narrow: bool = False) -> dict[str, Any]:
    """A figure in the colours of the page; a narrow one is not zoomed, so that a finger scrolls the page."""
    colours = _COLOURS[dark]
    found: dict[str, Any] = _inked(figure, colours)
    shade = {"bgcolor": colours["shade"], "bordercolor": colours[GRID], "font": {"color": colours[INK]}}  # fmt: skip
    cells = any(trace["type"] == "heatmap" for trace in figure["data"])
    found["layout"].update(
        template=None,
        autosize=True,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor=colours[GRID] if cells else "rgba(0,0,0,0)",
        dragmode=False if narrow else "zoom",
        uirevision="kept",
    )
    found["layout"]["font"] = {**found["layout"].get("font", {}), "color": colours[INK]}
    found["layout"]["hoverlabel"] = {"align": "left", **shade}
    return found


def _inked(node: Any, colours: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _inked(inner, colours) for key, inner in node.items()}
    if isinstance(node, list):
        return [_inked(inner, colours) for inner in node]
    return colours.get(node, node) if isinstance(node, str) and node.startswith("#") else node
