"""Runs against runs: the R × R matrix of one group, and one group against another."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics.counting import Counts, Fractions, Labels, blocks, checked

_SAMPLES = 2**14  # compared at a time: a pair's count fits into 16 bits
_RUNS, _OTHERS = 4, 64  # compared at a time: their words stay in a core's cache


def pairwise_differences(predictions: Labels) -> Fractions:
    """The R × R matrix of fractions of samples on which two runs differ.

    Labels are compared 64 samples at a time: two runs differ where any binary digit of their labels
    does, so the work grows with the digits of the labels, not with the number of classes.

    Returns
    -------
    float64 array (n_runs, n_runs), symmetric, zero diagonal.

    >>> pairwise_differences(np.array([[0, 1], [0, 1], [0, 0]]))
    array([[0. , 0. , 0.5],
           [0. , 0. , 0.5],
           [0.5, 0.5, 0. ]])
    """
    predictions = checked(predictions)
    n_runs, n_samples = predictions.shape
    differing = np.zeros((n_runs, n_runs), dtype=np.int64)
    rows = -(-n_samples // -(-n_samples // _SAMPLES))  # in parts of about one size
    for start in range(0, n_samples, rows):
        block = predictions[:, start : start + rows]
        block = block[:, (block != block[0]).any(axis=0)]  # the runs agree on the others
        if block.size:
            _add_differing(differing, _digits(block))
    differing = np.triu(differing, 1)
    differences: Fractions = (differing + differing.T) / n_samples
    return differences


def _digits(block: Labels) -> NDArray[np.uint64]:
    """The binary digits of labels, 64 samples a word: uint64 (n_digits, n_runs, n_words)."""
    n_runs, n_samples = block.shape
    n_digits = int(block.max()).bit_length()
    packed = np.zeros((n_digits, n_runs, -(-n_samples // 64) * 8), dtype=np.uint8)
    for digit in range(n_digits):
        bits = np.packbits(((block >> digit) & 1).astype(np.uint8), axis=1)
        packed[digit, :, : bits.shape[1]] = bits
    return packed.view(np.uint64)


def _add_differing(differing: Counts, digits: NDArray[np.uint64]) -> None:
    """Add each pair's number of differing samples to the upper triangle; below it nothing counts."""
    n_runs = len(differing)
    for i in range(0, n_runs, _RUNS):
        runs = digits[:, i : i + _RUNS, None]
        for j in range(i, n_runs, _OTHERS):
            others = digits[:, None, j : j + _OTHERS]
            differ = runs[0] ^ others[0]
            for digit in range(1, len(digits)):
                differ |= runs[digit] ^ others[digit]
            count = np.add.reduce(_ones(differ), axis=2, dtype=np.uint16)
            differing[i : i + _RUNS, j : j + _OTHERS] += count


@functools.cache
def _ones_of_16_bits() -> NDArray[np.uint8]:
    """The number of ones of 0 … 65535."""
    bits = np.unpackbits(np.arange(2**16, dtype=np.uint16).view(np.uint8)).reshape(-1, 16)
    ones: NDArray[np.uint8] = bits.sum(axis=1, dtype=np.uint8)
    return ones


def _looked_up_ones(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The ones of each quarter of a word: an axis four times as long, with the same sum."""
    return _ones_of_16_bits()[words.view(np.uint16)]


# before NumPy 2 there is no function that counts ones
_ones: Any = getattr(np, "bitwise_count", _looked_up_ones)


def between_disagreements(first: Labels, second: Labels) -> Counts:
    """Number of samples on which each run of one group differs from a run of another, summed over those.

    Parameters
    ----------
    first : int array (n_runs, n_samples)
    second : int array (n_others, n_samples)

    Returns
    -------
    int64 array (n_runs,), 0 to n_samples · n_others.

    Raises
    ------
    DataError
        For another number of samples, or a group without a run.

    >>> between_disagreements(np.array([[0, 1]]), np.array([[0, 1], [0, 0], [1, 0]]))
    array([3])
    """
    first, second = checked(first, min_runs=1), checked(second, min_runs=1)
    check_same_samples(first, second)
    (n_runs, n_samples), n_others = first.shape, len(second)
    agreeing = np.zeros(n_runs, dtype=np.int64)
    kind = np.result_type(first, second)
    if kind.kind == "f":  # uint64 beside a signed type: no label is negative
        kind = np.dtype(np.uint64)
    both = np.vstack([first.astype(kind, copy=False), second.astype(kind, copy=False)])
    for _, places, table in blocks(both):
        of_others = np.bincount(places[n_runs:].ravel(), minlength=table.size)
        agreeing += of_others.take(places[:n_runs]).sum(axis=1)
    differing: Counts = n_samples * n_others - agreeing
    return differing


def between_difference(first: Labels, second: Labels) -> float:
    """Mean over all pairs of one run of each group of the fraction of samples they label differently.

    With n^a_xc and n^b_xc the votes of groups of R_a and R_b runs: 1 - Σ_x Σ_c n^a_xc n^b_xc / (n R_a R_b).

    >>> between_difference(np.array([[0, 1]]), np.array([[0, 1], [0, 0], [1, 0]]))
    0.5
    """
    differing = int(between_disagreements(first, second).sum())
    return differing / (np.size(first) * len(second))


def check_same_samples(first: NDArray[Any], second: NDArray[Any]) -> None:
    """Refuse two groups of runs over test sets of different sizes."""
    if first.shape[1:] != second.shape[1:]:
        raise DataError(
            f"one group of runs predicts {_told(first)}, the other {_told(second)}; expected the same "
            "test set in both. Compare runs over one test set."
        )


def _told(group: NDArray[Any]) -> str:
    return " × ".join(map(str, group.shape[1:])) + (" samples" if group.ndim == 2 else " labels")
