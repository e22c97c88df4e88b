"""Thresholds: what a regularizer's estimates are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_reprotest.errors import OptionError, did_you_mean

Threshold = float | Mapping[str, float]


@dataclass(frozen=True)
class Kind:
    """A kind of threshold.

    Attributes
    ----------
    metric : str
        The statistic it bounds, as messages name it.
    short : str
        The same in the table.
    upper : bool
        From which side.
    field : str
        Where a Summary has the statistic.
    lowest, highest : float
        What values can bind.
    """

    metric: str
    short: str
    upper: bool
    field: str = ""
    lowest: float = 0.0
    highest: float = 1.0

    def holds(self, value: float, limit: float) -> bool:
        """Whether a statistic is within the limit; equality is."""
        return value <= limit if self.upper else value >= limit

    def tighter(self, first: float, second: float) -> float:
        """The stricter of two limits."""
        return min(first, second) if self.upper else max(first, second)


THRESHOLDS: dict[str, Kind] = {
    "max_prediction_difference": Kind(
        "prediction_difference", "PD", upper=True, field="prediction_difference"
    ),
    "min_effective_accuracy": Kind(
        "effective_accuracy", "ETA", upper=False, field="effective_score", lowest=-1.0
    ),
    "min_accuracy": Kind("accuracy", "acc", upper=False, field="score"),
    "max_accuracy_std": Kind("accuracy_std", "acc SD", upper=True, field="score_std"),
}
"""What an audit is held against."""

TOLERANCES: dict[str, Kind] = {
    "max_accuracy_drop": Kind("accuracy_drop", "acc drop", upper=True),
    "max_effective_accuracy_drop": Kind("effective_accuracy_drop", "ETA drop", upper=True),
    "max_prediction_difference_increase": Kind(
        "prediction_difference_increase", "PD rise", upper=True
    ),
    "max_negative_flip_excess": Kind("negative_flip_excess", "neg. flips", upper=True),
}
"""How much worse than a stored audit one may be. Each bounds a worsening; an improvement is negative."""

DEFAULT_TOLERANCES = {
    "max_accuracy_drop": 0.005,
    "max_effective_accuracy_drop": 0.01,
    "max_prediction_difference_increase": 0.005,
    "max_negative_flip_excess": 0.005,
}

KINDS = {**THRESHOLDS, **TOLERANCES}


@dataclass(frozen=True)
class Limit:
    """One threshold as it applies to one regularizer; ``value`` is a fraction of test samples."""

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
    return {str(regularizer): _number(kind, number) for regularizer, number in value.items()}


def _number(kind: Kind, value: Any) -> float:
    expected = f"expected a fraction of test samples between {kind.lowest:g} and {kind.highest:g}"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"got {value!r} ({type(value).__name__}); {expected}") from None
    if not kind.lowest <= number <= kind.highest:  # also refuses NaN
        hint = f" For {number:g}% write {number / 100:g}." if 1.0 < number <= 100.0 else ""
        raise OptionError(f"got {value!r}; {expected}.{hint}")
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
    tolerances: Mapping[str, Threshold], regularizer: str = ""
) -> tuple[Limit, ...]:
    """The tolerances that hold for one regularizer; the default where one is not given.

    Parameters
    ----------
    tolerances : mapping
        Name of ``TOLERANCES`` → a number for all, or a mapping from regularizer to number.

    >>> [str(limit) for limit in tolerance_limits({"max_accuracy_drop": 0.02})]
    ['acc drop≤0.02', 'ETA drop≤0.01', 'PD rise≤0.005', 'neg. flips≤0.005']
    """
    for name in tolerances:
        if name not in TOLERANCES:
            raise OptionError(
                f"unknown tolerance {name!r}; expected any of {', '.join(TOLERANCES)}."
                f"{did_you_mean(name, TOLERANCES)}"
            )
    return tuple(
        Limit(name, default if value is None else value)
        for name, default in DEFAULT_TOLERANCES.items()
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
        found = []
        for name, kind in THRESHOLDS.items():
            standing = _for(self.standing.get(name), regularizer)
            command = _for(self.command.get(name), regularizer)
            if standing is None or command is None:
                value = standing if command is None else command
            else:
                value = command if self.command_wins else kind.tighter(standing, command)
            if value is not None:
                found.append(Limit(name, value))
        return tuple(found)

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
        return tuple(name for name in THRESHOLDS if "" in self._stricter(name))

    def not_loosened(self) -> tuple[str, ...]:
        """A sentence for each threshold that the command line asked to loosen and could not."""
        return tuple(
            f"--repro-{name.replace('_', '-')}={self.command[name]:g} is looser than the marker's "
            + " and ".join(
                f"{value:g}{f' for {regularizer!r}' if regularizer else ''}"
                for regularizer, value in stricter.items()
            )
            + ", which stands; --repro-report-only reports against it without failing."
            for name in THRESHOLDS
            if (stricter := self._stricter(name))
        )

    def _stricter(self, name: str) -> dict[str, float]:
        """Regularizer ("" for all) → the marker's number that the command line would loosen."""
        standing, command = self.standing.get(name), self.command.get(name)
        if standing is None or not isinstance(command, float) or self.command_wins:
            return {}
        numbers = standing if isinstance(standing, Mapping) else {"": standing}
        tighter = THRESHOLDS[name].tighter
        return {key: value for key, value in numbers.items() if tighter(value, command) != command}


def _for(threshold: Threshold | None, regularizer: str) -> float | None:
    return threshold.get(regularizer) if isinstance(threshold, Mapping) else threshold
