"""One test's audits: what it asks for, its runs, and the failure it has to show.

Knows pytest by the test item alone; ``plugin`` turns what is raised here into outcomes of the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_reprotest._audit import run_audit
from pytest_reprotest.api import as_trainer
from pytest_reprotest.errors import OptionError, RegularizerRefused, ReprotestError
from pytest_reprotest.execution.choice import open_executor
from pytest_reprotest.interfaces import Executor
from pytest_reprotest.report.progress import progress_of, teller_of
from pytest_reprotest.report.terminal import explain
from pytest_reprotest.result import AuditResult
from pytest_reprotest.selection import select
from pytest_reprotest.settings import options_of, registry_of, rerun_command

TAKEN = (
    "beside retrain, the argument regularizer is set by pytest-reprotest, from the marker or "
    "--repro-regularizers, one item each. Take your own parametrize or fixture of that name away, or "
    "rename it"
)

Executors = dict[tuple[Any, str], Executor]
"""The session's open executors, by workers and device."""


class Breach(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """A threshold that does not hold, or runs that cannot be trusted; the message is the test's."""


class Undecided(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """Thresholds that so few runs can't decide, where such a test is to be skipped."""


class DoesNotFit(ReprotestError):  # noqa: N818 - an outcome, not a fault
    """A regularizer that only ``all`` named and that the model has no place for."""


class Retraining:
    """What the fixture ``retrain`` calls.

    Parameters
    ----------
    item : pytest's test item
    regularizer : the value of the test's argument ``regularizer``, or None where it has none
    executors : the session's open executors; one is added where none fits

    Raises
    ------
    OptionError
    """

    def __init__(self, item: Any, regularizer: Any, executors: Executors) -> None:
        self.item = item
        self.results: list[AuditResult] = []
        self._executors = executors
        self._registry = registry_of(item.ihook)
        self._options = options_of(item.config, item)
        chosen = select(self._options, self._registry)
        self._lenient = chosen.lenient
        if regularizer is not None:
            if regularizer not in tuple(chosen.regularizers):  # a fixture of the user's own
                raise OptionError(TAKEN)
            one = chosen.regularizers[regularizer]
            self._options = replace(self._options, regularizers=(one,), baseline=None)

    def run(self, model_factory: Any, settings: Mapping[str, Any]) -> AuditResult:
        """Audit once.

        Raises
        ------
        Breach, DoesNotFit, Undecided, ReprotestError
        """
        nodeid, config = self.item.nodeid, self.item.config
        try:
            result = run_audit(
                as_trainer(model_factory, settings),
                self._options,
                self._registry,
                name=nodeid if not self.results else f"{nodeid} #{len(self.results) + 1}",
                executor=self._executor(),
                progress=progress_of(config, self.item.name),
                tell=teller_of(config, self.item.name),
            )
        except RegularizerRefused as refusal:
            if self._lenient:
                raise DoesNotFit(f"does not fit this model: {refusal}") from None
            raise RegularizerRefused(f"{nodeid}: {refusal}") from None
        except ReprotestError as error:
            raise type(error)(f"{nodeid}: {error}") from None
        self.results.append(result)
        if not result.passed:
            raise Breach(explain(result, rerun_command(config, nodeid, self._options)))
        if result.inconclusive and result.on_inconclusive == "skip":
            told = "; ".join(
                f"{found.regularizer}: {reason}"
                for found in result.inconclusive
                for reason in found.verdict.reasons
            )
            raise Undecided(f"inconclusive: {told}")
        return result

    def _executor(self) -> Executor:
        place = (self._options.workers, self._options.device)
        if place not in self._executors:
            self._executors[place] = open_executor(self._options)
        return self._executors[place]
