"""Measures beside the estimates: how far and where the runs of one regularizer differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pytest_reprotest import metrics
from pytest_reprotest.errors import DataError
from pytest_reprotest.metrics import ClassFlips
from pytest_reprotest.stored import entry, number_in, number_out
from pytest_reprotest.tasks import Array, Task

_MOST_PRONE = 20
_NUMBERS = ("ambiguity", "discrepancy", "smallest_difference", "score_distance")


@dataclass(frozen=True)
class Details:
    """Fractions of test samples where not said otherwise.

    Attributes
    ----------
    ambiguity : float
        Samples on which any two runs differ (Marx et al., *Predictive Multiplicity*, 2020).
    discrepancy : float
        Prediction difference of the two runs that differ most (Marx et al.).
    smallest_difference : float
        Of the two that differ least.
    score_distance : float
        Mean squared distance between two runs' probabilities, 0 to 2; NaN without scores.
    by_class : tuple of ClassFlips
        Flip rates by true class, or by label; empty for a regression.
    most_flip_prone : tuple of (int, float)
        Index and flip rate of the samples that flip most, at most 20.
    """

    ambiguity: float
    discrepancy: float
    smallest_difference: float
    score_distance: float
    by_class: tuple[ClassFlips, ...]
    most_flip_prone: tuple[tuple[int, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON primitives."""
        return {
            "ambiguity": self.ambiguity,
            "discrepancy": self.discrepancy,
            "smallest_difference": self.smallest_difference,
            "score_distance": number_out(self.score_distance),
            "by_class": [asdict(each) for each in self.by_class],
            "most_flip_prone": [
                {"sample": sample, "flip_rate": rate} for sample, rate in self.most_flip_prone
            ],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], n_samples: int) -> Details:
        """The inverse of ``to_dict``, for a test set of so many samples.

        Raises
        ------
        DataError
        """
        prone = tuple(
            (entry(each, "sample", int), number_in(each.get("flip_rate"), "flip_rate"))
            for each in entry(stored, "most_flip_prone", list)
        )
        if not all(0 <= sample < n_samples for sample, _ in prone) or len(prone) > _MOST_PRONE:
            raise DataError(
                f"most_flip_prone names {len(prone)} samples; expected at most {_MOST_PRONE} of 0 to "
                f"{n_samples - 1}"
            )
        by_class = tuple(
            ClassFlips(
                entry(each, "label", int),
                number_in(each.get("flip_rate"), "flip_rate"),
                entry(each, "n_samples", int),
            )
            for each in entry(stored, "by_class", list)
        )
        numbers = {name: number_in(stored.get(name), name) for name in _NUMBERS}
        return cls(by_class=by_class, most_flip_prone=prone, **numbers)


def details_of(
    task: Task, predictions: Array, y_true: Array, score_distance: float = math.nan
) -> Details:
    """The details of at least two runs.

    >>> from pytest_reprotest.tasks import CLASSIFICATION
    >>> runs = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1]])
    >>> found = details_of(CLASSIFICATION, runs, np.array([0, 1, 1]))
    >>> round(found.ambiguity, 2), round(found.discrepancy, 2), found.most_flip_prone[0][0]
    (0.33, 0.33, 2)
    """
    rates, pairs = task.flip_rates(predictions), task.pairwise(predictions)
    prone = metrics.most_flip_prone(rates, _MOST_PRONE)
    return Details(
        metrics.ambiguity(rates),
        metrics.discrepancy(pairs),
        float(pairs[np.triu_indices(len(pairs), 1)].min()),
        score_distance,
        task.by_class(predictions, y_true),
        tuple((int(sample), float(rates[sample])) for sample in prone),
    )
