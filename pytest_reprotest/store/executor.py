"""The executor around an executor: takes from a store what is there, trains the rest, keeps each run at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_reprotest.interfaces import (
    Executor,
    Placement,
    Prepared,
    Regularizer,
    RunOutcome,
    Trainer,
)
from pytest_reprotest.plan import Plan, Run
from pytest_reprotest.store.database import Database
from pytest_reprotest.store.kept import Kept
from pytest_reprotest.store.keys import Context, beside, context_of
from pytest_reprotest.store.unknown import Unknown


class StoringExecutor(Executor):
    """Trains by another executor what a store does not hold.

    Parameters
    ----------
    inner : Executor
        Its owner closes it.
    database : Database
        Likewise.
    name : str
        Of the audit.
    resume : bool
        Refuse to begin anew where the store holds runs of this audit under other conditions.
    """

    def __init__(
        self, inner: Executor, database: Database, name: str = "", resume: bool = False
    ) -> None:
        self.n_workers = inner.n_workers
        self.environment = inner.environment
        self.device = inner.device
        self._inner = inner
        self._kept = Kept(database, name)
        self._resume = resume
        self._contexts: dict[str, dict[str, Context | None]] = {}  # by engine and label
        self._trained = 0

    def prepare(
        self, trainer: Trainer, regularizers: Sequence[Regularizer], asked: Placement, n_runs: int
    ) -> Prepared:
        """As the executor within."""
        return self._inner.prepare(trainer, regularizers, asked, n_runs)

    def seconds_per_run(
        self, trainer: Trainer, regularizer: Regularizer, placement: Placement, n_runs: int
    ) -> float | None:
        """As the executor within."""
        return self._inner.seconds_per_run(trainer, regularizer, placement, n_runs)

    def surroundings(self, placement: Placement, threads: int | None) -> dict[str, Any] | None:
        """As of the executor within."""
        return self._inner.surroundings(placement, threads)

    def run(
        self,
        trainer: Trainer,
        plan: Plan,
        regularizers: Mapping[str, Regularizer],
        placement: Placement,
    ) -> Iterator[RunOutcome]:
        """The stored runs of the plan, then the others as they are trained.

        Raises
        ------
        NothingToResume
            Where an audit was to be resumed that has changed.
        """
        if placement.deterministic:
            self._kept.tell("a proof of determinism is trained anew, whatever the store holds")
            yield from self._inner.run(trainer, plan, regularizers, placement)
            return
        contexts = self._contexts.setdefault(placement.engine, {})
        new = [label for label in plan.regularizers if label not in contexts]
        described = trainer.describe() if new else {}
        for label in new:
            contexts[label] = self._context(trainer, regularizers[label], placement, described)
        left: list[tuple[Run, ...]] = []
        for part in placement.pieces(plan, self.n_workers):
            found = self._taken(part, contexts[part[0].regularizer])
            if found is None:
                left.append(part)
            else:
                yield from found
        if not left:
            return
        part_of = {run: part for part in left for run in part}
        together = tuple(left) if any(len(part) > 1 for part in left) else ()
        labels = tuple(dict.fromkeys(run.regularizer for run in part_of))
        rest = Plan(labels, tuple(part_of), plan.together, together)
        for outcome in self._inner.run(trainer, rest, regularizers, placement):
            context = contexts[outcome.run.regularizer]
            # off the CPU a stack that was halved is not the one that its key names
            halved = outcome.note is not None and placement.device != "cpu"
            if context is not None and not halved:
                self._kept.keep(context, outcome, beside(part_of[outcome.run]))
            self._trained += 1
            yield outcome

    def _context(
        self,
        trainer: Trainer,
        regularizer: Regularizer,
        placement: Placement,
        described: Mapping[str, Any],
    ) -> Context | None:
        """What decides a regularizer's runs; None where that can't be told."""
        try:
            context = context_of(trainer, regularizer, placement, self, described)
        except Unknown as reason:
            self._kept.tell(f"finished runs are neither kept nor taken from the store: {reason}")
            return None
        self._kept.begin(context, self._resume)
        return context

    def _taken(self, part: tuple[Run, ...], context: Context | None) -> list[RunOutcome] | None:
        """The runs of a part, where all of them are there."""
        if context is None:
            return None
        found = [self._kept.take(context, run, beside(part)) for run in part]
        whole = [each for each in found if each is not None]
        return whole if len(whole) == len(part) else None

    def told(self) -> tuple[str, ...]:
        """How many runs were in the store, and what was wrong with it."""
        return (*self._inner.told(), *self._kept.told(self._trained))

    def close(self) -> None:
        """Close the executor within."""
        self._inner.close()
