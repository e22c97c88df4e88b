"""Figures in Plotly."""

from __future__ import annotations

import math
from functools import singledispatch
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from pytest_reprotest.report.plots.drawing import (
    FONT,
    GRID,
    INK,
    NOTE,
    TITLE,
    Band,
    BoxRow,
    Cells,
    Curve,
    Dots,
    Drawing,
    Line,
    Mark,
    Scale,
    Span,
)
from pytest_reprotest.report.plots.figure import Figure
from pytest_reprotest.report.plots.lettering import clean, fold
from pytest_reprotest.report.plots.palette import Sign

_TICK_FORMATS = {"percent": ".6~%", "plain": None}
_HOVER_ROOM = 60
_FONTS = "DejaVu Sans, Verdana, Arial, sans-serif"
COLOURS = "Cividis"
"""Of values: it grows lighter with them, and is the same to those who don't see red or green."""


def library() -> str:
    """Plotly's JavaScript, all of it."""
    source: str = get_plotlyjs()
    return source


def rendered(figure: Figure) -> go.Figure:
    """A figure as Plotly's."""
    drawing = figure.drawing(clean)
    return go.Figure([trace for mark in drawing.marks for trace in _traces(mark)], _layout(drawing))


def plain(text: str) -> str:
    """Text in which nothing is a tag, an entity, a formula or a template to Plotly.

    Its lines are kept.
    """
    marked = escape(text, quote=False).replace("$", "&#36;").replace("%{", "&#37;{")
    return marked.replace("\n", "<br>")


def _layout(drawing: Drawing) -> dict[str, Any]:
    title = plain(drawing.title)
    if drawing.note:
        title += f'<br><span style="font-size:{NOTE}px">{plain(drawing.note)}</span>'
    return {
        "template": "none",  # not the one that happens to be the default
        "width": drawing.width,
        "height": drawing.height,
        "font": {"family": _FONTS, "size": FONT, "color": INK},
        "title": {
            "text": title,
            "font": {"size": TITLE},
            "x": 16 / drawing.width,
            "xanchor": "left",
            "y": 1 - (12 + TITLE) / drawing.height,  # the base of the first line
            "yanchor": "bottom",
        },
        "margin": {"t": drawing.above, "l": 20, "r": 20, "b": 20},
        "xaxis": _axis(drawing.x),
        "yaxis": _axis(drawing.y),
        "boxmode": "overlay",
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
        "showlegend": bool(drawing.named),
        "legend": {"tracegroupgap": 0},
    }


def _axis(scale: Scale) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "title": {"text": plain(scale.label), "standoff": 12, "font": {"size": FONT}},
        "range": list(scale.span),
        "automargin": True,
        "showline": True,
        "linecolor": INK,
        "zeroline": False,
        "gridcolor": GRID,
        "ticks": "outside",
    }
    if scale.ticks is None:
        return {**axis, "tickformat": _TICK_FORMATS[scale.format], "exponentformat": "e"}
    return {
        **axis,
        "tickmode": "array",
        "tickvals": [place for place, _ in scale.ticks],
        "ticktext": [plain(text) for _, text in scale.ticks],
        "tickangle": 0,
        "showgrid": False,
    }


@singledispatch
def _traces(mark: Mark) -> list[Any]:
    raise NotImplementedError(mark)


@_traces.register
def _(mark: Dots) -> list[Any]:
    traces = []
    for axis in ("x", "y"):
        spans = [(dot, getattr(dot, f"{axis}_interval")) for dot in mark.dots]
        known = [(dot.x, dot.y, interval) for dot, interval in spans if interval is not None]
        if known:
            traces.append(_intervals(mark, known, axis == "x"))
    dots = go.Scatter(
        x=[dot.x for dot in mark.dots],
        y=[dot.y for dot in mark.dots],
        mode="markers",
        marker={**_marker(mark.sign, mark.size), "opacity": 0.65 if mark.faint else 1},
        hoverinfo="text",
        hovertext=[plain(_folded(dot.hover)) for dot in mark.dots],
        **_named(mark.name, shown=True),
    )
    return [*traces, dots]


