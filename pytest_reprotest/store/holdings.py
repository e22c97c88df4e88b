"""What a store holds, as one sees it from outside: listed, checked, thinned out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_reprotest.errors import DataError
from pytest_reprotest.plan import Run
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.store.database import Database, StoreError
from pytest_reprotest.store.records import outcome_of, place_of

_DAY = 86_400
_NOBODY = Run("", 0, RunSeeds(0, 0))


@dataclass(frozen=True)
class Holding:
    """The runs of one context.

    Attributes
    ----------
    key : str
        The context's, 32 hexadecimal digits.
    regularizer : str
    tests : tuple of str
        The audits that used them.
    n_runs : int
    size : int
        Bytes of their arrays.
    first, last : float
        When the first and the last were finished, in seconds since 1970; NaN without runs.
    ingredients : str
        JSON: what they depend on.
    """

    key: str
    regularizer: str
    tests: tuple[str, ...]
    n_runs: int
    size: int
    first: float
    last: float
    ingredients: str

    @property
    def told(self) -> Any:
        """The ingredients read; None where they are no JSON."""
        try:
            return json.loads(self.ingredients)
        except (ValueError, RecursionError):
            return None


def holdings(database: Database) -> list[Holding]:
    """Every context of a store with what is there of it, by test and regularizer.

    Raises
    ------
    StoreError
    """
    tests: dict[str, list[str]] = {}
    for name, key in database.ask("SELECT substr(name, 1, 1000), context FROM tests ORDER BY name"):
        tests.setdefault(str(key), []).append(str(name))
    counted = {
        str(key): (int(count), int(size or 0), _moment(first), _moment(last))
        for key, count, size, first, last in database.ask(
            "SELECT context, count(*), sum(length(labels) + length(scores) + length(losses)), "
            "min(finished), max(finished) FROM runs GROUP BY context"
        )
    }
    known = database.ask(
        "SELECT key, substr(regularizer, 1, 1000), substr(ingredients, 1, 1000000) FROM contexts"
    )
    found = [
        Holding(
            str(key),
            str(label),
            tuple(tests.get(str(key), ())),
            *counted.get(str(key), (0, 0, math.nan, math.nan)),
            str(ingredients),
        )
        for key, label, ingredients in known
    ]
    return sorted(found, key=lambda each: (each.tests, each.regularizer, each.key))


def runs_of(database: Database, key: str) -> list[tuple[str, int, float]]:
    """The runs of a context: key, bytes, and when each was finished.

    Raises
    ------
    StoreError
    """
    rows = database.ask(
        "SELECT run, length(labels) + length(scores) + length(losses), finished FROM runs "
        "WHERE context = ? ORDER BY rowid",
        (key,),
    )
    return [(str(run), int(size or 0), _moment(finished)) for run, size, finished in rows]


def damaged(database: Database) -> Iterator[str]:
    """A sentence for everything in a store that can't be trusted.

    Raises
    ------
    StoreError
        Where the file itself can't be read.
    """
    for (told,) in database.ask("PRAGMA integrity_check"):
        if told != "ok":
            yield f"SQLite finds: {told}"
    for context, run in database.ask("SELECT context, run FROM runs ORDER BY rowid"):
        try:
            held = database.find(context, run)
            if held is not None:
                outcome_of(held[0], _NOBODY, place_of(context, run))
        except DataError as damage:
            yield f"{str(context)[:8]}, {str(run)[:80]}: {damage}"


def prune(database: Database, *, days: float | None = None, tests: Sequence[str] = ()) -> int:
    """Delete runs, and what nothing refers to any more; how many runs.

    Parameters
    ----------
    days : float, optional
        Only those that no audit has used for so long.
    tests : sequence of str
        Only those of these audits, where any are named.

    Raises
    ------
    StoreError, StoreFailed
    """
    gone = 0
    for each in holdings(database):
        used = [
            _moment(when)
            for (when,) in database.ask("SELECT used FROM tests WHERE context = ?", (each.key,))
        ]
        last = max([moment for moment in (*used, each.last) if not math.isnan(moment)], default=0.0)
        too_new = days is not None and time.time() - last < days * _DAY
        if too_new or (tests and not set(tests) & set(each.tests)):
            continue
        gone += database.write("DELETE FROM runs WHERE context = ?", (each.key,))
        database.write("DELETE FROM tests WHERE context = ?", (each.key,))
        database.write("DELETE FROM contexts WHERE key = ?", (each.key,))
    database.write("DELETE FROM shards WHERE name NOT IN (SELECT name FROM tests)")
    database.compact()
    return gone


def one_of(database: Database, start: str) -> Holding:
    """The context whose key begins as given.

    Raises
    ------
    StoreError
        Where there is none, or there are several.
    """
    found = [each for each in holdings(database) if each.key.startswith(start)]
    if len(found) != 1:
        raise StoreError(
            f"{len(found)} entries of the store begin with {start!r}; expected one. "
            "See python -m pytest_reprotest store ls"
        )
    return found[0]


def _moment(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
