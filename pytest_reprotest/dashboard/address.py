"""What the address of the page says: the filters, the result that is open, and the one beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pytest_reprotest.dashboard.chosen import PERIODS, VERDICTS, Filter

_MOST = 200
"""Names that a filter may hold."""


class Pair(NamedTuple):
    """The keys of the result that is open and of the one beside it; empty where there is none."""

    open: str = ""
    beside: str = ""


NOTHING = Pair()


def filter_in(asked: Any) -> Filter:
    """The filter that a browser asks for, which may be anything.

    >>> filter_in({"test": ["a"], "verdict": ["fail", "<b>"], "period": 3})
    Filter(tests=('a',), regularizers=(), verdicts=('fail',), period='')
    """
    given = asked if isinstance(asked, dict) else {}
    period = given.get("period")
    return Filter(
        _texts(given.get("test")),
        _texts(given.get("regularizer")),
        tuple(word for word in _texts(given.get("verdict")) if word in VERDICTS),
        period if isinstance(period, str) and period in PERIODS else "",
    )


def pair_in(asked: Any) -> Pair:
    """The results that a browser asks for: keys, which are looked up and never a path.

    >>> pair_in({"open": "ab", "beside": ["x"]})
    Pair(open='ab', beside='')
    """
    given = asked if isinstance(asked, dict) else {}
    return Pair(*(each if isinstance(each := given.get(key), str) else "" for key in Pair._fields))


def query(asked: Filter, pair: Pair = NOTHING) -> str:
    """The query of the address.

    >>> query(Filter(("test_a.py::test_a",), verdicts=("no limit",)), Pair("ab"))
    '?test=test_a.py%3A%3Atest_a&verdict=no+limit&open=ab'
    """
    told: list[tuple[str, str]] = [
        *(("test", name) for name in asked.tests),
        *(("regularizer", label) for label in asked.regularizers),
        *(("verdict", word) for word in asked.verdicts),
        *(("period", key) for key in filter(None, [asked.period])),
        *((name, key) for name, key in zip(Pair._fields, pair, strict=True) if key),
    ]
    return f"?{urlencode(told, errors='replace')}"


def _texts(given: Any) -> tuple[str, ...]:
    values: Iterable[Any] = given[:_MOST] if isinstance(given, list) else ()
    return tuple(value for value in values if isinstance(value, str))
