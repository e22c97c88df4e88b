"""Readers of single option values, from a command line, an ini file, a marker or a call."""

from __future__ import annotations

import math
import operator
import re
from typing import Any

from pytest_reprotest.errors import OptionError, did_you_mean, shown
from pytest_reprotest.seeds import SOURCES, check_sources

MOST_RUNS = 10_000
"""stored.MAX_RUNS: results of more are not read."""
MOST_SEED = 2**128
"""NumPy draws seeds of as many bits."""
MIN_RUNS = 3
"""statistics.permutation.MIN_RUNS, without loading scipy where a session only reads its options."""
CONFIDENCE = 0.95
"""statistics.CONFIDENCE, likewise."""
HALF_WIDTH = 0.005
"""What a plan counts runs for where nothing else is asked: half a percent of the test samples."""


def read_runs(value: Any) -> int:
    """An integer of at least 2, or its decimal text."""
    number = _integer(value)
    if number < 2:
        raise OptionError(f"got {shown(value)}; expected at least 2 runs, since a pair is compared")
    return _bearable(number)


def read_bank_runs(value: Any) -> int:
    """An integer of at least 1, or its decimal text."""
    number = _integer(value)
    if number < 1:
        raise OptionError(
            f"got {shown(value)}; expected at least 1 new run to hold against the bank"
        )
    return _bearable(number)


def read_max_runs(value: Any) -> int:
    """An integer of at least 3, or its decimal text."""
    number = _integer(value)
    if number < MIN_RUNS:
        raise OptionError(
            f"got {shown(value)}; expected at least {MIN_RUNS} runs: fewer have no interval"
        )
    return _bearable(number)


def _bearable(runs: int) -> int:
    if runs > MOST_RUNS:
        raise OptionError(f"got {shown(runs)}; expected at most {MOST_RUNS:,} runs")
    return runs


def read_half_width(value: Any) -> float:
    """A number above 0 and below 1, or its text."""
    return _between(
        value, 0.0, "expected a fraction of test samples above 0 and below 1, such as 0.005"
    )


def read_confidence(value: Any) -> float:
    """A number above 0.5 and below 1, or its text."""
    return _between(value, 0.5, "expected a number above 0.5 and below 1, such as 0.95")