def _folded(text: str) -> str:
    return "\n".join(fold(line, _HOVER_ROOM) for line in text.split("\n"))


def _intervals(mark: Dots, known: list[tuple[float, float, Span]], along_x: bool) -> Any:
    """Lines, with a gap after each; Plotly's own error bars are distances, and rounded."""
    ranges = [value for _, _, interval in known for value in (*interval, None)]
    across = [value for x, y, _ in known for value in (*[y if along_x else x] * 2, None)]
    return go.Scatter(
        x=ranges if along_x else across,
        y=across if along_x else ranges,
        mode="lines",
        line={"color": mark.sign.colour, "width": 1.5},
        hoverinfo="skip",
        **_named(mark.name, shown=False),
    )


@_traces.register
def _(mark: BoxRow) -> list[Any]:
    boxes = mark.boxes
    return [
        go.Box(
            x=[box.x for box in boxes],
            lowerfence=[box.low for box in boxes],
            q1=[box.q1 for box in boxes],
            median=[box.median for box in boxes],
            q3=[box.q3 for box in boxes],
            upperfence=[box.high for box in boxes],
            width=boxes[0].width,
            line={"color": mark.sign.colour, "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            hoverinfo="skip",
            **_named(mark.name, shown=False),
        )
    ]


@_traces.register
def _(mark: Line) -> list[Any]:
    return [
        go.Scatter(
            x=[mark.start[0], mark.end[0]],
            y=[mark.start[1], mark.end[1]],
            mode="lines",
            line={"color": INK, "width": 1.2, "dash": "dash"},
            hoverinfo="skip",
            **_named(mark.name, shown=True),
        )
    ]


@_traces.register
def _(mark: Curve) -> list[Any]:
    return [
        go.Scatter(
            x=list(mark.x),
            y=[None if math.isnan(value) else value for value in mark.y],
            mode="lines",
            line={"color": mark.sign.colour, "width": 1 if mark.faint else 2.5},
            opacity=0.5 if mark.faint else 1,
            hoverinfo="skip" if mark.faint else "x+y",
            **_named(mark.name, shown=True),
        )
    ]


@_traces.register
def _(mark: Band) -> list[Any]:
    return [
        go.Scatter(
            x=[*mark.x, *reversed(mark.x)],
            y=[*mark.high, *reversed(mark.low)],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=mark.sign.colour,
            opacity=0.15,
            hoverinfo="skip",
            showlegend=False,
        )
    ]


@_traces.register
def _(mark: Cells) -> list[Any]:
    low, high = mark.span
    return [
        go.Heatmap(
            x=list(range(len(mark.values[0]))),
            y=[-row for row in range(len(mark.values))],
            z=[[None if math.isnan(value) else value for value in row] for row in mark.values],
            zmin=low,
            zmax=high,
            colorscale=COLOURS,
            xgap=1,
            ygap=1,
            hoverinfo="text",
            hovertext=[[plain(_folded(hover)) for hover in row] for row in mark.hovers],
            hoverongaps=False,
            colorbar={
                "title": {"text": plain(fold(mark.label, 8))},
                "tickformat": _TICK_FORMATS[mark.format],
                "thickness": 14,
                "outlinewidth": 0,
            },
        )
    ]


def _marker(sign: Sign, size: float) -> dict[str, Any]:
    return {
        "color": sign.colour,
        "symbol": sign.plotly,
        "size": size,
        "line": {"color": INK, "width": 0.5},
    }


def _named(name: str, shown: bool) -> dict[str, Any]:
    """What of a series belongs together in the legend, and is hidden together."""
    return {"name": plain(name), "legendgroup": plain(name), "showlegend": shown and bool(name)}
