"""Simulated coverages and error rates, with what they are held to, as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate


@dataclass(frozen=True)
class Rate:
    """How often something happened in simulation.

    Attributes
    ----------
    what : str
        The statistic and the event, such as ``"PD interval covers"``.
    case : str
        What was simulated.
    runs : str
        Runs of the groups.
    hits, of : int
        How often it happened, in how many replications.
    low, high : float
        The goal. Both None where there is none and the rate is told for information.
    control : bool
        A method known to be wrong, which must miss the goal: the simulation would not notice otherwise.
    """

    what: str
    case: str
    runs: str
    hits: int
    of: int
    low: float | None = None
    high: float | None = None
    control: bool = False

    @property
    def value(self) -> float:
        """The rate."""
        return self.hits / self.of

    @property
    def error(self) -> float:
        """Its binomial standard error."""
        return math.sqrt(self.value * (1 - self.value) / self.of)

    @property
    def outside(self) -> float:
        """How far the rate is from its goal, 0 within it."""
        low = 0.0 if self.low is None else self.low
        high = 1.0 if self.high is None else self.high
        return max(low - self.value, self.value - high, 0.0)

    @property
    def met(self) -> bool:
        """Whether it is as it should be; a control should miss by far."""
        return self.outside > 4 * self.error if self.control else not self.outside

    @property
    def missed(self) -> bool:
        """Whether it is not as it should be, and by more than the simulation's own error explains."""
        return not self.met if self.control else self.outside > 2 * self.error

    @property
    def verdict(self) -> str:
        """A word for the table."""
        if self.low is None and self.high is None:
            return ""
        if self.control:
            return "control: fails" if self.met else "control: HOLDS"
        return "met" if self.met else "MISSED" if self.missed else "within error"

    @property
    def goal(self) -> str:
        """The goal in percent."""
        if self.low is None and self.high is None:
            return ""
        if self.low is None:
            return f"≤ {100 * (self.high or 0.0):g}"
        if self.high is None:
            return f"≥ {100 * self.low:g}"
        return f"{100 * self.low:g}–{100 * self.high:g}"


def report(title: str, rates: Sequence[Rate]) -> str:
    """A table in percent, with the standard error of each rate."""
    rows = [
        [
            rate.what,
            rate.case,
            rate.runs,
            f"{100 * rate.value:.1f} ±{100 * rate.error:.1f}",
            rate.goal,
            rate.verdict,
        ]
        for rate in rates
    ]
    headings = ["", "simulated", "runs", "%", "goal", ""]
    return f"{title}\n{tabulate(rows, headers=headings, disable_numparse=True)}\n"
