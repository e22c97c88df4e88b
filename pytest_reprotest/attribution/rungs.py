"""The ladder: what varies among the runs of each rung, and which runs those are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_reprotest.options import Options
from pytest_reprotest.plan import Plan, Run
from pytest_reprotest.seeds import ONE_ULP, SOURCES, RunSeeds


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder.

    Attributes
    ----------
    name : str
    vary : tuple of str
        What its runs differ in: variance sources, or ``ONE_ULP``.
    """

    name: str
    vary: tuple[str, ...]


IDENTICAL = Rung("identical", ())
KERNELS = Rung("kernels", ())
"""One seed again and again, one run after another, with whatever kernels a GPU takes."""
NUDGED = Rung(ONE_ULP, (ONE_ULP,))
ALL = Rung("all", SOURCES)
_ALONE = tuple(Rung(source, (source,)) for source in SOURCES)


def ladder(device: str) -> tuple[Rung, ...]:
    """The rungs on a device, from nothing that varies to everything.

    >>> [rung.name for rung in ladder("cpu")]
    ['identical', 'one_ulp', 'init', 'data_order', 'noise', 'all']
    >>> len(ladder("cuda:0"))
    7
    """
    kernels = (KERNELS,) if on_gpu(device) else ()
    return (IDENTICAL, *kernels, NUDGED, *_ALONE, ALL)


def on_gpu(device: str) -> bool:
    """Whether kernels may give other bits for the same computation."""
    return device.startswith("cuda")


def own_rung(options: Options, device: str) -> Rung | None:
    """The rung that the audit's own runs are, which is not trained again; None where they are none.

    >>> own_rung(Options(), "cpu").name, own_rung(Options(vary=("init", "noise")), "cpu")
    ('all', None)
    """
    found = (rung for rung in ladder(device) if rung.vary == options.vary)
    special = (IDENTICAL, KERNELS) if on_gpu(device) else ()
    return next((rung for rung in found if rung not in special), None)


def to_train(options: Options, device: str, nudges: bool) -> tuple[Rung, ...]:
    """The rungs that are trained beside an audit's own runs.

    Parameters
    ----------
    nudges : bool
        Whether the trainer can move a weight by one ulp.
    """
    own = own_rung(options, device)
    return tuple(
        rung for rung in ladder(device) if rung is not own and (nudges or rung is not NUDGED)
    )


def plan_of(rung: Rung, labels: Sequence[str], options: Options) -> Plan:
    """The runs of a rung, as many as the audit's own.

    Rungs in which a source varies have run indices that no other rung and no run of the audit has, so that
    their samples are independent; what does not vary is that of run 0 everywhere.

    >>> plan = plan_of(_ALONE[1], ["none"], Options(runs=5))
    >>> [run.index for run in plan.runs], str(plan.runs[0])
    ([20, 21, 22, 23, 24], "run 20 of 'none' (--repro-seed=0, rung data_order)")
    """
    block = 1 + ladder("cpu").index(rung) if rung in (*_ALONE, ALL) else 0
    indices = range(block * options.runs, (block + 1) * options.runs)
    seeds = [RunSeeds(options.seed, index, rung.vary) for index in indices]
    runs = (Run(label, seed.run, seed, rung.name) for label in labels for seed in seeds)
    return Plan(tuple(labels), tuple(runs))
