"""The executor of this process: one chunk after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

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
        train = trainer.train
        if placement.deterministic:  # one process alone proves nothing, and the proof says so
            from pytest_reprotest.training.proving import train_to_prove

            train = partial(train_to_prove, trainer)
        failed: set[str] = set()
        for runs in plan.chunks(placement.chunk):
            label = runs[0].regularizer
            if label in failed:
                continue
            for outcome in train(runs, regularizers[label], placement):
                yield outcome
                if outcome.failure is not None:
                    failed.add(label)
                    break
