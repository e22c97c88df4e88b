"""What R runs are counted down to: enough for every estimate and its jackknife, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.metrics.counting import Counts, Fractions


class LeftOut(NamedTuple):
    """Each statistic without each run, float64 arrays (n_runs,); NaN where it is undefined then."""

    score: Fractions
    prediction_difference: Fractions
    effective_score: Fractions
    difference_error_ratio: Fractions


@dataclass(frozen=True, eq=False)
class Tally:
    """Scores and disagreements by run.

    Attributes
    ----------
    scores : int64 or float64 array (n_runs,)
        Integers: the number of cells that each run has right. Floats: each run's score as it is.
    disagreements : int64 array (n_runs,)
        Cells on which each run differs from another run, summed over the other runs.
    n_cells : int
        What two runs are compared on: samples, or samples × labels.
    penalized : bool
        Whether the effective score is score minus prediction difference. Not so where the two have
        different units: the effective score is then the score.

    Counts are kept as integers up to one division, so that a fraction of 9 in 10 is the float 0.9:

    >>> tally = Tally(np.array([9, 9]), np.array([1, 1]), n_cells=10)
    >>> tally.score, tally.prediction_difference, tally.effective_score
    (0.9, 0.1, 0.8)
    """

    scores: NDArray[np.int64] | NDArray[np.float64]
    disagreements: Counts
    n_cells: int
    penalized: bool = True

    @property
    def n_runs(self) -> int:
        """Runs that were counted."""
        return len(self.scores)

    @property
    def counted(self) -> bool:
        """Whether a score is a fraction of cells, those that are right."""
        return self.scores.dtype.kind != "f"

    @property
    def run_scores(self) -> Fractions:
        """The score of each run, float64 (n_runs,)."""
        scores: Fractions = self.scores / self._unit
        return scores

    @property
    def score(self) -> float:
        """Mean score over runs."""
        return float(self.scores.sum() / (self.n_runs * self._unit))

    @property
    def score_std(self) -> float:
        """Standard deviation of the score over runs (ddof = 1)."""
        return float(self.scores.std(ddof=1)) / self._unit

    @property
    def prediction_difference(self) -> float:
        """Mean over pairs of runs of the fraction of cells on which they differ."""
        return float(self.disagreements.sum() / self._ordered_pairs)

    @property
    def effective_score(self) -> float:
        """Mean score minus prediction difference, or the mean score where they have different units."""
        if not self.penalized:
            return self.score
        if not self.counted:
            return self.score - self.prediction_difference
        right = int(self.scores.sum()) * (self.n_runs - 1)
        return (right - int(self.disagreements.sum())) / self._ordered_pairs

    @property
    def difference_error_ratio(self) -> float:
        """Prediction difference over 1 - score; NaN where nothing is wrong, or a score is no fraction."""
        if not self.counted:
            return float("nan")
        wrong = self.n_runs * self.n_cells - int(self.scores.sum())
        differing = int(self.disagreements.sum())
        return differing / (wrong * (self.n_runs - 1)) if wrong else float("nan")

    @cached_property
    def left_out(self) -> LeftOut:
        """Each statistic without each run, for the jackknife.

        The prediction difference without a run is that of all pairs less the run's own; NaN below 3
        runs, and so is the ratio where nothing is wrong without the run. Sums of counts are of integers,
        so that a zero is a zero.

        >>> tally = Tally(np.array([9, 9, 8]), np.array([1, 1, 2]), n_cells=10)
        >>> tally.left_out.prediction_difference
        array([0.1, 0.1, 0. ])
        """
        n_runs, ordered_pairs = self.n_runs, self.disagreements.sum() - 2 * self.disagreements
        with np.errstate(divide="ignore", invalid="ignore"):
            score: Fractions = (self.scores.sum() - self.scores) / (self._unit * (n_runs - 1))
            difference: Fractions = ordered_pairs / np.float64(
                self.n_cells * (n_runs - 1) * (n_runs - 2)
            )
            ratio: Fractions = np.full(n_runs, np.nan)
            if self.counted:
                wrong = self.n_cells - self.scores
                ratio = ordered_pairs / ((wrong.sum() - wrong) * np.float64(n_runs - 2))
        return LeftOut(score, difference, score - difference if self.penalized else score, ratio)

    @property
    def _unit(self) -> int:
        """What a score of 1 is in ``scores``."""
        return self.n_cells if self.counted else 1

    @property
    def _ordered_pairs(self) -> int:
        return self.n_cells * self.n_runs * (self.n_runs - 1)
