"""New runs of a training held against a bank of reference runs of it.

Does the change under test disagree with the bank more than the bank disagrees with itself? What is judged is
the excess: the mean difference of new runs from bank runs, less the mean difference of two bank runs.

- By rank, wherever that can fail. If the change does nothing, all runs are exchangeable, so any choice of as
  many of them was as likely to be the new ones: p is the share of choices whose excess is at least the
  observed one. That is exact for whatever distribution runs have. One new run is ranked so from a bank of 19
  at the level 0.05 (Vovk et al., *Algorithmic Learning in a Random World*, 2005), three from a bank of 4.
  Every choice is scored alike, by the runs left to it, so that no run is held against fewer than another.
- By a t statistic for smaller banks: the excess over s, the standard deviation of a bank run's own share of
  the difference, which is half that of the jackknife's pseudo-values. The quantile of Student's t is too
  small here: one bad run, from the long tail that runs have, is a false alarm. So it is solved by simulation
  with a fixed seed for runs with an exponential tail, as in `sequential`.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import Fractions
from pytest_reprotest.statistics.permutation import ALPHA, RESAMPLES
from pytest_reprotest.statistics.sequential import TAIL

MIN_BANK = 3  # below, nothing says how much bank runs vary
MIN_ALPHA = 0.001  # what is drawn can't tell smaller levels
EXACT_CHOICES = 20_000  # enumerated up to here: three new runs and a bank of 47

_DRAWS = 4_000_000
_PATHS = (20_000, 200_000)
_SEED = 20240229
_TIE = 1e-12  # differences are sums of fractions: ties are equal up to rounding


@dataclass(frozen=True)
class Gate:
    """New runs held against the bank.

    Attributes
    ----------
    method : {"rank", "t"}
    new : float
        Mean difference of a new run from a bank run, fraction of samples.
    bank : float
        Mean difference of two bank runs.
    limit : float
        Above it ``new`` fails: where it would if every difference of a new from a bank run moved alike.
    p_value : float
        One-sided, that new runs are as far from the bank's as those are from each other.
    exact : bool
        By rank with every choice counted; otherwise choices or runs were drawn, with a fixed seed.
    n_new, n_bank : int
        Runs.
    alpha : float
        Level of ``failed``: how often a change that does nothing fails.
    """

    method: Literal["rank", "t"]
    new: float
    bank: float
    limit: float
    p_value: float
    exact: bool
    n_new: int
    n_bank: int
    alpha: float = ALPHA

    @property
    def excess(self) -> float:
        """How much more a new run differs from the bank than the bank does from itself."""
        return self.new - self.bank

    @property
    def failed(self) -> bool:
        """Whether the change disagrees with the bank more than the bank disagrees with itself."""
        return self.p_value <= self.alpha

    def __str__(self) -> str:
        digits = 4 if (round(self.new, 4) > round(self.limit, 4)) == self.failed else 8
        new, bank, limit = (f"{x:.{digits}f}" for x in (self.new, self.bank, self.limit))
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.2g}"
        runs = "1 new run differs" if self.n_new == 1 else f"{self.n_new} new runs differ"
        how = "by rank" if self.method == "rank" else "by t"
        return (
            f"{runs} from the {self.n_bank} runs of the bank by {new}, and those from each other by {bank}; "
            f"expected at most {limit} ({p} {how}, level {self.alpha:g})"
        )


def bank_gate(
    differences: Fractions,
    n_new: int,
    alpha: float = ALPHA,
    seed: int = 0,
    one_flip: float = 0.0,
) -> Gate:
    """Whether the new runs disagree with the bank more than the bank disagrees with itself.

    Parameters
    ----------
    differences : float array (n_all, n_all)
        Fraction of samples on which two runs differ; symmetric, zero diagonal. New runs come first, the
        bank's after them.
    n_new : int
    alpha : float
        Chance that a change that does nothing fails.
    seed : int
        Of the choices that are drawn where there are too many to enumerate.
    one_flip : float
        By how much two runs differ, at the least, where they do: one sample. So much a bank run may vary,
        though all that were seen agree.

    Raises
    ------
    DataError
        Without a new run, or with fewer than 3 runs in the bank.

    The new run is the one that differs most from the others, of 20:

    >>> differences = 0.04 * (1 - np.eye(20))
    >>> differences[0, 1:] = differences[1:, 0] = 0.05
    >>> gate = bank_gate(differences, n_new=1)
    >>> gate.method, gate.p_value, gate.failed
    ('rank', 0.05, True)
    >>> print(gate)
    1 new run differs from the 19 runs of the bank by 0.0500, and those from each other by 0.0400; expected \
