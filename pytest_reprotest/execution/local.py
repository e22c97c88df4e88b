"""The executor of this process: one regularizer after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_reprotest.interfaces import Executor, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Plan


class LocalExecutor(Executor):
    """Trains in this process, in the plan's order."""

    def run(
        self, trainer: Trainer, plan: Plan, regularizers: Mapping[str, Regularizer], device: str
    ) -> Iterator[RunOutcome]:
        """Train every run; a regularizer is left at its first failed run."""
        for label in plan.regularizers:
            for outcome in trainer.train(plan.of(label), regularizers[label], device):
                yield outcome
                if outcome.failure is not None:
                    break
