"""Simulated runs with known truth: what the error rates of intervals and tests are measured on.

A population is a fixed test set and a training whose runs can be drawn at will. It is made to break what
the estimators assume:

- Runs are not alike. A run has a badness, drawn from a skewed distribution; a bad run flips more often and
  is less accurate. `SETTINGS` names strengths of this run effect.
- Samples are not independent. They come in groups of very unequal sizes, and the samples of a group tend to
  flip together in a run.
- Samples and classes are not alike. Most samples never flip, a few flip in every other run; large classes
  are easy and small ones hard.

Each sample has three candidate labels. A run scores it by its margin, plus the run's shift, plus noise that
the group shares in part; the score picks the candidate. Runs are independent, so the true values follow
from each sample's label probabilities, which are integrals over the badness alone (`Population.truth`).

    rng = np.random.default_rng(0)
    labels, y_true = simulate(10, 1000, rng, setting="strong")            # (10, 1000)
    base = make_population("moderate", n_samples=1000)
    many = base.draw(10, rng, replications=500)                           # (500, 10, 1000)
    other = base.with_difference(1.25).with_accuracy(-0.01)               # PD × 1.25, accuracy - 1 point
    matrices = pairwise(many)                                             # (500, 10, 10)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from pytest_reprotest.metrics import Fractions, Labels

_CANDIDATES = 3
_GAP = 2.0  # score below the second candidate's range at which a run takes the third
_NODES = 60
_SHARED = 0.3  # of the noise variance, by a group of samples
_BLOCK = 4_000_000  # scores drawn at a time: bounds memory


@dataclass(frozen=True)
class Effect:
    """How runs differ from each other, by one standard deviation of badness.

    Attributes
    ----------
    scale : float
        Change of the logarithm of the noise: bad runs flip more often.
    shift : float
        Fall of all margins, in units of the noise: bad runs are less accurate.
    shape : float
        Of the gamma distribution of badness, whose skewness is 2 / √shape.
    """

    scale: float
    shift: float
    shape: float = 2.0

    def badness(self, standard_gamma: Fractions) -> Fractions:
        """Badness of mean 0 and variance 1 from draws, or nodes, of the standard gamma distribution."""
        badness: Fractions = (standard_gamma - self.shape) / np.sqrt(self.shape)
        return badness


SETTINGS = {
    "none": Effect(0.0, 0.0),
    "moderate": Effect(0.10, 0.05),
    "strong": Effect(0.15, 0.15, shape=4.0),
    "outliers": Effect(0.30, 0.15),
}
"""By what was measured: SD of the pseudo-values of PD over PD, SD of accuracy over error, and the skewness
of both, of 60 or 100 runs.

- moderate (0.19, 0.08, 1.2, -0.6): MLPs on MNIST, 10,000 test samples, are at 0.15 to 0.25, 0.02 to 0.08,
  0.1 to 1.5 and -1.6 to -0.1.
- strong (0.34, 0.14, 1.5, -0.8 with 360 samples): digits stopped after 6 epochs, 360 test samples, is at
  0.28, 0.16, 0.9 and -0.8.
- outliers (0.48, 0.17, 2.3, -2.0): MNIST at a learning rate of 0.5, where a run in twenty goes astray, is at
  0.45, 0.20, 4.2 and -4.0. Few runs cannot show such a tail, and no interval over runs knows of it.
