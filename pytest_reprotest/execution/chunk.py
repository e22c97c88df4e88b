"""A chunk of runs that are trained together: what executors pass on, and its training in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_reprotest.interfaces import Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Run

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Variables of every worker: runs side by side are what uses the cores."""


@dataclass
class Chunk:
    """Runs of one regularizer on their way through workers.

    Attributes
    ----------
    tries : int
        How often a worker was given it.
    note : str or None
        What the report says of it.
    """

    runs: tuple[Run, ...]
    tries: int = 0
    note: str | None = None

    @property
    def label(self) -> str:
        """The regularizer of its runs."""
        return self.runs[0].regularizer

    def __str__(self) -> str:
        indices = ", ".join(str(run.index) for run in self.runs)
        return f"run{'s' * (len(self.runs) > 1)} {indices} of {self.label!r}"


def train_chunk(
    trainer: Trainer, runs: Sequence[Run], regularizer: Regularizer, placement: Placement
) -> Iterator[RunOutcome]:
    """The outcomes of runs of one regularizer; with digests where determinism is to be proven."""
    if placement.deterministic:
        from pytest_reprotest.training.proving import train_to_prove

        return train_to_prove(trainer, runs, regularizer, placement)
    return trainer.train(runs, regularizer, placement)
