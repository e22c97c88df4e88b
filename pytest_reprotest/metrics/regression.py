"""Metrics of regression: two runs differ on a sample where their predictions are further apart than a
tolerance.

``predictions`` is always a float array (n_runs, n_samples), ``tolerance`` is in the units of the target.
Differences are taken in float64, and equality with the tolerance is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics.counting import Counts, Fractions, runs_told, votes
from pytest_reprotest.metrics.pairs import check_same_samples

Values = NDArray[np.floating]

_SORTED, _COMPARED = 2**16, 2**18  # predictions at a time: they stay in a core's cache


def checked(predictions: Values, tolerance: float, min_runs: int = 2) -> Values:
    """Refuse what is no array (n_runs, n_samples) of finite numbers, or a tolerance that is not positive."""
    predictions = np.asarray(predictions)
    if predictions.ndim != 2 or predictions.shape[0] < min_runs or predictions.shape[1] < 1:
        raise DataError(
            f"predictions have shape {predictions.shape}; expected (n_runs, n_samples) with at least "
            f"{runs_told(min_runs)} and 1 sample. Train more runs, or stack one vector of predictions per run."
        )
    if predictions.dtype.kind not in "iuf":
        raise DataError(
            f"predictions have dtype {predictions.dtype}; expected numbers. Convert them to floats."
        )
    if not np.isfinite(predictions).all():
        raise DataError(
            "predictions hold NaN or infinity; expected finite numbers. Lower the learning rate."
        )
    if not 0 < tolerance < np.inf:  # also refuses NaN
        raise DataError(
            f"tolerance is {tolerance!r}; expected a finite number above 0, in the units of the target. "
            "Give the largest difference that does not matter."
        )
    return predictions


def _blocks(*groups: Values, size: int = _SORTED) -> Iterator[tuple[slice, list[Fractions]]]:
    """Blocks of samples of each group, float64."""
    rows = max(size // max(map(len, groups)), 1)
    for start in range(0, groups[0].shape[1], rows):
        part = slice(start, start + rows)
        yield part, [group[:, part].astype(np.float64) for group in groups]


def _near_or_below(ordered: Fractions, values: Fractions, tolerance: float) -> NDArray[np.intp]:
    """How many of a sample's ordered predictions are not above each value by more than the tolerance.

    A binary search in all samples at once. Rounded differences rise with the ordered predictions, so it
    finds exactly those that a comparison of each with each would.

    Parameters
    ----------
    ordered : float array (n_others, n_block), rising along axis 0
    values : float array (n_runs, n_block)
    """
    n_others = len(ordered)
    found = np.zeros(values.shape, dtype=np.intp)
    step = 1 << (n_others.bit_length() - 1)
    while step:
        tried = np.minimum(found + step, n_others)
        with np.errstate(over="ignore"):  # infinitely far is far
            near = np.take_along_axis(ordered, tried - 1, axis=0) - values <= tolerance
        found = np.where(near, tried, found)
        step >>= 1
    return found


def _near(block: Fractions, tolerance: float) -> tuple[Counts, Counts, Counts]:
    """Which runs are near each run, int64 arrays (n_runs, n_block).

    Returns
    -------
    places : each run's place among the ordered predictions of a sample
    first, end : the runs near it, itself included, are at the places from ``first`` to before ``end``
    """
    n_runs = len(block)
    order = block.argsort(axis=0)
    ordered = np.take_along_axis(block, order, axis=0)
    end = _near_or_below(ordered, ordered, tolerance)
    first = votes(end, n_runs + 1).cumsum(axis=1)[:, :n_runs].T  # so many have one beyond their end
    by_run = np.empty((3, *block.shape), dtype=np.int64)
    for into, by_place in zip(by_run, (np.arange(n_runs)[:, None], first, end), strict=True):
        np.put_along_axis(into, order, by_place, axis=0)
    return by_run[0], by_run[1], by_run[2]


def _differing(predictions: Values, tolerance: float) -> Iterator[tuple[slice, Counts]]:
    """Blocks of samples with the number of other runs that differ from each run, int64 (n_runs, n_block)."""
    for part, (block,) in _blocks(predictions):
        _, first, end = _near(block, tolerance)
        yield part, len(block) - (end - first)


def flip_rates(predictions: Values, tolerance: float) -> Fractions:
    """Fraction of run pairs that differ by more than the tolerance, for each sample.

    Returns
    -------
    float64 array (n_samples,), fractions of pairs, 0 to 1.

    >>> flip_rates(np.array([[1.0, 2.0], [1.4, 2.0], [1.8, 2.5]]), tolerance=0.5)
    array([0.33333333, 0.        ])
    """
    predictions = checked(predictions, tolerance)
    n_runs, n_samples = predictions.shape
    rates = np.empty(n_samples)
    for part, counts in _differing(predictions, tolerance):
        rates[part] = counts.sum(axis=0) / (n_runs * (n_runs - 1))
    return rates


def disagreements(predictions: Values, tolerance: float) -> Counts:
    """Number of samples on which each run differs from another run, summed over the other runs.

    Each sample's predictions are sorted, so the work is n_samples · R log R, without a loop over pairs.

    Returns
    -------
    int64 array (n_runs,), 0 to n_samples · (n_runs - 1).

    >>> disagreements(np.array([[1.0, 2.0], [1.4, 2.0], [1.8, 2.5]]), tolerance=0.5)
    array([1, 0, 1])
    """
    predictions = checked(predictions, tolerance)
    total = np.zeros(len(predictions), dtype=np.int64)
    for _, counts in _differing(predictions, tolerance):
        total += counts.sum(axis=1)
    return total


def prediction_difference(predictions: Values, tolerance: float) -> float:
    """Mean over all pairs of runs of the fraction of samples on which they differ by more than the tolerance.

    >>> prediction_difference(np.array([[1.0, 2.0], [1.4, 2.0], [1.8, 2.0]]), tolerance=0.5)
    0.16666666666666666
    """
    differing = int(disagreements(predictions, tolerance).sum())
    return differing / (np.size(predictions) * (len(predictions) - 1))


def pairwise_differences(predictions: Values, tolerance: float) -> Fractions:
    """The R × R matrix of fractions of samples on which two runs differ by more than the tolerance.

    >>> pairwise_differences(np.array([[1.0, 2.0], [1.8, 2.0]]), tolerance=0.5)
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    predictions = checked(predictions, tolerance)
    n_runs, n_samples = predictions.shape
    differing = np.zeros((n_runs, n_runs), dtype=np.int64)
    kind = np.min_scalar_type(2 * n_runs)  # a negative number wraps to one that is above any count
    for _, (block,) in _blocks(predictions, size=_COMPARED):
        places, first, end = (places.astype(kind) for places in _near(block, tolerance))
        near = end - first
        for run in range(n_runs - 1):
            beyond = (places[run + 1 :] - first[run] >= near[run]).view(np.uint8)
            differing[run, run + 1 :] += np.add.reduce(beyond, axis=1, dtype=np.uint32)
    differences: Fractions = (differing + differing.T) / n_samples
    return differences


