"""Thresholds as they were set: which limits hold for which regularizer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_reprotest.errors import OptionError, did_you_mean, shown
from pytest_reprotest.kinds import DEFAULT_TOLERANCES, KINDS, THRESHOLDS, TOLERANCES, Kind

__all__ = [
    "DEFAULT_TOLERANCES",
    "KINDS",
    "THRESHOLDS",
    "TOLERANCES",
    "Bounds",
    "Kind",
    "Limit",
    "Threshold",
    "check_task",
    "read_threshold",
    "tolerance_limits",
]

Threshold = float | Mapping[str, float]


@dataclass(frozen=True)
class Limit:
    """One threshold as it applies to one regularizer; ``value`` is in the unit of its kind."""

    name: str
    value: float

    @property
    def kind(self) -> Kind:
        """The statistic it bounds, and from which side."""
        return KINDS[self.name]

    def __str__(self) -> str:
        """The short form of the table: ``PD≤0.06``."""
        return f"{self.kind.short}{'≤' if self.kind.upper else '≥'}{self.value:g}"


def read_threshold(name: str, value: Any) -> Threshold:
    """One number for every regularizer, or a mapping from regularizer to number.

    >>> read_threshold("min_accuracy", {"dropout": "0.9"})
    {'dropout': 0.9}
    """
    kind = KINDS[name]
    if not isinstance(value, Mapping):
        return _number(kind, value)
    if not value:
        raise OptionError("got an empty mapping; expected regularizer names with a number each")
    return {
        key if isinstance(key, str) else shown(key): _number(kind, number)
        for key, number in value.items()
    }


def _number(kind: Kind, value: Any) -> float:
    expected = f"expected {kind.expected}"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except Exception:  # a value's own code may raise anything
        raise OptionError(f"got {shown(value)} ({type(value).__name__}); {expected}") from None
    if not (kind.lowest <= number <= kind.highest and math.isfinite(number)):  # also refuses NaN
        percent = kind.highest == 1.0 < number <= 100.0
        hint = f" For {number:g}% write {number / 100:g}." if percent else ""
        raise OptionError(f"got {shown(value)}; {expected}.{hint}")
    return number


def check_task(bounds: Bounds, task: str, valid: tuple[str, ...]) -> None:
    """Refuse a threshold that means nothing for a task.

    Raises
    ------
    OptionError
    """
    for name in THRESHOLDS:
        if name not in valid and bounds.any(name):
            raise OptionError(
                f"{name} can't be held for a {task}; expected any of {', '.join(valid)}"
            )


def tolerance_limits(
    tolerances: Mapping[str, Threshold],
    regularizer: str = "",
    defaults: Mapping[str, float] = DEFAULT_TOLERANCES,
) -> tuple[Limit, ...]:
    """The tolerances that hold for one regularizer; the default where one is not given.

    Parameters
    ----------
    tolerances : mapping
        Name of ``TOLERANCES`` → a number for all, or a mapping from regularizer to number.
    defaults : mapping
        The names that mean something, with their defaults: ``Task.tolerances``.

    >>> defaults = {"max_accuracy_drop": 0.005, "max_effective_accuracy_drop": 0.01}
    >>> [str(limit) for limit in tolerance_limits({"max_accuracy_drop": 0.02}, defaults=defaults)]
    ['acc drop≤0.02', 'ETA drop≤0.01']
    """
    for name in tolerances:
        if name not in TOLERANCES:
            raise OptionError(
                f"unknown tolerance {name!r}; expected any of {', '.join(TOLERANCES)}."
                f"{did_you_mean(name, TOLERANCES)}"
            )
    return tuple(
        Limit(name, default if value is None else value)
        for name, default in defaults.items()
        for value in [_for(tolerances.get(name), regularizer)]
    )


@dataclass(frozen=True)
class Bounds:
    """The thresholds of an audit by where they were set.

    Attributes
    ----------
    standing : mapping
        Threshold name → marker's number or mapping, or None; the ini file's where neither marker nor
        command line has one.
    command : mapping
        Threshold name → the command line's, or None.
    command_wins : bool
        The command line replaces instead of tightening: only where nothing fails by it.
    """

    standing: Mapping[str, Threshold | None] = field(default_factory=dict)
    command: Mapping[str, Threshold | None] = field(default_factory=dict)
    command_wins: bool = False

    def limits(self, regularizer: str) -> tuple[Limit, ...]:
        """The limits that hold for one regularizer.

        >>> bounds = Bounds({"min_accuracy": 0.9}, {"min_accuracy": 0.95})
        >>> bounds.limits("dropout")
        (Limit(name='min_accuracy', value=0.95),)
        """
        found = ((name, self._value(name, regularizer)) for name in THRESHOLDS)
        return tuple(Limit(name, value) for name, value in found if value is not None)

    def tolerances(self, regularizer: str) -> tuple[Limit, ...]:
        """How much worse than a stored audit one regularizer may be, as far as it was said.

        >>> [str(limit) for limit in Bounds({"max_accuracy_drop": 0.02}).tolerances("none")]
        ['acc drop≤0.02']
        """
        found = ((name, self._value(name, regularizer)) for name in TOLERANCES)
        return tuple(Limit(name, value) for name, value in found if value is not None)

    def _value(self, name: str, regularizer: str) -> float | None:
        standing = _for(self.standing.get(name), regularizer)
        command = _for(self.command.get(name), regularizer)
        if standing is None or command is None:
            return standing if command is None else command
        return command if self.command_wins else KINDS[name].tighter(standing, command)

    def of_single_runs(self) -> tuple[Bounds, tuple[str, ...]]:
        """The thresholds that a single run can be held against, and the names of the others that are set."""
        alone = [name for name, kind in THRESHOLDS.items() if not kind.needs_pairs]
        standing, command = (
            {name: given.get(name) for name in alone} for given in (self.standing, self.command)
        )
        others = tuple(name for name in THRESHOLDS if name not in alone and self.any(name))
        return Bounds(standing, command, self.command_wins), others

    def any(self, name: str) -> bool:
        """Whether a threshold is set for any regularizer."""
        return self.standing.get(name) is not None or self.command.get(name) is not None

    def named(self) -> dict[str, tuple[str, ...]]:
        """Threshold name → the regularizers its mapping names, for checking their spelling."""
        return {
            name: tuple(threshold)
            for name, threshold in self.standing.items()
            if isinstance(threshold, Mapping)
        }

    def kept(self) -> tuple[str, ...]:
        """The thresholds whose number on the command line has no effect."""
        return tuple(name for name in KINDS if "" in self._stricter(name))

    def not_loosened(self) -> tuple[str, ...]:
        """A sentence for each threshold that the command line asked to loosen and could not."""
        return tuple(
            f"--repro-{name.replace('_', '-')}={self.command[name]:g} is looser than the marker's "
            + " and ".join(
                f"{value:g}{f' for {regularizer!r}' if regularizer else ''}"
                for regularizer, value in stricter.items()
            )
            + ", which stands; --repro-report-only reports against it without failing."
            for name in KINDS
            if (stricter := self._stricter(name))
        )

    def _stricter(self, name: str) -> dict[str, float]:
        """Regularizer ("" for all) → the marker's number that the command line would loosen."""
        standing, command = self.standing.get(name), self.command.get(name)
        if standing is None or not isinstance(command, float) or self.command_wins:
            return {}
        numbers = standing if isinstance(standing, Mapping) else {"": standing}
        tighter = KINDS[name].tighter
        return {key: value for key, value in numbers.items() if tighter(value, command) != command}


def _for(threshold: Threshold | None, regularizer: str) -> float | None:
    return threshold.get(regularizer) if isinstance(threshold, Mapping) else threshold
