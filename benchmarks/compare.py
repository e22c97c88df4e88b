"""How often a comparison with a stored audit is wrong, and what it finds; the table of docs/compare.md.

Run as ``python benchmarks/compare.py [replications]``. Two audits of one simulated training are compared
under the default tolerances; then audits of a training and a worse one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from simulation import SETTINGS, Population, make_population
from tabulate import tabulate

from pytest_reprotest.changes import judged
from pytest_reprotest.statistics.change import contrasts
from pytest_reprotest.thresholds import tolerance_limits

RUNS = (3, 5, 10, 20)
DECISIONS = (("confidence", 0.95), ("confidence", 0.99), ("point", 0.95))


def rates(old: Population, new: Population, n_runs: int, replications: int) -> list[float]:
    """Fractions of comparisons called worse and called better, for each of ``DECISIONS``."""
    rng = np.random.default_rng(0)
    limits = tolerance_limits({})
    found = np.zeros((len(DECISIONS), 2))
    for _ in range(replications):
        measured = contrasts(new.draw(n_runs, rng)[0], old.draw(n_runs, rng)[0], old.y_true)
        for row, (decision, confidence) in zip(found, DECISIONS, strict=True):
            called = {change.status for change in judged(measured, limits, decision, confidence)}
            row += ["worse" in called, "better" in called]
    return [float(rate) for rate in (found / replications).ravel()]


def cases() -> Iterator[tuple[str, Population, Population]]:
    """What changed, the training as it was, and as it is."""
    for setting in SETTINGS:
        for n_samples in (400, 2000):
            population = make_population(setting, n_samples)
            yield f"nothing ({setting}, {n_samples} samples)", population, population
    moderate = make_population("moderate", 2000)
    for points in (-0.01, -0.02, -0.03):
        yield f"accuracy {points:+}", moderate, moderate.with_accuracy(points)
    for factor in (1.25, 1.5):
        yield f"PD × {factor}", moderate, moderate.with_difference(factor)


def main(replications: int) -> None:
    headings = ["what changed", "runs"]
    for decision, confidence in DECISIONS:
        name = decision if decision == "point" else f"{confidence:.0%}"
        headings += [f"worse ({name})", f"better ({name})"]
    table = [
        [what, n_runs, *(f"{rate:.3f}" for rate in rates(old, new, n_runs, replications))]
        for what, old, new in cases()
        for n_runs in RUNS
    ]
    print(tabulate(table, headings, disable_numparse=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