def _between(value: Any, low: float, expected: str) -> float:
    """A number above ``low`` and below 1."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except Exception:  # a value's own code may raise anything
        raise OptionError(f"got {shown(value)} ({type(value).__name__}); {expected}") from None
    if not low < number < 1:  # also refuses NaN
        hint = f" For {number:g}% write {number / 100:g}." if 100 * low < number < 100 else ""
        raise OptionError(f"got {shown(value)}; {expected}.{hint}")
    return number


def read_seed(value: Any) -> int:
    """An integer of 0 or more, or its decimal text."""
    number = _integer(value)
    if number < 0:
        raise OptionError(f"got {shown(value)}; expected a seed of 0 or more")
    if number >= MOST_SEED:
        raise OptionError(f"got {shown(value)}; expected a seed below 2^128")
    return number


def _integer(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value.strip())
        except ValueError:
            raise OptionError(f"got {shown(value)}; expected an integer") from None
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except Exception:  # a value's own code may raise anything
        raise OptionError(
            f"got {shown(value)} ({type(value).__name__}); expected an integer"
        ) from None


def read_vary(value: Any) -> tuple[str, ...]:
    """``"all"``, ``"none"``, a comma-separated text or a sequence of sources."""
    if isinstance(value, str):
        names = [name.strip() for name in value.split(",")]
    elif isinstance(value, (list, tuple, set, frozenset)) and all(
        isinstance(name, str) for name in value
    ):
        names = list(value)
    else:
        raise OptionError(
            f"got {shown(value)}; expected 'all', 'none' or any of {', '.join(SOURCES)}, as text or a list"
        )
    if names == ["all"]:
        return SOURCES
    if names == ["none"]:
        return ()
    if not names:
        raise OptionError("got an empty list; expected 'none' or any of " + ", ".join(SOURCES))
    if "all" in names or "none" in names:
        raise OptionError(
            f"got {shown(value)}; expected 'all' or 'none' alone, or any of the others"
        )
    return check_sources(names)


def read_device(value: Any) -> str:
    """The spelling of a device; whether it exists is known once torch is loaded."""
    if not isinstance(value, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+(,\d+)*)?", value):
        raise OptionError(
            f"got {shown(value)}; expected auto, cpu, cuda, cuda:N, cuda:0,1 or mps."
            + did_you_mean(shown(value), ("auto", "cpu", "cuda", "mps"))
        )
    return value


def read_choice(value: Any, valid: tuple[str, ...]) -> str:
    """One of some names."""
    if not isinstance(value, str) or value not in valid:
        raise OptionError(
            f"got {shown(value)}; expected {', '.join(valid)}.{did_you_mean(str(value), valid) if isinstance(value, str) else ''}"
        )
    return value


def read_workers(value: Any) -> int | str:
    """An integer of at least 1, or ``auto``."""
    if isinstance(value, str) and value == "auto":
        return "auto"
    try:
        number = _integer(value)
    except OptionError:
        raise OptionError(f"got {shown(value)}; expected an integer, or auto") from None
    if number < 1:
        raise OptionError(f"got {shown(value)}; expected at least 1 worker, or auto")
    if number > MOST_RUNS:
        raise OptionError(f"got {shown(value)}; expected at most {MOST_RUNS:,} workers")
    return number


def read_timeout(value: Any) -> float | None:
    """Seconds above 0, as a number or a text such as ``90s``, ``5m`` or ``2h``; None for ``none``.

    >>> read_timeout("1.5h"), read_timeout(60), read_timeout("none")
    (5400.0, 60.0, None)
    """
    expected = "expected seconds above 0, such as 60, 90s, 5m or 2h, or none"
    if isinstance(value, str) and value.strip().lower() == "none":
        return None
    try:
        if isinstance(value, bool):
            raise TypeError
        found = (
            re.fullmatch(r"\s*([^smh]+?)\s*([smh]?)\s*", value) if isinstance(value, str) else None
        )
        number, unit = found.groups() if found else (value, "")
        seconds = float(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"got {shown(value)} ({type(value).__name__}); {expected}") from None
    if not 0 < seconds < math.inf:  # also refuses NaN
        raise OptionError(f"got {shown(value)}; {expected}")
    return seconds


def read_address(value: Any) -> str:
    """The address of a Ray cluster, as ``ray.init`` takes it."""
    if not isinstance(value, str) or not re.fullmatch(r"auto|(ray://)?[^\s/:]+:\d{1,5}", value):
        raise OptionError(
            f"got {shown(value)}; expected auto (the cluster of this machine), HOST:PORT or ray://HOST:10001"
        )
    return value


def read_regularizers(value: Any) -> tuple[Any, ...]:
    """A non-empty text or sequence of names and regularizer objects; the registry resolves them."""
    if isinstance(value, str):
        if not value.strip():
            raise OptionError("got an empty text; expected names such as 'none,dropout', or 'all'")
        return (value,)
    if not isinstance(value, (list, tuple)):
        value = [value]
    if not value:
        raise OptionError("got an empty list; expected at least one regularizer, such as 'none'")
    return tuple(value)


def read_switch(value: Any) -> bool:
    """True or false, or an ini file's text for them."""
    known = isinstance(value, str) or (isinstance(value, int) and value in (0, 1))
    text = str(value).strip().lower() if known else ""
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise OptionError(f"got {shown(value)}; expected true or false")


def read_name(value: Any) -> str:
    """A non-empty text."""
    if not isinstance(value, str) or not value.strip():
        raise OptionError(f"got {shown(value)}; expected the name of a regularizer, such as 'none'")
    return value.strip()
