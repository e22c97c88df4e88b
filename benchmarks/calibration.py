"""How often intervals cover and tests err, by simulation.

    python benchmarks/calibration.py [--replications 4000] [--seed 0] [--only intervals ...]

Runs come from `simulation`, which breaks what the estimators assume. Every rate is of the package's own code,
printed with its binomial standard error and what it is held to; exits with 1 where a goal is missed by more
than two standard errors. Controls are methods that treat pairs of runs as a sample: they must miss.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from rates import Rate, report
from scipy import stats
from simulation import Population, accuracies, make_population, pairwise

from pytest_reprotest.metrics import Fractions, Labels
from pytest_reprotest.statistics.comparison import TwoGroups, changes, compare_with_baseline
from pytest_reprotest.statistics.intervals import Estimate, summarize
from pytest_reprotest.statistics.permutation import permutation_test
from pytest_reprotest.tasks import CLASSIFICATION

Section = Callable[[int, int], list[Rate]]
"""A part of the report: (replications, seed) → rates."""

SETTINGS = ("none", "moderate", "strong")
OUTLIERS = "outliers"  # told for information: runs of which a few go far astray
RUNS = (3, 5, 10, 20)
COVERAGE = (0.93, 0.985)
TYPE_1 = (0.03, 0.065)
FAMILY = (None, 0.06)
N_SAMPLES = 1000
_BATCH = 200  # replications drawn at a time: bounds memory

METRICS = {
    "PD": "prediction_difference",
    "accuracy": "accuracy",
    "ETA": "effective_accuracy",
    "PD/error": "difference_error_ratio",
}

SUMMARY = {"accuracy": "score", "effective_accuracy": "effective_score"}
"""Where a summary, which knows no task, has them."""


def covers(estimate: Estimate, true: float) -> bool:
    return estimate.low <= true <= estimate.high


def batches(replications: int) -> Iterator[int]:
    for start in range(0, replications, _BATCH):
        yield min(_BATCH, replications - start)


def drawn(population: Population, n_runs: int, replications: int, seed: int) -> Iterator[Labels]:
    """Labels (n_runs, n_samples) of one group, by replication."""
    rng = np.random.default_rng(seed)
    for batch in batches(replications):
        yield from population.draw(n_runs, rng, batch)


def two_groups(
    own: tuple[Population, int], base: tuple[Population, int], replications: int, seed: int
) -> Iterator[TwoGroups]:
    """A regularizer's runs and the baseline's, by replication."""
    rng = np.random.default_rng(seed)
    for batch in batches(replications):
        labels = np.concatenate(
            [population.draw(runs, rng, batch) for population, runs in (own, base)], axis=1
        )
        scores = accuracies(labels, base[0].y_true)
        for differences, score in zip(pairwise(labels), scores, strict=True):
            yield TwoGroups(differences, score, own[1])


def pairs_t_interval(differences: Fractions) -> Estimate:
    """What is wrong: the pairs as a sample of R(R-1)/2."""
    pairs = differences[np.triu_indices(len(differences), 1)]
    half = float(stats.t.ppf(0.975, len(pairs) - 1)) * float(stats.sem(pairs))
    return Estimate(pairs.mean(), pairs.mean() - half, pairs.mean() + half)


def pairs_rank_test(groups: TwoGroups) -> float:
    """What is wrong: Mann and Whitney's test on the pairs of either group."""
    parts = (slice(None, groups.n_runs), slice(groups.n_runs, None))
    own, base = (groups.differences[part, part] for part in parts)
    return float(
        stats.mannwhitneyu(
            own[np.triu_indices(len(own), 1)],
            base[np.triu_indices(len(base), 1)],
            method="asymptotic",
        ).pvalue
    )


def intervals(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    runs: Sequence[int] = RUNS,
) -> list[Rate]:
    """Jackknife intervals of one regularizer's statistics."""
    found = []
    for setting, n_runs in itertools.product(settings, runs):
        population = make_population(setting, N_SAMPLES)
        true = {short: getattr(population.truth, name) for short, name in METRICS.items()}
        hits = dict.fromkeys(METRICS, 0)
        for labels in drawn(population, n_runs, replications, seed):
            summary = summarize(CLASSIFICATION.tally(labels, population.y_true))
            for short, name in METRICS.items():
                hits[short] += covers(getattr(summary, SUMMARY.get(name, name)), true[short])
        goal = COVERAGE if setting != OUTLIERS else (None, None)
        found += [
            Rate(f"{short} interval covers", setting, str(n_runs), count, replications, *goal)
            for short, count in hits.items()
        ]
    return found


