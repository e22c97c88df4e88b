"""Metrics where a sample has several labels, each 0 or 1.

``predictions`` is always an integer or boolean array (n_runs, n_samples, n_labels). Two runs are compared on
each cell, a sample's label; over all cells that is the mean over labels (Hamming). To compare whole label
sets instead, take ``label_sets`` for class labels: one wrong label of fifty then counts as much as fifty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import labels, pairs
from pytest_reprotest.metrics.counting import Counts, Fractions, Labels, runs_told


def checked(predictions: Labels, min_runs: int = 2) -> NDArray[np.uint8]:
    """Refuse what is no array (n_runs, n_samples, n_labels) of 0 and 1."""
    predictions = np.asarray(predictions)
    if predictions.ndim != 3 or len(predictions) < min_runs or not predictions.size:
        raise DataError(
            f"predictions have shape {predictions.shape}; expected (n_runs, n_samples, n_labels) with at "
            f"least {runs_told(min_runs)}, 1 sample and 1 label. Train more runs, or stack one array per run."
        )
    kind = predictions.dtype.kind
    if kind not in "iub" or predictions.max() > 1 or (kind == "i" and predictions.min() < 0):
        raise DataError(
            f"predictions hold other {predictions.dtype} values than 0 and 1; expected 0 or 1 for each "
            "label of each sample. Hold scores against a threshold first."
        )
    return predictions.astype(np.uint8, copy=False)


def _cells(predictions: Labels, min_runs: int = 2) -> Labels:
    """Cells as samples: (n_runs, n_samples · n_labels)."""
    return checked(predictions, min_runs).reshape(len(predictions), -1)


def flip_rates(predictions: Labels) -> Fractions:
    """Fraction of run pairs that disagree on a label of a sample, mean over labels: float64 (n_samples,).

    >>> flip_rates(np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]]))
    array([0.5, 0. ])
    """
    rates = labels.flip_rates(_cells(predictions))
    means: Fractions = rates.reshape(np.shape(predictions)[1:]).mean(axis=1)
    return means


def label_differences(predictions: Labels) -> Fractions:
    """The prediction difference of each label: float64 (n_labels,).

    >>> label_differences(np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]]))
    array([0. , 0.5])
    """
    rates = labels.flip_rates(_cells(predictions))
    means: Fractions = rates.reshape(np.shape(predictions)[1:]).mean(axis=0)
    return means


def disagreements(predictions: Labels) -> Counts:
    """Number of cells on which each run differs from another run, summed over the others: int64 (n_runs,).

    >>> disagreements(np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]]))
    array([1, 1])
    """
    return labels.disagreements(_cells(predictions))


def prediction_difference(predictions: Labels) -> float:
    """Mean over all pairs of runs of the fraction of cells on which they differ.

    >>> prediction_difference(np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]]))
    0.25
    """
    return labels.prediction_difference(_cells(predictions))


def pairwise_differences(predictions: Labels) -> Fractions:
    """The R × R matrix of fractions of cells on which two runs differ.

    >>> pairwise_differences(np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]]))
    array([[0.  , 0.25],
           [0.25, 0.  ]])
    """
    return pairs.pairwise_differences(_cells(predictions))


def between_disagreements(first: Labels, second: Labels) -> Counts:
    """Number of cells on which each run of one group differs from a run of another, summed over those."""
    pairs.check_same_samples(np.asarray(first), np.asarray(second))
    return pairs.between_disagreements(_cells(first, min_runs=1), _cells(second, min_runs=1))


def hits(predictions: Labels, y_true: Labels) -> Counts:
    """Number of cells that each run has right: int64 (n_runs,)."""
    counted: Counts = np.count_nonzero(predictions == np.asarray(y_true), axis=(1, 2))
    return counted


def label_accuracies(predictions: Labels, y_true: Labels) -> Fractions:
    """Mean accuracy over runs of each label, fraction of samples: float64 (n_labels,).

    >>> label_accuracies(np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]]), np.array([[0, 1], [1, 1]]))
    array([1.  , 0.75])
    """
    right: Counts = np.count_nonzero(predictions == np.asarray(y_true), axis=(0, 1))
    n_runs, n_samples, _ = np.shape(predictions)
    accuracies: Fractions = right / (n_runs * n_samples)
    return accuracies


def label_sets(predictions: NDArray[Any]) -> Labels:
    """A number for each label set, equal where and only where the sets are: int (n_runs, n_samples).

    What metrics of class labels make of them are exact-match metrics. For accuracy, number the true labels
    along: ``label_sets(np.concatenate([predictions, y_true[np.newaxis]]))``.

    >>> label_sets(np.array([[[0, 1], [1, 1]], [[0, 0], [1, 1]]]))
    array([[1, 2],
           [0, 2]])
    """
    sets = checked(predictions, min_runs=1)
    packed = np.packbits(sets, axis=2).reshape(-1, -(-sets.shape[2] // 8))
    _, numbers = np.unique(packed, axis=0, return_inverse=True)
    return numbers.reshape(sets.shape[:2])
