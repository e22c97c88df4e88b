"""The validated container of one regularizer's predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import Labels


def smallest_dtype(n_classes: int) -> np.dtype[Any]:
    """The smallest unsigned integer type that holds labels 0 … n_classes - 1.

    >>> smallest_dtype(10), smallest_dtype(1000)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.min_scalar_type(max(n_classes - 1, 0))


def as_array(name: str, value: Any) -> Any:
    """What a user gave, as an array.

    Raises
    ------
    DataError
    """
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors on a device
        raise DataError(f"{name} can't be read as an array: {error}") from None


def check_y_true(y_true: Any) -> Labels:
    """Validate true labels: integers (n_samples,), none negative, at least one."""
    __tracebackhide__ = True  # pytest shows the user's line only
    labels: Labels = as_array("y_true", y_true)
    if labels.ndim != 1:
        raise DataError(
            f"y_true has shape {labels.shape}; expected (n_samples,), one class label a test sample. "
            "Turn one-hot rows into labels with argmax(axis=1)."
        )
    if labels.size == 0:
        raise DataError("the test set is empty: y_true has 0 samples; expected at least 1.")
    whole = (
        labels.dtype.kind == "f"
        and bool((np.abs(labels) < 2**53).all())  # also refuses NaN and infinity
        and np.array_equal(labels, np.floor(labels))
    )
    if labels.dtype.kind not in "iub" and not whole:
        raise DataError(
            f"y_true has dtype {labels.dtype}; expected integer class labels 0 … n_classes - 1. "
            "Encode class names as integers."
        )
    labels = labels.astype(np.int64)
    if labels.min() < 0:
        raise DataError(
            f"y_true holds the label {labels.min()}; expected classes 0 … n_classes - 1. "
            "Drop or re-encode samples without a class."
        )
    return labels


def as_labels(output: Any, y_true: Labels, n_classes: int | None = None) -> Labels:
    """Turn one run's output into labels (n_samples,).

    Parameters
    ----------
    output : array
        Integer labels (n_samples,), or scores (n_samples, n_classes) whose argmax is taken.
    y_true : int array (n_samples,)
    n_classes : int, optional
        Refuse labels of n_classes and above.

    Raises
    ------
    DataError
        For another length, shape or dtype, scores that are not finite, or labels outside the classes.

    >>> as_labels([[0.1, 0.9], [0.8, 0.2]], y_true=np.array([1, 1]))
    array([1, 0], dtype=uint8)
    """
    array = as_array("predictions", output)
    n_samples = len(y_true)
    if array.ndim not in (1, 2) or len(array) != n_samples:
        raise DataError(
            f"predictions have shape {array.shape}; expected labels ({n_samples},) or scores "
            f"({n_samples}, n_classes), one row for each of the {n_samples} test samples. Predict the "
            "test set y_true belongs to, whole and in its order"
        )
    if array.dtype.kind not in ("iubf" if array.ndim == 2 else "iub"):
        raise DataError(
            f"predictions have dtype {array.dtype}; expected integer labels (n_samples,) or numeric "
            "scores (n_samples, n_classes)"
        )
    if array.ndim == 2:
        n_classes = array.shape[1]
        if not np.isfinite(array).all():
            raise DataError(
                "scores hold NaN or infinity; expected finite numbers. Lower the learning rate"
            )
        if n_classes <= int(y_true.max()):
            raise DataError(
                f"labels outside the classes: y_true holds {y_true.max()}, scores are given for "
                f"{n_classes} classes (0 … {n_classes - 1}). Give a column to every class"
            )
        labels: Labels = array.argmax(axis=1).astype(smallest_dtype(n_classes))
        return labels
    if array.min() < 0 or (n_classes is not None and array.max() >= n_classes):
        top = "" if n_classes is None else f" to {n_classes - 1}"
        raise DataError(
            f"labels outside the classes: predictions go from {array.min()} to {array.max()}; expected "
            f"classes from 0{top or ' up'}"
        )
    labels = array.astype(smallest_dtype(int(array.max()) + 1))
    return labels


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted labels of all runs of one regularizer.

    Attributes
    ----------
    labels : int array (n_runs, n_samples), read-only
    """

    labels: Labels

    @classmethod
    def stack(cls, per_run: Sequence[Labels]) -> Predictions:
        """Stack one label vector per run; refuse unequal lengths, naming the run."""
        lengths = [len(labels) for labels in per_run]
        for run, length in enumerate(lengths):
            if length != lengths[0]:
                raise DataError(
                    f"run {run} predicted {length} samples, run 0 predicted {lengths[0]}; expected the "
                    "same test set in every run. Don't shuffle or drop test samples."
                )
        top = max(int(labels.max()) for labels in per_run)
        labels = np.stack(per_run).astype(smallest_dtype(top + 1))
        labels.setflags(write=False)
        return cls(labels)

    def constant_runs(self) -> dict[int, int]:
        """The runs that predict one class for every sample: run index → class.

        >>> Predictions.stack([np.array([0, 1]), np.array([1, 1])]).constant_runs()
        {1: 1}
        """
        constant = (self.labels == self.labels[:, :1]).all(axis=1)
        return {int(run): int(self.labels[run, 0]) for run in np.flatnonzero(constant)}
