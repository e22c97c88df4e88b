"""The grid of runs, complete before anything trains."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_reprotest.options import Options
from pytest_reprotest.seeds import RunSeeds


@dataclass(frozen=True)
class Run:
    """One training, picklable: which regularizer, which run, which seeds.

    ``rung`` names the rung of an attribution, which a trainer takes as it is where nothing can vary in it;
    empty for a run of the audit itself.
    """

    regularizer: str
    index: int
    seeds: RunSeeds
    rung: str = ""

    def __str__(self) -> str:
        rung = f", rung {self.rung}" if self.rung else ""
        return f"run {self.index} of {self.regularizer!r} (--repro-seed={self.seeds.base}{rung})"


@dataclass(frozen=True)
class Plan:
    """The runs of an audit, by regularizer, in the order they are reported.

    Attributes
    ----------
    together : bool
        All runs of a regularizer are trained in one process, one after another, also ``apart``.
    parts : tuple of tuples of Run
        The chunks, where they are settled already; empty: as ``chunks`` finds them.
    """

    regularizers: tuple[str, ...]
    runs: tuple[Run, ...]
    together: bool = False
    parts: tuple[tuple[Run, ...], ...] = ()

    def apart(self) -> list[tuple[Run, ...]]:
        """The runs of each regularizer as a proof of determinism trains them, a part in each process.

        Of three runs and more the last follows the first in its process: what a training leaves behind there
        then shows. The others have a process of their own.

        >>> plan = make_plan(Options(runs=4), ["none"])
        >>> [[run.index for run in part] for part in plan.apart()]
        [[0, 3], [1], [2]]
        """
        found: list[tuple[Run, ...]] = []
        for label in self.regularizers:
            first, *others = self.of(label)
            last = () if len(others) < 2 and not self.together else (others.pop(),)
            found.extend([(first, *last), *((other,) for other in others)])
        return found

    def of(self, regularizer: str) -> tuple[Run, ...]:
        """The runs of one regularizer."""
        return tuple(run for run in self.runs if run.regularizer == regularizer)

    def chunks(self, size: int, workers: int = 1) -> list[tuple[Run, ...]]:
        """The runs of each regularizer in parts of about ``size``, as equal as they can be.

        No part is larger, unless a few larger ones share out evenly among the workers (five parts would leave
        one of two workers idle for a fifth of the time) or a run would be left alone, which takes as long as
        two stacked ones. Parts are smaller where workers would have none.

        >>> plan = make_plan(Options(runs=10), ["none"])
        >>> [len(chunk) for chunk in plan.chunks(4)]
        [4, 3, 3]
        >>> [len(chunk) for chunk in plan.chunks(2, workers=2)]
        [3, 3, 2, 2]
        >>> [len(chunk) for chunk in plan.chunks(10, workers=2)]
        [5, 5]
        >>> [len(chunk) for chunk in make_plan(Options(runs=5), ["none"]).chunks(2)]
        [3, 2]
        """
        if self.parts:
            return list(self.parts)
        found: list[tuple[Run, ...]] = []
        for label in self.regularizers:
            runs = self.of(label)
            most = max(len(runs) // 2, 1) if size > 1 else len(runs)
            fewest = -(-workers // len(self.regularizers))
            count = self._shared_out(min(max(-(-len(runs) // max(size, 1)), fewest), most), workers)
            each, more = divmod(len(runs), count)
            edges = [each * part + min(part, more) for part in range(count + 1)]
            found.extend(runs[start:end] for start, end in itertools.pairwise(edges))
        return found

    def _shared_out(self, count: int, workers: int) -> int:
        """Parts of a regularizer, at most ``count`` and at least half, that give each worker as many."""
        even = (
            n for n in range(count, count // 2, -1) if n * len(self.regularizers) % workers == 0
        )
        return next(even, count)


def baseline_among(labels: Sequence[str]) -> str:
    """The label that others are held against where none was named."""
    return "none" if "none" in labels else labels[0]


def make_plan(
    options: Options, regularizers: Sequence[str], indices: Sequence[int] | None = None
) -> Plan:
    """Every run of every regularizer, with its seeds.

    Parameters
    ----------
    indices : sequence of int, optional
        Which runs; default 0 to ``options.runs`` - 1.

    >>> plan = make_plan(Options(runs=2), ["none", "dropout"])
    >>> [str(run) for run in plan.of("dropout")]
    ["run 0 of 'dropout' (--repro-seed=0)", "run 1 of 'dropout' (--repro-seed=0)"]
    """
    wanted = range(options.runs) if indices is None else indices
    seeds = [RunSeeds(options.seed, index, options.vary) for index in wanted]
    runs = tuple(Run(name, seed.run, seed) for name in regularizers for seed in seeds)
    return Plan(tuple(regularizers), runs)
