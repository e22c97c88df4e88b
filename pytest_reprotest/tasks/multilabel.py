"""Several labels for each sample, each there or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.metrics import ClassFlips, Fractions, Labels, Tally, multilabel
from pytest_reprotest.predictions import as_array
from pytest_reprotest.tasks.classification import THRESHOLDS, TOLERANCES
from pytest_reprotest.tasks.task import Array, Names, Task

_NAMES = Names(
    "accuracy",
    "effective_accuracy",
    "accuracy_std",
    "accuracy",
    "ETA",
    "PD/error",
    "PD: fraction of cells, the labels of the test samples, on which two runs differ. ETA: accuracy - PD.",
    "label",
)


@dataclass(frozen=True)
class MultiLabel(Task):
    """0 or 1 for each label of a sample; two runs are compared on each such cell.

    Scores that all lie within 0 to 1 are taken for probabilities; where any is below 0 or above 1, all of
    the run are taken for logits. A model that is trained with the loss ``bce_with_logits`` gives logits,
    whatever their range.

    Parameters
    ----------
    threshold : float
        The probability above which a label is predicted, between 0 and 1.

    Raises
    ------
    OptionError

    >>> task = MultiLabel()
    >>> task.check_output([[0.2, 0.9]], np.array([[0, 1]])), task.check_output([[0.2, 1.9]], np.array([[0, 1]]))
    (array([[0, 1]], dtype=uint8), array([[1, 1]], dtype=uint8))
    """

    threshold: float = 0.5
    name: ClassVar[str] = "multilabel"
    y_true_dims: ClassVar[int] = 2

    def __post_init__(self) -> None:
        value = self.threshold
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
            value, bool
        )
        if not number or not 0 < value < 1:
            raise OptionError(f"threshold={value!r}; expected a probability between 0 and 1")
        object.__setattr__(self, "threshold", float(value))

    @property
    def title(self) -> str:
        """As one says it."""
        return "multilabel classification"

    @property
    def names(self) -> Names:
        """Accuracy and Effective Test Accuracy, of cells."""
        return _NAMES

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Those of classification."""
        return THRESHOLDS

    @property
    def tolerances(self) -> Mapping[str, float]:
        """Those of classification."""
        return TOLERANCES

    @property
    def logit(self) -> float:
        """The threshold as a logit."""
        return math.log(self.threshold / (1 - self.threshold))

    def check_y_true(self, y_true: Any) -> Labels:
        """0 and 1, int64 (n_samples, n_labels)."""
        __tracebackhide__ = True  # pytest shows the user's line only
        labels: Labels = as_array("y_true", y_true)
        if labels.ndim != 2 or (labels.size == 0 and len(labels)):
            raise DataError(
                f"y_true has shape {labels.shape}; expected (n_samples, n_labels), 0 or 1 for each label of "
                "a test sample. One class a sample is task='classification'."
            )
        if labels.size == 0:
            raise DataError("the test set is empty: y_true has 0 samples; expected at least 1.")
        if labels.dtype.kind not in "iubf" or not _zero_or_one(labels):
            raise DataError(
                f"y_true holds other {labels.dtype} values than 0 and 1; expected 0 or 1 for each label of "
                "a test sample. Turn lists of labels into indicators, or drop samples without them."
            )
        return labels.astype(np.int64)

    def check_output(self, output: Any, y_true: Array) -> Labels:
        """0 and 1, uint8 (n_samples, n_labels), of labels or scores of that shape."""
        array = as_array("predictions", output)
        n_samples, n_labels = y_true.shape
        if array.shape != (n_samples, n_labels):
            raise DataError(
                f"predictions have shape {array.shape}; expected ({n_samples}, {n_labels}), a label or score "
                f"for each of the {n_labels} labels of each of the {n_samples} test samples. Predict the test "
                "set y_true belongs to, whole and in its order"
            )
        if array.dtype.kind == "f":
            return self._of_scores(array)
        if array.dtype.kind not in "iub":
            raise DataError(
                f"predictions have dtype {array.dtype}; expected labels 0 and 1, or numeric scores"
            )
        if not _zero_or_one(array):
            raise DataError(
                f"predictions hold integers from {array.min()} to {array.max()}; expected labels 0 and 1. "
                "Return scores as floats"
            )
        labels: Labels = array.astype(np.uint8)
        return labels

    def _of_scores(self, scores: NDArray[Any]) -> Labels:
        if not np.isfinite(scores).all():
            raise DataError(
                "scores hold NaN or infinity; expected finite numbers. Lower the learning rate"
            )
        probabilities = scores.min() >= 0 and scores.max() <= 1
        labels: Labels = (scores > (self.threshold if probabilities else self.logit)).astype(
            np.uint8
        )
        return labels

    def stack(self, per_run: Sequence[Array]) -> Labels:
        """0 and 1, uint8 (n_runs, n_samples, n_labels)."""
        labels: Labels = np.stack(per_run)
        labels.setflags(write=False)
        return labels

    def tally(self, predictions: Array, y_true: Array) -> Tally:
        """Hits and disagreements, in cells."""
        return Tally(
            multilabel.hits(predictions, y_true),
            multilabel.disagreements(predictions),
            y_true.size,
        )

    def flip_rates(self, predictions: Array) -> Fractions:
        """By sample, mean over its labels."""
        return multilabel.flip_rates(predictions)

    def pairwise(self, predictions: Array) -> Fractions:
        """By pair of runs."""
        return multilabel.pairwise_differences(predictions)

    def right(self, predictions: Array, y_true: Array) -> NDArray[np.bool_]:
        """Cells whose label is the true one, (n_runs, n_samples · n_labels)."""
        right: NDArray[np.bool_] = predictions == y_true
        return right.reshape(len(predictions), -1)

    def guard(self, predictions: Array, y_true: Array) -> tuple[str, ...]:
        """Runs that predict the same labels whatever the sample, where the true ones vary.

        A single label that is never predicted is no reason: it may be a rare one.
        """
        constant = np.flatnonzero((predictions == predictions[:, :1]).all(axis=(1, 2)))
        if not len(constant) or np.all(y_true == y_true[0]):
            return ()
        which = ", ".join(f"run {run}" for run in constant)
        return (
            f"constant predictor: {which} predicted the same labels for all {len(y_true)} test samples, so "
            "its prediction difference means nothing. Lower the learning rate, train longer, or check the "
            "model and the inputs' scale",
        )

    def by_class(self, predictions: Array, y_true: Array) -> tuple[ClassFlips, ...]:
        """By label; ``n_samples`` is that of the test set."""
        rates = multilabel.label_differences(predictions)
        return tuple(
            ClassFlips(label, float(rate), len(y_true)) for label, rate in enumerate(rates)
        )

    def check_stored(self, predictions: Array, y_true: Array) -> None:
        """Also refuse other values than 0 and 1."""
        super().check_stored(predictions, y_true)
        multilabel.checked(predictions, min_runs=1)

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {"name": self.name, "threshold": self.threshold}


def _zero_or_one(values: NDArray[Any]) -> bool:
    return bool(((values == 0) | (values == 1)).all())
