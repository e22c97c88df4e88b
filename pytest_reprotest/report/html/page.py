"""The page: one file with all that it needs, which asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pytest_reprotest.errors import DataError
from pytest_reprotest.report.html.markup import (
    Markup,
    identifier,
    join,
    json_text,
    label,
    script,
    tag,
)
from pytest_reprotest.report.html.section import (
    Block,
    Choice,
    Make,
    Picture,
    Section,
    folded,
    scrolled,
    table,
)
from pytest_reprotest.report.html.sections import SECTIONS
from pytest_reprotest.report.html.summary import badge, summary
from pytest_reprotest.report.html.united import Shown, united
from pytest_reprotest.report.html.verdict import verdict_of, verdict_of_all
from pytest_reprotest.report.plots import plotly_js, to_plotly
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.result import AuditResult

_HERE = Path(__file__).parent
_MOST_CELLS = 3000  # of a figure's numbers: a matrix of 50 runs


def page(audits: Sequence[Audited], notes: Sequence[str] = ()) -> str:
    """A self-contained page of audits.

    Parameters
    ----------
    audits : sequence of Audited
        Those of one test that are spread over items, compared by ``compared_across``, are shown as one.
    notes : sequence of str
        Sentences that are about all of them.

    Raises
    ------
    ReprotestError
        Where Plotly is not installed.
    """
    shown, drawn = united(audits), _Figures()
    articles = [_article(number, each, drawn) for number, each in enumerate(shown)]
    told = verdict_of_all(shown)
    # tables first: they are sorted before the library of the figures is read
    sources = [script(_read("tables.js")), script(plotly_js()), script(_read("figures.js"))]
    body = join(
        [
            tag("a", "To the audits", href="#audits", class_="skip"),
            tag(
                "header",
                tag("h1", "Reproducibility ", badge(told)),
                *([tag("p", told.sentence, class_="sentence")] if len(shown) != 1 else []),
                *(tag("p", note) for note in notes),
                *([_contents(shown)] if len(shown) > 1 else []),
            ),
            tag("main", *articles, id="audits"),
            tag(
                "noscript",
                tag("p", "Figures and sorting take JavaScript; all numbers are in the tables."),
            ),
            tag(
                "script",
                Markup(json_text(f"[{','.join(drawn.documents)}]")),
                type="application/json",
                id="figures",
            ),
            *(tag("script", Markup(source)) for source in sources),
        ]
    )
    head = join(
        [
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=_policy(sources)),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", f"Reproducibility: {told.word}"),
            tag("link", rel="icon", href="data:,"),
            tag("style", Markup(_read("page.css"))),
        ]
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


class _Figures:
    """The figures of a page, as JSON in the order of their places."""

    def __init__(self) -> None:
        self.documents: list[str] = []

    def place(self, picture: Picture) -> Markup:
        """The place where a figure will be drawn."""
        drawn = to_plotly(picture.figure)
        number = len(self.documents)
        self.documents.append(str(drawn.to_json()))
        plot = tag(
            "div",
            class_="plot",
            data_figure=str(number),
            role="img",
            aria_label=picture.title,
            style=f"height:{drawn.layout.height}px",
        )
        return join([scrolled(picture.title, plot, kind="scroll figure"), _numbers(picture)])


def _numbers(picture: Picture) -> Markup:
    """What the mouse would tell of a figure, for keys and for ears."""
    told = picture.figure.tabulated()
    if len(told.rows) * len(told.headings) > _MOST_CELLS:
        return Markup("")
    return folded("Numbers", table(f"{picture.title}: numbers", told.headings, told.rows))


def _article(number: int, shown: Shown, drawn: _Figures) -> Markup:
    result, name = shown.result, shown.name
    start = f"audit-{number}-{identifier(name)}"
    sections = [made for make in SECTIONS if (made := _made(make, result)) is not None]
    return tag(
        "article",
        tag("h2", label(name)),
        summary(shown),
        *(_section(f"{start}-{place}", section, drawn) for place, section in enumerate(sections)),
        id=start,
    )


def _made(make: Make, result: AuditResult) -> Section | None:
    """A section; where its figure can't be drawn it says why, and the others are there all the same."""
    try:
        return make(result)
    except DataError as error:
        return Section("A figure that can't be drawn", str(error), [])


def _section(start: str, section: Section, drawn: _Figures) -> Markup:
    blocks = [
        _block(f"{start}-{place}", block, drawn) for place, block in enumerate(section.blocks)
    ]
    return tag(
        "section",
        tag("h3", section.title, id=start),
        tag("p", section.caption, class_="caption"),
        *blocks,
        aria_labelledby=start,
    )


def _block(start: str, block: Block, drawn: _Figures) -> Markup:
    if isinstance(block, Picture):
        return drawn.place(block)
    if not isinstance(block, Choice):
        return block
    options = [tag("option", name, value=str(place)) for place, name in enumerate(block.blocks)]
    picker = tag(
        "p",
        tag("label", f"{block.label} ", for_=f"{start}-of"),
        tag("select", *options, id=f"{start}-of"),
        class_="picker",
    )
    panels = [
        tag("div", tag("h4", label(name)), _block(f"{start}-{place}", inner, drawn), class_="panel")
        for place, (name, inner) in enumerate(block.blocks.items())
    ]
    return tag("div", *([picker] if len(panels) > 1 else []), *panels, class_="choice")


def _contents(shown: Sequence[Shown]) -> Markup:
    entries = []
    for number, each in enumerate(shown):
        link = f"#audit-{number}-{identifier(each.name)}"
        entries.append(
            tag("li", badge(verdict_of(each)), " ", tag("a", label(each.name), href=link))
        )
    return tag("nav", tag("ul", *entries), aria_label="Audits")


def _policy(sources: Sequence[str]) -> str:
    """Nothing is loaded, and no script runs but those of the page, by what is in them."""
    digests = (hashlib.sha256(source.encode()).digest() for source in sources)
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:"
    )


@cache
def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
