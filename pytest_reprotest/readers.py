"""Readers of single option values, from a command line, an ini file, a marker or a call."""

from __future__ import annotations

import re
from typing import Any

from pytest_reprotest.errors import OptionError, did_you_mean
from pytest_reprotest.seeds import SOURCES, check_sources

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
        raise OptionError(f"got {value!r}; expected at least 2 runs, since a pair is compared")
    return number


def read_bank_runs(value: Any) -> int:
    """An integer of at least 1, or its decimal text."""
    number = _integer(value)
    if number < 1:
        raise OptionError(f"got {value!r}; expected at least 1 new run to hold against the bank")
    return number


def read_max_runs(value: Any) -> int:
    """An integer of at least 3, or its decimal text."""
    number = _integer(value)
    if number < MIN_RUNS:
        raise OptionError(
            f"got {value!r}; expected at least {MIN_RUNS} runs: fewer have no interval"
        )
    return number


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
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"got {value!r} ({type(value).__name__}); {expected}") from None
    if not low < number < 1:  # also refuses NaN
        hint = f" For {number:g}% write {number / 100:g}." if 100 * low < number < 100 else ""
        raise OptionError(f"got {value!r}; {expected}.{hint}")
    return number


def read_seed(value: Any) -> int:
    """An integer of 0 or more, or its decimal text."""
    number = _integer(value)
    if number < 0:
        raise OptionError(f"got {value!r}; expected a seed of 0 or more")
    return number


def _integer(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value.strip())
        except ValueError:
            raise OptionError(f"got {value!r}; expected an integer") from None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise OptionError(f"got {value!r} ({type(value).__name__}); expected an integer")
    return int(value)


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
            f"got {value!r}; expected 'all', 'none' or any of {', '.join(SOURCES)}, as text or a list"
        )
    if names == ["all"]:
        return SOURCES
    if names == ["none"]:
        return ()
    if not names:
        raise OptionError("got an empty list; expected 'none' or any of " + ", ".join(SOURCES))
    if "all" in names or "none" in names:
        raise OptionError(f"got {value!r}; expected 'all' or 'none' alone, or any of the others")
    return check_sources(names)


def read_device(value: Any) -> str:
    """The spelling of a device; whether it exists is known once torch is loaded."""
    if not isinstance(value, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+(,\d+)*)?", value):
        raise OptionError(
            f"got {value!r}; expected auto, cpu, cuda, cuda:N, cuda:0,1 or mps."
            + did_you_mean(str(value), ("auto", "cpu", "cuda", "mps"))
        )
    return value


def read_choice(value: Any, valid: tuple[str, ...]) -> str:
    """One of some names."""
    if value not in valid:
        raise OptionError(
            f"got {value!r}; expected {', '.join(valid)}.{did_you_mean(str(value), valid)}"
        )
    return str(value)


def read_workers(value: Any) -> int | str:
    """An integer of at least 1, or ``auto``."""
    if value == "auto":
        return "auto"
    number = _integer(value)
    if number < 1:
        raise OptionError(f"got {value!r}; expected at least 1 worker, or auto")
    return number


def read_address(value: Any) -> str:
    """The address of a Ray cluster, as ``ray.init`` takes it."""
    if not isinstance(value, str) or not re.fullmatch(r"auto|(ray://)?[^\s/:]+:\d{1,5}", value):
        raise OptionError(
            f"got {value!r}; expected auto (the cluster of this machine), HOST:PORT or ray://HOST:10001"
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
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise OptionError(f"got {value!r}; expected true or false")


def read_name(value: Any) -> str:
    """A non-empty text."""
    if not isinstance(value, str) or not value.strip():
        raise OptionError(f"got {value!r}; expected the name of a regularizer, such as 'none'")
    return value.strip()
