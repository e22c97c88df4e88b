"""The terminal table: a row per test and regularizer, as wide as the terminal allows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.statistics import Estimate

GOOD, BAD, NEUTRAL, HEADING = "green", "red", "yellow", "bold"
_WIDE = 96  # columns that intervals and thresholds need
_LEGEND = (
    "PD: prediction difference, the fraction of test samples on which two runs differ. "
    "ETA: accuracy - PD. ±: 95% over runs."
)


@dataclass(frozen=True)
class Audited:
    """A finished audit as the session saw it."""

    result: AuditResult
    outcome: str = ""
    """What became of the test where its verdict did not decide it: ``xfail``, ``xpass`` or empty."""


@dataclass(frozen=True)
class Line:
    """A line of text and its colour."""

    text: str
    style: str = ""


def figure(estimate: Estimate, interval: bool = True, digits: int = 3) -> str:
    """An estimate with half its interval's width.

    >>> figure(Estimate(0.0412, 0.033, 0.0494)), figure(Estimate(float("nan")))
    ('0.041 ±0.008', '-')
    """
    if math.isnan(estimate.value):
        return "-"
    shown = f"{estimate.value:.{digits}f}"
    if not interval or math.isnan(estimate.half_width):
        return shown
    return f"{shown} ±{estimate.half_width:.{digits}f}"


def verdict_word(found: RegularizerResult, audited: Audited) -> str:
    """The last cell: pass, fail, or what the test made of it."""
    status = found.verdict.status
    if found.verdict.broken:
        status_word = "broken"
    elif status == "pass":
        status_word = "pass" if found.limits else "no limit"
    else:
        status_word = f"{status} (report)" if audited.result.report_only else str(status)
    if audited.outcome and status != "pass":
        return f"{status_word} ({audited.outcome})"
    return status_word


def rows(audited: Audited, wide: bool) -> Iterator[tuple[list[str], str]]:
    """The cells and colour of each regularizer of an audit."""
    result = audited.result
    for label, found in result.by_regularizer.items():
        name = f"{label} (baseline)" if label == result.baseline and wide else label
        cells = [
            f"  {name}",
            str(found.n_runs),
            figure(found.accuracy, wide),
            figure(found.prediction_difference),
            figure(found.effective_accuracy, wide),
            figure(found.difference_error_ratio, wide, digits=2),
        ]
        if wide:
            cells.append(" ".join(str(limit) for limit in found.limits) or "-")
        word = verdict_word(found, audited)
        failing = any(found is other for other in result.failed)
        style = BAD if failing else GOOD if found.verdict.status == "pass" else NEUTRAL
        yield [*cells, word], (style if found.limits or failing else "")
    for label in result.not_applicable:
        yield [f"  {label}", "0", *["-"] * (5 if wide else 4), "does not fit"], NEUTRAL


def group(name: str, label: str) -> str:
    """The test's name without the parameter that the fixture ``regularizer`` gave it.

    >>> group("test_a.py::test_mlp[dropout-small]", "dropout"), group("test_a.py::test_mlp[dropout]", "dropout")
    ('test_a.py::test_mlp[small]', 'test_a.py::test_mlp')
    """
    stem, bracket, parameters = name.partition("[")
    if not bracket:
        return name
    kept = f"-{parameters.removesuffix(']')}-".replace(f"-{label}-", "-", 1).strip("-")
    return f"{stem}[{kept}]" if kept else stem


def render(
    audits: Sequence[Audited], width: int, verbosity: int = 0, notes: Sequence[str] = ()
) -> list[Line]:
    """The lines of the summary.

    Parameters
    ----------
    audits : sequence of Audited
    width : int
        Columns of the terminal.
    verbosity : int
        pytest's: below 0 failing regularizers only; 2 and above, the settings with their origin.
    """
    groups: dict[str, list[Audited]] = {}
    for audited in audits:
        only = audited.result.regularizers
        single = only[0] if len(only) == 1 else ""
        groups.setdefault(group(audited.result.name, single), []).append(audited)
    wide = width >= _WIDE
    headings = ["test, regularizer", "runs", "accuracy", "PD", "ETA", "PD/error"]
    headings += ["thresholds", "verdict"] if wide else ["verdict"]
    table: list[list[str]] = []
    styles: list[str] = []
    titles: dict[int, str] = {}
    for title, members in groups.items():
        found = [row for audited in members for row in rows(audited, wide)]
        if verbosity < 0:
            found = [row for row in found if row[1] == BAD]
        if found:
            titles[len(table)] = title
        table.extend(cells for cells, _ in found)
        styles.extend(style for _, style in found)
    if not table:
        return []
    text = tabulate(
        table,
        headers=headings,
        tablefmt="simple",
        disable_numparse=True,
        colalign=("left", "right", *["left"] * (len(headings) - 2)),
        preserve_whitespace=True,
    ).splitlines()
    lines = [Line(text[0].rstrip(), HEADING), Line(text[1])]
    for number, row in enumerate(text[2:]):
        if number in titles:
            lines.append(Line(titles[number], HEADING))
        lines.append(Line(row.rstrip(), styles[number]))
    lines.append(Line(_LEGEND) if wide else Line("PD: prediction difference. ETA: accuracy - PD."))
    lines.extend(_remarks(audits, verbosity))
    lines.extend(Line(note, NEUTRAL) for note in notes)
    return lines


def _remarks(audits: Sequence[Audited], verbosity: int) -> Iterator[Line]:
    for audited in audits:
        result = audited.result
        for label, reason in result.not_applicable.items():
            yield Line(f"{result.name}: {label} does not fit: {reason}", NEUTRAL)
        for note in result.notes:
            yield Line(f"{result.name}: {note}", NEUTRAL)
        if verbosity >= 1:
            for label, found in result.by_regularizer.items():
                yield Line(
                    f"{result.name}: {label}: SD of accuracy {found.accuracy_std:.4f}, "
                    f"{found.seconds:.1f} s of training"
                )
        if verbosity >= 2:
            origins = result.settings.get("origins", {})
            for key in ("runs", "seed", "vary", "device"):
                value = result.settings.get(key)
                shown = ",".join(value) if isinstance(value, list) else value
                yield Line(f"{result.name}: {key} = {shown} ({origins.get(key, 'default')})")


def explain(result: AuditResult, rerun: str) -> str:
    """The message of a failing test: each failing regularizer, why, and how to run just that.

    Parameters
    ----------
    rerun : str
        The command, without ``--repro-regularizers``.
    """
    failed = result.failed
    count = f"{len(failed)} of {len(result.by_regularizer)} regularizers"
    broken = any(found.verdict.broken for found in failed)
    lines = [
        f"reproducibility: {count} {'cannot be trusted or breach' if broken else 'breach'} a threshold"
    ]
    for found in failed:
        lines.extend(
            f"  {found.regularizer} ({found.n_runs} runs): {reason}"
            for reason in found.verdict.reasons
        )
    lines.append("")
    lines.extend(line.text for line in render([Audited(result)], width=100)[:-1])
    lines.append("")
    lines.append("run just this again:")
    lines.extend(f"  {rerun} --repro-regularizers={_quoted(f.regularizer)}" for f in failed)
    return "\n".join(lines)


def _quoted(label: str) -> str:
    return f"'{label}'" if "(" in label else label
