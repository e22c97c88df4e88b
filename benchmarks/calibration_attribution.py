"""How often the interval of a rung's share covers, by simulation: a section of `calibration`.

    python benchmarks/calibration.py --only attribution --replications 1000

The runs of a rung vary one source and hold the others at those of run 0. So a run's noise here is the sum of two
independent parts, that of the source which varies alone and that of the others, and the share's true value is
that of a rung with the held part which was drawn: it is computed for each replication, sample by sample. Run 0 of
`all` has that very part, as in an audit. Within each part samples flip together in groups, and runs are unlike, as
in `simulation`; the runs of a rung are as unlike, against their own noise, as those of `all`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from calibration import COVERAGE, N_SAMPLES, OUTLIERS, SETTINGS, Section, batches
from numpy.typing import NDArray
from rates import Rate
from scipy import optimize, special
from simulation import Effect, Population, make_population, pairwise

from pytest_reprotest.metrics import Fractions, Labels
from pytest_reprotest.statistics.intervals import Estimate, jackknife
from pytest_reprotest.statistics.share import share

RUNS = (3, 5, 10, 20)
LEVELS = (0.1, 0.03, 0.01)
"""True prediction difference of `all`."""
PARTS = (0.9, 0.5, 0.1, 0.01)
"""Of the noise's variance, by the source that the rung varies."""

_NODES = 24
_SHARED = 0.3  # of each part's variance, by a group of samples
_GAP = 2.0  # score below the second candidate's range at which a run takes the third


def at_level(setting: str, difference: float) -> Population:
    """A population of a setting whose true prediction difference is ``difference``, 0 to 0.1.

    Badness is in units of the noise, so that runs are as unlike at every level.
    """
    base = make_population(setting, N_SAMPLES)

    def with_noise(noise: float) -> Population:
        return replace(
            base, noise=noise, effect=replace(base.effect, shift=base.effect.shift * noise)
        )

    def excess(noise: float) -> float:
        return with_noise(noise).truth.prediction_difference - difference

    return with_noise(float(optimize.brentq(excess, 1e-3, 1e2)))


@dataclass(frozen=True, eq=False)
class Ladder:
    """A training whose noise has two parts.

    Attributes
    ----------
    population : Population
        With everything varying.
    part : float
        Of its noise's variance, by the source that the rung varies; above 0, below 1.
    """

    population: Population
    part: float

    def noise(self, shape: tuple[int, int], rng: np.random.Generator) -> Fractions:
        """Standard normal noise (*shape, n_samples) that groups of samples share."""
        groups = self.population.groups
        shared = rng.standard_normal((*shape, groups.max() + 1), dtype=np.float32)[..., groups]
        own = rng.standard_normal((*shape, len(groups)), dtype=np.float32)
        noise: Fractions = (
            np.float32(_SHARED**0.5) * shared + np.float32((1 - _SHARED) ** 0.5) * own
        )
        return noise

    def draw(
        self, n_runs: int, rng: np.random.Generator, replications: int
    ) -> tuple[Labels, Labels, Fractions]:
        """Candidates of `all` and of the rung (replications, n_runs, n_samples), and what the rung holds
        (replications, n_samples).
        """
        population, shape = self.population, (replications, n_runs)
        others = self.noise(shape, rng)
        held = others[:, 0] * np.float32((1 - self.part) ** 0.5)
        everything = self.noise(shape, rng) * np.float32(self.part**0.5)
        everything += others * np.float32((1 - self.part) ** 0.5)
        every = self._labels(population.margins, population.noise, everything, rng)
        margins = population.margins + population.noise * held
        rung = self._labels(margins[:, None], self._own, self.noise(shape, rng), rng)
        return every, rung, margins

    @property
    def _own(self) -> float:
        """Noise of the rung's runs."""
        own: float = self.population.noise * self.part**0.5
        return own

    def _effect(self, noise: float) -> Effect:
        effect = self.population.effect
        return replace(effect, shift=effect.shift * noise / self.population.noise)

    def _labels(
        self, margins: Fractions, noise: float, drawn: Fractions, rng: np.random.Generator
    ) -> Labels:
        effect = self._effect(noise)
        badness = effect.badness(rng.standard_gamma(effect.shape, (*drawn.shape[:2], 1)))
        scores = drawn * (noise * np.exp(effect.scale * badness)).astype(np.float32)
        scores += (margins - effect.shift * badness).astype(np.float32)
        labels: NDArray[np.uint8] = (scores < 0).astype(np.uint8) + (scores < -_GAP)
        return labels

    def difference(self, margins: Fractions) -> float:
        """The true prediction difference of a rung with these margins (n_samples,)."""
        return float(np.mean(1 - (self.chances(margins) ** 2).sum(axis=1)))

    def partly(self, margins: Fractions, first: Labels, still: float) -> float:
        """That of a rung whose runs are its first one (n_samples,) again with a chance of ``still``."""
        from_first = 1 - np.take_along_axis(self.chances(margins), first[:, None].astype(int), 1)
        moved = (1 - still) ** 2 * self.difference(margins)
        return 2 * still * (1 - still) * float(from_first.mean()) + moved

    def chances(self, margins: Fractions) -> Fractions:
        """The chance of each candidate in a run of the rung with these margins, (n_samples, 3)."""
        effect = self._effect(self._own)
        nodes, weights = special.roots_genlaguerre(_NODES, effect.shape - 1)
        badness = effect.badness(nodes)
        noise = self._own * np.exp(effect.scale * badness)
        score = margins[:, None] - effect.shift * badness
        first = special.ndtr(score / noise) @ weights / weights.sum()
        third = special.ndtr((-_GAP - score) / noise) @ weights / weights.sum()
        return np.stack([first, 1 - first - third, third], axis=1)