"""


@dataclass(frozen=True)
class Truth:
    """True values for further runs on this test set; fractions of samples, the ratio apart."""

    prediction_difference: float
    accuracy: float

    @property
    def effective_accuracy(self) -> float:
        """Accuracy minus prediction difference."""
        return self.accuracy - self.prediction_difference

    @property
    def difference_error_ratio(self) -> float:
        """Prediction difference over error."""
        return self.prediction_difference / (1 - self.accuracy)


@dataclass(frozen=True, eq=False)
class Population:
    """A fixed test set and a training whose runs can be drawn at will.

    Attributes
    ----------
    candidates : uint8 array (n_samples, 3)
        The labels a sample may get, the likeliest first.
    margins : float array (n_samples,)
        How far the first candidate is ahead, in units of the noise.
    groups : int array (n_samples,)
        Samples of a group tend to flip together.
    y_true : uint8 array (n_samples,)
    effect : Effect
        How runs differ.
    noise : float
        Standard deviation of the scores' noise in a run of average badness.
    """

    candidates: NDArray[np.uint8]
    margins: Fractions
    groups: NDArray[np.intp]
    y_true: NDArray[np.uint8]
    effect: Effect
    noise: float = 1.0

    @property
    def n_samples(self) -> int:
        """Samples of the test set."""
        return len(self.margins)

    def draw(self, n_runs: int, rng: np.random.Generator, replications: int = 1) -> Labels:
        """Labels of fresh runs, uint8 array (replications, n_runs, n_samples)."""
        labels = np.empty((replications * n_runs, self.n_samples), dtype=np.uint8)
        step = max(_BLOCK // self.n_samples, 1)
        columns = np.arange(self.n_samples)
        flat = self.candidates.ravel()
        for start in range(0, len(labels), step):
            runs = min(step, len(labels) - start)
            badness = self.effect.badness(rng.standard_gamma(self.effect.shape, (runs, 1)))
            shared = rng.standard_normal((runs, self.groups.max() + 1), dtype=np.float32)
            scores = rng.standard_normal((runs, self.n_samples), dtype=np.float32)
            scores *= np.float32(np.sqrt(1 - _SHARED))
            scores += np.float32(np.sqrt(_SHARED)) * shared[:, self.groups]
            scores *= (self.noise * np.exp(self.effect.scale * badness)).astype(np.float32)
            scores += (self.margins - self.effect.shift * badness).astype(np.float32)
            candidate = (scores < 0).astype(np.uint8) + (scores < -_GAP)
            labels[start : start + runs] = flat[_CANDIDATES * columns + candidate]
        return labels.reshape(replications, n_runs, self.n_samples)

    @property
    def probabilities(self) -> Fractions:
        """The chance that a run gives a sample each candidate, float array (n_samples, 3)."""
        nodes, weights = special.roots_genlaguerre(_NODES, self.effect.shape - 1)
        badness = self.effect.badness(nodes)
        noise = self.noise * np.exp(self.effect.scale * badness)
        score = self.margins[:, None] - self.effect.shift * badness
        first = special.ndtr(score / noise) @ weights / weights.sum()
        third = special.ndtr((-_GAP - score) / noise) @ weights / weights.sum()
        return np.stack([first, 1 - first - third, third], axis=1)

    @property
    def truth(self) -> Truth:
        """True prediction difference and accuracy: two fresh runs are independent, sample by sample."""
        chances = self.probabilities
        differing = 1 - (chances**2).sum(axis=1)
        right = np.where(self.candidates == self.y_true[:, None], chances, 0).sum(axis=1)
        return Truth(float(differing.mean()), float(right.mean()))

    def with_difference(self, factor: float) -> Population:
        """A training whose true prediction difference is ``factor`` times this one's.

        Its noise is larger or smaller; its accuracy moves along, as it does in practice.
        """
        wanted = factor * self.truth.prediction_difference

        def excess(noise: float) -> float:
            return replace(self, noise=noise).truth.prediction_difference - wanted

        return replace(self, noise=float(optimize.brentq(excess, 1e-3, 1e3, xtol=1e-12)))

    def with_accuracy(self, points: float, seed: int = 0) -> Population:
        """A training whose true accuracy is lower by the fraction ``-points``, to within a sample.

        The first two candidates of some samples are swapped, so that every sample flips as before: the
        true prediction difference is the same, but runs of the two trainings differ systematically.
        """
        if points > 0:
            raise ValueError(f"points is {points}; accuracy can only be lowered")
        chances = self.probabilities
        loss = np.where(self.candidates[:, 0] == self.y_true, chances[:, 0] - chances[:, 1], 0)
        order = np.random.default_rng(seed).permutation(np.flatnonzero(loss > 0))
        lost = loss[order].cumsum()
        swapped = order[: np.searchsorted(lost, -points * self.n_samples)]
        candidates = self.candidates.copy()
        candidates[swapped, :2] = candidates[swapped, 1::-1]
        return replace(self, candidates=candidates)


def make_population(
    setting: str = "moderate",
    n_samples: int = 1000,
    *,
    n_classes: int = 10,
    noise: float = 1.0,
    seed: int = 0,
) -> Population:
    """A population of a named setting; settings of one seed and size share their test set.

    At ``noise=1`` accuracy is about 0.87 and the prediction difference about 0.1.
    """
    rng = np.random.default_rng(seed)
    shares = 0.75 ** np.arange(n_classes)
    y_true = rng.choice(n_classes, size=n_samples, p=shares / shares.sum())
    # one scale a class: the smallest has a third of the largest one's margins
    margins = rng.gamma(0.8, np.linspace(12.0, 4.0, n_classes)[y_true])
    others = np.argsort(rng.random((n_samples, n_classes - 1)), axis=1)[:, : _CANDIDATES - 1]
    others += others >= y_true[:, None]
    candidates = np.column_stack([y_true, others])
    # the narrower the margin, the likelier the first candidate is a wrong label
    wrong = rng.random(n_samples) < 0.4 * np.exp(-margins / 2)
    candidates[wrong, :2] = candidates[wrong, 1::-1]
    weights = 1 / np.arange(1.0, 1 + max(n_samples // 10, 1))
    groups = rng.choice(len(weights), size=n_samples, p=weights / weights.sum())
    return Population(
        candidates.astype(np.uint8),
        margins,
        groups,
        y_true.astype(np.uint8),
        SETTINGS[setting],
        noise,
    )


def simulate(
    n_runs: int,
    n_samples: int,
    rng: np.random.Generator,
    *,
    setting: str = "moderate",
    noise: float = 1.0,
    seed: int = 0,
) -> tuple[Labels, Labels]:
    """Labels (n_runs, n_samples) of fresh runs, and y_true (n_samples,)."""
    population = make_population(setting, n_samples, noise=noise, seed=seed)
    return population.draw(n_runs, rng)[0], population.y_true


def pairwise(labels: Labels) -> Fractions:
    """Fractions of samples on which each two runs differ.

    Parameters
    ----------
    labels : int array (replications, n_runs, n_samples)

    Returns
    -------
    float64 array (replications, n_runs, n_runs), symmetric, zero diagonal.
    """
    n_samples = labels.shape[-1]
    agreeing: Fractions = np.zeros((len(labels), labels.shape[1], labels.shape[1]))
    for label in np.unique(labels):
        indicator = (labels == label).astype(np.float32)
        agreeing += indicator @ indicator.swapaxes(1, 2)
    differences: Fractions = (n_samples - agreeing) / n_samples
    return differences


def accuracies(labels: Labels, y_true: Labels) -> Fractions:
    """Accuracy of each run, float64 array (replications, n_runs)."""
    scores: Fractions = (labels == y_true).mean(axis=-1)
    return scores
