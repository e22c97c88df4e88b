"""What the factors do: main effects over the cells of a grid, and regularizers of one audit held against none.

An effect of a level is the mean difference between cells that differ in that factor alone, one at the level and
one at the factor's first; with depth and residual stages comes or goes the tying of stages, as in the study. Cells are trained from seeds of their own, so they are independent; a cell's variance
is the jackknife's over its runs, and the degrees of freedom of the sum are Welch's and Satterthwaite's. It speaks
about further runs of these cells. Error rates are simulated in benchmarks/calibration_study.py.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pytest_reprotest.metrics import Tally
from pytest_reprotest.statistics import Estimate
from pytest_reprotest.statistics.permutation import holm, permutation_test
from regularizer_study.factors import Cell
from regularizer_study.records import Record

Floats = NDArray[np.float64]

MEASURES: dict[str, str] = {
    "prediction_difference": "PD",
    "effective_score": "ETA",
    "score": "accuracy",
    "difference_error_ratio": "PD/error",
}
"""The package's names of the measures, and how they are told."""

LEVELS: dict[str, tuple[Any, ...]] = {
    "optimizer": ("sgd", "momentum", "adam"),
    "depth": (2, 6, 20),
    "norm": ("none", "layer", "batch"),
    "weight_decay": (0.0, 1e-4),
    "residual": (False, True),
}
"""The study's factors; the first level of each is what others are held against."""


@dataclass(frozen=True)
class Effect:
    """What a level of a factor does to a measure, over the pairs of cells that differ in nothing else.

    Attributes
    ----------
    factor, level : str
    measure : str
        A key of ``MEASURES``.
    change : Estimate
        Mean over the pairs, with its 95% interval.
    p_value : float
        Two-sided, that the mean change is 0.
    p_adjusted : float
        By Holm, over all effects on the measure.
    n_pairs : int
    n_lower : int
        Pairs in which the measure is lower at the level.
    """

    factor: str
    level: str
    measure: str
    change: Estimate
    p_value: float
    p_adjusted: float
    n_pairs: int
    n_lower: int


def effects(tallies: Mapping[Cell, Tally], measure: str) -> tuple[Effect, ...]:
    """The effect of each level of each factor, as far as there are pairs of cells to tell it.

    Parameters
    ----------
    tallies : mapping
        Cell → its runs. Cells that collapsed are to be left out: in them a measure means something else. So are
        the study's residual cells of depth 2, which train the same net as others and would count twice.
    measure : str
    """
    cells = {cell: _Value.of(tally, measure) for cell, tally in tallies.items()}
    found = [
        _effect([(cells[a], cells[b]) for a, b in pairs], factor, level, measure)
        for factor, (_, *levels) in LEVELS.items()
        for level in levels
        if (pairs := matched(tuple(tallies), factor, level))
    ]
    adjusted = holm([effect.p_value for effect in found])
    return tuple(replace(effect, p_adjusted=p) for effect, p in zip(found, adjusted, strict=True))


def replicated(tallies: Mapping[Cell, Tally], measure: str) -> tuple[Effect, ...]:
    """A control, where nothing can differ: each replicate of depth 2 against the cell that trains the same net."""
    found = []
    for cell, tally in tallies.items():
        first = replace(cell, residual=False)
        if cell.replicate and first in tallies:
            pair = _Value.of(tallies[first], measure), _Value.of(tally, measure)
            found.append(_effect([pair], "replicate", cell.id, measure))
    return tuple(found)


@functools.lru_cache(maxsize=64)
def matched(cells: tuple[Cell, ...], factor: str, level: Any) -> list[tuple[Cell, Cell]]:
    """Pairs of cells, one at the factor's first level and one at this; what was tied in the study follows."""
    found = []
    for cell in cells:
        if getattr(cell, factor) != level:
            continue
        changed: dict[str, Any] = {factor: LEVELS[factor][0], "tied": False}
        partner = replace(cell, **changed)
        if partner.depth > 2 and not partner.residual:
            partner = replace(partner, tied=True)
        if partner in cells:
            found.append((partner, cell))
    return found


@dataclass(frozen=True)
class _Value:
    """A cell's estimate, the jackknife's variance of it over the runs, and that variance's degrees of freedom."""

    value: float
    variance: float
    freedom: int

    @classmethod
    def of(cls, tally: Tally, measure: str) -> _Value:
        value, left_out = getattr(tally, measure), getattr(tally.left_out, measure)
        pseudo_values = tally.n_runs * value - (tally.n_runs - 1) * left_out
        return cls(value, float(pseudo_values.var(ddof=1)) / tally.n_runs, tally.n_runs - 1)


