"""How often decisions at planned looks and the gate with a bank err, by simulation: sections of `calibration`.

Audits grow to 20 runs and are judged at each planned look as `pytest_reprotest.verdict` does, with the
package's own levels; the estimates are computed for all replications at once, and tests hold them to the
package's.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from calibration import (
    N_SAMPLES,
    OUTLIERS,
    SETTINGS,
    Section,
    batches,
    two_groups,
)
from numpy.typing import NDArray
from rates import Rate
from scipy import optimize
from simulation import Population, accuracies, make_population, pairwise

from pytest_reprotest.metrics import Fractions
from pytest_reprotest.statistics.gate import bank_gate
from pytest_reprotest.statistics.intervals import CONFIDENCE, reach
from pytest_reprotest.statistics.permutation import permutation_test
from pytest_reprotest.statistics.sequential import CHANCE, Decision

LOOKS = ((3, 5, 8, 12, 20), (5, 8, 12, 20))
ERROR = (None, 0.06)  # of a decision at the level 5%
FALSE_ALARM = (None, 0.055)
SAVING = 0.5
BANKS = ((5, 1), (5, 3), (10, 1), (10, 3), (19, 1), (19, 3), (30, 1), (30, 3))
FAR = 3.5  # times the distance at which 80% are decided: well away from the limit
MANY = 20  # runs at which populations' spreads are told

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Mean(Rate):
    """A mean as a fraction, with its standard error."""

    standard_error: float = 0.0

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.standard_error

    @property
    def outside(self) -> float:
        """How far the mean is from its goal; it may be above 1 where it has none."""
        return 0.0 if self.high is None else super().outside


@dataclass(frozen=True, eq=False)
class Growth:
    """Audits that grow, by replication; PD, or ETA with its sign turned, so that a small value is good.

    Attributes
    ----------
    differences : float array (replications, n_runs, n_runs)
    scores : float array (replications, n_runs)
        Accuracy where ETA is meant, else zeros.
    truth : float
    sign : float
        -1 where ETA is meant.
    """

    differences: Fractions
    scores: Fractions
    truth: float
    sign: float

    @functools.cached_property
    def _known(self) -> dict[int, tuple[Fractions, Fractions]]:
        return {}

    def at(self, n_runs: int) -> tuple[Fractions, Fractions]:
        """The estimate after so many runs, and the standard deviation of its pseudo-values."""
        if n_runs not in self._known:
            rows = self.differences[:, :n_runs, :n_runs].sum(axis=2)
            scores = self.scores[:, :n_runs]
            value = rows.sum(axis=1) / (n_runs * (n_runs - 1)) - scores.mean(axis=1)
            # n θ - (n - 1) θ_(-i), up to a constant
            pseudo_values = 2 * rows / (n_runs - 2) - scores
            self._known[n_runs] = value, pseudo_values.std(axis=1, ddof=1)
        return self._known[n_runs]

    @property
    def deviation(self) -> float:
        """Standard deviation of the pseudo-values, of the population as it were."""
        return math.sqrt(float((self.at(MANY)[1] ** 2).mean()))


@functools.lru_cache(maxsize=2)
def grown(population: Population, replications: int, seed: int) -> tuple[Fractions, Fractions]:
    """Pairwise differences and accuracies of 20 runs, by replication."""
    rng = np.random.default_rng(seed)
    differences, scores = [], []
    for batch in batches(replications):
        labels = population.draw(MANY, rng, batch)
        differences.append(pairwise(labels))
        scores.append(accuracies(labels, population.y_true))
    return np.concatenate(differences), np.concatenate(scores)


@functools.lru_cache(maxsize=4)
def _population(setting: str) -> Population:
    return make_population(setting, N_SAMPLES)


def growths(setting: str, replications: int, seed: int) -> dict[str, Growth]:
    """PD and ETA of one population."""
    population = _population(setting)
    differences, scores = grown(population, replications, seed)
    truth = population.truth
    return {
        "PD": Growth(differences, np.zeros_like(scores), truth.prediction_difference, 1.0),
        "ETA": Growth(differences, scores, -truth.effective_accuracy, -1.0),
    }


def decide(
    growth: Growth, planned: Sequence[int], limit: float, limits: int = 1
) -> tuple[Counts, Counts]:
    """1 for a pass, -1 for a fail, 0 where nothing is decided; and the runs that were trained.

    Parameters
    ----------
    limit : float
        Values up to it are good.
    limits : int
        How many limits the audit has.
    """
    decision = Decision("confidence", looks=tuple(planned))
    decided = np.zeros(len(growth.scores), dtype=np.int64)
    runs = np.full(len(growth.scores), planned[-1])
    for n_runs in planned:
        value, deviation = growth.at(n_runs)
        passing, failing = (reach(1.0, n_runs, p) for p in decision.levels(n_runs, limits))
        found = np.where(value + passing * deviation <= limit, 1, 0)
        found = np.where(value - failing * deviation > limit, -1, found)
        runs[(decided == 0) & (found != 0)] = n_runs
        decided = np.where(decided == 0, found, decided)
    return decided, runs


def errors(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    looks: Sequence[tuple[int, ...]] = LOOKS,
) -> list[Rate]:
    """Wrong decisions over all looks with the truth at the limit, where they are most frequent.

    There a pass is as wrong as a fail. With two limits the truth is at both.
    """
    found = []
    for setting, planned in itertools.product(settings, looks):
        both = np.zeros(replications, dtype=bool)
        counts = {}
        for metric, growth in growths(setting, replications, seed).items():
            decided, _ = decide(growth, planned, growth.truth)
            counts[f"{metric} passes"] = (decided == 1).sum()
            counts[f"{metric} fails"] = (decided == -1).sum()
            both |= decide(growth, planned, growth.truth, limits=2)[0] == -1
        counts["any of two fails"] = both.sum()
        goal = ERROR if setting != OUTLIERS else (None, None)
        found += [
            Rate(what, setting, _told(planned), int(count), replications, *goal)
            for what, count in counts.items()
        ]
    return found


def savings(
    replications: int,
    seed: int,
    settings: Sequence[str] = SETTINGS,
    looks: Sequence[tuple[int, ...]] = LOOKS,
    metrics: Sequence[str] = ("PD", "ETA"),
) -> list[Rate]:
    """Runs trained, as a share of the runs of the fixed design of the same power.

    That is the smallest number of runs that, judged once, decides as often as the planned looks do at the
    distance from the limit where those decide in 80% of audits. Told at 1, 2 and 3.5 times that distance, which
    is given in standard deviations of the pseudo-values.
    """
    found: list[Rate] = []
    for setting, metric, planned, side in itertools.product(settings, metrics, looks, (1, -1)):
        growth = growths(setting, replications, seed)[metric]
        near = _distance(growth, planned, side)
        power = _chance(growth, planned, side, near)
        fixed = _fixed(growth, side, near, power)
        for times in (1.0, 2.0, FAR):
            limit = growth.truth + side * times * near
            decided, runs = decide(growth, planned, limit)
            share = runs / fixed
            distance = times * near / growth.deviation
            found.append(
                Mean(
                    f"{metric} {'passes' if side == 1 else 'fails'}: runs trained, of {fixed} fixed",
                    f"{setting}, {distance:.1f} SD away, {100 * (decided == side).mean():.0f}% decided",
                    _told(planned),
                    int(runs.sum()),
                    replications * fixed,
                    high=SAVING if times == FAR else None,
                    standard_error=float(share.std() / math.sqrt(replications)),
                )
            )
    return found


def _chance(growth: Growth, planned: Sequence[int], side: int, distance: float) -> float:
    decided, _ = decide(growth, planned, growth.truth + side * distance)
    return float((decided == side).mean())


def _distance(growth: Growth, planned: Sequence[int], side: int) -> float:
    """The distance from the limit at which 80% of audits are decided."""

    def lacking(distance: float) -> float:
        return _chance(growth, planned, side, distance) - CHANCE

    return float(optimize.brentq(lacking, 0.0, 10 * growth.deviation, xtol=1e-6))


def _fixed(growth: Growth, side: int, distance: float, power: float) -> int:
    for n_runs in range(3, MANY):
        if _chance(growth, (n_runs,), side, distance) >= power:
            return n_runs
    return MANY


def stopped(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    looks: Sequence[tuple[int, ...]] = LOOKS,
    distances: Sequence[float] = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0),
) -> list[Rate]:
    """Coverage of the ordinary 95% interval at the runs where the audit stopped; for information.

    Distances are from the truth to the limit, in standard deviations of the pseudo-values.
    """
    found = []
    for setting, planned, distance in itertools.product(settings, looks, distances):
        for metric, growth in growths(setting, replications, seed).items():
            _, runs = decide(growth, planned, growth.truth + distance * growth.deviation)
            hits = 0
            for n_runs in planned:
                value, deviation = growth.at(n_runs)
                half = reach(1.0, n_runs, (1 - CONFIDENCE) / 2) * deviation
                hits += int(((runs == n_runs) & (np.abs(value - growth.truth) <= half)).sum())
            found.append(
                Rate(
                    f"{metric} interval covers",
                    f"{setting}, limit {distance:+g} SD, {runs.mean():.1f} runs",
                    _told(planned),
                    hits,
                    replications,
                )
            )
    return found


def stopped_comparison(
    replications: int,
    seed: int,
    settings: Sequence[str] = SETTINGS,
    planned: tuple[int, ...] = LOOKS[1],
    distances: Sequence[float] = (-1.0, 0.0, 1.0, 2.0),
    shifts: Sequence[float] = (0.0, -0.02),
    at_most: int = 500,
) -> list[Rate]:
    """Type-I error of the permutation test between groups that both stopped when decided; for information.

    Same PD, one limit for both. Where a shift is told, one group is that much less accurate. Each test draws
    its splits, so there are 500 replications at most.
    """
    replications = min(replications, at_most)
    found = []
    for setting, shift in itertools.product(settings, shifts):
        base = make_population(setting, N_SAMPLES)
        own = base.with_accuracy(shift) if shift else base
        pairs = [
            groups.differences
            for groups in two_groups((own, MANY), (base, MANY), replications, seed)
        ]
        together = np.stack(pairs)
        nothing = np.zeros((replications, MANY))
        truth = base.truth.prediction_difference
        parts = (slice(None, MANY), slice(MANY, None))
        both = [Growth(together[:, part, part], nothing, truth, 1.0) for part in parts]
        for distance in distances:
            limit = truth + distance * both[1].deviation
            first, second = (decide(growth, planned, limit)[1] for growth in both)
            hits = 0
            for matrix, n_own, n_base in zip(together, first, second, strict=True):
                kept = np.r_[:n_own, MANY : MANY + n_base]
                hits += permutation_test(matrix[np.ix_(kept, kept)], int(n_own)).p_value <= 0.05
            told = f", accuracy {100 * shift:+g} points" if shift else ""
            found.append(
                Rate(
                    "permutation test rejects",
                    f"{setting}, limit {distance:+g} SD{told}",
                    f"{first.mean():.1f}, {second.mean():.1f}",
                    hits,
                    replications,
                )
            )
    return found


def bank(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    sizes: Sequence[tuple[int, int]] = BANKS,
    change: Callable[[Population], Population] = lambda base: base,
    goal: tuple[float | None, float | None] = FALSE_ALARM,
) -> list[Rate]:
    """How often new runs fail against a bank, at the level 5%; without a change a false alarm."""
    found = []
    for setting, (n_bank, n_new) in itertools.product(settings, sizes):
        base = _population(setting)
        gates = [
            bank_gate(groups.differences, n_new)
            for groups in two_groups((change(base), n_new), (base, n_bank), replications, seed)
        ]
        found.append(
            Rate(
                f"new runs fail, by {gates[0].method}",
                setting,
                f"{n_bank}, {n_new}",
                sum(gate.failed for gate in gates),
                replications,
                *(goal if setting != OUTLIERS else (None, None)),
            )
        )
    return found


def bank_noise(replications: int, seed: int) -> list[Rate]:
    """Power at a quarter more noise; for information."""
    return bank(
        replications,
        seed,
        change=lambda base: replace(base, noise=1.25 * base.noise),
        goal=(None, None),
    )


def bank_shift(replications: int, seed: int) -> list[Rate]:
    """Power where two points of accuracy are lost and runs differ no more among each other; for information."""
    return bank(
        replications, seed, change=lambda base: base.with_accuracy(-0.02), goal=(None, None)
    )


def _told(planned: Sequence[int]) -> str:
    return " ".join(map(str, planned))


SECTIONS: dict[str, tuple[str, Section]] = {
    "sequential": ("Decisions at planned looks, level 5%, truth at the limit", errors),
    "runs": ("Runs trained until decided, against one look", savings),
    "bank": ("Gate with a bank (bank, new runs), level 5%, no change", bank),
    "bank-noise": ("Gate with a bank, a quarter more noise", bank_noise),
    "bank-shift": ("Gate with a bank, accuracy -2 points, same PD", bank_shift),
    "stopped": ("95% intervals when an audit stopped as decided", stopped),
    "stopped-comparison": (
        "Permutation test of audits that stopped as decided, same PD",
        stopped_comparison,
    ),
}
