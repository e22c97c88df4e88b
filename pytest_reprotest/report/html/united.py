"""Audits as the page shows them: those of one test that are spread over items are one again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pytest_reprotest.differences import differences
from pytest_reprotest.joined import FILE, title
from pytest_reprotest.pictures import joined_pictures
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.result import AuditResult


@dataclass(frozen=True)
class Shown:
    """An audit of the page.

    Attributes
    ----------
    result : AuditResult
    outcomes : mapping
        Regularizer → what became of its test where the verdict did not decide it, as in ``Audited``.
    """

    result: AuditResult
    outcomes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The test, whichever items its regularizers are spread over, and the file where there are several."""
        file = self.result.settings.get(FILE)
        name = title(self.result) or "Audit"
        return name if file is None else f"{name} ({file})"

    @property
    def failed(self) -> tuple[str, ...]:
        """The regularizers that made their test fail."""
        found = self.result.failed
        return tuple(
            each.regularizer for each in found if self.outcomes.get(each.regularizer) != "xfail"
        )


def united(audits: Sequence[Audited]) -> list[Shown]:
    """The audits in their order, items of one test as one audit where nothing but the regularizer differs."""
    shown: list[Shown] = []
    for audited in audits:
        result = audited.result
        outcomes = dict.fromkeys(result.by_regularizer, audited.outcome)
        for place, other in enumerate(shown):
            if _same_test(other.result, result):
                shown[place] = Shown(_both(other.result, result), {**other.outcomes, **outcomes})
                break
        else:
            shown.append(Shown(result, outcomes))
    return shown


def _same_test(first: AuditResult, other: AuditResult) -> bool:
    return (
        title(first) != first.name
        and title(first) == title(other)
        and first.settings.get(FILE) == other.settings.get(FILE)
        and first.baseline == other.baseline
        and not set(first.regularizers) & set(other.regularizers)
        and first.report_only == other.report_only
        and first.task == other.task
        and np.array_equal(first.y_true, other.y_true)
        and not differences(first.settings, other.settings)
    )


def _both(first: AuditResult, other: AuditResult) -> AuditResult:
    return replace(
        first,
        by_regularizer={**first.by_regularizer, **other.by_regularizer},
        comparisons={**first.comparisons, **other.comparisons},
        not_applicable={**first.not_applicable, **other.not_applicable},
        notes=tuple(dict.fromkeys((*first.notes, *other.notes))),
        pictures=joined_pictures(first.pictures, other.pictures),
    )
