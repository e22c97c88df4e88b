"""Checks of regularizers' parameters."""

from __future__ import annotations

import sys
from typing import Any

from pytest_reprotest.errors import OptionError

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only


def probability(owner: str, name: str, value: Any) -> None:
    """Refuse anything but a number from 0 to below 1."""
    if not _is_number(value) or not 0.0 <= value < 1.0:
        raise OptionError(f"{owner}({name}={value!r}); expected a probability from 0 to below 1")


def fraction(owner: str, name: str, value: Any) -> None:
    """Refuse anything but a number above 0 and below 1."""
    if not _is_number(value) or not 0.0 < value < 1.0:
        raise OptionError(f"{owner}({name}={value!r}); expected a number above 0 and below 1")


def positive(owner: str, name: str, value: Any) -> None:
    """Refuse anything but a finite number above 0."""
    if not _is_number(value) or not value > 0.0:
        raise OptionError(f"{owner}({name}={value!r}); expected a finite number above 0")


def count(owner: str, name: str, value: Any) -> None:
    """Refuse anything but an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{owner}({name}={value!r}); expected an integer of at least 1")


def _is_number(value: Any) -> bool:
    number = not isinstance(value, bool) and isinstance(value, (int, float))
    return number and abs(value) <= sys.float_info.max  # also refuses NaN
