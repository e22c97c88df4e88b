"""What every task answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import ClassFlips, Fractions, Tally

Array = NDArray[Any]
"""Predictions of all runs, (n_runs, n_samples) or (n_runs, n_samples, n_labels), or of one."""

MAX_SCORES = 2**20
"""Scores of one run that trainers keep, to tell how far they lie apart: 4 MB."""


@dataclass(frozen=True)
class Names:
    """What a task's numbers are called.

    Attributes
    ----------
    score, effective_score, score_std : str
        In results, files and messages: ``accuracy``, ``effective_accuracy``, ``accuracy_std``.
    score_short, effective_short, ratio_short : str
        Columns of the table; empty: no such column.
    legend : str
        What the columns mean.
    by_class : str
        What ``Task.by_class`` tells apart: classes, or labels.
    """

    score: str
    effective_score: str
    score_std: str
    score_short: str
    effective_short: str
    ratio_short: str
    legend: str
    by_class: str = "class"


class Task(ABC):
    """A kind of prediction.

    Attributes
    ----------
    name : str
        As in ``retrain(..., task=name)``.
    y_true_dims : int
        Axes of the true values; predictions have one more, of runs.
    floats : bool
        Whether values are floats; else they are labels from 0 up.
    """

    name: ClassVar[str]
    y_true_dims: ClassVar[int] = 1
    floats: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return self.name

    @property
    @abstractmethod
    def thresholds(self) -> tuple[str, ...]:
        """The thresholds that mean something for it."""

    @property
    def tolerances(self) -> Mapping[str, float]:
        """How much worse than a stored audit each measure may be where nobody says: by tolerance name."""
        return {}

    @property
    def margin(self) -> float:
        """How much worse a score is not called inferior, in the score's unit."""
        return 0.005

    @property
    def higher_is_better(self) -> bool:
        """Of the score."""
        return True

    @property
    def in_points(self) -> bool:
        """Whether differences of scores are told in hundredths; else in the score's own unit."""
        return True

    @property
    @abstractmethod
    def names(self) -> Names:
        """What its numbers are called."""

    @abstractmethod
    def check_y_true(self, y_true: Any) -> Array:
        """True values (n_samples, …), validated.

        Raises
        ------
        DataError
        """

    @abstractmethod
    def check_output(self, output: Any, y_true: Array) -> Array:
        """One run's predictions (n_samples, …), from what a model or function gave.

        Raises
        ------
        DataError
        """

    @abstractmethod
    def stack(self, per_run: Sequence[Array]) -> Array:
        """Predictions of all runs, (n_runs, n_samples, …), read-only."""

    @abstractmethod
    def tally(self, predictions: Array, y_true: Array) -> Tally:
        """What all estimates and their jackknife follow from."""

    @abstractmethod
    def flip_rates(self, predictions: Array) -> Fractions:
        """Fraction of run pairs that differ on each sample, float64 (n_samples,)."""

    @abstractmethod
    def pairwise(self, predictions: Array) -> Fractions:
        """Fractions of samples on which two runs differ, float64 (n_runs, n_runs)."""

    def right(self, predictions: Array, y_true: Array) -> NDArray[np.bool_] | None:
        """Which cells each run has right, bool (n_runs, n_cells); None where nothing is right or wrong."""
        return None

    def guard(self, predictions: Array, y_true: Array) -> tuple[str, ...]:
        """What makes the predictions untrustworthy, a sentence each."""
        return ()

    def by_class(self, predictions: Array, y_true: Array) -> tuple[ClassFlips, ...]:
        """Flip rates by class, or by label; empty where there is no such thing."""
        return ()

    def check_stored(self, predictions: Array, y_true: Array) -> None:
        """Refuse predictions of all runs, as a file holds them, that are not of the true values' shape.

        Raises
        ------
        DataError
        """
        if predictions.shape[1:] != y_true.shape:
            raise DataError(
                f"runs predict values of shape {predictions.shape[1:]}; expected that of y_true, "
                f"{y_true.shape}"
            )

    def scores_kept(self, output: Any) -> NDArray[np.float32] | None:
        """Scores (n_samples, n_classes) of one run's output, for distances between them; None without."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives: its name and parameters."""
        return {"name": self.name}