def difference(differences: Fractions) -> Estimate:
    """The package's estimate of a prediction difference, from the fractions of each two runs."""
    n_runs = len(differences)
    rows = differences.sum(axis=1)
    value = rows.sum() / (n_runs * (n_runs - 1))
    return jackknife(value, (rows.sum() - 2 * rows) / ((n_runs - 1) * (n_runs - 2)))


def shares(
    replications: int,
    seed: int,
    settings: Sequence[str] = (*SETTINGS, OUTLIERS),
    levels: Sequence[float] = LEVELS,
    parts: Sequence[float] = PARTS,
    runs: Sequence[int] = RUNS,
) -> list[Rate]:
    """Intervals of shares, where the estimate has one.

    Told for information where fewer than half of the estimates do, since so few runs differ on so few samples,
    and of 3 runs from above: a t quantile of 2 to 4 degrees of freedom is wide whatever happens.
    """
    found = []
    for setting, level, part, n_runs in itertools.product(settings, levels, parts, runs):
        ladder = Ladder(at_level(setting, level), part)
        rng = np.random.default_rng(seed)
        given = hits = 0
        for batch in batches(replications):
            every, rung, margins = ladder.draw(n_runs, rng, batch)
            for whole, own, held in zip(pairwise(every), pairwise(rung), margins, strict=True):
                estimate = share(difference(own), difference(whole), (n_runs, n_runs), N_SAMPLES)
                if np.isnan(estimate.low):
                    continue
                given += 1
                true = ladder.difference(held) / level
                hits += estimate.low <= true <= estimate.high
        low, high = COVERAGE if n_runs > RUNS[0] else (COVERAGE[0], None)
        held_to = (low, high) if given * 2 >= replications else (None, None)
        found.append(
            Rate(
                "interval of a share covers",
                f"{setting}, PD {level:g}, {100 * part:g}% of the variance",
                str(n_runs),
                hits,
                max(given, 1),
                *held_to,
            )
        )
    return found


def nudged(
    replications: int,
    seed: int,
    settings: Sequence[str] = SETTINGS,
    levels: Sequence[float] = LEVELS[:2],
    stills: Sequence[float] = (0.2, 0.5, 0.8),
    runs: Sequence[int] = RUNS,
) -> list[Rate]:
    """Intervals of the share of one ulp, which is lost in some runs: they are the first one again.

    Told for information; a few runs, most of which are alike, can't show how the others differ.
    """
    found = []
    for setting, level, still, n_runs in itertools.product(settings, levels, stills, runs):
        ladder = Ladder(at_level(setting, level), PARTS[1])
        rng = np.random.default_rng(seed)
        given = hits = 0
        for batch in batches(replications):
            every, rung, margins = ladder.draw(n_runs, rng, batch)
            lost = rng.random((batch, n_runs, 1)) < still
            rung = np.where(lost, rung[:, :1], rung)
            drawn = zip(pairwise(every), pairwise(rung), rung[:, 0], margins, strict=True)
            for whole, own, first, held in drawn:
                estimate = share(difference(own), difference(whole), (n_runs, n_runs), N_SAMPLES)
                if np.isnan(estimate.low):
                    continue
                given += 1
                true = ladder.partly(held, first, still) / level
                hits += estimate.low <= true <= estimate.high
        case = f"{setting}, PD {level:g}, lost in {100 * still:g}% of the runs"
        found.append(Rate("interval of a share covers", case, str(n_runs), hits, max(given, 1)))
    return found


SECTIONS: dict[str, tuple[str, Section]] = {
    "attribution": ("95% intervals of a rung's share of the prediction difference", shares),
    "nudged": ("95% intervals of the share of one ulp that is lost in some runs", nudged),
}
