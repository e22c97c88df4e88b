"""An item's numbers as properties of its test case, which JUnit XML and other reports of pytest show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_reprotest.report.rows import Audited, verdict_word
from pytest_reprotest.result import AuditResult, RegularizerResult

Property = tuple[str, str]

PREFIX = "reprotest."


def properties(results: Sequence[AuditResult]) -> list[Property]:
    """What an item's audits measured, by name; the regularizer in brackets where there are several.

    >>> from pytest_reprotest.api import audit_predictions
    >>> properties([audit_predictions({"none": [[0, 1], [0, 0]]}, y_true=[0, 1])])[:2]
    [('reprotest.prediction_difference', '0.5'), ('reprotest.accuracy', '0.75')]
    """
    found = [
        (_label(label, number), name, value)
        for number, result in enumerate(results, 1)
        for label, each in result.by_regularizer.items()
        for name, value in _of(each, result)
    ]
    several = len({label for label, _, _ in found}) > 1
    return [(f"{PREFIX}{name}{f'[{label}]' * several}", value) for label, name, value in found]


def tell_item(told: list[tuple[str, Any]], audits: Sequence[Any]) -> None:
    """Put the properties of an item's audits into its ``user_properties``; nothing of a plan.

    An item that is run again has those of its last run.
    """
    results = [audit for audit in audits if isinstance(audit, AuditResult)]
    told[:] = [each for each in told if not each[0].startswith(PREFIX)] + properties(results)


def _label(label: str, number: int) -> str:
    """The regularizer, numbered in the later audits of a test as their names are."""
    return label if number == 1 else f"{label} #{number}"


def _of(found: RegularizerResult, result: AuditResult) -> Iterator[Property]:
    names = found.task.names
    numbers = {
        "prediction_difference": found.prediction_difference.value,
        names.score: found.score.value,
        names.effective_score: found.effective_score.value,
    }
    for name, value in numbers.items():
        if name and math.isfinite(value):
            yield name, repr(float(value))
    yield "verdict", verdict_word(found, Audited(result))
    yield "runs", str(found.n_runs)
