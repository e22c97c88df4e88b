"""What every reference answers, and the one that asks nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_reprotest.options import Options
from pytest_reprotest.result import AuditResult
from pytest_reprotest.tasks import Array, Task


class Reference(ABC):
    """Stored runs of a test, which its audit is held against.

    Attributes
    ----------
    first_run : int
        The index of the audit's first run.
    compares : bool
        Whether regularizers are compared with each other, too.
    """

    first_run: int = 0
    compares: bool = True

    def asked(self, options: Options) -> Options:
        """The options to audit with."""
        return options

    @abstractmethod
    def check(
        self, task: Task, y_true: Array, settings: Mapping[str, Any], labels: Sequence[str]
    ) -> tuple[str, ...]:
        """Refuse, before anything trains, what can't be held against it; sentences for the report.

        Parameters
        ----------
        settings : mapping
            As ``AuditResult.settings`` will be.
        labels : sequence of str
            The regularizers that will be trained.

        Raises
        ------
        DataError
        """

    @abstractmethod
    def hold(self, result: AuditResult, options: Options) -> AuditResult:
        """The result with what came of it; a verdict may become a fail, and no fail a pass."""


class Nothing(Reference):
    """No reference."""

    def check(
        self, task: Task, y_true: Array, settings: Mapping[str, Any], labels: Sequence[str]
    ) -> tuple[str, ...]:
        """Nothing to refuse."""
        return ()

    def hold(self, result: AuditResult, options: Options) -> AuditResult:
        """The result as it is."""
        return result


class Unheld(Nothing):
    """A reference that an audit can't be held against, which is said.

    Parameters
    ----------
    told : str
        The sentence.
    """

    def __init__(self, told: str) -> None:
        self._told = told

    def check(
        self, task: Task, y_true: Array, settings: Mapping[str, Any], labels: Sequence[str]
    ) -> tuple[str, ...]:
        """Say so."""
        return (self._told,)


NOTHING = Nothing()
