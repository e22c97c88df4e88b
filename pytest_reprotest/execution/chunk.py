"""Training a chunk in this process, whichever executor put it here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_reprotest.interfaces import Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Run


def train_chunk(
    trainer: Trainer, runs: Sequence[Run], regularizer: Regularizer, placement: Placement
) -> Iterator[RunOutcome]:
    """The outcomes of runs of one regularizer; with digests where determinism is to be proven."""
    if placement.deterministic:
        from pytest_reprotest.training.proving import train_to_prove

        return train_to_prove(trainer, runs, regularizer, placement)
    return trainer.train(runs, regularizer, placement)
