"""The terminal summary: a table as rich as the terminal is wide, and remarks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_reprotest.joined import title
from pytest_reprotest.report.attributed import attributions
from pytest_reprotest.report.held import (
    GATE_LEGEND,
    GateLayout,
    gated,
    layouts_of,
    sentences,
)
from pytest_reprotest.report.letters import Spell
from pytest_reprotest.report.rows import NEUTRAL, Audited, Layout, Row, rows
from pytest_reprotest.report.table import columns, wrap
from pytest_reprotest.report.verbose import blocks
from pytest_reprotest.result import AuditResult
from pytest_reprotest.statistics import StudyTest, in_words
from pytest_reprotest.tasks import Names

HEADING = "bold"
OVER_RUNS = "±: 95% over runs."
MARKED = (
    "PD < lower, > higher, ~ undecided against the baseline (permutation of runs, 5% after Holm)."
)
_NARROWEST_NAME = 20


@dataclass(frozen=True)
class Line:
    """A line of text and its colour."""

    text: str
    style: str = ""


def _fitted(
    shown: Sequence[Row], width: int, spell: Spell
) -> tuple[list[list[str]], Layout | GateLayout]:
    """The richest table that fits, and its layout."""
    for layout in layouts_of(shown):
        whole = [layout.cells(row, None) for row in shown]
        table = columns(layout.headings, whole, right=[1], spell=spell)
        excess = _widest(table) - width
        if excess > 0 and layout.folded:
            longest = max(len(spell(line)) for row in whole for line in row[0])
            name_width = max(_NARROWEST_NAME, longest - excess)
            cells = [layout.cells(row, name_width) for row in shown]
            table = columns(layout.headings, cells, right=[1], spell=spell)
            excess = _widest(table) - width
        if excess <= 0:
            break
    return table, layout


def _widest(table: Sequence[Sequence[str]]) -> int:
    return max(len(line) for lines in table for line in lines)


def _thresholds(shown: Sequence[Row], width: int, spell: Spell) -> Iterator[Line]:
    """The thresholds of a test, where its rows have no room for them."""
    by_label = {
        row.label: " ".join(str(limit) for limit in row.found.limits) or "no threshold"
        for row in shown
        if row.found is not None
    }
    distinct = set(by_label.values())
    if distinct <= {"no threshold"}:
        return
    text = (
        distinct.pop()
        if len(distinct) == 1
        else "; ".join(f"{label} {limits}" for label, limits in by_label.items())
    )
    yield from (Line(line) for line in wrap(f"  thresholds: {text}", width, "    ", spell))


def _tables(audits: Sequence[Audited], width: int, verbosity: int, spell: Spell) -> Iterator[Line]:
    """A table for each task, and below it what its columns mean; what holds for all is below the last."""
    by_task: dict[Names, list[Audited]] = {}
    for audited in audits:
        by_task.setdefault(audited.result.task.names, []).append(audited)
    tables = [
        (shown, names)
        for names, members in by_task.items()
        if (shown := shown_rows(members, verbosity))
    ]
    for number, (shown, names) in enumerate(tables):
        yield from table_of(shown, width, spell)
        last = number == len(tables) - 1
        legends = [GATE_LEGEND if gated(audits) else names.legend]
        if last and not gated(audits):
            marked = any(row.mark for rows_, _ in tables for row in rows_)
            legends = [f"{legends[0]} {OVER_RUNS}", *([MARKED] if marked else [])]
        yield from (Line(text) for told in legends for text in wrap(told, width, spell=spell))
        if not last:
            yield Line("")


def shown_rows(audits: Sequence[Audited], verbosity: int) -> list[Row]:
    """The rows of the table, those of a test beside each other; at ``-q`` breaches, also if only reported."""
    tests: dict[str, list[Row]] = {}
    for audited in audits:
        found = [row for row in rows(audited) if verbosity >= 0 or row.breached]
        tests.setdefault(title(audited.result), []).extend(found)
    return [row for members in tests.values() for row in members]


def table_of(shown: Sequence[Row], width: int, spell: Spell = str) -> Iterator[Line]:
    """The table of rows of one task, the name of each test on a line of its own."""
    if not shown:
        return
    ((heading, rule), *texts), layout = _fitted(shown, width, spell)
    yield Line(heading, HEADING)
    yield Line(rule)
    remaining = iter(texts)
    by_test = itertools.groupby(shown, lambda row: title(row.audited.result))
    for test, members in ((test, list(members)) for test, members in by_test):
        if test:
            yield Line(spell(test), HEADING)
        if not layout.thresholds:
            yield from _thresholds(members, width, spell)
        for row in members:
            yield from (Line(text, row.style) for text in next(remaining))


def render(
    audits: Sequence[Audited],
    width: int,
    verbosity: int = 0,
    notes: Sequence[str] = (),
    spell: Spell = str,
) -> list[Line]:
    """The lines of the summary, none longer than the width but for names of tests and files.

    Parameters
    ----------
    audits : sequence of Audited
    width : int
        Columns of the terminal.
    verbosity : int
        pytest's: below 0 breaches only; 1 and above the spread over runs; 2 and above the settings with
        their origin and the fingerprint.
    notes : sequence of str
        Sentences that are about all of them.
    spell : callable
        Gives texts the letters that the terminal has.
    """
    lines = list(_tables(audits, width, verbosity, spell))
    remarks = [
        *remarks_on(audits, verbosity),
        *_held(audits, verbosity),
        *(Line(note, NEUTRAL) for note in notes),
    ]
    lines.extend(
        Line(text, remark.style)
        for remark in remarks
        for text in wrap(remark.text, width, spell=spell)
    )
    for test, texts in blocks(audits, width, verbosity, spell):
        lines.extend([Line(spell(test), HEADING)] if test else [])
        lines.extend(map(Line, texts))
    lines.extend(Line(text) for text in attributions(audits, width, spell) if verbosity >= 0)
    return lines


def _held(audits: Sequence[Audited], verbosity: int) -> Iterator[Line]:
    for audited in audits if verbosity >= 0 else ():
        start = f"{audited.result.name}: " if audited.result.name else ""
        yield from (Line(start + told) for told in sentences(audited.result, verbosity))


def remarks_on(audits: Sequence[Audited], verbosity: int) -> Iterator[Line]:
    """What is to be said of audits beside their numbers."""
    for audited in audits:
        result = audited.result
        start = f"{result.name}: " if result.name else ""
        if verbosity >= 0:
            for label, reason in result.not_applicable.items():
                yield Line(f"{start}{label} does not fit: {reason}", NEUTRAL)
            for note in result.notes:
                yield Line(f"{start}{note}", NEUTRAL)
            for found in result.inconclusive if result.passed else ():
                for reason in found.verdict.reasons:
                    yield Line(f"{start}{found.regularizer}: {reason}", NEUTRAL)
            names, in_points = result.task.names, result.task.in_points
            for label, compared in result.comparisons.items():
                if verbosity >= 1 or compared.status != "undecided":
                    yield Line(start + in_words(label, compared, names.score_short, in_points))
            yield from _study(result, start)


def _study(result: AuditResult, start: str) -> Iterator[Line]:
    told = [
        (f"{found.regularizer} {found.study_p_value:.2g}", StudyTest(found.study_p_value).label)
        for found in result.by_regularizer.values()
        if found.study_p_value is not None
    ]
    if told:
        values, labels = zip(*told, strict=True)
        yield Line(
            f"{start}p-values of the study's Wilcoxon test: {', '.join(values)} - {labels[0]}"
        )
