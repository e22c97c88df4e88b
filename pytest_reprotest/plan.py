"""The grid of runs, complete before anything trains."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_reprotest.options import Options
from pytest_reprotest.seeds import RunSeeds


@dataclass(frozen=True)
class Run:
    """One training, picklable: which regularizer, which run, which seeds."""

    regularizer: str
    index: int
    seeds: RunSeeds

    def __str__(self) -> str:
        return f"run {self.index} of {self.regularizer!r} (--repro-seed={self.seeds.base})"


@dataclass(frozen=True)
class Plan:
    """The runs of an audit, by regularizer, in the order they are reported."""

    regularizers: tuple[str, ...]
    runs: tuple[Run, ...]

    def of(self, regularizer: str) -> tuple[Run, ...]:
        """The runs of one regularizer."""
        return tuple(run for run in self.runs if run.regularizer == regularizer)

    def chunks(self, size: int) -> list[tuple[Run, ...]]:
        """The runs of each regularizer in parts of at most ``size``, as equal as they can be.

        >>> plan = make_plan(Options(runs=5), ["none"])
        >>> [len(chunk) for chunk in plan.chunks(4)]
        [3, 2]
        """
        found: list[tuple[Run, ...]] = []
        for label in self.regularizers:
            runs = self.of(label)
            count = -(-len(runs) // max(size, 1))
            each, more = divmod(len(runs), count)
            edges = [each * part + min(part, more) for part in range(count + 1)]
            found.extend(runs[start:end] for start, end in itertools.pairwise(edges))
        return found


def make_plan(options: Options, regularizers: Sequence[str]) -> Plan:
    """Every run of every regularizer, with its seeds.

    >>> plan = make_plan(Options(runs=2), ["none", "dropout"])
    >>> [str(run) for run in plan.of("dropout")]
    ["run 0 of 'dropout' (--repro-seed=0)", "run 1 of 'dropout' (--repro-seed=0)"]
    """
    seeds = [RunSeeds(options.seed, index, options.vary) for index in range(options.runs)]
    runs = tuple(Run(name, seed.run, seed) for name in regularizers for seed in seeds)
    return Plan(tuple(regularizers), runs)
