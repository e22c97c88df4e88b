"""The terminal summary: a table as rich as the terminal is wide, remarks, and a failure's message."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_reprotest.report.rows import BAD, LAYOUTS, NEUTRAL, Audited, Layout, Row, group, rows
from pytest_reprotest.report.table import columns, wrap
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.statistics import StudyTest, in_words
from pytest_reprotest.thresholds import THRESHOLDS

HEADING = "bold"
_OVER_RUNS = "±: 95% over runs."
_MARKED = (
    "PD against the baseline: < lower, > higher, ~ undecided (permutation of runs, 5% after Holm)."
)
_NARROWEST_NAME = 20
_CLASSES = 3  # shown at -v; the file has all
_SETTINGS = ("runs", "seed", "vary", "device", "engine", "decision", "confidence")


@dataclass(frozen=True)
class Line:
    """A line of text and its colour."""

    text: str
    style: str = ""


def _fitted(shown: Sequence[Row], width: int) -> tuple[list[list[str]], Layout]:
    """The richest table that fits, and its layout."""
    for layout in LAYOUTS:
        table = columns(layout.headings, [row.cells(layout, None) for row in shown], right=[1])
        excess = _widest(table) - width
        if excess > 0 and layout.folded:
            longest = max(len(line) for row in shown for line in row.cells(layout, None)[0])
            name_width = max(_NARROWEST_NAME, longest - excess)
            cells = [row.cells(layout, name_width) for row in shown]
            table = columns(layout.headings, cells, right=[1])
            excess = _widest(table) - width
        if excess <= 0:
            break
    return table, layout


def _widest(table: Sequence[Sequence[str]]) -> int:
    return max(len(line) for lines in table for line in lines)


def _thresholds(shown: Sequence[Row], width: int) -> Iterator[Line]:
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
    yield from (Line(line) for line in wrap(f"  thresholds: {text}", width, indent="    "))


def _title(result: AuditResult) -> str:
    only = result.regularizers
    return group(result.name, only[0] if len(only) == 1 else "")


def _table(audits: Sequence[Audited], width: int, verbosity: int) -> Iterator[Line]:
    groups: dict[str, list[Row]] = {}
    for audited in audits:
        found = [row for row in rows(audited) if verbosity >= 0 or row.style == BAD]
        groups.setdefault(_title(audited.result), []).extend(found)
    shown = [row for members in groups.values() for row in members]
    if not shown:
        return
    ((heading, rule), *texts), layout = _fitted(shown, width)
    yield Line(heading, HEADING)
    yield Line(rule)
    remaining = iter(texts)
    for title, members in groups.items():
        if not members:
            continue
        if title:
            yield Line(title, HEADING)
        if not layout.thresholds:
            yield from _thresholds(members, width)
        for row in members:
            yield from (Line(text, row.style) for text in next(remaining))


def render(
    audits: Sequence[Audited], width: int, verbosity: int = 0, notes: Sequence[str] = ()
) -> list[Line]:
    """The lines of the summary, none longer than the width but for names of tests and files.

    Parameters
    ----------
    audits : sequence of Audited
    width : int
        Columns of the terminal.
    verbosity : int
        pytest's: below 0 failing regularizers only; 1 and above the spread over runs; 2 and above the
        settings with their origin.
    """
    lines = list(_table(audits, width, verbosity))
    if lines:
        lines.extend(Line(text) for text in wrap(_legend(audits), width))
    remarks = [*_remarks(audits, verbosity), *(Line(note, NEUTRAL) for note in notes)]
    lines.extend(
        Line(text, remark.style) for remark in remarks for text in wrap(remark.text, width)
    )
    return lines


def _legend(audits: Sequence[Audited]) -> str:
    results = [audited.result for audited in audits]
    parts = list(dict.fromkeys(result.task.names.legend for result in results))
    compared = any(result.comparisons for result in results)
    return " ".join([*parts, _OVER_RUNS, *([_MARKED] if compared else [])])


def _remarks(audits: Sequence[Audited], verbosity: int) -> Iterator[Line]:
    told = set()
    for audited in audits:
        result = audited.result
        start = f"{result.name}: " if result.name else ""
        if verbosity >= 0:
            for label, reason in result.not_applicable.items():
                yield Line(f"{start}{label} does not fit: {reason}", NEUTRAL)
            for note in result.notes:
                yield Line(f"{start}{note}", NEUTRAL)
            for found in result.inconclusive:
                for reason in found.verdict.reasons:
                    yield Line(f"{start}{found.regularizer}: {reason}", NEUTRAL)
            for label, compared in result.comparisons.items():
                if verbosity >= 1 or compared.status != "undecided":
                    yield Line(start + in_words(label, compared, result.task.names.score_short))
            for found in result.by_regularizer.values():
                if found.study_p_value is not None:
                    yield Line(
                        f"{start}{found.regularizer}: the study's Wilcoxon test gives p = "
                        f"{found.study_p_value:.3g}, {StudyTest(found.study_p_value).label}"
                    )
        if verbosity >= 1:
            for label, found in result.by_regularizer.items():
                spread = [*_spread(result, found, verbosity)]
                if "engine" in result.settings:
                    spread.append(f"engine {result.settings['engine']}")
                yield Line(f"{start}{label}: {', '.join(spread)}")
        if verbosity >= 2:
            for text in _settings(result):  # the same in every item of a parametrized test
                title = _title(result)
                line = f"{title}: {text}" if title else text
                if line not in told:
                    yield Line(line)
                told.add(line)


def _spread(result: AuditResult, found: RegularizerResult, verbosity: int) -> Iterator[str]:
    if not math.isnan(found.score_std):
        yield f"SD of {result.task.names.score_short} {found.score_std:.4f}"
    details = result.details(found.regularizer)
    if details is not None:
        yield f"ambiguity {details.ambiguity:.4f}"
        yield f"discrepancy {details.discrepancy:.4f}"
        if not math.isnan(details.score_distance):
            yield f"distance of scores {details.score_distance:.4f}"
        if verbosity >= 2:
            yield f"PD of pairs {details.smallest_difference:.4f} to {details.discrepancy:.4f}"
        if details.by_class:
            most = sorted(details.by_class, key=lambda each: -each.flip_rate)[:_CLASSES]
            told = ", ".join(f"{each.label} {each.flip_rate:.3f}" for each in most)
            yield f"PD by class, largest first: {told}"
        if details.most_flip_prone:
            told = ", ".join(str(sample) for sample, _ in details.most_flip_prone)
            yield f"samples that flip most: {told}"
    yield f"{found.seconds:.1f} s of training"


def _settings(result: AuditResult) -> Iterator[str]:
    """Each setting with its origin."""
    origins = result.settings.get("origins", {})
    values = {key: value for key, value in result.settings.items() if key in _SETTINGS}
    if len(result.regularizers) > 1:
        values["baseline"] = result.baseline
    values["report_only"] = result.report_only
    for name in THRESHOLDS:
        limits = [
            limit.value
            for found in result.by_regularizer.values()
            for limit in found.limits
            if limit.name == name
        ]
        if limits:
            values[name] = [f"{limit:g}" for limit in dict.fromkeys(limits)]
    for key, value in values.items():
        shown = (",".join(value) or "none") if isinstance(value, list) else value
        yield f"{key} = {shown} ({origins.get(key, 'default')})"


def explain(result: AuditResult, rerun: str) -> str:
    """The message of a failing test: each failing regularizer, why, and how to run just that.

    Parameters
    ----------
    rerun : str
        The command, without ``--repro-regularizers``.
    """
    width = 100
    failed = result.failed
    count = f"{len(failed)} of {len(result.by_regularizer)} regularizers"
    broken = any(found.verdict.broken for found in failed)
    lines = [
        f"reproducibility: {count} {'cannot be trusted or breach' if broken else 'breach'} a threshold"
    ]
    for found in failed:
        for reason in found.verdict.reasons:
            text = f"  {found.regularizer} ({found.n_runs} runs): {reason}"
            lines.extend(wrap(text, width, indent="    "))
    audits = [Audited(result)]
    lines.append("")
    lines.extend(line.text for line in _table(audits, width, verbosity=0))
    for remark in _remarks(audits, verbosity=0):
        lines.extend(wrap(remark.text, width))
    lines.append("")
    lines.append("run just this again:")
    lines.extend(f"  {rerun} --repro-regularizers={shlex.quote(f.regularizer)}" for f in failed)
    return "\n".join(lines)
