"""Reproducibility metrics: pure functions on arrays.

Those of class labels are here by name; ``regression`` and ``multilabel`` hold their counterparts.
"""

from pytest_reprotest.metrics import multilabel, regression
from pytest_reprotest.metrics.counting import Counts, Fractions, Labels, votes
from pytest_reprotest.metrics.labels import (
    accuracy,
    difference_error_ratio,
    disagreements,
    effective_accuracy,
    flip_rates,
    hits,
    prediction_difference,
    run_accuracies,
    run_differences,
)
from pytest_reprotest.metrics.measures import (
    ClassFlips,
    ambiguity,
    class_flips,
    discrepancy,
    most_flip_prone,
    negative_flip_rate,
    score_distance,
)
from pytest_reprotest.metrics.pairs import (
    between_difference,
    between_disagreements,
    pairwise_differences,
)
from pytest_reprotest.metrics.tally import LeftOut, Tally

__all__ = [
    "ClassFlips",
    "Counts",
    "Fractions",
    "Labels",
    "LeftOut",
    "Tally",
    "accuracy",
    "ambiguity",
    "between_difference",
    "between_disagreements",
    "class_flips",
    "difference_error_ratio",
    "disagreements",
    "discrepancy",
    "effective_accuracy",
    "flip_rates",
    "hits",
    "most_flip_prone",
    "multilabel",
    "negative_flip_rate",
    "pairwise_differences",
    "prediction_difference",
    "regression",
    "run_accuracies",
    "run_differences",
    "score_distance",
    "votes",
]
