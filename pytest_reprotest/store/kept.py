"""Finished runs in a store, as one audit takes and keeps them; what is wrong with the store becomes a sentence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from pytest_reprotest.errors import DataError
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.store.database import Database, StoreError, StoreFailed
from pytest_reprotest.store.keys import Context, changed_from, run_key
from pytest_reprotest.store.records import outcome_of, record_of

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

    def begin(self, context: Context, resume: bool) -> None:
        """Note down that the audit uses a context.

        Raises
        ------
        NothingToResume
            With ``resume``, where there are runs of the audit and none under this context.
        """
        if resume:
            with self._surviving_damage():
                self._check_resumed(context)
        with self._surviving_failure():
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
        key = run_key(run, together)
        with self._surviving_damage():
            try:
                held = self._database.find(context.key, key)
                if held is not None:
                    outcome = outcome_of(held[0], run, place(context, key))
                    self._dates.append(held[1])
                    return outcome
            except DataError as damage:
                self.tell(f"{run} is damaged in the store and was trained again: {damage}")
        return None

    def keep(self, context: Context, outcome: RunOutcome, together: tuple[int, ...]) -> None:
        """Keep a finished run; on the disk before this returns."""
        key = run_key(outcome.run, together)
        record = record_of(outcome, place(context, key)) if self._keeping else None
        if record is not None:
            with self._surviving_failure():
                self._database.add(context, key, record, time.time())

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
        if count:
            first, last = (_day(when) for when in (min(self._dates), max(self._dates)))
            dates = first if first == last else f"{first} to {last}"
            share = (
                f"all {count} runs are" if not trained else f"{count} of {count + trained} runs are"
            )
            found.insert(0, f"{share} from the store {self._database.folder}, trained {dates}")
        return tuple(found)

    @contextmanager
    def _surviving_damage(self) -> Iterator[None]:
        """A file that turns out to be damaged is moved aside; nothing was found in it."""
        try:
            yield
        except NothingToResume:
            raise
        except StoreError as damage:
            self._database.begin_anew(damage)
            self.tell(
                f"the store was damaged ({damage}); it is now {self._database.set_aside}, and a new one was "
                "begun"
            )

    @contextmanager
    def _surviving_failure(self) -> Iterator[None]:
        """Training goes on where nothing can be written."""
        try:
            yield
        except StoreFailed as failure:
            self._keeping = False
            self.tell(f"finished runs are not kept, and would be trained again: {failure}")


def place(context: Context, key: str) -> str:
    """What a record's checksum says of where it belongs."""
    return f"{context.key} {key}"


def _day(when: float) -> str:
    try:
        return datetime.fromtimestamp(when).date().isoformat()
    except (OverflowError, OSError, ValueError):  # of a clock that was wrong
        return "at an unknown time"
