"""Further measures beside prediction difference and score.

Those that depend only on which runs differ where take flip rates or the pairwise matrix, and so hold for
every task; the others take predictions or scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics.counting import Counts, Fractions, Labels, checked
from pytest_reprotest.metrics.pairs import check_same_samples

_NUMBERS = 2**17  # scores that are converted at a time
_SUM_OF_PROBABILITIES = 0.01  # how far from 1 it may be: half precision, or two decimals


def ambiguity(flip_rates: Fractions) -> float:
    """Fraction of samples on which any two runs differ.

    Marx et al. (*Predictive Multiplicity in Classification*, 2020) count the samples that any competing
    model predicts otherwise than a given one; no run is distinguished here, so any pair counts. It can
    only grow with the number of runs: compare audits of equally many.

    Parameters
    ----------
    flip_rates : float array (n_samples,)

    >>> ambiguity(np.array([0.0, 0.5, 1.0, 0.0]))
    0.5
    """
    return float(np.count_nonzero(flip_rates) / len(flip_rates))


def discrepancy(pairwise: Fractions) -> float:
    """Largest fraction of samples on which two runs differ: of the worst pair.

    Marx et al. take the largest difference from a given model; no run is distinguished here, so the
    largest of all pairs. Like ambiguity it can only grow with the number of runs.

    Parameters
    ----------
    pairwise : float array (n_runs, n_runs)
        The pairwise matrix.

    >>> discrepancy(np.array([[0.0, 0.1, 0.2], [0.1, 0.0, 0.3], [0.2, 0.3, 0.0]]))
    0.3
    """
    return float(np.max(pairwise))


@dataclass(frozen=True)
class ClassFlips:
    """How often the samples of one class flip.

    Attributes
    ----------
    label : int
        The true class; of several labels, the label.
    flip_rate : float
        Mean flip rate of its samples: the prediction difference on them.
    n_samples : int
        How many those are.
    """

    label: int
    flip_rate: float
    n_samples: int


def class_flips(flip_rates: Fractions, y_true: Labels) -> tuple[ClassFlips, ...]:
    """Mean flip rate of the samples of each true class that the test set has, by class.

    Parameters
    ----------
    flip_rates : float array (n_samples,)
    y_true : int array (n_samples,)

    >>> class_flips(np.array([0.0, 0.5, 1.0]), np.array([2, 0, 2]))[1]
    ClassFlips(label=2, flip_rate=0.5, n_samples=2)
    """
    classes, of_class, sizes = np.unique(y_true, return_inverse=True, return_counts=True)
    means = np.bincount(of_class, weights=flip_rates) / sizes
    return tuple(
        ClassFlips(int(label), float(mean), int(size))
        for label, mean, size in zip(classes, means, sizes, strict=True)
    )


def most_flip_prone(flip_rates: Fractions, n: int = 20) -> Counts:
    """Indices of the samples with the highest flip rates, highest first, ties by index.

    Samples that never flip are left out, so there may be fewer than ``n``.

    >>> most_flip_prone(np.array([0.4, 0.0, 0.6, 0.4]), n=3)
    array([2, 0, 3])
    """
    flip_rates = np.asarray(flip_rates)
    order: Counts = np.argsort(-flip_rates, kind="stable")[:n]
    return order[flip_rates[order] > 0]


def negative_flip_rate(old: Labels, new: Labels, y_true: Labels) -> float:
    """Fraction of samples that an old run has right and a new one wrong, mean over all pairs of them.

    Yan et al., *Positive-Congruent Training*, 2021. Runs of one training flip samples among themselves,
    too: the rate between the old runs is what to hold it against.

    Parameters
    ----------
    old : int array (n_old_runs, n_samples)
    new : int array (n_new_runs, n_samples)
    y_true : int array (n_samples,)

    >>> negative_flip_rate(np.array([[0, 1, 1, 0]]), np.array([[0, 0, 1, 1]]), np.array([0, 1, 1, 1]))
    0.25
    """
    old, new = checked(old, min_runs=1), checked(new, min_runs=1)
    check_same_samples(old, new)
    right_before = np.count_nonzero(old == y_true, axis=0)
    wrong_now = np.count_nonzero(new != y_true, axis=0)
    return int(right_before @ wrong_now) / (old.size * len(new))


def score_distance(scores: NDArray[Any]) -> float:
    """Mean over samples and pairs of runs of the squared distance between two runs' probabilities.

    For each sample 2/(R-1) · Σ_r ‖p_r - p̄‖², which is the mean of ‖p_r - p_s‖² over pairs: 0 where runs
    agree to the last digit, 2 where each is certain of another class.

    Parameters
    ----------
    scores : float array (n_runs, n_samples, n_classes)
        Probabilities. Where any row has a negative number or a sum further than 0.01 from 1, all are taken
        for logits, and the softmax of each row is compared.

    Raises
    ------
    DataError
        For another shape, fewer than 2 runs, or scores that are not finite.

    >>> score_distance(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    2.0
    """
    scores = np.asarray(scores)
    if scores.ndim != 3 or len(scores) < 2 or not scores.size:
        raise DataError(
            f"scores have shape {scores.shape}; expected (n_runs, n_samples, n_classes) with at least 2 "
            "runs, 1 sample and 1 class. Stack the scores of each run."
        )
    probabilities = True
    for block in _blocks(scores):
        if not np.isfinite(block).all():
            raise DataError(
                "scores hold NaN or infinity; expected finite numbers. Lower the learning rate."
            )
        off = np.abs(block.sum(axis=2) - 1) > _SUM_OF_PROBABILITIES
        probabilities = probabilities and not (off.any() or block.min() < 0)
    total = 0.0
    for block in _blocks(scores):
        if not probabilities:
            block = np.exp(block - block.max(axis=2, keepdims=True))
            block /= block.sum(axis=2, keepdims=True)
        total += float(np.square(block - block.mean(axis=0)).sum())
    n_runs, n_samples, _ = scores.shape
    return 2 * total / float((n_runs - 1) * n_samples)


def _blocks(scores: NDArray[Any]) -> Iterator[Fractions]:
    """Blocks of samples, float64."""
    n_runs, n_samples, n_classes = scores.shape
    rows = max(_NUMBERS // (n_runs * n_classes), 1)
    for start in range(0, n_samples, rows):
        yield scores[:, start : start + rows].astype(np.float64)
