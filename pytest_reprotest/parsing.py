"""JSON from anyone: its size is known to be bearable before anything is made of it.

Python's parser executes nothing. It does take what it is given: a file of brackets becomes fifty times its size of
lists, a number of a million digits takes minutes, and what is nested deeply ends the first function that descends.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pytest_reprotest.errors import DataError

MAX_BYTES = 2**28
MAX_ENTRIES = 2**22
"""Lists, objects and their entries, which take up to 180 bytes each."""
MAX_VALUES = 2**24
"""Values in lists, which take up to 100 bytes each."""
MAX_DEPTH = 50
"""Lists and objects inside each other; results have 12."""
MAX_TEXT = 2**20
"""Characters of a text; packed arrays are as long as the file lets them be."""
PACKED = "zlib"
"""The entry that holds a packed array."""
_MAX_DIGITS = 309  # of the largest float


def parsed(data: bytes) -> Any:
    r"""What a file of JSON holds.

    Raises
    ------
    ValueError
        Where it is no JSON.
    DataError
        Where it is more than is safe to read, or says one thing twice. Which file it is the message leaves open.

    >>> parsed(b'{"runs": [1, 2.5]}')
    {'runs': [1, 2.5]}
    >>> parsed(b'{"runs": 1, "runs": 2}')
    Traceback (most recent call last):
    pytest_reprotest.errors.DataError: the entry 'runs' is there twice
    """
    if len(data) > MAX_BYTES:
        raise DataError(f"it has more than {MAX_BYTES:,} bytes")
    if sum(map(data.count, (b"[", b"{", b":"))) > MAX_ENTRIES:
        raise DataError(f"it has more than {MAX_ENTRIES:,} lists, objects and entries")
    if data.count(b",") > MAX_VALUES:
        raise DataError(f"it has more than {MAX_VALUES:,} values")
    try:
        found = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise DataError(_TOO_DEEP) from None
    _check_inside(found)
    return found


_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"


def _check_inside(found: Any) -> None:
    """Refuse texts that are too long, and nesting that is too deep, one level after the other."""
    level = [found]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                _check_texts(node)
                _check_texts([value for key, value in node.items() if key != PACKED])
                inner.extend(each for each in node.values() if isinstance(each, (dict, list)))
            elif isinstance(node, list):
                _check_texts(node)
                inner.extend(each for each in node if isinstance(each, (dict, list)))
        if not inner:
            return
        level = inner
    raise DataError(_TOO_DEEP)


def _check_texts(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise DataError(f"a text has {len(value):,} characters, at most {MAX_TEXT:,} are read")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counted.items() if count > 1)
        raise DataError(f"the entry {twice[:40]!r} is there twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise DataError(f"{text[:40]} is too large for a number")
    return number


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise DataError(f"a number has {len(text):,} digits")
    return int(text)


def _no_number(constant: str) -> None:
    raise DataError(f"{constant} is no JSON")
