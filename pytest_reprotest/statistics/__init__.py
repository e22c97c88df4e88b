"""Intervals and tests over runs: runs are the sample, pairs are not."""

from pytest_reprotest.statistics.comparison import (
    Comparison,
    TwoGroups,
    compare_with_baseline,
)
from pytest_reprotest.statistics.intervals import (
    CONFIDENCE,
    UNKNOWN,
    Estimate,
    Summary,
    jackknife,
    summarize,
)
from pytest_reprotest.statistics.study import StudyTest, study_wilcoxon
from pytest_reprotest.statistics.wording import in_words

__all__ = [
    "CONFIDENCE",
    "UNKNOWN",
    "Comparison",
    "Estimate",
    "StudyTest",
    "Summary",
    "TwoGroups",
    "compare_with_baseline",
    "in_words",
    "jackknife",
    "study_wilcoxon",
    "summarize",
]
