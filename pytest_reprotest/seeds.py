"""Named random streams: one per (base seed, run, source), derived before any fan-out.

A source that does not vary takes run 0's stream in every run. A stream depends on nothing else, so any
run can be replayed alone, on any worker, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pytest_reprotest.errors import OptionError, did_you_mean

SOURCES = ("init", "data_order", "noise")
"""Variance sources: initial weights; order of the training samples; dropout, stochastic depth, augmentation."""

ONE_ULP = "one_ulp"
"""A pseudo source, of attribution alone: which initial weight of a run is moved by one ulp."""

_ANY = len(SOURCES)  # spawn key of the one seed for code that knows no sources
_KEYS = {**{source: key for key, source in enumerate(SOURCES)}, ONE_ULP: _ANY + 1}


def check_sources(vary: Iterable[str]) -> tuple[str, ...]:
    """Return the sources in canonical order; refuse unknown names.

    >>> check_sources(["noise", "init"])
    ('init', 'noise')
    """
    wanted = list(vary)
    for name in wanted:
        if name not in SOURCES:
            raise OptionError(
                f"unknown variance source {name!r}; expected any of {', '.join(SOURCES)}, "
                f"or 'all' or 'none'.{did_you_mean(name, (*SOURCES, 'all', 'none'))}"
            )
    return tuple(source for source in SOURCES if source in wanted)


@dataclass(frozen=True)
class RunSeeds:
    """The random streams of one run.

    Attributes
    ----------
    base : int
        The audit's seed (``--repro-seed``), 0 or more.
    run : int
        The run's index, from 0.
    vary : tuple of str
        The sources that differ between runs; in attribution it may be ``ONE_ULP`` alone.
    """

    base: int
    run: int
    vary: tuple[str, ...] = SOURCES

    def sequence(self, source: str) -> np.random.SeedSequence:
        """The seed sequence of a source.

        >>> fixed = RunSeeds(base=0, run=3, vary=("init",))
        >>> first = RunSeeds(base=0, run=0)
        >>> fixed.seed("data_order") == first.seed("data_order"), fixed.seed("init") == first.seed("init")
        (True, False)
        """
        run = self.run if source in self.vary else 0
        return np.random.SeedSequence(self.base, spawn_key=(run, _KEYS[source]))

    def seed(self, source: str) -> int:
        """A 63-bit integer seed of a source, for any library's generator."""
        return _as_int(self.sequence(source))

    @property
    def combined(self) -> int:
        """One seed for code that knows no sources: it differs between runs where every source varies,
        and is run 0's where none does.

        Raises
        ------
        OptionError
            Where some sources vary and others don't: one number cannot say that.
        """
        if self.vary and self.vary != SOURCES:
            raise OptionError(
                f"run.seed is one number, so it cannot vary only {', '.join(self.vary)}. "
                "Use run.generator(source) for each source, or vary='all' or 'none'."
            )
        run = self.run if self.vary else 0
        return _as_int(np.random.SeedSequence(self.base, spawn_key=(run, _ANY)))


def _as_int(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
