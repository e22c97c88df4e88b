"""The executor of this process: one chunk after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_reprotest.execution.chunk import train_chunk
from pytest_reprotest.interfaces import Executor, Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Plan


class LocalExecutor(Executor):
    """Trains in this process, in the plan's order."""

    def run(
        self,
        trainer: Trainer,
        plan: Plan,
        regularizers: Mapping[str, Regularizer],
        placement: Placement,
    ) -> Iterator[RunOutcome]:
        """Train every chunk; a regularizer is left at its first failed run."""
        failed: set[str] = set()
        for runs in plan.chunks(placement.chunk):
            label = runs[0].regularizer
            if label in failed:
                continue
            for outcome in train_chunk(trainer, runs, regularizers[label], placement):
                yield outcome
                if outcome.failure is not None:
                    failed.add(label)
                    break
