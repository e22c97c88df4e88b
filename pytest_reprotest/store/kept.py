"""Finished runs in a store, as one audit takes and keeps them; what is wrong with the store becomes a sentence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.store.database import Damage, Database, StoreError, StoreFailed
from pytest_reprotest.store.keys import Context, changed_from, run_key
from pytest_reprotest.store.records import bearable, outcome_of, place_of, record_of

_MOST_TOLD = 4


class NothingToResume(StoreError):  # noqa: N818 - an answer
    """An audit was to go on, and the store holds its runs under other conditions only."""


class Kept:
    """The runs of one audit in a store.

    Parameters
    ----------
    database : Database
    name : str
        Of the audit.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._dates: list[float] = []
        self._told: dict[str, None] = {}
        self._keeping = True
        self._usable = True
        self._begun: dict[str, Context] = {}
        self._damaged = 0

    def begin(self, context: Context, resume: bool) -> None:
        """Note down that the audit uses a context.

        Raises
        ------
        NothingToResume
            With ``resume``, where there are runs of the audit and none under this context.
        """
        self._begun[context.key] = context
        if resume:
            with self._surviving():
                self._check_resumed(context)
        with self._surviving():
            self._database.note_use(self._name, context)

    def _check_resumed(self, context: Context) -> None:
        others = []
        for key, ingredients in self._database.contexts_of(self._name, context.regularizer):
            if key == context.key:
                return
            others.append(ingredients)
        if others:
            differs = changed_from(others[-1], context)
            more = f" and {len(differs) - _MOST_TOLD} more" if len(differs) > _MOST_TOLD else ""
            raise NothingToResume(
                f"{context.regularizer!r} can't be resumed: what its stored runs depended on has changed: "
                f"{'; '.join(differs[:_MOST_TOLD])}{more}. Undo the change, or leave --repro-resume out to "
                "train it anew"
            )

    def take(self, context: Context, run: Run, together: tuple[int, ...]) -> RunOutcome | None:
        """A run that is there and whole, else None."""
        if not self._usable:
            return None
        key = run_key(run, together)
        with self._surviving():
            try:
                held = self._database.find(context.key, key)
                if held is not None:
                    outcome = outcome_of(held[0], run, place_of(context.key, key))
                    self._dates.append(held[1])
                    return outcome
            except DataError as damage:
                self._damaged += 1
                if self._damaged <= _MOST_TOLD:
                    self.tell(f"{run} is damaged in the store and was trained again: {damage}")
        return None

    def keep(self, context: Context, outcome: RunOutcome, together: tuple[int, ...]) -> None:
        """Keep a finished run; on the disk before this returns."""
        key = run_key(outcome.run, together)
        if not (self._keeping and self._usable):
            return
        record = record_of(outcome, place_of(context.key, key))
        if record is None:
            return
        if not bearable(len(record.header), *map(len, record.arrays)):
            self.tell("runs are too large to be kept, and would be trained again")
            return
        for _ in range(2):  # once more, where the file was damaged and a new one was begun
            with self._surviving():
                self._database.add(context, key, record, time.time())
                return

    def tell(self, sentence: str) -> None:
        """Add a sentence to what the report will say."""
        self._told[sentence] = None

    def told(self, trained: int) -> tuple[str, ...]:
        """How many runs were taken, and what went wrong.

        Parameters
        ----------
        trained : int
            Runs that were not in the store.
        """
        count, found = len(self._dates), list(self._told)
        if self._damaged > _MOST_TOLD:
            found.append(f"{self._damaged - _MOST_TOLD} more runs are damaged there")
        if count:
            first, last = (_day(when) for when in (min(self._dates), max(self._dates)))
            dates = first if first == last else f"{first} to {last}"
            share = (
                f"all {count} runs are" if not trained else f"{count} of {count + trained} runs are"
            )
            found.insert(0, f"{share} from the store {self._database.folder}, trained {dates}")
        return tuple(found)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Training goes on whatever becomes of the file; a damaged one is moved aside."""
        try:
            yield
        except NothingToResume:
            raise
        except Damage as damage:
            self._begin_anew(damage)
        except StoreFailed as failure:
            self._keeping = False
            self.tell(f"finished runs are not kept, and would be trained again: {failure}")
        except StoreError as trouble:
            self.tell(f"some runs were trained again, since the store was out of reach: {trouble}")

    def _begin_anew(self, damage: Damage) -> None:
        try:
            self._database.begin_anew(damage)
        except StoreError as trouble:
            self._usable = False
            self.tell(f"the store is damaged, and nothing more is taken from it or kept: {trouble}")
            return
        aside = self._database.set_aside
        where = f"it is now {aside}, and " if aside is not None else ""
        self.tell(f"the store was damaged ({damage}); {where}a new one was begun")
        for context in self._begun.values():
            with suppress(StoreError, StoreFailed):
                self._database.note_use(self._name, context)


def _day(when: float) -> str:
    try:
        return datetime.fromtimestamp(when).date().isoformat()
    except (OverflowError, OSError, ValueError):  # of a clock that was wrong
        return "at an unknown time"
