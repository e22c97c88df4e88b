"""Figures in files, by matplotlib: without a display, and the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, singledispatch
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pytest_reprotest.errors import OptionError
from pytest_reprotest.report.plots.drawing import (
    DPI,
    FONT,
    GRID,
    INK,
    NOTE,
    TITLE,
    Band,
    Box,
    BoxRow,
    Cells,
    Curve,
    Dots,
    Drawing,
    Line,
    Mark,
    Named,
    Scale,
)
from pytest_reprotest.report.plots.figure import Figure
from pytest_reprotest.report.plots.lettering import clean, spelled

_FAMILY = "DejaVu Sans"  # comes with matplotlib, so it is there and the same everywhere
_SHARPER = 2  # a PNG has so many pixels for one of the drawing
_MOST_PIXELS = 2**16
_POINT = 72 / DPI
_EDGE = 0.08  # inches
_STYLE: dict[Any, Any] = {
    "font.family": _FAMILY,
    "font.size": FONT * _POINT,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "pytest-reprotest",
    "svg.fonttype": "path",  # looks the same, and takes the same room, where the font is not installed
}
_METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def rendered(figure: Figure, kind: str) -> bytes:
    """The content of a file.

    Parameters
    ----------
    kind : {"png", "svg"}
    """
    with _styled():
        drawing = figure.drawing(_shown)
    longest = _SHARPER * max(drawing.width, drawing.height)
    if kind == "png" and longest >= _MOST_PIXELS:
        raise OptionError(
            f"the figure would be {longest} pixels long, a PNG takes less than {_MOST_PIXELS}; "
            "save it as .svg, or draw several figures"
        )
    content = io.BytesIO()
    with _styled():
        canvas = drawn(drawing)
        print_to = {"png": FigureCanvasAgg, "svg": FigureCanvasSVG}[kind]
        print_to(canvas)
        canvas.savefig(
            content,
            format=kind,
            dpi=_SHARPER * DPI if kind == "png" else 72,
            metadata=_METADATA[kind],
        )
    return content.getvalue()


def drawn(drawing: Drawing) -> Canvas:
    """A drawing as matplotlib's figure, in the style that is set."""
    size = (drawing.width / DPI, drawing.height / DPI)
    engine = ConstrainedLayoutEngine(w_pad=_EDGE, h_pad=_EDGE)
    canvas = Canvas(figsize=size, dpi=DPI, layout=engine)
    axes = canvas.add_subplot()
    for order, mark in enumerate(drawing.marks):
        _draw(mark, axes, 2 + 0.01 * order)
    _set(axes.xaxis, drawing.x)
    _set(axes.yaxis, drawing.y)
    axes.set_xlim(drawing.x.span)
    axes.set_ylim(drawing.y.span)
    left = {"x": 16 / drawing.width, "ha": "left"}
    if drawing.title:
        canvas.suptitle(drawing.title, fontsize=TITLE * _POINT, **left)
    if drawing.note:
        axes.set_title(drawing.note, loc="left", fontsize=NOTE * _POINT)
    _legend(canvas, drawing)
    return canvas


