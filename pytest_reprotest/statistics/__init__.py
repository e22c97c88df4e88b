"""Intervals and tests over runs: runs are the sample, pairs are not."""

from pytest_reprotest.statistics.intervals import (
    CONFIDENCE,
    UNKNOWN,
    Estimate,
    Summary,
    jackknife,
    summarize,
)

__all__ = [
    "CONFIDENCE",
    "UNKNOWN",
    "Estimate",
    "Summary",
    "jackknife",
    "summarize",
]
