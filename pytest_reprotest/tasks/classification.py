"""One class for each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest import metrics
from pytest_reprotest.kinds import DEFAULT_TOLERANCES
from pytest_reprotest.metrics import ClassFlips, Fractions, Labels, Tally
from pytest_reprotest.predictions import Predictions, as_labels, check_y_true
from pytest_reprotest.tasks.task import Array, Names, Task

_NAMES = Names(
    "accuracy",
    "effective_accuracy",
    "accuracy_std",
    "accuracy",
    "ETA",
    "PD/error",
    "PD: fraction of test samples on which two runs differ. ETA: accuracy - PD.",
)

THRESHOLDS = (
    "max_prediction_difference",
    "min_effective_accuracy",
    "min_accuracy",
    "max_accuracy_std",
)
TOLERANCES = {
    name: DEFAULT_TOLERANCES[name]
    for name in (
        "max_accuracy_drop",
        "max_effective_accuracy_drop",
        "max_prediction_difference_increase",
        "max_negative_flip_excess",
    )
}
"""Of tasks that are scored by accuracy."""


@dataclass(frozen=True)
class Classification(Task):
    """Integer labels from 0 up; two runs differ on a sample where their labels do.

    Parameters
    ----------
    n_classes : int, optional
        Refuse predicted labels of n_classes and above.
    """

    n_classes: int | None = field(default=None, compare=False)
    name: ClassVar[str] = "classification"

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Of prediction difference, accuracy, its spread and Effective Test Accuracy."""
        return THRESHOLDS

    @property
    def tolerances(self) -> Mapping[str, float]:
        """Of accuracy, Effective Test Accuracy, prediction difference and negative flips."""
        return TOLERANCES

    @property
    def names(self) -> Names:
        """Accuracy and Effective Test Accuracy."""
        return _NAMES

    def check_y_true(self, y_true: Any) -> Labels:
        """Labels, int64 (n_samples,)."""
        __tracebackhide__ = True  # pytest shows the user's line only
        return check_y_true(y_true)

    def check_output(self, output: Any, y_true: Array) -> Labels:
        """Labels (n_samples,) of labels, or the highest of scores (n_samples, n_classes)."""
        return as_labels(output, y_true, self.n_classes)

    def stack(self, per_run: Sequence[Array]) -> Labels:
        """Labels (n_runs, n_samples) of the smallest type."""
        return Predictions.stack(per_run).labels

    def tally(self, predictions: Array, y_true: Array) -> Tally:
        """Hits and disagreements, in samples."""
        return Tally(
            metrics.hits(predictions, y_true),
            metrics.disagreements(predictions),
            predictions.shape[1],
        )

    def flip_rates(self, predictions: Array) -> Fractions:
        """By sample."""
        return metrics.flip_rates(predictions)

    def pairwise(self, predictions: Array) -> Fractions:
        """By pair of runs."""
        return metrics.pairwise_differences(predictions)

    def right(self, predictions: Array, y_true: Array) -> NDArray[np.bool_]:
        """Samples whose label is the true one."""
        right: NDArray[np.bool_] = predictions == y_true
        return right

    def guard(self, predictions: Array, y_true: Array) -> tuple[str, ...]:
        """Runs that predict one class whatever the sample.

        Two constant runs of one class have a prediction difference of 0 for the wrong reason. Where the
        test set itself holds one class, a run that predicts just that may be right, and nothing is said;
        nor of a single sample, which no run can help predicting as one class.
        """
        constant = Predictions(predictions).constant_runs()
        if np.all(y_true == y_true[0]):
            constant = {run: label for run, label in constant.items() if label != y_true[0]}
        if not constant or len(y_true) == 1:
            return ()
        which = ", ".join(f"run {run} (class {label})" for run, label in constant.items())
        return (
            f"constant predictor: {which} predicted one class for all {len(y_true)} test samples, so its "
            "prediction difference means nothing. Lower the learning rate, train longer, or check the "
            "model and the inputs' scale",
        )

    def by_class(self, predictions: Array, y_true: Array) -> tuple[ClassFlips, ...]:
        """By true class."""
        return metrics.class_flips(self.flip_rates(predictions), y_true)

    def scores_kept(self, output: Any) -> NDArray[np.float32] | None:
        """Scores, where the output is not labels already."""
        scores = np.asarray(output)
        if scores.ndim != 2 or scores.dtype.kind != "f":
            return None
        most = np.finfo(np.float32).max  # a wider float may hold more, and infinity is no score
        kept: NDArray[np.float32] = np.clip(scores, -most, most).astype(np.float32)
        return kept


CLASSIFICATION = Classification()
