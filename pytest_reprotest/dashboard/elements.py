"""The markup of the page as Dash's components: the same words and tables, in the same classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from pytest_reprotest.dashboard.figures import coloured, reported
from pytest_reprotest.report.html.markup import Markup, label
from pytest_reprotest.report.html.section import Block, Choice, Picture, Section
from pytest_reprotest.report.plots.lettering import clean

Children = Sequence[Component | str]

GRAPH: Any = {"displayModeBar": False, "responsive": True}
"""How Plotly is set: no bar of buttons, which would cover the figure on a phone."""

_NAMES = {"class": "className", "tabindex": "tabIndex", "colspan": "colSpan", "for": "htmlFor"}
_VOID = ("br", "img", "wbr")
_DROPPED = ("type", "hidden", "aria-sort", "data-sort", "data-figure")


class _Reader(HTMLParser):
    """Builds components. What it reads is ours: ``tag`` has closed and escaped everything."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, Any], list[Component | str]]] = [("", {}, [])]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {
            _NAMES.get(name, name): _styles(value or "") if name == "style" else value
            for name, value in attrs
            if name not in _DROPPED
        }
        if tag in _VOID:
            self.open[-1][2].append(getattr(html, tag.capitalize())(**given))
            return
        self.open.append((tag, given, []))

    def handle_endtag(self, tag: str) -> None:
        name, given, children = self.open.pop()
        # headings sort on the page of one result, which has a script for it
        kind = html.Span if name == "button" else getattr(html, name.capitalize())
        self.open[-1][2].append(kind(children, **given))

    def handle_data(self, data: str) -> None:
        self.open[-1][2].append(data)


def _styles(text: str) -> dict[str, str]:
    pairs = (each.partition(":") for each in text.split(";") if each)
    camel = ((name.strip().split("-"), value.strip()) for name, _, value in pairs)
    return {first + "".join(map(str.capitalize, rest)): value for (first, *rest), value in camel}


def elements(markup: Markup) -> list[Component | str]:
    """Markup of the page as components.

    >>> elements(Markup('<p class="x">a &lt; b</p>'))
    [P(children=['a < b'], className='x')]
    >>> elements(Markup('<td><img src="data:,"></td><td>b</td>'))
    [Td([Img(src='data:,')]), Td(['b'])]
    """
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader.open[0][2]


def named(name: str) -> Component:
    """A name from outside, whose direction stays its own."""
    (found,) = elements(label(name))
    assert isinstance(found, Component)
    return found


def aria(**given: str) -> dict[str, Any]:
    """Attributes that tell what something is where it can't be seen.

    >>> aria(label="Filters")
    {'aria-label': 'Filters'}
    """
    return {f"aria-{name}": value for name, value in given.items()}


def text(given: str) -> str:
    """A text in which what is not seen is spelled."""
    return clean(given)


def scrolled(title: str, child: Component) -> Component:
    """A frame that keyboards reach and scroll, where its content is wider than the page."""
    return html.Div(child, className="scroll", tabIndex=0, role="region", **aria(label=title))


def table(
    title: str,
    headings: Iterable[Component | str],
    rows: Iterable[Sequence[Any]],
    kind: str | None = None,
) -> Component:
    """A table whose first column names its rows."""
    head = html.Tr([html.Th(heading, scope="col") for heading in headings])
    body = [
        html.Tr([html.Th(first, scope="row"), *(html.Td(cell) for cell in rest)])
        for first, *rest in rows
    ]
    return scrolled(title, html.Table([html.Thead(head), html.Tbody(body)], className=kind or ""))


def graph(figure: dict[str, Any], title: str, scheme: dict[str, Any], **given: Any) -> Component:
    """A figure in the colours of the page."""
    shown = coloured(figure, **scheme)
    height, width = shown["layout"].get("height", 320), shown["layout"].pop("width", None)
    most = {} if width is None else {"maxWidth": f"{width}px"}
    return html.Div(
        dcc.Graph(figure=shown, config=GRAPH, style={"height": f"{height}px"}, **given),
        role="img",
        className="plot",
        style=most,
        **aria(label=text(title)),
    )


def section(found: Section, scheme: dict[str, Any], level: Any = html.H3) -> Component:
    """A section of the page of a result."""
    children: list[Any] = [level(found.title), html.P(found.caption, className="caption")]
    for block in found.blocks:
        children += _block(block, scheme)
    return html.Section(children)


def _block(block: Block, scheme: dict[str, Any]) -> Children:
    if isinstance(block, Picture):
        return [graph(reported(block.figure), block.title, scheme)]
    if isinstance(block, Choice):
        return [
            child
            for name, inner in block.blocks.items()
            for child in (
                *([html.H4(named(name))] if len(block.blocks) > 1 else []),
                *_block(inner, scheme),
            )
        ]
    return elements(block)
