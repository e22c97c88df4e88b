"""One number for each sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pytest_reprotest.errors import DataError, OptionError, did_you_mean
from pytest_reprotest.kinds import DEFAULT_TOLERANCES
from pytest_reprotest.metrics import Fractions, Tally, regression
from pytest_reprotest.predictions import as_array
from pytest_reprotest.tasks.task import Array, Names, Task

SCORES = ("r2", "mae")

_PD = "PD: fraction of test samples on which two runs' predictions are further apart than the tolerance."
_NAMES = {
    "r2": Names("r2", "effective_r2", "r2_std", "R²", "eff. R²", "", f"{_PD} eff. R²: R² - PD."),
    "mae": Names("mae", "", "mae_std", "MAE", "", "", f"{_PD} MAE: mean absolute error."),
}
_THRESHOLDS = {
    "r2": ("max_prediction_difference", "min_effective_r2", "min_r2"),
    "mae": ("max_prediction_difference", "max_mae"),
}


def as_numbers(y_true: Any) -> Array:
    """Validate true values: finite numbers (n_samples,), at least one; float64.

    Raises
    ------
    DataError

    >>> as_numbers([1, 2.5])
    array([1. , 2.5])
    """
    __tracebackhide__ = True  # pytest shows the user's line only
    values: Array = as_array("y_true", y_true)
    if values.ndim != 1:
        raise DataError(
            f"y_true has shape {values.shape}; expected (n_samples,), one number a test sample. Flatten a "
            "single column: y[:, 0]"
        )
    if values.size == 0:
        raise DataError("the test set is empty: y_true has 0 samples; expected at least 1.")
    if values.dtype.kind not in "iuf":
        raise DataError(f"y_true has dtype {values.dtype}; expected numbers. Encode it as floats.")
    if not np.isfinite(values).all():
        raise DataError(
            "y_true holds NaN or infinity; expected finite numbers. Drop samples without a target."
        )
    return values.astype(np.float64)


@dataclass(frozen=True)
class Regression(Task):
    """Numbers; two runs differ on a sample where their predictions are further apart than the tolerance.

    Parameters
    ----------
    tolerance : float
        The largest difference that does not matter, in the units of the target, above 0.
    score : {"r2", "mae"}
        R², from which the prediction difference is subtracted (Effective R²); or the mean absolute error,
        which has the target's units and stays as it is.

    Raises
    ------
    OptionError

    >>> task = Regression(tolerance=0.5)
    >>> task.prediction_difference(np.array([[1.0, 2.0], [1.4, 2.9]]))
    0.5
    """

    tolerance: float
    score: str = "r2"
    name: ClassVar[str] = "regression"
    floats: ClassVar[bool] = True

    def __post_init__(self) -> None:
        value = self.tolerance
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
            value, bool
        )
        if not number or not 0 < value < math.inf:  # also refuses NaN
            raise OptionError(
                f"tolerance={value!r}; expected a finite number above 0, in the units of the target: the "
                "largest difference between two predictions that does not matter"
            )
        if self.score not in SCORES:
            raise OptionError(
                f"score={self.score!r}; expected one of {', '.join(SCORES)}."
                f"{did_you_mean(str(self.score), SCORES)}"
            )
        object.__setattr__(self, "tolerance", float(value))

    @property
    def title(self) -> str:
        """With the score where that is not R²."""
        return self.name if self.score == "r2" else f"{self.name} with score={self.score!r}"

    @property
    def names(self) -> Names:
        """R² and Effective R², or the mean absolute error alone."""
        return _NAMES[self.score]

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Of prediction difference and score."""
        return _THRESHOLDS[self.score]

    @property
    def tolerances(self) -> Mapping[str, float]:
        """Of the score and the prediction difference."""
        name = "max_prediction_difference_increase"
        difference = {name: DEFAULT_TOLERANCES[name]}
        if self.score == "mae":
            return {"max_mae_increase": self.tolerance, **difference}
        own = ("max_r2_drop", "max_effective_r2_drop")
        return {**{name: DEFAULT_TOLERANCES[name] for name in own}, **difference}

    @property
    def margin(self) -> float:
        """Of an error, what does not matter in a prediction either."""
        return 0.005 if self.score == "r2" else self.tolerance

    @property
    def higher_is_better(self) -> bool:
        """Of R², not of an error."""
        return self.score == "r2"

    @property
    def in_points(self) -> bool:
        """R², not an error."""
        return self.score == "r2"

    def check_y_true(self, y_true: Any) -> Array:
        """Numbers, float64 (n_samples,), not all the same where R² is asked for."""
        __tracebackhide__ = True
        values = as_numbers(y_true)
        if self.score == "r2" and values.min() == values.max():
            raise DataError(
                f"y_true is {values[0]:g} for all {len(values)} samples, so R², the explained share of its "
                'variance, is not defined. Take a test set whose targets vary, or score="mae"'
            )
        return values

    def check_output(self, output: Any, y_true: Array) -> Array:
        """Numbers (n_samples,) of an array (n_samples,) or (n_samples, 1), float32 or float64."""
        values = as_array("predictions", output)
        n_samples = len(y_true)
        if values.shape not in ((n_samples,), (n_samples, 1)):
            raise DataError(
                f"predictions have shape {values.shape}; expected ({n_samples},) or ({n_samples}, 1), one "
                f"number for each of the {n_samples} test samples. Predict the test set y_true belongs to, "
                "whole and in its order"
            )
        if values.dtype.kind not in "iuf":
            raise DataError(f"predictions have dtype {values.dtype}; expected numbers")
        if not np.isfinite(values).all():
            raise DataError(
                "predictions hold NaN or infinity; expected finite numbers. Lower the learning rate"
            )
        narrow = values.dtype in (np.float16, np.float32)
        numbers: Array = values.reshape(n_samples).astype(np.float32 if narrow else np.float64)
        return numbers

    def stack(self, per_run: Sequence[Array]) -> Array:
        """Numbers (n_runs, n_samples)."""
        predictions: Array = np.stack(per_run)
        predictions.setflags(write=False)
        return predictions

    def tally(self, predictions: Array, y_true: Array) -> Tally:
        """Scores as they are, and disagreements in samples."""
        score = regression.run_r2 if self.score == "r2" else regression.run_mae
        return Tally(
            score(predictions, y_true),
            regression.disagreements(predictions, self.tolerance),
            predictions.shape[1],
            penalized=self.score == "r2",
        )

    def prediction_difference(self, predictions: Array) -> float:
        """Of all runs."""
        return regression.prediction_difference(predictions, self.tolerance)

    def flip_rates(self, predictions: Array) -> Fractions:
        """By sample."""
        return regression.flip_rates(predictions, self.tolerance)

    def pairwise(self, predictions: Array) -> Fractions:
        """By pair of runs."""
        return regression.pairwise_differences(predictions, self.tolerance)

    def guard(self, predictions: Array, y_true: Array) -> tuple[str, ...]:
        """Runs that predict one number whatever the sample, where the true values vary."""
        constant = np.flatnonzero((predictions == predictions[:, :1]).all(axis=1))
        if not len(constant) or np.all(y_true == y_true[0]):
            return ()
        which = ", ".join(f"run {run} ({predictions[run, 0]:g})" for run in constant)
        return (
            f"constant predictor: {which} predicted one number for all {len(y_true)} test samples, so its "
            "prediction difference means nothing. Lower the learning rate, train longer, or check the "
            "model and the inputs' scale",
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {"name": self.name, "tolerance": self.tolerance, "score": self.score}
