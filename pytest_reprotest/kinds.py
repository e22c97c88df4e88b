"""Kinds of thresholds and of tolerances: which statistic each bounds, from which side, in which unit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of threshold.

    Attributes
    ----------
    metric : str
        The statistic it bounds, as messages name it.
    short : str
        The same in the table.
    upper : bool
        From which side.
    field : str
        Where a Summary has the statistic.
    lowest, highest : float
        What values can bind.
    unit : str
        What a value is.
    """

    metric: str
    short: str
    upper: bool
    field: str = ""
    lowest: float = 0.0
    highest: float = 1.0
    unit: str = "a fraction of test samples"

    @property
    def expected(self) -> str:
        """The values that it takes, in words.

        >>> THRESHOLDS["min_accuracy"].expected, THRESHOLDS["min_r2"].expected
        ('a fraction of test samples between 0 and 1', 'a finite number of at most 1')
        """
        if math.isinf(self.lowest):
            return f"{self.unit} of at most {self.highest:g}"
        if math.isinf(self.highest):
            return f"{self.unit} of at least {self.lowest:g}"
        return f"{self.unit} between {self.lowest:g} and {self.highest:g}"

    @property
    def needs_pairs(self) -> bool:
        """Whether a single run has no such statistic."""
        return self.field != "score"

    def holds(self, value: float, limit: float) -> bool:
        """Whether a statistic is within the limit; equality is."""
        return value <= limit if self.upper else value >= limit

    def tighter(self, first: float, second: float) -> float:
        """The stricter of two limits."""
        return min(first, second) if self.upper else max(first, second)


_OF_TARGETS = "a finite number in the target's units,"

THRESHOLDS: dict[str, Kind] = {
    "max_prediction_difference": Kind(
        "prediction_difference", "PD", upper=True, field="prediction_difference"
    ),
    "min_effective_accuracy": Kind(
        "effective_accuracy", "ETA", upper=False, field="effective_score", lowest=-1.0
    ),
    "min_accuracy": Kind("accuracy", "acc", upper=False, field="score"),
    "max_accuracy_std": Kind("accuracy_std", "acc SD", upper=True, field="score_std"),
    "min_r2": Kind(
        "r2", "R²", upper=False, field="score", lowest=-math.inf, unit="a finite number"
    ),
    "min_effective_r2": Kind(
        "effective_r2",
        "eff. R²",
        upper=False,
        field="effective_score",
        lowest=-math.inf,
        unit="a finite number",
    ),
    "max_mae": Kind("mae", "MAE", upper=True, field="score", highest=math.inf, unit=_OF_TARGETS),
}
"""What an audit is held against."""

TOLERANCES: dict[str, Kind] = {
    "max_accuracy_drop": Kind("accuracy_drop", "acc drop", upper=True),
    "max_effective_accuracy_drop": Kind("effective_accuracy_drop", "ETA drop", upper=True),
    "max_prediction_difference_increase": Kind(
        "prediction_difference_increase", "PD rise", upper=True
    ),
    "max_negative_flip_excess": Kind("negative_flip_excess", "neg. flips", upper=True),
    "max_r2_drop": Kind("r2_drop", "R² drop", upper=True, highest=math.inf, unit="a finite number"),
    "max_effective_r2_drop": Kind(
        "effective_r2_drop", "eff. R² drop", upper=True, highest=math.inf, unit="a finite number"
    ),
    "max_mae_increase": Kind(
        "mae_increase", "MAE rise", upper=True, highest=math.inf, unit=_OF_TARGETS
    ),
}
"""How much worse than a stored audit one may be. Each bounds a worsening; an improvement is negative."""

DEFAULT_TOLERANCES = {
    "max_accuracy_drop": 0.005,
    "max_effective_accuracy_drop": 0.01,
    "max_prediction_difference_increase": 0.005,
    "max_negative_flip_excess": 0.005,
    "max_r2_drop": 0.005,
    "max_effective_r2_drop": 0.01,
}
"""Of a mean absolute error there is none for every target: it is the regression's tolerance."""

KINDS = {**THRESHOLDS, **TOLERANCES}
