"""What decides where runs are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_reprotest.interfaces.outcomes import Placement, Prepared, RunOutcome
from pytest_reprotest.interfaces.regularizer import Regularizer
from pytest_reprotest.interfaces.trainer import Trainer
from pytest_reprotest.plan import Plan


class Executor(ABC):
    """Decides where chunks of runs are trained."""

    n_workers: int = 1
    """Chunks that are trained side by side."""

    environment: Mapping[str, str] = {}
    """Variables that are set for the processes that train."""

    device: str | None = None
    """What every worker calls its device, where that is not this machine's to say."""

    def prepare(
        self,
        trainer: Trainer,
        regularizers: Sequence[Regularizer],
        asked: Placement,
        n_runs: int,
    ) -> Prepared:
        """``trainer.prepare``, on the machine whose device it is about."""
        return trainer.prepare(regularizers, asked, n_runs)

    def seconds_per_run(
        self, trainer: Trainer, regularizer: Regularizer, placement: Placement, n_runs: int
    ) -> float | None:
        """``trainer.seconds_per_run``, likewise."""
        return trainer.seconds_per_run(regularizer, placement, n_runs)

    def surroundings(self, placement: Placement, threads: int | None) -> dict[str, Any] | None:
        """What the last bits depend on where it trains, as ``training.surroundings`` tells it; None: here."""
        return None

    @abstractmethod
    def run(
        self,
        trainer: Trainer,
        plan: Plan,
        regularizers: Mapping[str, Regularizer],
        placement: Placement,
    ) -> Iterator[RunOutcome]:
        """Train every run of the plan, in any order."""

    def told(self) -> tuple[str, ...]:
        """Sentences for the report of what was trained, once that is finished."""
        return ()

    def close(self) -> None:
        """End what outlives an audit."""
        return
