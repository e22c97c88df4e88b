"""What a number of runs can show, told before anything trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pytest_reprotest.statistics.intervals import CONFIDENCE, Estimate, allowance, reach, spread
from pytest_reprotest.statistics.permutation import ALPHA, MIN_RUNS, smallest_p

MOST_RUNS = 10_000  # what is not reached with these is not reached

TYPICAL = {
    "prediction_difference": (0.75, 0.18),
    "effective_accuracy": (0.7, 0.08),
    "accuracy": (0.5, 0.035),
}
"""Sampling and run effect a, b of σ_J / q = √(a² / (n q) + b²): the standard deviation of the pseudo-values
over the distance q from perfect (PD, 1 - ETA, 1 - accuracy), with n test samples.

Fitted to 20 trainings of MLPs with 60 or 100 runs each: those of the example on digits under its eleven
regularizers and stopped early, 360 test samples, and eight on MNIST, 100 to 10,000 of its test samples. Of
them 92%, 81% and 73% are within a factor of 1.5. A training with outlier runs is not: MNIST at a learning
rate of 0.5 has 2.5, 4 and 5 times as much.
"""


_OF_PAIRS = ("prediction_difference", "effective_accuracy")


def supported_regularizers(n_runs: int, n_baseline: int | None = None, alpha: float = ALPHA) -> int:
    """How many regularizers so many runs can carry: with more, Holm's first step is out of reach.

    >>> [supported_regularizers(n_runs) for n_runs in (3, 4, 5, 6)]
    [0, 1, 6, 23]
    """
    p = smallest_p(n_runs, n_baseline)
    return 0 if math.isnan(p) else math.floor(alpha / p + 1e-9)


def runs_for_regularizers(n_regularizers: int, alpha: float = ALPHA) -> int | None:
    """The fewest runs, of each and of the baseline, that can carry so many regularizers; None if none can.

    >>> [runs_for_regularizers(count) for count in (1, 6, 7, 10)]
    [4, 5, 6, 6]
    """
    for n_runs in range(2, 20):
        if supported_regularizers(n_runs, alpha=alpha) >= n_regularizers:
            return n_runs
    return None


def half_width(sigma: float, n_runs: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of the interval to expect, (1 + 1/(2R)) · t_{R-1} · σ_J / √R; NaN below 3 runs.

    Parameters
    ----------
    sigma : float
        Standard deviation of the pseudo-values, σ_J: `pilot_sigma` of an earlier audit, or
        `typical_sigma`.

    >>> round(half_width(0.01, 5), 4), round(half_width(0.01, 10), 4)
    (0.0137, 0.0075)
    """
    if n_runs < MIN_RUNS:
        return math.nan
    return float(allowance(n_runs) * reach(sigma, n_runs, (1 - confidence) / 2))


def runs_for_half_width(sigma: float, wanted: float, confidence: float = CONFIDENCE) -> int | None:
    """The fewest runs, at least 3, whose interval is at most ± ``wanted``; None above 10,000.

    >>> runs_for_half_width(0.01, 0.005), runs_for_half_width(0.01, 0.0)
    (19, None)
    """
    runs = np.arange(MIN_RUNS, MOST_RUNS + 1)
    t = stats.t.ppf(0.5 + confidence / 2, runs - 1)
    enough = runs[allowance(runs) * t * sigma / np.sqrt(runs) <= wanted]
    return int(enough[0]) if enough.size else None


def typical_sigma(metric: str, value: float, n_samples: int) -> float:
    """The σ_J to expect of a metric at a value, where no pilot says better; NaN for other metrics.

    >>> round(typical_sigma("prediction_difference", 0.04, 1000), 4)
    0.0086
    """
    if metric not in TYPICAL:
        return math.nan
    distance = from_perfect(metric, value)
    if distance <= 0:
        return 0.0
    sampling, effect = TYPICAL[metric]
    return distance * math.sqrt(sampling**2 / (n_samples * distance) + effect**2)


def from_perfect(metric: str, value: float) -> float:
    """How far a value is from that of runs that are always right: PD, 1 - ETA, 1 - accuracy."""
    return value if metric == "prediction_difference" else 1 - value


@dataclass(frozen=True)
class Pilot:
    """What an earlier audit found of one metric; ``sigma`` is the standard deviation of its pseudo-values."""

    value: float
    sigma: float

    @classmethod
    def of(cls, estimate: Estimate, n_runs: int) -> Pilot:
        """From an estimate and the number of runs behind it."""
        return cls(estimate.value, spread(estimate, n_runs) if n_runs > 1 else math.nan)


@dataclass(frozen=True)
class Asked:
    """A threshold that the audit will be held against.

    Attributes
    ----------
    name : str
        As the user wrote it, such as ``"max_prediction_difference"``.
    metric : str
        The statistic it bounds, such as ``"prediction_difference"``.
    value : float
        The limit.
    regularizer : str
        Whose limit it is, where several have their own.
    pilot : Pilot or None
        What an earlier audit found of that statistic.
    """

    name: str
    metric: str
    value: float
    regularizer: str = ""
    pilot: Pilot | None = None


