"""Which entries are shown: filters, and the newest of each series."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_reprotest.dashboard.entries import Entry, Series

VERDICTS = ("pass", "no limit", "fail", "inconclusive", "broken")
"""The words of verdicts, without what stands in brackets behind them."""

DAY = 86400.0
PERIODS: Mapping[str, tuple[str, float]] = {
    "1d": ("the last day", DAY),
    "7d": ("the last 7 days", 7 * DAY),
    "30d": ("the last 30 days", 30 * DAY),
    "90d": ("the last 90 days", 90 * DAY),
    "365d": ("the last year", 365 * DAY),
}
"""Key → what it is called, and its length in seconds."""


@dataclass(frozen=True)
class Filter:
    """What entries are to be; an empty tuple or text asks nothing.

    Attributes
    ----------
    tests, regularizers, verdicts : tuple of str
    period : str
        A key of ``PERIODS``.
    """

    tests: tuple[str, ...] = ()
    regularizers: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    period: str = ""

    def admits(self, entry: Entry, now: float) -> bool:
        """Whether an entry is shown at a time, in seconds since the epoch."""
        _, length = PERIODS.get(self.period, ("", float("inf")))
        return (
            (not self.tests or entry.series.test in self.tests)
            and (not self.regularizers or entry.series.regularizer in self.regularizers)
            and (not self.verdicts or entry.verdict.partition(" (")[0] in self.verdicts)
            and now - entry.written <= length
        )


def chosen(entries: Iterable[Entry], asked: Filter, now: float | None = None) -> list[Entry]:
    """The entries that a filter admits, in their order."""
    at = time.time() if now is None else now
    return [entry for entry in entries if asked.admits(entry, at)]


def by_series(entries: Sequence[Entry]) -> dict[Series, list[Entry]]:
    """The entries of each series, oldest first; the series that was written last comes first."""
    found: dict[Series, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.series, []).append(entry)
    return dict(sorted(found.items(), key=lambda item: (-item[1][-1].written, item[0])))


def titles_of(entries: Iterable[Entry]) -> list[str]:
    """The names of tests, sorted."""
    return sorted({entry.series.test for entry in entries})


def regularizers_of(entries: Iterable[Entry]) -> list[str]:
    """The labels of regularizers, sorted, the baseline first."""
    return sorted(
        {entry.series.regularizer for entry in entries}, key=lambda label: (label != "none", label)
    )
