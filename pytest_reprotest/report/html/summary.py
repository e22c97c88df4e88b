"""The head of an audit: verdict, sentence, reasons, and the table that is sorted by click and by key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_reprotest.report.held import GATE_LEGEND, gated, layouts_of
from pytest_reprotest.report.html.markup import Markup, join, label, tag
from pytest_reprotest.report.html.section import listed, scrolled
from pytest_reprotest.report.html.united import Shown
from pytest_reprotest.report.html.verdict import Told, verdict_of
from pytest_reprotest.report.rows import BAD, GOOD, NEUTRAL, Audited, Row, rows
from pytest_reprotest.report.terminal import MARKED, OVER_RUNS

_SIGNS = {GOOD: "✓ ", BAD: "✗ ", NEUTRAL: "! ", "": ""}
_LOOKS = {GOOD: "pass", BAD: "fail", NEUTRAL: "undecided", "": "open"}


def badge(told: Told) -> Markup:
    """A verdict as a word on its colour."""
    return tag("span", told.word, class_=f"badge {told.look}")


def summary(shown: Shown) -> Markup:
    """Verdict, reasons and table of an audit."""
    told = verdict_of(shown)
    return join(
        [
            tag("p", badge(told), " ", told.sentence, class_="sentence"),
            *_reasons(shown),
            _table(shown),
            tag("p", " ".join(_legends(shown)), class_="caption"),
        ]
    )


def _reasons(shown: Shown) -> Iterator[Markup]:
    told = [
        f"{found.regularizer}: {reason}"
        for found in shown.result.by_regularizer.values()
        for reason in found.verdict.reasons
    ]
    told += [
        f"{name} does not fit: {reason}" for name, reason in shown.result.not_applicable.items()
    ]
    if told:
        yield listed(told)


def _legends(shown: Shown) -> Iterator[str]:
    result = shown.result
    if gated([Audited(result)]):
        yield GATE_LEGEND
        return
    yield result.task.names.legend
    yield OVER_RUNS
    if result.comparisons:
        yield MARKED


def _table(shown: Shown) -> Markup:
    found = [
        Row(row.label, Audited(shown.result, shown.outcomes.get(row.label, "")), row.found)
        for row in rows(Audited(shown.result))
    ]
    if not found:
        return tag("p", "Nothing was audited.")
    layout = layouts_of(found)[0]
    headings = ["regularizer", *layout.headings[1:]]
    head = tag("tr", *(_heading(heading) for heading in headings))
    body = []
    for row in found:
        first, *rest = (" ".join(cell) for cell in layout.cells(row, None))
        *figures, verdict = rest
        body.append(
            tag(
                "tr",
                tag("th", label(first.strip()), scope="row", data_sort=first.strip()),
                *(tag("td", text, data_sort=_key(text)) for text in figures),
                tag(
                    "td",
                    tag("span", _SIGNS[row.style], verdict, class_=f"word {_LOOKS[row.style]}"),
                    data_sort=verdict,
                ),
            )
        )
    title = "Regularizers; the heading of a column sorts by it"
    return scrolled(
        title,
        tag(
            "table",
            tag("thead", head),
            tag("tbody", *body),
            class_="sortable",
        ),
    )


def _heading(text: str) -> Markup:
    return tag("th", tag("button", text, type="button"), scope="col", aria_sort="none")


def _key(text: str) -> str:
    """What a cell is sorted by: its first number, else its text."""
    number = re.match(r"-?\d+(\.\d+)?", text)
    return number[0] if number else text
