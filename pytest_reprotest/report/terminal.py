"""The terminal summary: a table as rich as the terminal is wide, remarks, and a failure's message."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_reprotest.conditions import described
from pytest_reprotest.joined import title
from pytest_reprotest.report.attributed import attributions
from pytest_reprotest.report.held import (
    GATE_LEGEND,
    GateLayout,
    gated,
    layouts_of,
    sentences,
    what_failed,
)
from pytest_reprotest.report.rows import BAD, NEUTRAL, Audited, Layout, Row, rows
from pytest_reprotest.report.table import columns, wrap
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.statistics import StudyTest, in_words
from pytest_reprotest.tasks import Names
from pytest_reprotest.thresholds import THRESHOLDS

HEADING = "bold"
OVER_RUNS = "±: 95% over runs."
MARKED = (
    "PD < lower, > higher, ~ undecided against the baseline (permutation of runs, 5% after Holm)."
)
_NARROWEST_NAME = 20
_CLASSES = 3  # shown at -v; the file has all
_SETTINGS = (
    *("runs", "seed", "vary", "device", "engine", "timeout"),
    *("decision", "confidence", "deterministic"),
)


@dataclass(frozen=True)
class Line:
    """A line of text and its colour."""

    text: str
    style: str = ""


def _fitted(shown: Sequence[Row], width: int) -> tuple[list[list[str]], Layout | GateLayout]:
    """The richest table that fits, and its layout."""
    for layout in layouts_of(shown):
        table = columns(layout.headings, [layout.cells(row, None) for row in shown], right=[1])
        excess = _widest(table) - width
        if excess > 0 and layout.folded:
            longest = max(len(line) for row in shown for line in layout.cells(row, None)[0])
            name_width = max(_NARROWEST_NAME, longest - excess)
            cells = [layout.cells(row, name_width) for row in shown]
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


def _tables(audits: Sequence[Audited], width: int, verbosity: int) -> Iterator[Line]:
    """A table for each task, and below it what its columns mean; what holds for all is below the last."""
    by_task: dict[Names, list[Audited]] = {}
    for audited in audits:
        by_task.setdefault(audited.result.task.names, []).append(audited)
    tables = [
        (table, names)
        for names, members in by_task.items()
        if (table := list(_table(members, width, verbosity)))
    ]
    for number, (table, names) in enumerate(tables):
        yield from table
        last = number == len(tables) - 1
        legends = [GATE_LEGEND if gated(audits) else names.legend]
        if last and not gated(audits):
            over_runs, *marked = _for_all_tables(audits)
            legends = [f"{legends[0]} {over_runs}", *marked]
        yield from (Line(text) for legend in legends for text in wrap(legend, width))
        if not last:
            yield Line("")


def _table(audits: Sequence[Audited], width: int, verbosity: int) -> Iterator[Line]:
    groups: dict[str, list[Row]] = {}
    for audited in audits:
        found = [row for row in rows(audited) if verbosity >= 0 or row.style == BAD]
        groups.setdefault(title(audited.result), []).extend(found)
    shown = [row for members in groups.values() for row in members]
    if not shown:
        return
    ((heading, rule), *texts), layout = _fitted(shown, width)
    yield Line(heading, HEADING)
    yield Line(rule)
    remaining = iter(texts)
    for test, members in groups.items():
        if not members:
            continue
        if test:
            yield Line(test, HEADING)
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
        settings with their origin and the fingerprint.
    """
    lines = list(_tables(audits, width, verbosity))
    remarks = [
        *_remarks(audits, verbosity),
        *_held(audits, verbosity),
        *(Line(note, NEUTRAL) for note in notes),
    ]
    lines.extend(
        Line(text, remark.style) for remark in remarks for text in wrap(remark.text, width)
    )
    lines.extend(Line(text) for text in attributions(audits, width) if verbosity >= 0)
    return lines


def _for_all_tables(audits: Sequence[Audited]) -> Iterator[str]:
    yield OVER_RUNS
    if any(audited.result.comparisons for audited in audits):
        yield MARKED


def _held(audits: Sequence[Audited], verbosity: int) -> Iterator[Line]:
    for audited in audits if verbosity >= 0 else ():
        start = f"{audited.result.name}: " if audited.result.name else ""
        yield from (Line(start + told) for told in sentences(audited.result, verbosity))


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
            for found in result.inconclusive if result.passed else ():
                for reason in found.verdict.reasons:
                    yield Line(f"{start}{found.regularizer}: {reason}", NEUTRAL)
            names, in_points = result.task.names, result.task.in_points
            for label, compared in result.comparisons.items():
                if verbosity >= 1 or compared.status != "undecided":
                    yield Line(start + in_words(label, compared, names.score_short, in_points))
            yield from _study(result, start)
        if verbosity >= 1:
            for label, found in result.by_regularizer.items():
                spread = [*_spread(result, found, verbosity)]
                if "engine" in result.settings:
                    spread.append(f"engine {result.settings['engine']}")
                yield Line(f"{start}{label}: {', '.join(spread)}")
        if verbosity >= 2:
            for text in _settings(result):  # the same in every item of a parametrized test
                test = title(result)
                line = f"{test}: {text}" if test else text
                if line not in told:
                    yield Line(line)
                told.add(line)


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


def _spread(result: AuditResult, found: RegularizerResult, verbosity: int) -> Iterator[str]:
    if not math.isnan(found.score_std):
        shown = f"{found.score_std:.4f}" if result.task.in_points else f"{found.score_std:.4g}"
        yield f"SD of {result.task.names.score_short} {shown}"
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
            yield f"PD by {result.task.names.by_class}, largest first: {told}"
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
    yield from described(result.settings)


def failure_in_words(failed: Sequence[RegularizerResult]) -> str:
    """Why regularizers fail, to follow their number."""
    told = what_failed(failed)
    unproven = any(found.proof is not None and found.proof.differences for found in failed)
    if any(found.verdict.broken for found in failed) and not unproven:
        return "cannot be trusted or breach a threshold"
    if told is not None:
        return told
    undecided = [found.verdict.status == "inconclusive" for found in failed]
    if all(undecided):
        return "can't be decided with so few runs"
    return "breach a threshold" + (" or can't be decided" if any(undecided) else "")


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
    lines = [f"reproducibility: {count} {failure_in_words(failed)}"]
    for found in failed:
        for reason in found.verdict.reasons:
            runs = "1 run" if found.n_runs == 1 else f"{found.n_runs} runs"
            text = f"  {found.regularizer} ({runs}): {reason}"
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