def between_disagreements(first: Values, second: Values, tolerance: float) -> Counts:
    """Number of samples on which each run of one group differs from a run of another, summed over those.

    Returns
    -------
    int64 array (n_runs of the first,)

    >>> between_disagreements(np.array([[1.0, 2.0]]), np.array([[1.4, 2.0], [1.8, 2.9]]), 0.5)
    array([2])
    """
    first, second = checked(first, tolerance, min_runs=1), checked(second, tolerance, min_runs=1)
    check_same_samples(first, second)
    total = np.zeros(len(first), dtype=np.int64)
    for _, (values, others) in _blocks(first, second):
        rising, falling = np.sort(others, axis=0), np.sort(-others, axis=0)
        near = _near_or_below(rising, values, tolerance) + _near_or_below(
            falling, -values, tolerance
        )
        total += 2 * others.size - near.sum(axis=1)
    return total


def run_r2(predictions: Values, y_true: Values) -> Fractions:
    """Coefficient of determination of each run: 1 - Σ (y - ŷ)² / Σ (y - ȳ)².

    Parameters
    ----------
    predictions : float array (n_runs, n_samples)
    y_true : float array (n_samples,)

    Returns
    -------
    float64 array (n_runs,), 1 at best, 0 for the mean of ``y_true``; NaN where ``y_true`` is constant.

    >>> run_r2(np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]), np.array([1.0, 2.0, 3.0]))
    array([1., 0.])
    """
    target = np.asarray(y_true, dtype=np.float64)
    if target.min() == target.max():
        return np.full(len(predictions), np.nan)
    # squares of very large or small numbers would leave float64; by a power of two nothing is rounded
    _, exponent = np.frexp(np.abs(target).max())
    target = np.ldexp(target, -exponent)
    deviation = target - target[0]  # where targets are far from 0, the mean itself would be rounded
    spread = np.square(deviation - deviation.mean()).sum()
    with np.errstate(over="ignore"):
        unexplained = [
            np.square(np.ldexp(run, -exponent) - target).sum() for run in _rows(predictions)
        ]
    scores: Fractions = 1 - np.array(unexplained) / spread
    return scores


def run_mae(predictions: Values, y_true: Values) -> Fractions:
    """Mean absolute error of each run, in the units of the target.

    Returns
    -------
    float64 array (n_runs,)

    >>> run_mae(np.array([[1.0, 2.0], [2.0, 4.0]]), np.array([1.0, 2.0]))
    array([0. , 1.5])
    """
    target = np.asarray(y_true, dtype=np.float64)
    with np.errstate(over="ignore"):
        return np.array([np.abs(run - target).mean() for run in _rows(predictions)])


def _rows(predictions: Values) -> Iterator[Fractions]:
    """The runs one by one, float64."""
    return (run.astype(np.float64) for run in predictions)
