"""Decisions with confidence, at planned looks.

A limit passes once a one-sided bound is inside it, fails once the bound of the other side is outside, and
is undecided until then. Each look at the runs is a further chance to be wrong, so the looks share the error
that is allowed: Lan & DeMets, *Discrete Sequential Boundaries for Clinical Trials* (1983), with a spending
function of Pocock's type, which can stop early. The levels are solved for the sequence of t statistics
itself, by simulation with a fixed seed: the normal approximation is far off at 3 runs.

Runs are not normal. Bad runs make a long tail, and a few runs tend to miss it: they look good and alike. A
fail is hardly ever wrong for that reason, a pass is, in 12% of audits where 5% were meant (strong run
effect, looks at 3, 5, 8, 12 and 20), and in 19% where a run in twenty goes astray. So the levels of a pass
are solved for runs with an exponential tail on the bad side.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from pytest_reprotest.errors import OptionError
from pytest_reprotest.statistics.intervals import CONFIDENCE

PLANNED = (3, 5, 8, 12, 20)  # beyond: the same times 10, times 100, …
TAIL = 2.0  # skewness of runs on the bad side that a pass allows for: exponential
CHANCE = 0.8  # of a decision, at the number of runs that is advised
MOST_RUNS = 1000  # advice beyond this is none

_SEED = 20240229
_DRAWS = 4_000_000
_PATHS = (20_000, 200_000)


def looks(runs: int, max_runs: int) -> tuple[int, ...]:
    """The numbers of runs at which an adaptive audit is judged.

    The first is ``runs`` (3 where that is 2, since 2 runs have no interval), the last ``max_runs``; between
    them 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300 and so on.

    Raises
    ------
    OptionError
        Where ``max_runs`` is below ``runs``.

    >>> looks(5, 20), looks(3, 40), looks(10, 10)
    ((5, 8, 12, 20), (3, 5, 8, 12, 20, 30, 40), (10,))
    """
    if max_runs < runs:
        raise OptionError(
            f"max_runs={max_runs} is below runs={runs}; expected at least as many. Raise max_runs, or "
            "leave it out to train a fixed number of runs"
        )
    first = min(max(runs, PLANNED[0]), max_runs)
    planned = (number * 10**power for power in itertools.count() for number in PLANNED)
    between = itertools.takewhile(lambda number: number < max_runs, planned)
    return tuple(dict.fromkeys([first, *(n for n in between if n > first), max_runs]))


def spent(fraction: float, alpha: float) -> float:
    """The error that may be used up once a fraction of ``max_runs`` is trained: α ln(1 + (e - 1) f).

    >>> round(spent(0.25, 0.05), 4), spent(1.0, 0.05)
    (0.0179, 0.05)
    """
    return alpha * math.log1p((math.e - 1) * fraction)


@functools.cache
def levels(planned: tuple[int, ...], alpha: float, skewness: float = 0.0) -> tuple[float, ...]:
    """The one-sided nominal level of each look, so that all looks together err with probability alpha.

    Parameters
    ----------
    planned : tuple of int
        Runs at each look, increasing, at least 2.
    alpha : float
        Chance that any look decides wrongly, with the truth at the limit.
    skewness : float
        Of the runs, towards the side that the decision speaks against. 0 is normal; else a gamma
        distribution.

    Returns
    -------
    tuple of float, the level of the t quantile at each look. One look at normal runs has alpha itself.

    >>> levels((10,), 0.05)
    (0.05,)
    >>> [round(level, 3) for level in levels((5, 8, 12, 20), 0.05)]
    [0.017, 0.013, 0.016, 0.022]
    """
    if len(planned) == 1 and not skewness:
        return (alpha,)
    rng = np.random.default_rng(_SEED)
    paths = int(np.clip(_DRAWS // planned[-1], *_PATHS))
    total, squares = np.zeros(paths), np.zeros(paths)
    undecided = np.ones(paths, dtype=bool)
    found = []
    for before, runs in itertools.pairwise((0, *planned)):
        shape = (paths, runs - before)
        if skewness:
            # mean 0; the scale is nothing to a t statistic
            added = rng.standard_gamma(4 / skewness**2, shape) - 4 / skewness**2
        else:
            added = rng.standard_normal(shape)
        total += added.sum(axis=1)
        squares += (added**2).sum(axis=1)
        variance = (squares - total**2 / runs) / (runs - 1)
        t = np.where(undecided, -total / np.sqrt(runs * variance), -np.inf)
        allowed = round(spent(runs / planned[-1], alpha) * paths) - int((~undecided).sum())
        critical = float(np.partition(t, -allowed - 1)[-allowed - 1])
        undecided &= t <= critical
        found.append(float(stats.t.sf(critical, runs - 1)))
    return tuple(found)


@dataclass(frozen=True)
class Decision:
    """How limits are decided.

    Attributes
    ----------
    kind : {"point", "confidence"}
        Compare the estimate with the limit, or its one-sided bounds.
    confidence : float
        One less the chance of a wrong pass, and of a wrong fail, over all looks. Above 0.5, below 1.
    looks : tuple of int
        Runs at each planned look, from `looks`. Empty: one look, at the runs there are.
    """

    kind: Literal["point", "confidence"] = "point"
    confidence: float = CONFIDENCE
    looks: tuple[int, ...] = ()

    def last(self, n_runs: int) -> bool:
        """Whether no look is planned after this one."""
        return not self.looks or n_runs >= self.looks[-1]

    def levels(self, n_runs: int, limits: int = 1) -> tuple[float, float]:
        """The one-sided levels at a look: of a pass, and of a fail.

        A pass needs every limit inside, so it takes no sharing. Any of several limits can fail an audit, so
        the error of a fail is divided by their number.

        >>> passing, failing = Decision("confidence", looks=(5, 8, 12, 20)).levels(8)
        >>> round(passing, 4), round(failing, 3)
        (0.0003, 0.013)
        """
        planned = self.looks or (n_runs,)
        if n_runs not in planned:
            raise ValueError(f"no look is planned at {n_runs} runs; expected one of {planned}")
        alpha = round(1 - self.confidence, 12)
        at = planned.index(n_runs)
        return levels(planned, alpha, TAIL)[at], levels(planned, alpha / limits)[at]


def runs_to_decide(distance: float, spread: float, level: float) -> int | None:
    """Runs at which a bound of a level clears a limit with a chance of 80%, if the estimate holds.

    Parameters
    ----------
    distance : float
        From the estimate to the limit.
    spread : float
        Standard deviation of the pseudo-values.
    level : float
        One-sided.

    Returns
    -------
    int, the smallest R with (t_level + t_0.2) · spread / √R at most the distance, or None above 1000.

    >>> runs_to_decide(0.01, 0.01, 0.05), runs_to_decide(0.0, 0.01, 0.05)
    (8, None)
    """
    runs = np.arange(2, MOST_RUNS + 1)
    reach = stats.t.isf(level, runs - 1) + stats.t.ppf(CHANCE, runs - 1)
    enough = runs[reach * spread <= distance * np.sqrt(runs)]
    return int(enough[0]) if enough.size else None
