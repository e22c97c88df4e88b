"""What an audit would take and could show, as far as that is known before it trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_reprotest.statistics.planning import half_width, runs_for_half_width

Span = tuple[float, float]
"""Seconds up to an audit's first look and up to its last; the same twice where runs are not added."""


@dataclass(frozen=True)
class Width:
    """The interval to expect of one statistic.

    Attributes
    ----------
    value : float
        Where it is expected: at the limit, or where the pilot was. A fraction of test samples.
    half_width : float or None
        Of the 95% interval over all runs; None below 3 runs.
    runs : int or None
        Runs that reach the half-width that is wanted; None above 10,000.
    source : {"limit", "pilot"}
        Where the spread over runs came from: what is typical at the limit, or the pilot.
    """

    value: float
    half_width: float | None
    runs: int | None
    source: str


def width_of(
    value: float, sigma: float, n_runs: int, wanted: float, source: str = "limit"
) -> Width:
    """The interval that ``n_runs`` give, and the runs that give the one that is wanted.

    Parameters
    ----------
    sigma : float
        Standard deviation of the pseudo-values.
    wanted : float
        Half-width.

    >>> found = width_of(0.04, 0.01, 5, wanted=0.005)
    >>> round(found.half_width, 4), found.runs
    (0.0137, 19)
    """
    width = half_width(sigma, n_runs)
    runs = runs_for_half_width(sigma, wanted)
    return Width(value, None if math.isnan(width) else width, runs, source)


@dataclass(frozen=True)
class Expected:
    """What is expected of one regularizer.

    Attributes
    ----------
    regularizer : str
    seconds : pair of float, or None where only training would tell
        Training time of all its runs together, to the first look and to the last.
    widths : mapping
        Metric → Width, where a limit or a pilot says where to expect it.
    """

    regularizer: str
    seconds: Span | None
    widths: Mapping[str, Width] = field(default_factory=dict)


@dataclass(frozen=True)
class Forecast:
    """What one audit would train, how long, and how wide its intervals would be.

    Attributes
    ----------
    name : str
        The test's node id.
    baseline : str
    looks : tuple of int
        Runs of each regularizer at each look; one where runs are not added.
    workers : int
    expected : tuple of Expected
    seconds : pair of float, or None where only training would tell
        From the start of training to its end, with the workers side by side.
    refusals : mapping
        Label of each regularizer that does not fit → the reason.
    notes : tuple of str
        Sentences for the report.
    proof : bool
        Determinism is to be proven, so no intervals are expected.
    test : str
        The test of an item, where its regularizers are spread over items; else empty.
    """

    name: str
    baseline: str
    looks: tuple[int, ...]
    workers: int
    expected: tuple[Expected, ...]
    seconds: Span | None
    refusals: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    proof: bool = False
    test: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Forecast:
        """The inverse of ``to_dict``, after JSON."""
        expected = tuple(
            Expected(
                each["regularizer"],
                _span(each["seconds"]),
                {metric: Width(**width) for metric, width in each["widths"].items()},
            )
            for each in stored["expected"]
        )
        return cls(
            name=stored["name"],
            baseline=stored["baseline"],
            looks=tuple(stored["looks"]),
            workers=stored["workers"],
            expected=expected,
            seconds=_span(stored["seconds"]),
            refusals=stored["refusals"],
            notes=tuple(stored["notes"]),
            proof=stored["proof"],
            test=stored["test"],
        )


def _span(stored: Any) -> Span | None:
    return None if stored is None else (stored[0], stored[1])
