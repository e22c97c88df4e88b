"""What the runs under one regularizer gave, and its JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, cast, get_args

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import Fractions, Labels
from pytest_reprotest.statistics import UNKNOWN, Estimate, Summary
from pytest_reprotest.stored import (
    entry,
    estimate_in,
    estimate_out,
    number_in,
    number_out,
    pack,
    texts,
    unpack,
)
from pytest_reprotest.thresholds import KINDS, Limit
from pytest_reprotest.verdict import Status, Verdict

_ESTIMATES = (
    "accuracy",
    "prediction_difference",
    "effective_accuracy",
    "difference_error_ratio",
)
NO_SUMMARY = Summary(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, math.nan)


@dataclass(frozen=True, eq=False)
class RegularizerResult:
    """What R runs under one regularizer gave.

    Attributes
    ----------
    regularizer : str
        The label, such as ``"weight_decay(0.001)"``.
    predictions : int array (n_runs, n_samples)
        Empty (0, n_samples) where a run failed.
    summary : Summary
        Estimates; all NaN where a run failed.
    limits : tuple of Limit
        The thresholds that were held against it.
    verdict : Verdict
    losses : tuple of tuples of float
        Mean training loss by run and epoch; empty where unknown.
    seconds : float
        Training time of all runs together.
    """

    regularizer: str
    predictions: Labels
    summary: Summary
    limits: tuple[Limit, ...]
    verdict: Verdict
    losses: tuple[tuple[float, ...], ...] = ()
    seconds: float = 0.0

    @property
    def n_runs(self) -> int:
        """Finished runs."""
        return len(self.predictions)

    @property
    def accuracy(self) -> Estimate:
        """Mean accuracy over runs, fraction of test samples."""
        return self.summary.accuracy

    @property
    def accuracy_std(self) -> float:
        """Standard deviation of accuracy over runs (ddof = 1)."""
        return self.summary.accuracy_std

    @property
    def prediction_difference(self) -> Estimate:
        """Mean pairwise prediction difference, fraction of test samples."""
        return self.summary.prediction_difference

    @property
    def effective_accuracy(self) -> Estimate:
        """Accuracy minus prediction difference."""
        return self.summary.effective_accuracy

    @property
    def difference_error_ratio(self) -> Estimate:
        """Prediction difference over error."""
        return self.summary.difference_error_ratio

    @cached_property
    def flip_rates(self) -> Fractions:
        """Fraction of run pairs that disagree on each sample, float64 (n_samples,)."""
        return metrics.flip_rates(self.predictions)

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives; NaN becomes None."""
        return {
            "n_runs": self.n_runs,
            **{name: estimate_out(getattr(self.summary, name)) for name in _ESTIMATES},
            "accuracy_std": number_out(self.accuracy_std),
            "limits": {limit.name: limit.value for limit in self.limits},
            "verdict": {**asdict(self.verdict), "reasons": list(self.verdict.reasons)},
            "losses": [[number_out(loss) for loss in run] for run in self.losses],
            "seconds": self.seconds,
            "predictions": pack(self.predictions),
        }

    @classmethod
    def from_dict(
        cls, regularizer: str, stored: Mapping[str, Any], n_samples: int
    ) -> RegularizerResult:
        """The inverse of ``to_dict``; entries that it does not know are left alone.

        Raises
        ------
        DataError
        """
        labels = unpack(stored.get("predictions"), n_dimensions=2)
        if labels.size and labels.shape[1] != n_samples:
            raise DataError(f"runs of {labels.shape[1]} samples stand beside {n_samples} in y_true")
        estimates = {name: estimate_in(stored, name) for name in _ESTIMATES}
        told = entry(stored, "verdict", dict)
        status = entry(told, "status", str)
        if status not in get_args(Status):
            raise DataError(f"a verdict is {status!r:.40}; expected {', '.join(get_args(Status))}")
        return cls(
            regularizer,
            labels.reshape(-1, n_samples),
            Summary(**estimates, accuracy_std=number_in(stored.get("accuracy_std"))),
            tuple(
                Limit(name, number_in(value, name))
                for name, value in entry(stored, "limits", dict).items()
                if name in KINDS
            ),
            Verdict(cast(Status, status), texts(told, "reasons"), entry(told, "broken", bool)),
            _losses(entry(stored, "losses", list)),
            number_in(stored.get("seconds"), "seconds"),
        )


def _losses(stored: list[Any]) -> tuple[tuple[float, ...], ...]:
    if not all(isinstance(run, list) for run in stored):
        raise DataError("losses hold something else than a list for each run")
    return tuple(tuple(number_in(loss, "losses") for loss in run) for run in stored)
