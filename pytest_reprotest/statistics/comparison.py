"""Regularizers against the baseline.

A comparison needs how often each two runs differ and how good each run is, whatever the task: `TwoGroups`
holds just that. Differences are regularizer minus baseline with jackknife intervals for two independent
groups; whether the prediction difference changed is for the run-label permutation test to say, with Holm's
correction for the number of regularizers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pytest_reprotest import metrics
from pytest_reprotest.metrics import Fractions, Labels
from pytest_reprotest.statistics.change import two_groups
from pytest_reprotest.statistics.intervals import CONFIDENCE, UNKNOWN, Estimate
from pytest_reprotest.statistics.permutation import (
    ALPHA,
    MIN_RUNS,
    holm,
    permutation_test,
    smallest_p,
)

MARGIN = 0.005

Status = Literal["better", "worse", "undecided"]
AccuracyStatus = Literal["not inferior", "inferior", "undecided"]


@dataclass(frozen=True, eq=False)
class TwoGroups:
    """The runs of a regularizer and of the baseline, reduced to what a comparison needs.

    Attributes
    ----------
    differences : float array (n_all, n_all)
        Fraction of samples on which two runs differ; symmetric, zero diagonal. The regularizer's runs
        come first.
    scores : float array (n_all,)
        How good each run is, larger is better: accuracy, as a fraction of samples.
    n_runs : int
        Runs of the regularizer.
    """

    differences: Fractions
    scores: Fractions
    n_runs: int

    @property
    def n_baseline(self) -> int:
        """Runs of the baseline."""
        return len(self.scores) - self.n_runs

    @classmethod
    def of_labels(cls, predictions: Labels, baseline: Labels, y_true: Labels) -> TwoGroups:
        """From predicted labels (n_runs, n_samples) of either group; a group may be empty."""
        labels = np.concatenate([predictions, baseline])
        enough = len(labels) >= 2
        return cls(
            metrics.pairwise_differences(labels) if enough else np.zeros((len(labels),) * 2),
            metrics.run_accuracies(labels, y_true),
            len(predictions),
        )


@dataclass(frozen=True)
class Comparison:
    """A regularizer held against the baseline.

    Attributes
    ----------
    prediction_difference, effective_accuracy, accuracy : Estimate
        Regularizer minus baseline, fractions of samples. Without an interval below 3 runs of either; all
        NaN where a group has no pair of runs.
    accuracy_low, accuracy_high : float
        One-sided 95% bounds of the difference of accuracy, each for itself.
    p_value : float
        Two-sided, that the prediction difference is the same; NaN below 2 runs of either.
    p_adjusted : float
        After Holm over all regularizers of the audit.
    exact : bool
        Every split of the runs was counted; otherwise 9,999 were drawn.
    n_runs, n_baseline : int
    n_compared : int
        Regularizers that were held against the baseline together.
    alpha : float
        Level of ``status``.
    margin : float
        How much less accurate is not called inferior.
    """

    prediction_difference: Estimate
    effective_accuracy: Estimate
    accuracy: Estimate
    accuracy_low: float
    accuracy_high: float
    p_value: float
    p_adjusted: float
    exact: bool
    n_runs: int
    n_baseline: int
    n_compared: int = 1
    alpha: float = ALPHA
    margin: float = MARGIN

    @property
    def status(self) -> Status:
        """Whether the prediction difference is smaller (better) or larger (worse) than the baseline's."""
        if not self.p_adjusted <= self.alpha:
            return "undecided"
        return "better" if self.prediction_difference.value < 0 else "worse"

    @property
    def accuracy_status(self) -> AccuracyStatus:
        """Whether accuracy is lower by more than the margin, by its one-sided 95% bounds."""
        if self.accuracy_low > -self.margin:
            return "not inferior"
        return "inferior" if self.accuracy_high < -self.margin else "undecided"

    @property
    def can_decide(self) -> bool:
        """Whether so few runs and so many regularizers can give anything but undecided."""
        return smallest_p(self.n_runs, self.n_baseline) * self.n_compared <= self.alpha


def compare_with_baseline(
    groups: Mapping[str, TwoGroups],
    *,
    alpha: float = ALPHA,
    margin: float = MARGIN,
    seed: int = 0,
) -> dict[str, Comparison]:
    """The comparisons of all regularizers of an audit, by label.

    Parameters
    ----------
    groups : mapping
        Label → the runs of that regularizer and of the baseline.
    alpha : float
        Chance of calling any regularizer better or worse that does nothing.
    margin : float
        Fraction of samples by which accuracy may be lower and still is not inferior.
    seed : int
        Of the resamples, where there are too many splits to count them all.

    >>> baseline = np.array([[0, 1, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]])
    >>> runs = np.array([[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]])
    >>> groups = TwoGroups.of_labels(runs, baseline, np.array([0, 1, 1, 1]))
    >>> found = compare_with_baseline({"dropout": groups})["dropout"]
    >>> round(found.prediction_difference.value, 2), found.p_value, found.status
    (-0.5, 0.1, 'undecided')
    """
    tests = [permutation_test(found.differences, found.n_runs, seed) for found in groups.values()]
    adjusted = holm([test.p_value for test in tests])
    compared = {}
    for (label, found), test, p_adjusted in zip(groups.items(), tests, adjusted, strict=True):
        difference, accuracy, effective, bounds = changes(found)
        compared[label] = Comparison(
            difference,
            effective,
            accuracy,
            bounds.low,
            bounds.high,
            test.p_value,
            p_adjusted,
            test.exact,
            found.n_runs,
            found.n_baseline,
            len(groups),
            alpha,
            margin,
        )
    return compared


def changes(groups: TwoGroups) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Regularizer minus baseline: prediction difference, accuracy, ETA, and accuracy again at 90%."""
    if min(groups.n_runs, groups.n_baseline) < 2:
        return UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN
    own, base = slice(None, groups.n_runs), slice(groups.n_runs, None)
    of_own, of_base = (_of_group(groups, part) for part in (own, base))
    difference, accuracy, effective = (_minus(a, b) for a, b in zip(of_own, of_base, strict=True))
    # the ends of a two-sided 90% interval are the one-sided 95% bounds
    bounds = _minus(of_own[1], of_base[1], 1 - 2 * (1 - CONFIDENCE))
    return difference, accuracy, effective, bounds


def _of_group(groups: TwoGroups, part: slice) -> list[tuple[float, Fractions]]:
    """Prediction difference, score and effective score of one group, each with its values without run i."""
    differences, scores = groups.differences[part, part], groups.scores[part]
    n_runs = len(scores)
    rows = differences.sum(axis=1)
    difference = rows.sum() / (n_runs * (n_runs - 1))
    score = scores.mean()
    if n_runs < MIN_RUNS:
        none = np.full(n_runs, math.nan)
        return [(difference, none), (score, none), (score - difference, none)]
    without = (rows.sum() - 2 * rows) / ((n_runs - 1) * (n_runs - 2))
    score_without = (scores.sum() - scores) / (n_runs - 1)
    return [
        (difference, without),
        (score, score_without),
        (score - difference, score_without - without),
    ]


def _minus(
    own: tuple[float, Fractions], base: tuple[float, Fractions], confidence: float = CONFIDENCE
) -> Estimate:
    return two_groups(own[0] - base[0], own[1] - base[0], own[0] - base[1], confidence)