def warnings_of(
    n_runs: int,
    n_regularizers: int,
    thresholds: Sequence[Asked] = (),
    n_samples: int | None = None,
    *,
    alpha: float = ALPHA,
) -> tuple[str, ...]:
    """What the planned audit can't answer, a sentence each; nothing where nothing was asked.

    Of several limits of one name that so few runs can't answer, the worst is named.

    Parameters
    ----------
    n_runs : int
        Runs of each regularizer and of the baseline.
    n_regularizers : int
        Regularizers that will be held against the baseline, which itself does not count. 0: none.
    thresholds : sequence of Asked
    n_samples : int, optional
        Size of the test set. Without it nothing is said of a threshold that has no pilot.

    >>> import textwrap
    >>> asked = Asked("max_prediction_difference", "prediction_difference", 0.04)
    >>> for sentence in warnings_of(3, 7, [asked], n_samples=360):
    ...     print(textwrap.fill(sentence, 99))
    3 runs can't show that a regularizer changes the prediction difference: the smallest p-value is
    0.1, and the level is 0.05; 6 runs can
    max_prediction_difference=0.04 allows 0.04, and 3 runs over 360 test samples typically give an
    interval that is wider there, ±0.031; with 4 runs it is narrower
    """
    told = [_too_few(n_runs, n_regularizers, alpha)]
    if n_runs < MIN_RUNS and any(asked.metric in _OF_PAIRS for asked in thresholds):
        told.append(
            f"{n_runs} runs give no interval of the prediction difference; {MIN_RUNS} runs do"
        )
    for name in dict.fromkeys(asked.name for asked in thresholds):
        told.append(_worst([a for a in thresholds if a.name == name], n_samples, n_runs))
    return tuple(sentence for sentence in told if sentence is not None)


def _worst(thresholds: Sequence[Asked], n_samples: int | None, n_runs: int) -> str | None:
    """The sentence about the limit that is farthest out of reach; None where all are within."""
    beyond: list[tuple[float, Asked]] = []
    for asked in thresholds:
        excess = _excess(asked, n_samples, n_runs)
        if excess > 1:
            beyond.append((excess, asked))
    if not beyond:
        return None
    _, worst = max(beyond, key=lambda each: each[0])
    differing = len({asked.value for asked in thresholds}) > 1
    whose = ""
    if worst.regularizer and len(thresholds) > 1 and (differing or worst.pilot):
        whose = f" for {worst.regularizer!r}"
        if len(beyond) > 1:
            whose += f", the worst of {len(beyond)} such,"
    if worst.pilot is not None:
        return _too_close(worst, worst.pilot, whose, n_runs)
    return _too_narrow(worst, whose, n_samples or 0, n_runs)


def _excess(asked: Asked, n_samples: int | None, n_runs: int) -> float:
    """How many times wider the interval to expect is than the limit has room for; 0 where unknown."""
    if asked.pilot is not None:
        distance = abs(asked.pilot.value - asked.value)
        width = half_width(asked.pilot.sigma, n_runs)
    elif n_samples is not None:
        distance = from_perfect(asked.metric, asked.value) / 2
        if distance <= 0:
            return 0.0
        width = half_width(typical_sigma(asked.metric, asked.value, n_samples), n_runs)
    else:
        return 0.0
    if math.isnan(width):
        return 0.0
    return width / distance if distance else math.inf


def _too_few(n_runs: int, n_regularizers: int, alpha: float) -> str | None:
    supported = supported_regularizers(n_runs, alpha=alpha)
    if n_regularizers <= supported:
        return None
    enough = runs_for_regularizers(n_regularizers, alpha)
    remedy = f"; {enough} runs can" if enough is not None else ""
    if supported:
        return (
            f"{n_runs} runs can carry {_count(supported, 'regularizer')} under Holm at the level "
            f"{alpha:g}, and {n_regularizers} are compared with the baseline: none may be found better "
            f"or worse{remedy}"
        )
    return (
        f"{n_runs} runs can't show that a regularizer changes the prediction difference: the smallest "
        f"p-value is {smallest_p(n_runs):.2g}, and the level is {alpha:g}{remedy}"
    )


def _too_close(asked: Asked, pilot: Pilot, whose: str, n_runs: int) -> str:
    """With a pilot: the interval to expect covers the limit, so the audit can't tell on which side it is."""
    distance = abs(pilot.value - asked.value)
    return (
        f"{asked.name}={asked.value:g}{whose} is {distance:.2g} from the {pilot.value:.4f} of the pilot, "
        f"and {n_runs} runs give ±{half_width(pilot.sigma, n_runs):.2g}: the interval will hold both"
        f"{_instead(runs_for_half_width(pilot.sigma, distance), 'does not')}"
    )


def _too_narrow(asked: Asked, whose: str, n_samples: int, n_runs: int) -> str:
    """Without one: an interval at the limit would be wider than all that the limit allows."""
    room = from_perfect(asked.metric, asked.value)
    sigma = typical_sigma(asked.metric, asked.value, n_samples)
    below = "" if asked.metric == "prediction_difference" else " below 1"
    return (
        f"{asked.name}={asked.value:g}{whose} allows {room:.2g}{below}, and {n_runs} runs over "
        f"{_count(n_samples, 'test sample')} typically give an interval that is wider there, "
        f"±{half_width(sigma, n_runs):.2g}{_instead(runs_for_half_width(sigma, room / 2), 'is narrower')}"
    )


def _instead(enough: int | None, what: str) -> str:
    return "" if enough is None else f"; with {enough} runs it {what}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
