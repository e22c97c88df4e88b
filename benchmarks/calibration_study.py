"""How often the study's own statistics err, by simulation: main effects over a grid, rankings of one audit.

    PYTHONPATH=examples python benchmarks/calibration_study.py [--replications 1000] [--seed 0]

Rates are of ``regularizer_study.analysis`` itself, on runs that ``simulation`` draws; exits with 1 where a goal is
missed by more than two standard errors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from rates import Rate, report
from regularizer_study.analysis import LEVELS, MEASURES, effects, matched, permuted
from regularizer_study.factors import Cell, published_cells
from simulation import Population, accuracies, make_population, pairwise

from pytest_reprotest.metrics import Labels, Tally
from pytest_reprotest.statistics.permutation import holm

SETTINGS = ("none", "moderate", "strong")
N_SAMPLES = 1000
N_RUNS = 5
COVERAGE = (0.93, 0.985)
FAMILY = (None, 0.06)
TYPE_1 = (0.03, 0.065)

TRUE = {
    "prediction_difference": "prediction_difference",
    "effective_score": "effective_accuracy",
    "score": "accuracy",
    "difference_error_ratio": "difference_error_ratio",
}


def grid() -> tuple[Cell, ...]:
    """The study's grid without the replicates of depth 2: 90 cells, in which every factor has its place."""
    return tuple(cell for cell in published_cells() if not cell.replicate)


def _tally(labels: Labels, y_true: Labels) -> Tally:
    correct = (labels == y_true).sum(axis=1)
    differing = np.rint(pairwise(labels[None])[0] * len(y_true)).astype(np.int64)
    return Tally(correct, differing.sum(axis=1), len(y_true))


def _draws(
    cells: Sequence[Cell], of: Mapping[Cell, Population], count: int, rng: np.random.Generator
) -> list[dict[Cell, Tally]]:
    drawn: list[dict[Cell, Tally]] = [{} for _ in range(count)]
    for cell in cells:
        population = of[cell]
        for tallies, labels in zip(drawn, population.draw(N_RUNS, rng, count), strict=True):
            tallies[cell] = _tally(labels, population.y_true)
    return drawn


def family(replications: int, seed: int, settings: Sequence[str] = SETTINGS) -> list[Rate]:
    """Factors that do nothing: how often any effect on a measure is called one, after Holm."""
    cells, found = grid(), []
    for setting in settings:
        base = make_population(setting, N_SAMPLES)
        drawn = _draws(cells, dict.fromkeys(cells, base), replications, np.random.default_rng(seed))
        for measure, told in MEASURES.items():
            wrong = sum(
                any(effect.p_adjusted <= 0.05 for effect in effects(tallies, measure))
                for tallies in drawn
            )
            found.append(
                Rate(f"any effect on {told}", setting, str(N_RUNS), wrong, replications, *FAMILY)
            )
    return found


def coverage(replications: int, seed: int, settings: Sequence[str] = SETTINGS) -> list[Rate]:
    """Factors that do something: how often the interval of an effect holds the true one, mean over effects."""
    cells, found = grid(), []
    for setting in settings:
        base = make_population(setting, N_SAMPLES)
        quieter, louder = base.with_difference(0.7), base.with_difference(1.3)
        worse = base.with_accuracy(-0.02)
        of = {cell: _population(cell, base, quieter, louder, worse) for cell in cells}
        true = {
            measure: {cell: getattr(of[cell].truth, name) for cell in cells}
            for measure, name in TRUE.items()
        }
        drawn = _draws(cells, of, replications, np.random.default_rng(seed + 1))
        for measure, told in MEASURES.items():
            expected = {
                (factor, str(level)): np.mean(
                    [true[measure][b] - true[measure][a] for a, b in matched(cells, factor, level)]
                )
                for factor, (_, *levels) in LEVELS.items()
                for level in levels
                if matched(cells, factor, level)
            }
            held = [
                each.change.low <= expected[each.factor, each.level] <= each.change.high
                for tallies in drawn
                for each in effects(tallies, measure)
            ]
            found.append(
                Rate(f"effects on {told}", setting, str(N_RUNS), sum(held), len(held), *COVERAGE)
            )
    return found


def _population(
    cell: Cell, base: Population, quieter: Population, louder: Population, worse: Population
) -> Population:
    if cell.norm == "layer":
        return quieter
    if cell.optimizer == "adam":
        return louder
    return worse if cell.residual else base


def rankings(
    replications: int, seed: int, settings: Sequence[str] = SETTINGS, n_runs: int = 10
) -> list[Rate]:
    """Regularizers of an audit that leave a measure as it is: how often the permutation test says otherwise.

    For PD they predict otherwise on average; for PD/error and ETA they do nothing. And of six that do nothing
    how often any is called different, after Holm.
    """
    found = []
    for setting in settings:
        base = make_population(setting, N_SAMPLES)
        shifted = base.with_accuracy(-0.01)
        rng = np.random.default_rng(seed + 2)
        for measure, other in (
            ("prediction_difference", shifted),
            ("effective_score", base),
            ("difference_error_ratio", base),
        ):
            wrong = 0
            for _ in range(replications):
                labels = np.concatenate([base.draw(n_runs, rng)[0], other.draw(n_runs, rng)[0]])
                wrong += _p(labels, base.y_true, n_runs, measure) <= 0.05
            name = f"a test of {MEASURES[measure]}"
            found.append(Rate(name, setting, str(n_runs), wrong, replications, *TYPE_1))
        wrong = 0
        for _ in range(replications):
            none = base.draw(n_runs, rng)[0]
            others = base.draw(n_runs, rng, 6)
            p_values = [
                _p(np.concatenate([none, each]), base.y_true, n_runs, "difference_error_ratio")
                for each in others
            ]
            wrong += min(holm(p_values)) <= 0.05
        name = "any of six tests of PD/error"
        found.append(Rate(name, setting, str(n_runs), wrong, replications, *FAMILY))
    return found


def _p(labels: Labels, y_true: Labels, n_first: int, measure: str) -> float:
    matrix = pairwise(labels[None])[0]
    return permuted(matrix, 1 - accuracies(labels, y_true), n_first, measure, resamples=999)


def main() -> int:
    parser = argparse.ArgumentParser(description="How often the study's own statistics err.")
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    missed = False
    for section in (family, coverage, rankings):
        rates = section(given.replications, given.seed)
        print(report(section.__name__, rates), flush=True)
        missed |= any(rate.missed for rate in rates)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
