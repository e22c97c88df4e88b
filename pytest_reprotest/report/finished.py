"""A session's audits at its end, as the writers of its files are given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_reprotest.joined import compared_across
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.result import AuditResult


@dataclass(frozen=True)
class Finished:
    """What a session audited, in the order of its tests.

    Attributes
    ----------
    stored : sequence of mapping
        Each audit as ``AuditResult.to_dict()`` gave it.
    outcomes : sequence of str
        Each one's ``Audited.outcome``.
    complete : bool
        False where the session was interrupted.
    predictions : bool
        Whether a file of results is to hold them.
    """

    stored: Sequence[Mapping[str, Any]]
    outcomes: Sequence[str]
    complete: bool = True
    predictions: bool = True

    @cached_property
    def results(self) -> tuple[AuditResult, ...]:
        """Each audit as its test had it."""
        return tuple(map(AuditResult.from_dict, self.stored))

    @cached_property
    def audits(self) -> tuple[Audited, ...]:
        """Each audit as it is shown: those of several items of a test are compared."""
        shown = compared_across(self.results)
        return tuple(map(Audited, shown, self.outcomes))
