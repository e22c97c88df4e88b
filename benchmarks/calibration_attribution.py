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
        noise: Fractions = np.float32(_SHARED**0.5) * shared + np.float32((1 - _SHARED) ** 0.5) * own
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
        return self.population.noise * self.part**0.5

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
        effect = self._effect(self._own)
        nodes, weights = special.roots_genlaguerre(_NODES, effect.shape - 1)
        badness = effect.badness(nodes)
        noise = self._own * np.exp(effect.scale * badness)
        score = margins[:, None] - effect.shift * badness
        first = special.ndtr(score / noise) @ weights / weights.sum()
        third = special.ndtr((-_GAP - score) / noise) @ weights / weights.sum()
        second = 1 - first - third
        return float((1 - first**2 - second**2 - third**2).mean())
