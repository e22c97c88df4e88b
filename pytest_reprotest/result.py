"""The finished audit: frozen, self-describing, and its JSON form."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pytest_reprotest import metrics
from pytest_reprotest.errors import did_you_mean
from pytest_reprotest.metrics import Fractions, Labels
from pytest_reprotest.predictions import smallest_dtype
from pytest_reprotest.results_file import no_result, read_result, write_results
from pytest_reprotest.statistics import UNKNOWN, Estimate, Summary
from pytest_reprotest.thresholds import Limit
from pytest_reprotest.verdict import Verdict

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
            **{name: _estimate_out(getattr(self.summary, name)) for name in _ESTIMATES},
            "accuracy_std": _number_out(self.accuracy_std),
            "limits": {limit.name: limit.value for limit in self.limits},
            "verdict": {**asdict(self.verdict), "reasons": list(self.verdict.reasons)},
            "losses": [[_number_out(loss) for loss in run] for run in self.losses],
            "seconds": self.seconds,
            "flip_rates": self.flip_rates.tolist() if self.n_runs else [],
            "predictions": self.predictions.tolist(),
        }

    @classmethod
    def from_dict(
        cls, regularizer: str, stored: Mapping[str, Any], n_samples: int
    ) -> RegularizerResult:
        """The inverse of ``to_dict``."""
        rows = stored["predictions"]
        labels = np.asarray(rows, dtype=np.int64).reshape(len(rows), n_samples)
        estimates = {name: _estimate_in(stored[name]) for name in _ESTIMATES}
        summary = Summary(**estimates, accuracy_std=_number_in(stored["accuracy_std"]))
        told = stored["verdict"]
        return cls(
            regularizer,
            labels.astype(smallest_dtype(int(labels.max(initial=0)) + 1)),
            summary,
            tuple(Limit(name, value) for name, value in stored["limits"].items()),
            Verdict(told["status"], tuple(told["reasons"]), told["broken"]),
            tuple(tuple(_number_in(loss) for loss in run) for run in stored["losses"]),
            stored["seconds"],
        )


@dataclass(frozen=True, eq=False)
class AuditResult:
    """A finished audit.

    ``result["dropout"]`` is the RegularizerResult of a label.

    Attributes
    ----------
    name : str
        The test's node id, or empty.
    by_regularizer : mapping
        Label → RegularizerResult, in the order they were asked for.
    y_true : int array (n_samples,)
    baseline : str
        The label that others are held against.
    not_applicable : mapping
        Label → the reason why a regularizer that "all" named does not fit this model.
    settings : mapping
        What determines the result: seed, vary, device, recipe, versions. JSON primitives.
    notes : tuple of str
        Sentences for the report.
    report_only : bool
        Breached thresholds do not count against ``passed``.
    """

    name: str
    by_regularizer: Mapping[str, RegularizerResult]
    y_true: Labels
    baseline: str
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    report_only: bool = False

    def __getitem__(self, regularizer: str) -> RegularizerResult:
        try:
            return self.by_regularizer[regularizer]
        except KeyError:
            raise KeyError(
                f"no regularizer {regularizer!r} in this audit; it has "
                f"{', '.join(self.regularizers)}.{did_you_mean(regularizer, self.regularizers)}"
            ) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AuditResult) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.name, self.regularizers))

    @property
    def regularizers(self) -> tuple[str, ...]:
        """The audited labels."""
        return tuple(self.by_regularizer)

    @property
    def failed(self) -> tuple[RegularizerResult, ...]:
        """The regularizers that count against the audit: broken ones, and others unless report_only."""
        return tuple(
            found
            for found in self.by_regularizer.values()
            if found.verdict.broken or (found.verdict.status != "pass" and not self.report_only)
        )

    @property
    def passed(self) -> bool:
        """Whether something was audited and nothing counts against it."""
        return bool(self.by_regularizer) and not self.failed

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {
            "name": self.name,
            "baseline": self.baseline,
            "report_only": self.report_only,
            "passed": self.passed,
            "notes": list(self.notes),
            "settings": dict(self.settings),
            "not_applicable": dict(self.not_applicable),
            "regularizers": {name: found.to_dict() for name, found in self.by_regularizer.items()},
            "y_true": self.y_true.tolist(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> AuditResult:
        """The inverse of ``to_dict``."""
        y_true = np.asarray(stored["y_true"], dtype=np.int64)
        return cls(
            name=stored["name"],
            by_regularizer={
                name: RegularizerResult.from_dict(name, found, len(y_true))
                for name, found in stored["regularizers"].items()
            },
            y_true=y_true,
            baseline=stored["baseline"],
            not_applicable=stored["not_applicable"],
            settings=stored["settings"],
            notes=tuple(stored["notes"]),
            report_only=stored["report_only"],
        )

    def to_json(self, path: str | Path) -> None:
        """Write this audit to a file, atomically."""
        write_results(path, [self.to_dict()])

    @classmethod
    def from_json(cls, path: str | Path) -> AuditResult:
        """Read a file that holds one audit.

        Raises
        ------
        DataError
            Where the file is no result, or holds several audits.
        """
        stored = read_result(path)
        try:
            return cls.from_dict(stored)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise no_result(path, error) from None


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    import importlib.metadata as metadata

    packages = ("pytest-reprotest", "torch", "numpy", "scipy")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _number_out(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _number_in(number: float | None) -> float:
    return math.nan if number is None else float(number)


def _estimate_out(estimate: Estimate) -> dict[str, float | None]:
    return {name: _number_out(value) for name, value in asdict(estimate).items()}


def _estimate_in(stored: Mapping[str, float | None]) -> Estimate:
    return Estimate(**{name: _number_in(value) for name, value in stored.items()})
