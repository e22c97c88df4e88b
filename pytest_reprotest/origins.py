"""Where an option's value came from, and how its user spelled it there."""

from __future__ import annotations

from typing import Any

from pytest_reprotest.errors import shown

COMMAND_LINE, CALL, MARKER, INI, DEFAULT = "command line", "call", "marker", "ini", "default"

NEAREST_FIRST = (COMMAND_LINE, CALL, MARKER, INI, DEFAULT)
"""A nearer source wins over a farther one. A call is that of ``audit``, or of ``retrain`` beside a marker."""


def nearer(origin: str, other: str) -> bool:
    """Whether a source wins over another one.

    >>> nearer(COMMAND_LINE, MARKER), nearer(MARKER, MARKER)
    (True, False)
    """
    return NEAREST_FIRST.index(origin) < NEAREST_FIRST.index(other)


def spelled(origin: str, key: str, value: Any) -> str:
    """An option as its user wrote it, to begin an error message with.

    >>> spelled("command line", "max_accuracy_std", 2)
    '--repro-max-accuracy-std=2'
    """
    if origin == COMMAND_LINE:
        flag = f"--repro-{key.replace('_', '-')}"
        return flag if value is True else f"{flag}={value}"
    if origin == INI:
        return f"ini option repro_{key} = {value}"
    told = f"{key}={shown(value)}"
    return told if origin in (CALL, DEFAULT) else f"reproducibility({told})"
