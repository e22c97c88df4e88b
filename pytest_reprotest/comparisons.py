"""The regularizers of an audit held against its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.statistics import Comparison, Estimate, TwoGroups, compare_with_baseline
from pytest_reprotest.stored import entry, estimate_in, estimate_out, number_in, number_out
from pytest_reprotest.tasks import Array, Task

_ESTIMATES = ("prediction_difference", "effective_accuracy", "accuracy")


def compare(
    task: Task, found: Mapping[str, RegularizerResult], baseline: str, y_true: Array
) -> dict[str, Comparison]:
    """Every other regularizer's comparison, by label; none where the baseline can't be trusted.

    Regularizers that can't be trusted are left out, and count towards no correction.
    """
    base = found.get(baseline)
    if base is None or base.verdict.broken:
        return {}
    groups = {
        label: _groups(task, each.predictions, base.predictions, y_true)
        for label, each in found.items()
        if label != baseline and not each.verdict.broken
    }
    return compare_with_baseline(groups, margin=task.margin) if groups else {}


def _groups(task: Task, own: Array, base: Array, y_true: Array) -> TwoGroups:
    both = np.concatenate([own, base])
    scores = task.tally(both, y_true).run_scores
    return TwoGroups(task.pairwise(both), scores if task.higher_is_better else -scores, len(own))


def comparison_out(comparison: Comparison) -> dict[str, Any]:
    """JSON primitives, with what follows from them."""
    stored: dict[str, Any] = {}
    for each in fields(Comparison):
        value = getattr(comparison, each.name)
        if isinstance(value, Estimate):
            stored[each.name] = estimate_out(value)
        else:
            stored[each.name] = number_out(value) if isinstance(value, float) else value
    return {
        **stored,
        "status": comparison.status,
        "accuracy_status": comparison.accuracy_status,
    }


def comparison_in(stored: Mapping[str, Any]) -> Comparison:
    """The inverse of ``comparison_out``.

    Raises
    ------
    DataError
    """
    values: dict[str, Any] = {}
    for each in fields(Comparison):
        if each.name in _ESTIMATES:
            values[each.name] = estimate_in(stored, each.name)
        elif each.type == "float":
            values[each.name] = number_in(stored.get(each.name), each.name)
        else:
            values[each.name] = entry(stored, each.name, bool if each.type == "bool" else int)
    return Comparison(**values)
