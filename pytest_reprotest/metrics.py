"""Reproducibility metrics: pure functions on arrays.

``predictions`` is always an integer array of shape (n_runs, n_samples) holding class labels
0 … n_classes - 1; every returned fraction is of test samples, 0 to 1. Nothing here loops over pairs of
runs: all follows from ``votes``, the number of runs that predict class c for sample x.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError

Labels = NDArray[np.integer]
Fractions = NDArray[np.float64]

_ROWS = 4096  # samples counted at a time: bounds the memory of the vote table


def _checked(predictions: Labels) -> Labels:
    predictions = np.asarray(predictions)
    if predictions.ndim != 2 or predictions.shape[0] < 2 or predictions.shape[1] < 1:
        raise DataError(
            f"predictions have shape {predictions.shape}; expected (n_runs, n_samples) with at least "
            "2 runs and 1 sample. Train more runs, or stack one label vector per run."
        )
    return predictions


def votes(predictions: Labels, n_classes: int | None = None) -> NDArray[np.int64]:
    """Count the runs that predict each class for each sample.

    Parameters
    ----------
    predictions : int array (n_runs, n_samples)
    n_classes : int, optional
        Default: the largest label plus one.

    Returns
    -------
    int64 array (n_samples, n_classes); every row sums to n_runs.

    >>> votes(np.array([[0, 1], [0, 2]]))
    array([[2, 0, 0],
           [0, 1, 1]])
    """
    predictions = np.asarray(predictions)
    n_samples = predictions.shape[1]
    width = int(predictions.max()) + 1 if n_classes is None else n_classes
    cells: NDArray[np.int64] = (
        predictions.astype(np.int64) + np.arange(n_samples, dtype=np.int64) * width
    )
    return np.bincount(cells.ravel(), minlength=n_samples * width).reshape(n_samples, width)


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
    predictions = _checked(predictions)
    n_runs, n_samples = predictions.shape
    rates = np.empty(n_samples)
    for start in range(0, n_samples, _ROWS):
        count = votes(predictions[:, start : start + _ROWS])
        agreeing = (count * (count - 1)).sum(axis=1)
        rates[start : start + _ROWS] = 1.0 - agreeing / (n_runs * (n_runs - 1))
    return rates


def prediction_difference(predictions: Labels) -> float:
    """Mean over all R(R-1)/2 pairs of runs of the fraction of samples they classify differently.

    Also called churn or disagreement (Milani Fard et al., *Launch and Iterate*, 2016).

    >>> prediction_difference(np.array([[0, 1, 1, 0], [0, 1, 0, 0]]))
    0.25
    """
    return float(flip_rates(predictions).mean())


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
    predictions = _checked(predictions)
    n_runs, n_samples = predictions.shape
    agreeing = np.zeros(n_runs)
    for start in range(0, n_samples, _ROWS):
        block = predictions[:, start : start + _ROWS]
        count = votes(block)
        agreeing += (count[np.arange(block.shape[1]), block] - 1).sum(axis=1)
    differences: Fractions = 1.0 - agreeing / (n_samples * (n_runs - 1))
    return differences


def pairwise_differences(predictions: Labels) -> Fractions:
    """The R × R matrix of fractions of samples on which two runs differ.

    A one-hot Gram product in blocks of samples; counts stay exact in float32 (each block is below
    2^24 samples), the sum over blocks is float64.

    Returns
    -------
    float64 array (n_runs, n_runs), symmetric, zero diagonal.

    >>> pairwise_differences(np.array([[0, 1], [0, 1], [0, 0]]))
    array([[0. , 0. , 0.5],
           [0. , 0. , 0.5],
           [0.5, 0.5, 0. ]])
    """
    predictions = _checked(predictions)
    n_runs, n_samples = predictions.shape
    classes = np.arange(int(predictions.max()) + 1)
    agreeing = np.zeros((n_runs, n_runs))
    for start in range(0, n_samples, _ROWS):
        block = predictions[:, start : start + _ROWS]
        for label in classes:
            indicator = (block == label).astype(np.float32)
            agreeing += indicator @ indicator.T
    differences: Fractions = 1.0 - agreeing / n_samples
    return differences


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
    accuracies: Fractions = (np.asarray(predictions) == np.asarray(y_true)).mean(axis=1)
    return accuracies


def effective_accuracy(predictions: Labels, y_true: Labels) -> float:
    """Effective Test Accuracy: mean accuracy minus mean pairwise prediction difference.

    Kokate et al., *Do Regularizers improve Reproducibility in Neural Networks?*, 2022. Negative where
    runs disagree more often than they are right.

    >>> effective_accuracy(np.array([[0, 1], [0, 0]]), np.array([0, 1]))
    0.25
    """
    return float(run_accuracies(predictions, y_true).mean()) - prediction_difference(predictions)


def difference_error_ratio(predictions: Labels, y_true: Labels) -> float:
    """Prediction difference over error, where error = 1 - mean accuracy.

    A class-calibrated ensemble has a ratio of 1 (Jiang et al., *Assessing Generalization of SGD via
    Disagreement*, 2022), so the ratio separates reproducibility from accuracy. NaN where both are 0;
    they can't be compared there.

    >>> difference_error_ratio(np.array([[0, 1], [0, 0]]), np.array([0, 1]))
    2.0
    """
    error = 1.0 - float(run_accuracies(predictions, y_true).mean())
    difference = prediction_difference(predictions)
    if error == 0.0:
        return float("nan")
    return difference / error
