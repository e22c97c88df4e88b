"""The rows of the summary: what each regularizer's cells say, by how much room there is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_reprotest.report.table import Cell, fold
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.tasks import CLASSIFICATION, Names

MARKS = {"better": "<", "worse": ">", "undecided": "~"}
"""How a regularizer's PD compares with the baseline's."""

OUTCOMES = ("xfail", "xpass", "rerun")
"""What may become of a test where its verdict did not decide it."""

GOOD, BAD, NEUTRAL = "green", "red", "yellow"


@dataclass(frozen=True)
class Audited:
    """A finished audit as the session saw it."""

    result: AuditResult
    outcome: str = ""
    """What became of the test where its verdict did not decide it: ``xfail``, ``xpass``, ``rerun`` or
    empty."""


@dataclass(frozen=True)
class Layout:
    """What the table shows: which statistics with their interval, and whether thresholds have a column."""

    intervals: tuple[str, ...]
    """Any of ``score``, ``effective`` and ``ratio``; prediction difference always has one."""
    thresholds: bool = True
    folded: bool = False
    """Names, thresholds and verdicts may take several lines."""
    names: Names = CLASSIFICATION.names

    @property
    def headings(self) -> list[str]:
        """The first line."""
        names = self.names
        optional = [name for name in (names.effective_short, names.ratio_short) if name]
        shown = ["test, regularizer", "runs", names.score_short, "PD", *optional]
        return [*shown, *(["thresholds"] if self.thresholds else []), "verdict"]

    def cells(self, row: Row, name_width: int | None) -> list[Cell]:
        """The cells of a row, the name in at most ``name_width`` columns."""
        return row.cells(self, name_width)


_LAYOUTS = (
    Layout(("score", "effective", "ratio")),
    Layout(("effective",)),
    Layout(()),
    Layout((), folded=True),
    Layout((), thresholds=False),
    Layout((), thresholds=False, folded=True),
)


def layouts(names: Names) -> tuple[Layout, ...]:
    """The tables of a task, from rich to poor: the first that fits is taken."""
    return tuple(replace(layout, names=names) for layout in _LAYOUTS)


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


def score_figure(found: RegularizerResult, interval: bool = True) -> str:
    """A score with three decimals; where it has a unit of its own, with three significant digits, and as
    many as its interval's first.
    """
    value, half_width = abs(found.score.value), found.score.half_width if interval else math.nan
    if found.task.in_points or not 0 < value < math.inf:
        return figure(found.score, interval)
    digits = 2 - math.floor(math.log10(value))
    if half_width > 0:
        digits = max(digits, min(-math.floor(math.log10(half_width)), digits + 3))
    return figure(found.score, interval, max(digits, 0))


def verdict_word(found: RegularizerResult, audited: Audited) -> str:
    """The last cell: pass, fail, or what the test made of it."""
    status = found.verdict.status
    if found.verdict.broken:
        status_word = "broken"
    elif status == "pass":
        status_word = "pass" if found.questioned else "no limit"
    else:
        status_word = f"{status} (report)" if audited.result.report_only else str(status)
    if audited.outcome and (status != "pass" or audited.outcome == "rerun"):
        return f"{status_word} ({audited.outcome})"
    return status_word


@dataclass(frozen=True)
class Row:
    """A regularizer of an audit; without a result where it does not fit the model."""

    label: str
    audited: Audited
    found: RegularizerResult | None

    @property
    def style(self) -> str:
        """Its colour; none where nothing was asked of it."""
        if self.found is None:
            return NEUTRAL
        if any(self.found is other for other in self.audited.result.failed):
            return BAD
        if not self.found.questioned:
            return ""
        return GOOD if self.found.verdict.status == "pass" else NEUTRAL

    @property
    def breached(self) -> bool:
        """Whether it fails its test, or would if breaches were not only reported."""
        if self.found is None:
            return False
        reported = self.audited.result.report_only and self.found.verdict.status != "pass"
        return self.style == BAD or reported

    @property
    def mark(self) -> str:
        """How its PD compares with the baseline's; empty where it was not compared."""
        comparison = self.audited.result.comparisons.get(self.label)
        return "" if comparison is None else MARKS[comparison.status]

    def cells(self, layout: Layout, name_width: int | None) -> list[Cell]:
        """Its cells, the name in at most ``name_width`` columns."""
        result = self.audited.result
        alone = len(result.by_regularizer) == 1 and self.label != "none"
        base = self.label == result.baseline and not alone and layout.thresholds
        name = f"  {self.label} (baseline)" if base else f"  {self.label}"
        names = [name] if name_width is None else fold(name, name_width, indent="    ")
        found = self.found
        if found is None:
            blanks = [["-"]] * (len(layout.headings) - 3)
            return [names, ["0"], *blanks, _part("does not fit", layout)]
        limits = [str(limit) for limit in found.limits] or ["-"]
        return [
            names,
            [str(found.n_runs)],
            [score_figure(found, "score" in layout.intervals)],
            [figure(found.prediction_difference) + self.mark],
            *self._optional(found, layout),
            *([limits if layout.folded else [" ".join(limits)]] if layout.thresholds else []),
            _part(verdict_word(found, self.audited), layout),
        ]

    @staticmethod
    def _optional(found: RegularizerResult, layout: Layout) -> Iterator[Cell]:
        if layout.names.effective_short:
            yield [figure(found.effective_score, "effective" in layout.intervals)]
        if layout.names.ratio_short:
            yield [figure(found.difference_error_ratio, "ratio" in layout.intervals, digits=2)]


def _part(words: str, layout: Layout) -> Cell:
    return fold(words, len("no limit")) if layout.folded else [words]


def rows(audited: Audited) -> Iterator[Row]:
    """The rows of an audit."""
    for label, found in audited.result.by_regularizer.items():
        yield Row(label, audited, found)
    for label in audited.result.not_applicable:
        yield Row(label, audited, None)
