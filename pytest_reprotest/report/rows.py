"""The rows of the summary: what each regularizer's cells say, by how much room there is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_reprotest.report.table import Cell, fold
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.statistics import Estimate

MARKS = {"better": "<", "worse": ">", "undecided": "~"}
"""How a regularizer's PD compares with the baseline's."""

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
    thresholds: bool = True
    folded: bool = False
    """Names, thresholds and verdicts may take several lines."""

    @property
    def headings(self) -> list[str]:
        """The first line."""
        shown = ["test, regularizer", "runs", "accuracy", "PD", "ETA", "PD/error"]
        return [*shown, *(["thresholds"] if self.thresholds else []), "verdict"]


LAYOUTS = (
    Layout(("accuracy", "PD", "ETA", "PD/error")),
    Layout(("PD", "ETA")),
    Layout(("PD",)),
    Layout(("PD",), folded=True),
    Layout(("PD",), thresholds=False),
    Layout(("PD",), thresholds=False, folded=True),
)
"""From rich to poor: the first that fits is taken."""


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
        if not self.found.limits:
            return ""
        return GOOD if self.found.verdict.status == "pass" else NEUTRAL

    def _mark(self) -> str:
        comparison = self.audited.result.comparisons.get(self.label)
        return "" if comparison is None else f" {MARKS[comparison.status]}"

    def cells(self, layout: Layout, name_width: int | None) -> list[Cell]:
        """Its cells, the name in at most ``name_width`` columns."""
        result = self.audited.result
        alone = len(result.by_regularizer) == 1 and self.label != "none"
        base = self.label == result.baseline and not alone and layout.thresholds
        name = f"  {self.label} (baseline)" if base else f"  {self.label}"
        names = [name] if name_width is None else fold(name, name_width, indent="    ")
        found = self.found
        if found is None:
            blanks = [["-"]] * (5 if layout.thresholds else 4)
            return [names, ["0"], *blanks, _part("does not fit", layout)]
        limits = [str(limit) for limit in found.limits] or ["-"]
        return [
            names,
            [str(found.n_runs)],
            [figure(found.accuracy, "accuracy" in layout.intervals)],
            [figure(found.prediction_difference) + self._mark()],
            [figure(found.effective_accuracy, "ETA" in layout.intervals)],
            [figure(found.difference_error_ratio, "PD/error" in layout.intervals, digits=2)],
            *([limits if layout.folded else [" ".join(limits)]] if layout.thresholds else []),
            _part(verdict_word(found, self.audited), layout),
        ]


def _part(words: str, layout: Layout) -> Cell:
    return fold(words, len("no limit")) if layout.folded else [words]


def rows(audited: Audited) -> Iterator[Row]:
    """The rows of an audit."""
    for label, found in audited.result.by_regularizer.items():
        yield Row(label, audited, found)
    for label in audited.result.not_applicable:
        yield Row(label, audited, None)


def group(name: str, label: str) -> str:
    """The test's name without the parameter that the fixture ``regularizer`` gave it.

    >>> group("test_a.py::test_mlp[dropout-small]", "dropout"), group("test_a.py::test_mlp[dropout]", "dropout")
    ('test_a.py::test_mlp[small]', 'test_a.py::test_mlp')
    """
    found = re.fullmatch(r"(.*?::[^\[]*)\[(.*)\]( #\d+)?", name, flags=re.DOTALL)
    if not found:
        return name
    stem, parameters, count = found[1], found[2], found[3] or ""
    kept = f"-{parameters}-".replace(f"-{label}-", "-", 1)[1:-1]
    return f"{stem}[{kept}]{count}" if kept else f"{stem}{count}"