def _effect(
    pairs: Sequence[tuple[_Value, _Value]], factor: str, level: object, measure: str
) -> Effect:
    changes = [after.value - before.value for before, after in pairs]
    # each cell is in one pair of a level
    shares = [(each.variance / len(pairs) ** 2, each.freedom) for pair in pairs for each in pair]
    squares = sum(share**2 / freedom for share, freedom in shares)
    change, p_value = _judged(float(np.mean(changes)), sum(share for share, _ in shares), squares)
    lower = sum(each < 0 for each in changes)
    return Effect(factor, str(level), measure, change, p_value, math.nan, len(pairs), lower)


def _judged(mean: float, variance: float, squares: float) -> tuple[Estimate, float]:
    if not variance > 0:
        return Estimate(mean), math.nan
    freedom, error = variance**2 / squares, math.sqrt(variance)
    half_width = float(stats.t.ppf(0.975, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return Estimate(mean, mean - half_width, mean + half_width), p_value


@dataclass(frozen=True)
class Ranked:
    """A regularizer held against ``none`` by one measure.

    Attributes
    ----------
    label : str
    value : Estimate
        The measure under the regularizer.
    change : float
        Regularizer minus none.
    p_value, p_adjusted : float
        By permutation of the runs' labels, and after Holm over the audit's regularizers; NaN for ``none``.
    """

    label: str
    value: Estimate
    change: float
    p_value: float
    p_adjusted: float


def ranking(record: Record, measure: str, baseline: str = "none") -> tuple[Ranked, ...]:
    """An audit's regularizers, best first, each with its test against the baseline."""
    labels = [label for label in record.labels if label not in record.broken]
    others = [label for label in labels if label != baseline]
    tests = {label: permutation_p(record, label, baseline, measure) for label in others}
    adjusted = dict(zip(others, holm(list(tests.values())), strict=True))
    base = getattr(record.tally(baseline), measure)
    found = [
        Ranked(
            label,
            getattr(record.summary(label), measure),
            getattr(record.tally(label), measure) - base,
            tests.get(label, math.nan),
            adjusted.get(label, math.nan),
        )
        for label in labels
    ]
    falling = measure in ("score", "effective_score")
    return tuple(sorted(found, key=lambda each: each.value.value, reverse=falling))


def permutation_p(record: Record, label: str, baseline: str, measure: str) -> float:
    """Two-sided p-value that a measure is the same under both, by permuting run labels.

    Of PD it is the package's own test.
    """
    own, base = record.place(label), record.place(baseline)
    both = np.r_[own, base]
    matrix = record.matrix[np.ix_(both, both)] / record.n_samples
    if measure == "prediction_difference":
        return permutation_test(matrix, own.stop - own.start).p_value
    error = 1 - np.array(record.correct)[both] / record.n_samples
    return permuted(matrix, error, own.stop - own.start, measure)


def permuted(
    matrix: Floats, error: Floats, n_first: int, measure: str, resamples: int = 9_999
) -> float:
    """The test behind ``permutation_p``.

    Parameters
    ----------
    matrix : array (n_runs, n_runs)
        Fraction of samples on which two runs differ.
    error : array (n_runs,)
        Fraction of samples that each run has wrong.
    n_first : int
        Runs of the first group.
    """

    def statistic(first: NDArray[np.int64], second: NDArray[np.int64], axis: int) -> Floats:  # noqa: ARG001 - scipy gives it; runs are last here
        values = []
        for group in (first, second):
            n_runs = group.shape[-1]
            inside = matrix[group[..., :, None], group[..., None, :]].sum((-2, -1))
            difference = inside / (n_runs * (n_runs - 1))
            values.append(_value(measure, difference, error[group].mean(-1)))
        return values[0] - values[1]

    runs = np.arange(len(matrix))
    found = stats.permutation_test(
        (runs[:n_first], runs[n_first:]),
        statistic,
        vectorized=True,
        n_resamples=resamples,
        batch=1_000,
        random_state=np.random.default_rng(0),
    )
    return float(found.pvalue)


def _value(measure: str, difference: Floats, error: Floats) -> Floats:
    """A measure from the prediction difference and the mean error of a group."""
    if measure == "difference_error_ratio":
        return difference / error
    if measure == "prediction_difference":
        return difference
    return 1 - error - (difference if measure == "effective_score" else 0)