@contextmanager
def _styled() -> Iterator[None]:
    """The style of matplotlib as it comes, and the style above; afterwards as it was."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def _shown(text: str) -> str:
    """Text with only such characters as the font has; the others are spelled."""
    glyphs = _glyphs()
    return "".join(
        character if ord(character) in glyphs else spelled(character) for character in clean(text)
    )


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=[_FAMILY]))).get_charmap())


def _set(axis: Axis, scale: Scale) -> None:
    axis.set_label_text(scale.label)
    if scale.ticks is None:
        axis.grid(True, color=GRID)
        axis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
        if scale.format == "percent":
            axis.set_major_formatter(FuncFormatter(_percent))
    else:
        axis.set_ticks([place for place, _ in scale.ticks], [text for _, text in scale.ticks])


def _percent(value: float, _: object = None) -> str:
    return f"{100 * value:.6g}%".replace("-", "\N{MINUS SIGN}")


def _legend(canvas: Canvas, drawing: Drawing) -> None:
    entries = [mark for mark in drawing.marks if isinstance(mark, Named) and mark.name]
    if not entries:
        return
    # Names come after, since matplotlib leaves out those that start with an underscore.
    legend = canvas.legend(
        [_entry(mark) for mark in entries],
        [str(number) for number in range(len(entries))],
        loc="outside right upper",
        frameon=False,
    )
    for text, mark in zip(legend.get_texts(), entries, strict=True):
        text.set_text(mark.name)


def _entry(mark: Named) -> Line2D:
    if isinstance(mark, Line):
        return Line2D([], [], **_REFERENCE)
    if isinstance(mark, Curve):
        return Line2D([], [], color=mark.sign.colour, linewidth=2.5 * _POINT)
    return Line2D(
        [],
        [],
        linestyle="",
        marker=mark.sign.matplotlib,
        markersize=9 * _POINT,
        color=mark.sign.colour,
        markeredgecolor=INK,
        markeredgewidth=0.5 * _POINT,
    )


_REFERENCE: dict[str, Any] = {"color": INK, "linewidth": 1.2 * _POINT, "linestyle": "--"}


@singledispatch
def _draw(mark: Mark, axes: Axes, order: float) -> None:
    raise NotImplementedError(mark)


@_draw.register
def _(mark: Dots, axes: Axes, order: float) -> None:
    line: dict[str, Any] = {"colors": mark.sign.colour, "linewidth": 1.5 * _POINT, "zorder": order}
    for dot in mark.dots:
        if dot.x_interval is not None:
            axes.hlines(dot.y, *dot.x_interval, **line)
        if dot.y_interval is not None:
            axes.vlines(dot.x, *dot.y_interval, **line)
    axes.scatter(
        [dot.x for dot in mark.dots],
        [dot.y for dot in mark.dots],
        s=(mark.size * _POINT) ** 2,
        c=mark.sign.colour,
        marker=mark.sign.matplotlib,
        alpha=0.65 if mark.faint else None,
        edgecolors=INK,
        linewidths=0.5 * _POINT,
        zorder=order,
    )


@_draw.register
def _(mark: BoxRow, axes: Axes, order: float) -> None:
    # Not axes.bxp: it reads all of rcParams, which imports pyplot and settles its backend.
    lines = [line for box in mark.boxes for line in _outline(box)]
    style: dict[str, Any] = {"colors": mark.sign.colour, "linewidths": 1.5 * _POINT}
    axes.add_collection(LineCollection(lines, capstyle="projecting", zorder=order, **style))


def _outline(box: Box) -> list[list[tuple[float, float]]]:
    """The box, its median, its whiskers and their caps."""
    left, right = box.x - box.width / 2, box.x + box.width / 2
    cap = box.width / 4
    return [
        [(left, box.q1), (right, box.q1), (right, box.q3), (left, box.q3), (left, box.q1)],
        [(left, box.median), (right, box.median)],
        [(box.x, box.low), (box.x, box.q1)],
        [(box.x, box.q3), (box.x, box.high)],
        [(box.x - cap, box.low), (box.x + cap, box.low)],
        [(box.x - cap, box.high), (box.x + cap, box.high)],
    ]


@_draw.register
def _(mark: Line, axes: Axes, order: float) -> None:
    (x1, y1), (x2, y2) = mark.start, mark.end
    axes.add_line(Line2D([x1, x2], [y1, y2], zorder=order, **_REFERENCE))


@_draw.register
def _(mark: Curve, axes: Axes, order: float) -> None:
    width, alpha = (1, 0.5) if mark.faint else (2.5, 1)
    style: dict[str, Any] = {"color": mark.sign.colour, "linewidth": width * _POINT}
    axes.add_line(Line2D(list(mark.x), list(mark.y), alpha=alpha, zorder=order, **style))


@_draw.register
def _(mark: Band, axes: Axes, order: float) -> None:
    outline = [
        *zip(mark.x, mark.high, strict=True),
        *reversed([*zip(mark.x, mark.low, strict=True)]),
    ]
    style: dict[str, Any] = {"facecolors": mark.sign.colour, "alpha": 0.15, "linewidths": 0}
    axes.add_collection(PolyCollection([outline], zorder=order, **style))


@_draw.register
def _(mark: Cells, axes: Axes, order: float) -> None:
    columns = [at - 0.5 for at in range(len(mark.values[0]) + 1)]
    rows = [0.5 - at for at in range(len(mark.values) + 1)]
    low, high = mark.span
    style: dict[str, Any] = {"cmap": "cividis", "edgecolors": "white", "linewidth": _POINT}
    values = np.ma.masked_invalid(mark.values)
    mesh = axes.pcolormesh(columns, rows, values, vmin=low, vmax=high, zorder=order, **style)
    percent = FuncFormatter(_percent) if mark.format == "percent" else None
    canvas = axes.get_figure(root=True)
    assert canvas is not None
    bar = canvas.colorbar(mesh, ax=axes, format=percent)
    bar.outline.set_visible(False)
    bar.set_label(mark.label)
