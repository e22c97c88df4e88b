"""Audits held against stored ones: the table and the remarks of ``compare``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pytest_reprotest.baseline import BaselineComparison
from pytest_reprotest.changes import Change
from pytest_reprotest.conditions import HOLDS, in_words, other_settings
from pytest_reprotest.errors import printable
from pytest_reprotest.report.table import columns, wrap

_SHORT = {
    "accuracy": "accuracy",
    "effective_accuracy": "ETA",
    "prediction_difference": "PD",
    "negative_flips": "neg. flips",
    "r2": "R²",
    "effective_r2": "eff. R²",
    "mae": "MAE",
}
_HEADINGS = ("measure", "old", "new", "change", "worse from", "status")
_RIGHT = (1, 2, 4)
_LEGEND = (
    "change: new - old [95% over the runs of both]. Of negative flips, old is between two old runs, new from "
    "an old run to a new one. worse from: a change for the worse of this size would be called so."
)


def render(found: Sequence[BaselineComparison], width: int) -> Iterator[str]:
    """The table with what its columns mean."""
    yield from _table(found)
    if found:
        yield from sentence(_LEGEND, width)


def remarks(comparison: BaselineComparison, width: int) -> Iterator[str]:
    """Sentences on a test: what is worse or better, what was not compared, and what else differs."""
    for text in _remarks(comparison):
        yield from sentence(f"{comparison.name or '(unnamed)'}: {text}", width)


def sentence(text: str, width: int) -> list[str]:
    r"""The lines of a sentence; line breaks that a file holds make none.

    >>> sentence("test_a\r: worse", 40)
    ['test_a\\r: worse']
    """
    return wrap(printable(text), width)


def _remarks(comparison: BaselineComparison) -> Iterator[str]:
    for label in (*comparison.by_regularizer, *comparison.broken):
        for told in (*comparison.breaches(label), *comparison.improvements(label)):
            yield f"{label}: {told}"
    for label, reason in comparison.uncompared.items():
        yield f"{label} {reason}"
    for warning in comparison.warnings:
        yield f"warning: {warning}"
    others = other_settings(comparison.differences)
    if others:
        yield f"settings that differ, old → new: {'; '.join(map(str, others))}"
    changed = in_words(comparison.differences)
    if changed:
        yield f"fingerprint, old → new: {changed}. {HOLDS}"


def _table(found: Sequence[BaselineComparison]) -> Iterator[str]:
    """Names of tests and regularizers have lines of their own: beside them there would be no room."""
    rows = [[[cell] for cell in _cells(change)] for each in found for change in each.changes]
    heading, *texts = columns(_HEADINGS, rows, _RIGHT)
    yield from heading
    remaining = iter(texts)
    for comparison in found:
        yield comparison.name or "(unnamed)"
        for label, changes in comparison.by_regularizer.items():
            yield f"  {label}"
            for _ in changes:
                yield from next(remaining)
        yield from (f"  {label}: worse" for label in comparison.broken)


def _cells(change: Change) -> list[str]:
    value, low, high = change.change.value, change.change.low, change.change.high
    interval = "" if math.isnan(low) else f" [{low:+.4f}, {high:+.4f}]"
    return [
        f"    {_SHORT[change.measure]}",
        f"{change.old:.4f}",
        f"{change.new:.4f}",
        f"{value:+.4f}{interval}",
        f"{change.seen_from:.4f}",
        change.status,
    ]
