"""What changed between two groups of runs over one test set, with the jackknife over the runs of both.

Each group's runs are left out one by one; with s² the variance of a group's pseudo-values the change has
the variance s_a²/R_a + s_b²/R_b, and degrees of freedom by Welch and Satterthwaite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pytest_reprotest import metrics
from pytest_reprotest.metrics import Counts, Fractions, Labels
from pytest_reprotest.metrics.tally import Tally
from pytest_reprotest.statistics.intervals import CONFIDENCE, Estimate

_ROWS = 2**16  # samples counted at a time: a count in float32 stays exact


@dataclass(frozen=True, eq=False)
class Contrast:
    """One statistic of two groups of runs.

    Attributes
    ----------
    old, new : float
        Of either group; their difference is the change.
    left_out_old, left_out_new : float array (n_runs,)
        The change without each run of a group.
    """

    old: float
    new: float
    left_out_old: Fractions
    left_out_new: Fractions

    def change(self, confidence: float = CONFIDENCE) -> Estimate:
        """The change, new - old, with its two-sided interval; without one where a group is too small."""
        return two_groups(self.new - self.old, self.left_out_new, self.left_out_old, confidence)


def two_groups(
    value: float, left_out_a: Fractions, left_out_b: Fractions, confidence: float = CONFIDENCE
) -> Estimate:
    """The jackknife-t interval of a statistic of two independent groups of runs."""
    shares, freedoms = [], []
    for left_out in (left_out_a, left_out_b):
        n_runs = len(left_out)
        if n_runs < 2 or not np.isfinite(left_out).all():
            return Estimate(float(value))
        pseudo_values = n_runs * value - (n_runs - 1) * left_out
        shares.append(float(pseudo_values.var(ddof=1)) / n_runs)
        freedoms.append(n_runs - 1)
    variance = sum(shares)
    if not variance:
        return Estimate(float(value), float(value), float(value))
    freedom = variance**2 / sum(s**2 / f for s, f in zip(shares, freedoms, strict=True))
    half_width = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * math.sqrt(variance)
    return Estimate(float(value), float(value) - half_width, float(value) + half_width)


def contrasts(
    new: Labels, old: Labels, y_true: Labels, paired: bool = False
) -> dict[str, Contrast]:
    """Accuracy, ETA, PD and negative flips of two groups of runs.

    Negative flips are samples that one run has right and another wrong: between two old runs (``old``), and
    from an old run to a new one (``new``), mean over pairs of runs (Yan et al., *Positive-Congruent
    Training*, 2021). Runs that do not differ in distribution have a change of 0 on average.

    Parameters
    ----------
    new, old : int arrays (n_runs, n_samples)
    y_true : int array (n_samples,)
    paired : bool
        Run i is the same training in both, apart from what changed between them: the pair is no pair of
        independent runs, and left out.

    >>> old = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1]])
    >>> found = contrasts(np.array([[0, 0, 1], [0, 0, 1]]), old, np.array([0, 1, 1]))
    >>> flips = found["negative_flips"]
    >>> round(flips.old, 3), round(flips.new, 3), round(found["accuracy"].change().value, 3)
    (0.111, 0.333, -0.222)
    """
    found = from_tallies(_tally(new, y_true), _tally(old, y_true))
    found["negative_flips"] = negative_flips(new == y_true, old == y_true, paired)
    return found


def from_tallies(
    new: Tally, old: Tally, score: str = "accuracy", effective_score: str = "effective_accuracy"
) -> dict[str, Contrast]:
    """Score, effective score and PD of two groups of runs of any task.

    Parameters
    ----------
    score, effective_score : str
        What they are called; without a name the effective score is left out.
    """
    return {
        name: Contrast(was, now, now - left_out_old, left_out_new - was)
        for name, (was, left_out_old), (now, left_out_new) in zip(
            (score, effective_score, "prediction_difference"),
            _of_group(old),
            _of_group(new),
            strict=True,
        )
        if name
    }


def _tally(predictions: Labels, y_true: Labels) -> Tally:
    return Tally(
        metrics.hits(predictions, y_true), metrics.disagreements(predictions), predictions.shape[1]
    )


def _of_group(tally: Tally) -> list[tuple[float, Fractions]]:
    left_out = tally.left_out
    return [
        (tally.score, left_out.score),
        (tally.effective_score, left_out.effective_score),
        (tally.prediction_difference, left_out.prediction_difference),
    ]


def negative_flips(
    new: NDArray[np.bool_], old: NDArray[np.bool_], paired: bool = False
) -> Contrast:
    """What old runs have right and others wrong: among old runs, and from an old run to a new.

    Parameters
    ----------
    new, old : bool arrays (n_runs, n_samples)
        Which samples each run has right.
    paired : bool
        As in ``contrasts``.
    """
    between, within = _lost(old, new), _lost(old, old)
    pairs = np.ones_like(between)
    if paired:
        np.fill_diagonal(pairs, 0)
        np.fill_diagonal(between, 0)
    among = np.ones_like(within) - np.eye(len(within), dtype=np.int64)
    n_samples = old.shape[1]
    was = within.sum() / (among.sum() * n_samples)
    now = between.sum() / (pairs.sum() * n_samples)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_within = (within.sum() - within.sum(axis=0) - within.sum(axis=1)) / (
            (among.sum() - among.sum(axis=0) - among.sum(axis=1)) * n_samples
        )
        without_old, without_new = (
            (between.sum() - between.sum(axis=axis))
            / ((pairs.sum() - pairs.sum(axis=axis)) * n_samples)
            for axis in (1, 0)
        )
    return Contrast(float(was), float(now), without_old - left_within, without_new - was)


def _lost(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Counts:
    """Samples that run i of the first has right and run j of the second wrong, int64 (n_first, n_second)."""
    lost: Counts = np.zeros((len(first), len(second)), dtype=np.int64)
    for start in range(0, first.shape[1], _ROWS):
        part = slice(start, start + _ROWS)
        right, wrong = first[:, part].astype(np.float32), ~second[:, part]
        lost += (right @ wrong.T.astype(np.float32)).astype(np.int64)
    return lost
