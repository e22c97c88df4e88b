"""What a section of the page is made of. A section is a pure function of an audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_reprotest.report.html.markup import Markup, join, label, tag
from pytest_reprotest.report.plots import Figure
from pytest_reprotest.result import AuditResult


@dataclass(frozen=True)
class Picture:
    """A figure, and what it is called where it can't be seen."""

    title: str
    figure: Figure


@dataclass(frozen=True)
class Choice:
    """Blocks of which one is shown at a time, by their names.

    Attributes
    ----------
    label : str
        What is chosen.
    blocks : mapping of str to Markup or Picture
    """

    label: str
    blocks: Mapping[str, Markup | Picture]


Block = Markup | Picture | Choice


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    title : str
    caption : str
        How to read what follows.
    blocks : sequence of Block
    """

    title: str
    caption: str
    blocks: Sequence[Block]


Make = Callable[[AuditResult], Section | None]
"""Makes the section of an audit; None where the audit has nothing to show there."""


def listed(sentences: Sequence[str]) -> Markup:
    """Sentences as a list.

    >>> print(listed(["a < b"]))
    <ul><li>a &lt; b</li></ul>
    """
    return tag("ul", *(tag("li", sentence) for sentence in sentences))


def folded(title: str, *children: str) -> Markup:
    """What is shown once it is asked for."""
    return tag("details", tag("summary", title), *children)


def table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], kind: str | None = None
) -> Markup:
    """A table whose first column names its rows, in a frame that is scrolled where it is too wide.

    Parameters
    ----------
    kind : str, optional
        The class that the style sheet knows it by.

    >>> str(table("Classes", ["class", "PD"], [["3", "0.02"]])).count("<td>")
    1
    """
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    body = [
        tag("tr", tag("th", label(first), scope="row"), *(tag("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    return scrolled(title, tag("table", tag("thead", head), tag("tbody", *body), class_=kind))


def scrolled(title: str, *children: str, kind: str = "scroll") -> Markup:
    """A frame that keyboards reach and scroll, where its content is wider than the page."""
    return tag("div", join(children), class_=kind, tabindex="0", role="region", aria_label=title)
