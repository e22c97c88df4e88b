"""The exceptions of pytest-reprotest.

Every message says what happened, what was got and expected, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ReprotestError(Exception):
    """Base of every error that pytest-reprotest raises on purpose.

    Messages quote names that come from files, which can't steer the terminal that they end on.
    """

    def __str__(self) -> str:
        return printable(super().__str__(), kept="\n\t")


class OptionError(ReprotestError, ValueError):
    """An option, marker keyword or ini value that cannot be used."""


class DataError(ReprotestError, ValueError):
    """A data set, label vector or prediction array that cannot be audited."""


class TrainingError(ReprotestError, RuntimeError):
    """A model factory, recipe or training function that cannot be run."""


class RegularizerRefused(ReprotestError):  # noqa: N818 - a refusal is an answer, not a fault
    """A regularizer that does not fit the model or recipe it was asked to change."""


def printable(text: str, kept: str = "") -> str:
    r"""A text that can't steer a terminal: what is not seen is spelled, but for the characters ``kept``.

    >>> print(printable("red \x1b[31m\n"))
    red \x1b[31m\n
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def shown(value: Any, most: int = 200) -> str:
    """A value as messages quote it: cut short, and whatever its own code does.

    >>> shown("dropuot"), shown(10**5000), shown("x" * 9, most=4)
    ("'dropuot'", 'an integer of 16610 bits', "'xxx…")
    """
    try:
        text = repr(value)
    except Exception:  # a value's own, or Python's of an integer with thousands of digits
        if isinstance(value, int):
            return f"an integer of {value.bit_length()} bits"
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}…"


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest valid name, else ``""``.

    >>> did_you_mean("dropuot", ["dropout", "none"])
    " Did you mean 'dropout'?"
    >>> did_you_mean("zebra", ["dropout", "none"])
    ''
    """
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