at most 0.0400 (p = 0.05 by rank, level 0.05)
    """
    n_bank = len(differences) - n_new
    if n_new < 1:
        raise DataError("no new run to hold against the bank; expected at least 1. Train one")
    if n_bank < MIN_BANK:
        raise DataError(
            f"the bank holds {n_bank} run{'' if n_bank == 1 else 's'}; expected at least {MIN_BANK}, since "
            "fewer don't say how much runs of it differ. Make a new bank with more runs"
        )
    if not MIN_ALPHA <= alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; expected {MIN_ALPHA} at least, and less than 0.5")
    new = float(differences[:n_new, n_new:].mean())
    bank = float(differences[n_new:, n_new:].sum()) / (n_bank * (n_bank - 1))
    by_rank = _can_fail_by_rank(n_new, n_bank, alpha)
    if by_rank:
        choices = _choices(n_new + n_bank, n_new, seed)
        rooms = _rooms(differences, choices, new - bank)
    else:
        spread = math.hypot(_run_spread(differences[n_new:, n_new:]), one_flip / math.sqrt(n_bank))
        rooms = spread * _null(n_bank, n_new) - (new - bank)
    among = 1 + len(rooms)
    allowed = _allowed(alpha, among)
    return Gate(
        method="rank" if by_rank else "t",
        new=new,
        bank=bank,
        limit=new + float(np.partition(rooms, -allowed)[-allowed]),
        p_value=(1 + int((rooms >= -_TIE).sum())) / among,
        exact=by_rank and math.comb(n_new + n_bank, n_new) <= EXACT_CHOICES,
        n_new=n_new,
        n_bank=n_bank,
        alpha=alpha,
    )


def _allowed(alpha: float, equally_likely: int) -> int:
    """How many of the largest of so many values fail."""
    return math.floor(alpha * equally_likely + 1e-9)


def _can_fail_by_rank(n_new: int, n_bank: int, alpha: float) -> bool:
    """Whether there are choices enough for the new runs to be among those that fail.

    Where the groups are of one size, the bank in place of the new runs can be as far out however much the
    new runs differ.
    """
    needed = 2 if n_new == n_bank else 1
    return _allowed(alpha, math.comb(n_new + n_bank, n_new)) >= needed


def _rooms(differences: Fractions, choices: NDArray[np.intp], excess: float) -> Fractions:
    """By how much more the new runs could differ from the bank before they are farther out than each choice.

    Negative where they already are. If all differences of new from bank runs grew by 1, the excess would
    too, and that of another choice by less.

    Parameters
    ----------
    choices : int array (n_choices, n_new)
        Runs in the place of the new ones; the new ones are the first.
    excess : float
        Of the new runs.
    """
    n_all, n_new = len(differences), choices.shape[1]
    n_bank = n_all - n_new
    kept = (choices < n_new).sum(axis=1)
    moved = n_new - kept
    growth = (kept * (n_bank - moved) + moved**2) / (n_new * n_bank)
    growth -= 2 * moved * (n_bank - moved) / (n_bank * (n_bank - 1))
    ahead = _excesses(differences, choices) - excess
    ever = np.where(ahead >= -_TIE, np.inf, -np.inf)
    rooms: Fractions = np.divide(ahead, 1 - growth, out=ever, where=growth < 1 - _TIE)
    return rooms


def _excesses(differences: Fractions, choices: NDArray[np.intp]) -> Fractions:
    """The excess if other runs were the new ones, by choice (n_choices, n_new)."""
    n_all, n_new = len(differences), choices.shape[1]
    n_bank = n_all - n_new
    inside = differences[choices[:, :, None], choices[:, None, :]].sum(axis=(1, 2))
    rows = differences.sum(axis=1)[choices].sum(axis=1)
    between = (rows - inside) / (n_new * n_bank)
    within = (differences.sum() - 2 * rows + inside) / (n_bank * (n_bank - 1))
    excesses: Fractions = between - within
    return excesses


@functools.lru_cache(maxsize=4)
def _choices(n_all: int, n_new: int, seed: int) -> NDArray[np.intp]:
    """Other runs to be the new ones, int (n_choices, n_new): every choice, or random ones if too many."""
    if math.comb(n_all, n_new) <= EXACT_CHOICES:
        return np.array(list(itertools.combinations(range(n_all), n_new))[1:], dtype=np.intp)
    ranks = np.random.default_rng(seed).random((RESAMPLES, n_all)).argsort(axis=1)
    return ranks[:, :n_new]


def _run_spread(bank: Fractions) -> float:
    """Standard deviation over bank runs of what a run adds to its difference from others.

    Half that of the pseudo-values R θ - (R - 1) θ_(-i) of the bank's prediction difference, since a pair has
    two runs.
    """
    n_bank = len(bank)
    return float(bank.sum(axis=1).std(ddof=1)) / (n_bank - 2)


@functools.lru_cache(maxsize=32)
def _null(n_bank: int, n_new: int) -> Fractions:
    """The mean of new runs less that of bank runs, in standard deviations of the bank runs.

    Runs are of a gamma distribution with skewness `TAIL` towards more difference.
    """
    rng = np.random.default_rng(_SEED)
    paths = int(np.clip(_DRAWS // (n_bank + n_new), *_PATHS))
    shape = 4 / TAIL**2
    bank = rng.standard_gamma(shape, (paths, n_bank))
    new = rng.standard_gamma(shape, (paths, n_new)).mean(axis=1)
    null: Fractions = (new - bank.mean(axis=1)) / bank.std(axis=1, ddof=1)
    return null
