"""The study's own test, for those who compare with it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pytest_reprotest.metrics import Fractions


@dataclass(frozen=True)
class StudyTest:
    """The p-value that the study printed.

    Attributes
    ----------
    p_value : float
        NaN where no two runs differ.
    label : str
        What it is worth.
    """

    p_value: float
    label: str = (
        "uninformative: pairwise differences can't be negative, so this p-value says how many pairs there "
        "are, not whether runs differ"
    )


def study_wilcoxon(pair_differences: Sequence[float] | Fractions) -> StudyTest:
    """The study's test, Wilcoxon's signed ranks of the R(R-1)/2 pairwise differences against zero.

    Kokate et al., 2022. Ten positive numbers always give 2 / 2^10, and most of its rows show just that.

    >>> study_wilcoxon([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10]).p_value
    0.001953125
    """
    pairs = np.asarray(pair_differences, dtype=np.float64)
    if not pairs.any():
        return StudyTest(math.nan)
    with warnings.catch_warnings():
        # scipy warns that few pairs, or ties, are approximated: as it did in the study
        warnings.simplefilter("ignore")
        return StudyTest(float(stats.wilcoxon(pairs).pvalue))
