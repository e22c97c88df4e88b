"""Reproducibility metrics: pure functions on arrays."""

from pytest_reprotest.metrics.labels import (
    Counts,
    Fractions,
    Labels,
    accuracy,
    difference_error_ratio,
    disagreements,
    effective_accuracy,
    flip_rates,
    hits,
    pairwise_differences,
    prediction_difference,
    run_accuracies,
    run_differences,
    votes,
)

__all__ = [
    "Counts",
    "Fractions",
    "Labels",
    "accuracy",
    "difference_error_ratio",
    "disagreements",
    "effective_accuracy",
    "flip_rates",
    "hits",
    "pairwise_differences",
    "prediction_difference",
    "run_accuracies",
    "run_differences",
    "votes",
]
