"""What the runs under one regularizer gave, and its JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, cast, get_args

from pytest_reprotest.attribution import Attribution
from pytest_reprotest.changes import Change
from pytest_reprotest.details import Details
from pytest_reprotest.errors import DataError
from pytest_reprotest.gates import gate_in, gate_out
from pytest_reprotest.metrics import Fractions
from pytest_reprotest.proof import Proof
from pytest_reprotest.statistics import UNKNOWN, Estimate, Summary
from pytest_reprotest.statistics.gate import Gate
from pytest_reprotest.stored import (
    MAX_RUNS,
    entry,
    estimate_in,
    estimate_out,
    finite_in,
    number_in,
    number_out,
    pack,
    texts,
    unpack,
)
from pytest_reprotest.tasks import CLASSIFICATION, Array, Task
from pytest_reprotest.thresholds import KINDS, Limit
from pytest_reprotest.verdict import Status, Verdict

NO_SUMMARY = Summary(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, math.nan)


@dataclass(frozen=True, eq=False)
class RegularizerResult:
    """What R runs under one regularizer gave.

    Attributes
    ----------
    regularizer : str
        The label, such as ``"weight_decay(0.001)"``.
    predictions : array (n_runs, n_samples)
        Integer labels; of a regression floats, of several labels 0 and 1 (n_runs, n_samples, n_labels).
        Empty (0, n_samples) where a run failed, or where the file that it was read from holds none.
    summary : Summary
        Estimates; all NaN where a run failed.
    limits : tuple of Limit
        The thresholds that were held against it.
    verdict : Verdict
    losses : tuple of tuples of float
        Mean training loss by run and epoch; empty where unknown.
    seconds : float
        Training time of all runs together.
    task : Task
    score_distance : float
        Mean squared distance between two runs' probabilities, 0 to 2; NaN without scores.
    study_p_value : float or None
        The study's own p-value, where it was asked for; it says nothing.
    gate : Gate or None
        The runs held against those of a bank, where they were.
    changes : tuple of Change
        What became of each measure since a stored result, where one was held against it.
    left_out : int
        Finished runs whose predictions were left out of the file that this was read from.
    stored_details : Details or None
        What that file says of them.
    proof : Proof or None
        The runs held against each other to the last bit, where determinism was to be proven.
    attribution : Attribution or None
        The shares of the prediction difference, where they were asked for.
    """

    regularizer: str
    predictions: Array
    summary: Summary
    limits: tuple[Limit, ...]
    verdict: Verdict
    losses: tuple[tuple[float, ...], ...] = ()
    seconds: float = 0.0
    task: Task = CLASSIFICATION
    score_distance: float = math.nan
    study_p_value: float | None = None
    gate: Gate | None = None
    changes: tuple[Change, ...] = ()
    proof: Proof | None = None
    attribution: Attribution | None = None
    left_out: int = 0
    stored_details: Details | None = None

    @property
    def n_runs(self) -> int:
        """Finished runs."""
        return self.left_out or len(self.predictions)

    @property
    def questioned(self) -> bool:
        """Whether anything was held against it: a threshold, a bank, a stored result or its own repetition."""
        return bool(self.limits or self.gate or self.changes or self.proof)

    @property
    def score(self) -> Estimate:
        """Mean score over runs, whatever the task: accuracy, R² or mean absolute error."""
        return self.summary.score

    @property
    def effective_score(self) -> Estimate:
        """Score minus prediction difference."""
        return self.summary.effective_score

    @property
    def score_std(self) -> float:
        """Standard deviation of the score over runs (ddof = 1)."""
        return self.summary.score_std

    @property
    def prediction_difference(self) -> Estimate:
        """Mean pairwise prediction difference, fraction of test samples."""
        return self.summary.prediction_difference

    @property
    def difference_error_ratio(self) -> Estimate:
        """Prediction difference over error."""
        return self.summary.difference_error_ratio

    @property
    def accuracy(self) -> Estimate:
        """Mean accuracy over runs, fraction of test samples."""
        return self._scored("accuracy").score

    @property
    def effective_accuracy(self) -> Estimate:
        """Accuracy minus prediction difference."""
        return self._scored("accuracy").effective_score

    @property
    def accuracy_std(self) -> float:
        """Standard deviation of accuracy over runs (ddof = 1)."""
        return self._scored("accuracy").score_std

    @property
    def r2(self) -> Estimate:
        """Mean coefficient of determination over runs, of a regression."""
        return self._scored("r2").score

    @property
    def effective_r2(self) -> Estimate:
        """R² minus prediction difference."""
        return self._scored("r2").effective_score

    @property
    def mae(self) -> Estimate:
        """Mean absolute error over runs, of a regression that is scored so; in the target's unit."""
        return self._scored("mae").score

    def _scored(self, name: str) -> Summary:
        if self.task.names.score != name:
            raise AttributeError(
                f"this {self.task.name} has no {name}; it has {self.task.names.score}, as every task "
                "has score, prediction_difference and effective_score"
            )
        return self.summary

    @cached_property
    def flip_rates(self) -> Fractions:
        """Fraction of run pairs that disagree on each sample, float64 (n_samples,)."""
        return self.task.flip_rates(self.predictions)

    @cached_property
    def pairwise(self) -> Fractions:
        """Prediction difference of each two runs, float64 (n_runs, n_runs)."""
        return self.task.pairwise(self.predictions)

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives; NaN becomes None."""
        stored: dict[str, Any] = {
            "n_runs": self.n_runs,
            **{name: estimate_out(getattr(self, field)) for name, field in _named(self.task)},
            self.task.names.score_std: number_out(self.score_std),
            "score_distance": number_out(self.score_distance),
            "limits": {limit.name: limit.value for limit in self.limits},
            "verdict": {**asdict(self.verdict), "reasons": list(self.verdict.reasons)},
            "losses": [[number_out(loss) for loss in run] for run in self.losses],
            "seconds": self.seconds,
        }
        if not self.left_out:
            stored["predictions"] = pack(self.predictions)
        if self.study_p_value is not None:
            stored["study_p_value"] = number_out(self.study_p_value)
        if self.gate is not None:
            stored["gate"] = gate_out(self.gate)
        if self.changes:
            stored["changes"] = [change.to_dict() for change in self.changes]
        if self.proof is not None:
            stored["proof"] = self.proof.to_dict()
        if self.attribution is not None:
            stored["attribution"] = self.attribution.to_dict()
        return stored

    @classmethod
    def from_dict(
        cls,
        regularizer: str,
        stored: Mapping[str, Any],
        n_samples: int,
        task: Task = CLASSIFICATION,
    ) -> RegularizerResult:
        """The inverse of ``to_dict``; entries that it does not know are left alone.

        Raises
        ------
        DataError
        """
        left_out = 0 if "predictions" in stored else entry(stored, "n_runs", int)
        packed = stored.get("predictions", [])
        labels = unpack(packed, task.y_true_dims + 1, task.floats)
        n_runs = left_out or len(labels)
        if not 0 <= n_runs <= MAX_RUNS:
            raise DataError(f"n_runs is {n_runs}; expected 0 to {MAX_RUNS:,}")
        if labels.size and labels.shape[1] != n_samples:
            raise DataError(f"runs of {labels.shape[1]} samples stand beside {n_samples} in y_true")
        estimates = {field: estimate_in(stored, name) for name, field in _named(task)}
        # without a name of its own it is the score
        estimates.setdefault("effective_score", estimates["score"])
        told, limits = entry(stored, "verdict", dict), entry(stored, "limits", dict)
        status = entry(told, "status", str)
        if status not in get_args(Status):
            raise DataError(f"a verdict is {status!r:.40}; expected {', '.join(get_args(Status))}")
        return cls(
            regularizer,
            labels if labels.size else labels.reshape(0, n_samples),
            Summary(**estimates, score_std=number_in(stored.get(task.names.score_std))),
            tuple(Limit(name, finite_in(limits, name)) for name in limits if name in KINDS),
            Verdict(cast(Status, status), texts(told, "reasons"), entry(told, "broken", bool)),
            _losses(entry(stored, "losses", list)),
            finite_in(stored, "seconds"),
            task,
            number_in(stored.get("score_distance"), "score_distance"),
            number_in(stored["study_p_value"]) if "study_p_value" in stored else None,
            gate_in(entry(stored, "gate", dict)) if "gate" in stored else None,
            tuple(map(Change.from_dict, entry({"changes": [], **stored}, "changes", list))),
            Proof.from_dict(entry(stored, "proof", dict)) if "proof" in stored else None,
            Attribution.from_dict(entry(stored, "attribution", dict))
            if "attribution" in stored
            else None,
            left_out,
            Details.from_dict(entry(stored, "details", dict), n_samples)
            if left_out and stored.get("details") is not None
            else None,
        )


def _named(task: Task) -> tuple[tuple[str, str], ...]:
    """The estimates: what a file calls them, and where a summary has them."""
    return (
        (task.names.score, "score"),
        ("prediction_difference", "prediction_difference"),
        *(((task.names.effective_score, "effective_score"),) if task.names.effective_score else ()),
        ("difference_error_ratio", "difference_error_ratio"),
    )


def _losses(stored: list[Any]) -> tuple[tuple[float, ...], ...]:
    if not all(isinstance(run, list) for run in stored):
        raise DataError("losses hold something else than a list for each run")
    return tuple(tuple(number_in(loss, "losses") for loss in run) for run in stored)
