"""A smaller data set of the same classes: the same one each time."""

from __future__ import annotations

import numpy as np

from regularizer_study.datasets.spec import Integers


def subset(labels: Integers, n: int) -> Integers:
    """Positions of n samples, rising: of each class the first ones, in proportion to its frequency.

    Parameters
    ----------
    labels : int array (n_samples,)
    n : int
        At least 1; all samples where there are no more.

    >>> subset(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 3).tolist()
    [0, 1, 4]
    """
    if n < 1:
        raise ValueError(f"a subset of {n} samples; expected at least 1")
    if n >= len(labels):
        return np.arange(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    quotas, left = np.divmod(counts * n, len(labels))
    # What the division left over goes to the classes it wronged most, the lower one where two are even.
    quotas[np.argsort(-left, kind="stable")[: n - int(quotas.sum())]] += 1
    chosen = [
        np.flatnonzero(labels == label)[:quota]
        for label, quota in zip(classes, quotas, strict=True)
    ]
    positions: Integers = np.sort(np.concatenate(chosen))
    return positions
