"""Reproducibility metrics: pure functions on arrays.

``predictions`` is always an integer array of shape (n_runs, n_samples) holding class labels
0 … n_classes - 1; every returned fraction is of test samples, 0 to 1. Nothing here loops over pairs of
runs: all follows from ``votes``, the number of runs that predict class c for sample x. Counts are kept
as integers up to one division at the end, so that a fraction of 9 in 10 is the float 0.9 and a threshold
of 0.9 holds.
"""

from __future__ import annotations

import numpy as np

from pytest_reprotest.metrics.counting import Counts, Fractions, Labels, blocks, checked


def flip_rates(predictions: Labels) -> Fractions:
    """Fraction of run pairs that disagree, for each sample.

    With n_xc runs predicting class c for sample x: 1 - Σ_c n_xc (n_xc - 1) / (R (R - 1)).

    Returns
    -------
    float64 array (n_samples,), fractions of pairs, 0 to 1.

    Raises
    ------
    DataError
        With fewer than 2 runs or no sample.

    >>> flip_rates(np.array([[0, 1, 2], [0, 1, 1], [0, 1, 0]]))
    array([0., 0., 1.])
    """
    predictions = checked(predictions)
    n_runs, n_samples = predictions.shape
    rates = np.empty(n_samples)
    ordered_pairs = n_runs * (n_runs - 1)
    for part, _, count in blocks(predictions):
        rates[part] = (ordered_pairs - (count * (count - 1)).sum(axis=1)) / ordered_pairs
    return rates


def disagreements(predictions: Labels) -> Counts:
    """Number of samples on which each run differs from another run, summed over the other runs.

    Returns
    -------
    int64 array (n_runs,), 0 to n_samples · (n_runs - 1).

    >>> disagreements(np.array([[0, 1], [0, 1], [0, 0]]))
    array([1, 1, 2])
    """
    predictions = checked(predictions)
    n_runs, n_samples = predictions.shape
    agreeing = np.zeros(n_runs, dtype=np.int64)
    for _, places, count in blocks(predictions):
        agreeing += count.take(places).sum(axis=1)  # a run agrees with itself, too
    differing: Counts = n_samples * n_runs - agreeing
    return differing


def prediction_difference(predictions: Labels) -> float:
    """Mean over all R(R-1)/2 pairs of runs of the fraction of samples they classify differently.

    Also called churn or disagreement (Milani Fard et al., *Launch and Iterate*, 2016).

    >>> prediction_difference(np.array([[0, 1, 1, 0], [0, 1, 0, 0]]))
    0.25
    """
    differing = disagreements(predictions)
    n_runs, n_samples = np.shape(predictions)
    return float(differing.sum() / (n_samples * n_runs * (n_runs - 1)))


def run_differences(predictions: Labels) -> Fractions:
    """Mean fraction of samples on which each run differs from the other runs.

    d_r = 1 - Σ_x (n_{x, y_r(x)} - 1) / (n (R - 1)). Their mean is the prediction difference; they are
    what its jackknife over runs needs.

    Returns
    -------
    float64 array (n_runs,), fractions of samples.

    >>> run_differences(np.array([[0, 1], [0, 1], [0, 0]]))
    array([0.25, 0.25, 0.5 ])
    """
    n_runs, n_samples = checked(predictions).shape
    differences: Fractions = disagreements(predictions) / (n_samples * (n_runs - 1))
    return differences


def hits(predictions: Labels, y_true: Labels) -> Counts:
    """Number of samples that each run classifies correctly: int64 (n_runs,)."""
    counted: Counts = (np.asarray(predictions) == np.asarray(y_true)).sum(axis=1)
    return counted


def run_accuracies(predictions: Labels, y_true: Labels) -> Fractions:
    """Accuracy of each run.

    Parameters
    ----------
    predictions : int array (n_runs, n_samples)
    y_true : int array (n_samples,)

    Returns
    -------
    float64 array (n_runs,), fractions of samples.

    >>> run_accuracies(np.array([[0, 1], [0, 0]]), np.array([0, 1]))
    array([1. , 0.5])
    """
    accuracies: Fractions = hits(predictions, y_true) / len(y_true)
    return accuracies


def accuracy(predictions: Labels, y_true: Labels) -> float:
    """Mean accuracy over runs, fraction of samples.

    >>> accuracy(np.array([[0, 1], [0, 0]]), np.array([0, 1]))
    0.75
    """
    return int(hits(predictions, y_true).sum()) / np.size(predictions)


def effective_accuracy(predictions: Labels, y_true: Labels) -> float:
    """Effective Test Accuracy: mean accuracy minus mean pairwise prediction difference.

    Kokate et al., *Do Regularizers improve Reproducibility in Neural Networks?*, 2022. Negative where
    runs disagree more often than they are right.

    >>> effective_accuracy(np.array([[0, 1], [0, 0]]), np.array([0, 1]))
    0.25
    """
    differing = int(disagreements(predictions).sum())
    n_runs, n_samples = np.shape(predictions)
    correct = int(hits(predictions, y_true).sum())
    return float((correct * (n_runs - 1) - differing) / (n_samples * n_runs * (n_runs - 1)))


def difference_error_ratio(predictions: Labels, y_true: Labels) -> float:
    """Prediction difference over error, where error = 1 - mean accuracy.

    A class-calibrated ensemble has a ratio of 1 (Jiang et al., *Assessing Generalization of SGD via
    Disagreement*, 2022), so the ratio separates reproducibility from accuracy. NaN where both are 0;
    they can't be compared there.

    >>> difference_error_ratio(np.array([[0, 1], [0, 0]]), np.array([0, 1]))
    2.0
    """
    differing = int(disagreements(predictions).sum())
    n_runs = len(predictions)
    wrong = np.size(predictions) - int(hits(predictions, y_true).sum())
    return differing / (wrong * (n_runs - 1)) if wrong else float("nan")
