"""The run-label permutation test of two groups of runs, and Holm's correction for several.

If a regularizer does nothing, its runs and the baseline's are exchangeable: any split of all runs into two
groups of these sizes was as likely. The p-value is the share of splits whose difference of prediction
differences U_A - U_B is at least as far out as the observed one. Not studentized: where the groups predict
differently on average, pairs across the groups enter both U alike and cancel, but inflate an estimate of the
variance.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.metrics import Fractions

ALPHA = 0.05
MIN_RUNS = 3  # of a group, for an interval of what pairs of runs give
EXACT_SPLITS = 200_000  # enumerated up to here: ten runs against ten
RESAMPLES = 9_999  # drawn beyond

_CELLS = 2**21  # of splits × runs at a time: bounds memory
_TIE = 1e-12  # differences are sums of fractions: ties are equal up to rounding


@dataclass(frozen=True)
class Permutation:
    """The result of a run-label permutation test.

    Attributes
    ----------
    p_value : float
        Two-sided. NaN where a group has fewer than 2 runs.
    exact : bool
        All splits were enumerated; otherwise resampled with a fixed seed.
    """

    p_value: float
    exact: bool


def smallest_p(n_runs: int, n_baseline: int | None = None) -> float:
    """The smallest two-sided p-value that two groups of runs can give; NaN below 2 runs a group.

    >>> [round(smallest_p(n_runs), 4) for n_runs in (3, 4, 5, 6)]
    [0.1, 0.0286, 0.0079, 0.0022]
    """
    n_baseline = n_runs if n_baseline is None else n_baseline
    if min(n_runs, n_baseline) < 2:
        return math.nan
    splits = math.comb(n_runs + n_baseline, n_runs)
    return 2 / (splits if splits <= EXACT_SPLITS else 1 + RESAMPLES)


def permutation_test(differences: Fractions, n_first: int, seed: int = 0) -> Permutation:
    """Whether the prediction difference of the first ``n_first`` runs is that of the other runs.

    Parameters
    ----------
    differences : float array (n_runs, n_runs)
        Fraction of samples on which two runs differ, symmetric with a zero diagonal.
    n_first : int
        The size of the first group.
    seed : int
        Of the resamples, where there are too many splits to enumerate.

    Twice the share of splits at least as far out on the observed side:

    >>> differences = np.ones((4, 4)) - np.eye(4)
    >>> differences[0, 1] = differences[1, 0] = 0.5
    >>> permutation_test(differences, 2).p_value  # 1 of 6 splits, and its mirror image
    0.3333333333333333
    """
    n_runs = len(differences)
    if min(n_first, n_runs - n_first) < 2:
        return Permutation(math.nan, False)
    # the smaller group is followed through all splits: fewer runs to list
    n_followed = min(n_first, n_runs - n_first)
    own = np.zeros((1, n_runs))
    own[0, (slice(None, n_first) if n_followed == n_first else slice(n_first, None))] = 1.0
    observed = float(_statistics(differences, own)[0])
    exact = math.comb(n_runs, n_first) <= EXACT_SPLITS
    splits = _all_splits(n_runs, n_followed) if exact else _drawn_splits(n_runs, n_followed, seed)
    # of halves each split has its mirror image, with the same statistic but for the sign
    mirrored = exact and 2 * n_followed == n_runs
    bound, sign = abs(observed) - _TIE, math.copysign(1.0, observed)
    extreme = 0
    for part in _parts(splits[: len(splits) // 2] if mirrored else splits):
        found = sign * _statistics(differences, part)
        extreme += int((found >= bound).sum())
        extreme += int((-found >= bound).sum()) if mirrored else 0
    share = extreme / len(splits) if exact else (1 + extreme) / (1 + len(splits))
    return Permutation(min(1.0, 2 * share), exact)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values adjusted for their number by Holm's step-down method (1979); NaN counts and stays NaN.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    adjusted = [math.nan] * len(p_values)
    largest = 0.0
    known = [index for index, p in enumerate(p_values) if not math.isnan(p)]
    for rank, index in enumerate(sorted(known, key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def _statistics(differences: Fractions, followed: Fractions) -> Fractions:
    """U of the followed runs less U of the others, by split; ``followed`` is 0 or 1 (n_splits, n_runs)."""
    n_runs = len(differences)
    size = int(followed[0].sum())
    rest = n_runs - size
    sums = followed @ differences
    inside: Fractions = np.einsum("ij,ij->i", sums, followed)
    outside = differences.sum() - 2 * sums.sum(axis=1) + inside
    statistics: Fractions = inside / (size * (size - 1)) - outside / (rest * (rest - 1))
    return statistics


def _parts(splits: NDArray[np.bool_]) -> Iterator[Fractions]:
    rows = max(_CELLS // splits.shape[1], 1)
    for start in range(0, len(splits), rows):
        yield splits[start : start + rows].astype(np.float64)


@functools.lru_cache(maxsize=1)
def _all_splits(n_runs: int, n_followed: int) -> NDArray[np.bool_]:
    """Every choice of the followed runs, bool (n_splits, n_runs)."""
    count = math.comb(n_runs, n_followed)
    listed = itertools.chain.from_iterable(itertools.combinations(range(n_runs), n_followed))
    chosen = np.fromiter(listed, np.int64, count * n_followed).reshape(count, n_followed)
    splits = np.zeros((count, n_runs), dtype=np.bool_)
    np.put_along_axis(splits, chosen, True, axis=1)
    return splits


@functools.lru_cache(maxsize=1)
def _drawn_splits(n_runs: int, n_followed: int, seed: int) -> NDArray[np.bool_]:
    """Random choices of the followed runs, bool (RESAMPLES, n_runs)."""
    one = np.arange(n_runs) < n_followed
    return np.random.default_rng(seed).permuted(np.tile(one, (RESAMPLES, 1)), axis=1)