def differences(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    runs: Sequence[tuple[int, int]] = ((3, 3), (5, 5), (10, 10), (20, 20), (5, 10)),
) -> list[Rate]:
    """Intervals of a regularizer minus the baseline, PD a quarter larger and accuracy a point lower."""
    found = []
    for setting, (n_runs, n_baseline) in itertools.product(settings, runs):
        base = make_population(setting, N_SAMPLES)
        own = base.with_difference(1.25).with_accuracy(-0.01)
        names = ("prediction_difference", "accuracy", "effective_accuracy")
        true = [getattr(own.truth, name) - getattr(base.truth, name) for name in names]
        hits = [0, 0, 0]
        for groups in two_groups((own, n_runs), (base, n_baseline), replications, seed):
            for index, estimate in enumerate(changes(groups)[:3]):
                hits[index] += covers(estimate, true[index])
        goal = COVERAGE if setting != OUTLIERS else (None, None)
        found += [
            Rate(
                f"interval of the difference of {short} covers",
                setting,
                f"{n_runs}, {n_baseline}",
                count,
                replications,
                *goal,
            )
            for short, count in zip(("PD", "accuracy", "ETA"), hits, strict=True)
        ]
    return found


def permutation(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    shifts: Sequence[float] = (0.0, -0.01, -0.02, -0.05),
    runs: Sequence[tuple[int, int]] = ((5, 5), (6, 6), (12, 12), (5, 10)),
) -> list[Rate]:
    """Type-I error at 5% where the true PD is the same and accuracy is lower by some points.

    Groups of other sizes whose accuracies differ are told for information: pairs across the groups do not
    cancel there.
    """
    found = []
    for setting, shift, (n_runs, n_baseline) in itertools.product(settings, shifts, runs):
        base = make_population(setting, N_SAMPLES)
        own = base.with_accuracy(shift)
        hits = sum(
            permutation_test(groups.differences, n_runs).p_value <= 0.05
            for groups in two_groups((own, n_runs), (base, n_baseline), replications, seed)
        )
        held = setting != OUTLIERS and (n_runs == n_baseline or not shift)
        found.append(
            Rate(
                "permutation test rejects",
                f"{setting}, accuracy {100 * shift:+g} points" if shift else setting,
                f"{n_runs}, {n_baseline}",
                hits,
                replications,
                *(TYPE_1 if held else (None, None)),
            )
        )
    return found


def unlike(replications: int, seed: int) -> list[Rate]:
    """Type-I error where the runs of the groups vary unequally much; for information."""
    found = []
    base = make_population("none", N_SAMPLES)
    for setting in ("moderate", "strong", OUTLIERS):
        other = make_population(setting, N_SAMPLES)
        other = other.with_difference(
            base.truth.prediction_difference / other.truth.prediction_difference
        )
        for sizes in ((5, 5), (12, 12), (5, 10), (10, 5)):
            hits = sum(
                permutation_test(groups.differences, sizes[0]).p_value <= 0.05
                for groups in two_groups((other, sizes[0]), (base, sizes[1]), replications, seed)
            )
            case = f"{setting} against none"
            runs = f"{sizes[0]}, {sizes[1]}"
            found.append(Rate("permutation test rejects", case, runs, hits, replications))
    return found


