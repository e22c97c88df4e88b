"""Votes: how many runs predict each class for each sample. All other metrics of labels follow from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError

Labels = NDArray[np.integer]
Fractions = NDArray[np.float64]
Counts = NDArray[np.int64]

_CELLS = 2**16  # labels, and votes, that are counted at a time: they stay in a core's cache
_CLASSES = 1024  # labels from here on are replaced by ranks: no table is wider


def checked(predictions: Labels, min_runs: int = 2) -> Labels:
    """Refuse what is no integer array (n_runs, n_samples) of labels from 0 up."""
    predictions = np.asarray(predictions)
    if predictions.ndim != 2 or predictions.shape[0] < min_runs or predictions.shape[1] < 1:
        raise DataError(
            f"predictions have shape {predictions.shape}; expected (n_runs, n_samples) with at least "
            f"{runs_told(min_runs)} and 1 sample. Train more runs, or stack one label vector per run."
        )
    if predictions.dtype.kind not in "iub":
        raise DataError(
            f"predictions have dtype {predictions.dtype}; expected integer class labels. Take the "
            "class with the highest score."
        )
    if predictions.dtype.kind == "i" and predictions.min() < 0:
        raise DataError(
            f"predictions hold the label {predictions.min()}; expected classes from 0 up. Number the "
            "classes from 0."
        )
    return predictions


def runs_told(n_runs: int) -> str:
    """A number of runs in words.

    >>> runs_told(1), runs_told(2)
    ('1 run', '2 runs')
    """
    return f"{n_runs} run{'s' if n_runs > 1 else ''}"


def ranked(block: Labels) -> Labels:
    """Each label's rank among the labels that the runs give its sample.

    Runs agree on a sample as before, and there are at most as many labels as runs.

    >>> ranked(np.array([[7, 5], [900, 5], [7, 5]]))
    array([[0, 0],
           [1, 0],
           [0, 0]])
    """
    order = block.argsort(axis=0, kind="stable")
    ordered = np.take_along_axis(block, order, axis=0)
    rising = np.zeros(block.shape, dtype=np.int64)
    rising[1:] = (ordered[1:] != ordered[:-1]).cumsum(axis=0)
    ranks = np.empty_like(rising)
    np.put_along_axis(ranks, order, rising, axis=0)
    return ranks


def cells(block: Labels, width: int) -> Counts:
    """The place of each label in a flattened table (n_samples, width), int64 as the block."""
    places: Counts = block.astype(np.int64)
    places += np.arange(block.shape[1], dtype=np.int64) * width
    return places


def blocks(predictions: Labels) -> Iterator[tuple[slice, Counts, Counts]]:
    """Blocks of samples with their votes.

    Yields
    ------
    part : slice
        Which samples.
    places : int64 array (n_runs, n_block)
        Where each run's label is in the flattened table.
    table : int64 array (n_block, width)
        The votes.
    """
    n_runs, n_samples = predictions.shape
    top = int(predictions.max())
    narrow = top < _CLASSES
    rows = max(_CELLS // max(n_runs, top + 1 if narrow else 1), 1)
    for start in range(0, n_samples, rows):
        part = slice(start, start + rows)
        block = predictions[:, part] if narrow else ranked(predictions[:, part])
        width = top + 1 if narrow else int(block.max()) + 1
        places = cells(block, width)
        count = np.bincount(places.ravel(), minlength=places.shape[1] * width)
        yield part, places, count.reshape(-1, width)


def votes(predictions: Labels, n_classes: int | None = None) -> Counts:
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
    places = cells(predictions, width)
    return np.bincount(places.ravel(), minlength=n_samples * width).reshape(n_samples, width)
