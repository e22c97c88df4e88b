"""What every task answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.metrics import ClassFlips, Fractions, Tally

Array = NDArray[Any]
"""Predictions of all runs, (n_runs, n_samples) or (n_runs, n_samples, n_labels), or of one."""


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
    """

    score: str
    effective_score: str
    score_std: str
    score_short: str
    effective_short: str
    ratio_short: str
    legend: str


class Task(ABC):
    """A kind of prediction.

    Attributes
    ----------
    name : str
        As in ``retrain(..., task=name)``.
    thresholds : tuple of str
        The thresholds that mean something for it.
    margin : float
        How much worse a score is not called inferior, in the score's unit.
    higher_is_better : bool
        Of the score.
    y_true_dims : int
        Axes of the true values; predictions have one more, of runs.
    floats : bool
        Whether values are floats; else they are labels from 0 up.
    """

    name: ClassVar[str]
    thresholds: ClassVar[tuple[str, ...]]
    y_true_dims: ClassVar[int] = 1
    floats: ClassVar[bool] = False
    margin: float = 0.005
    higher_is_better: bool = True

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

    def scores_kept(self, output: Any) -> NDArray[np.float32] | None:
        """Scores (n_samples, n_classes) of one run's output, for distances between them; None without."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives: its name and parameters."""
        return {"name": self.name}