def family(
    replications: int,
    seed: int,
    settings: Sequence[str] = SETTINGS,
    runs: Sequence[int] = (5, 6, 12),
    n_regularizers: int = 6,
) -> list[Rate]:
    """How often any of several regularizers without effect on PD is called better or worse.

    Half of them are two points less accurate; then the same beside two regularizers with an effect.
    """
    found = []
    for setting, n_runs, effects in itertools.product(settings, runs, (0, 2)):
        base = make_population(setting, N_SAMPLES)
        changed = base.with_difference(1.5)
        less = base.with_accuracy(-0.02)
        populations = [changed] * effects
        populations += [base, less] * ((n_regularizers - effects) // 2)
        rng = np.random.default_rng(seed)
        hits = 0
        for batch in batches(replications):
            baseline = base.draw(n_runs, rng, batch)
            matrices = []
            for population in populations:
                labels = np.concatenate([population.draw(n_runs, rng, batch), baseline], axis=1)
                matrices.append(pairwise(labels))
            for replication in range(batch):
                groups = {
                    str(index): TwoGroups(matrix[replication], np.zeros(2 * n_runs), n_runs)
                    for index, matrix in enumerate(matrices)
                }
                compared = compare_with_baseline(groups)
                hits += any(
                    compared[str(index)].status != "undecided"
                    for index in range(effects, n_regularizers)
                )
        found.append(
            Rate(
                f"any of {n_regularizers - effects} called better or worse",
                f"{setting}, {effects} others with an effect" if effects else setting,
                str(n_runs),
                hits,
                replications,
                *FAMILY,
            )
        )
    return found


def accuracy(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    runs: Sequence[int] = RUNS,
) -> list[Rate]:
    """How often accuracy is called not inferior, and inferior, that is lower by exactly the margin."""
    found = []
    for setting, n_runs in itertools.product(settings, runs):
        base = make_population(setting, N_SAMPLES)
        own = base.with_accuracy(-0.005)
        margin = base.truth.accuracy - own.truth.accuracy
        hits = {"not inferior": 0, "inferior": 0}
        for groups in two_groups((own, n_runs), (base, n_runs), replications, seed):
            bounds = changes(groups)[3]
            hits["not inferior"] += bounds.low > -margin
            hits["inferior"] += bounds.high < -margin
        high = 0.065 if setting != OUTLIERS else None
        found += [
            Rate(
                f"accuracy called {word}, at the margin",
                setting,
                str(n_runs),
                count,
                replications,
                None,
                high,
            )
            for word, count in hits.items()
        ]
    return found


def power(replications: int, seed: int) -> list[Rate]:
    """How often a change of PD is found; for information."""
    found = []
    for setting, n_runs, factor in itertools.product(SETTINGS, (5, 12), (1.25, 1.5)):
        base = make_population(setting, N_SAMPLES)
        own = base.with_difference(factor)
        hits = sum(
            permutation_test(groups.differences, n_runs).p_value <= 0.05
            for groups in two_groups((own, n_runs), (base, n_runs), replications, seed)
        )
        case = f"{setting}, PD × {factor:g}"
        found.append(Rate("permutation test rejects", case, str(n_runs), hits, replications))
    return found


def controls(replications: int, seed: int, runs: Sequence[int] = (5, 10, 20)) -> list[Rate]:
    """Pairs taken for a sample."""
    found = []
    base = make_population("moderate", N_SAMPLES)
    true = base.truth.prediction_difference
    for n_runs in runs:
        covering = rejecting = 0
        for groups in two_groups((base, n_runs), (base, n_runs), replications, seed):
            covering += covers(pairs_t_interval(groups.differences[:n_runs, :n_runs]), true)
            rejecting += pairs_rank_test(groups) <= 0.05
        for what, hits, goal in (
            ("t interval over pairs covers", covering, COVERAGE),
            ("Mann-Whitney over pairs rejects", rejecting, TYPE_1),
        ):
            found.append(
                Rate(what, "moderate", str(n_runs), hits, replications, *goal, control=True)
            )
    return found


SECTIONS: dict[str, tuple[str, Section]] = {
    "intervals": ("95% intervals of one regularizer", intervals),
    "differences": ("95% intervals of regularizer minus baseline", differences),
    "permutation": ("Permutation test, same PD, level 5%", permutation),
    "unlike": ("Permutation test, same PD, runs that vary unequally much", unlike),
    "family": ("Holm, level 5%", family),
    "accuracy": ("One-sided 95% bounds of accuracy", accuracy),
    "power": ("Power of the permutation test, level 5%", power),
    "controls": ("Controls", controls),
}


def all_sections() -> dict[str, tuple[str, Section]]:
    """The sections here, and those of the modules beside it that are there."""
    found = dict(SECTIONS)
    for name in ("calibration_gates", "calibration_attribution"):
        if importlib.util.find_spec(name) is not None:
            found |= importlib.import_module(name).SECTIONS
    return found


def main() -> int:
    """Simulate, print, and exit with 1 where a goal is missed."""
    sections = all_sections()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replications", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(sections), default=list(sections))
    asked = parser.parse_args()
    missed = 0
    for name in asked.only:
        title, section = sections[name]
        rates = section(asked.replications, asked.seed)
        print(report(title, rates), flush=True)
        missed += sum(rate.missed for rate in rates)
    print(f"{missed} missed" if missed else "nothing missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
