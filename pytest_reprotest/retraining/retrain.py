"""One test's audits: what it asks for, its runs, and the failure it has to show.

Knows pytest by the test item alone; ``plugin`` turns what is raised here into outcomes of the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_reprotest._audit import run_audit
from pytest_reprotest.api import as_trainer
from pytest_reprotest.bank import ONE_SEED
from pytest_reprotest.errors import OptionError, RegularizerRefused, ReprotestError
from pytest_reprotest.execution.choice import open_executor
from pytest_reprotest.execution.signals import ending
from pytest_reprotest.forecast import Forecast
from pytest_reprotest.interfaces import Executor, Trainer
from pytest_reprotest.joined import ASKED_BASELINE, TEST, group
from pytest_reprotest.planner import plan_audit
from pytest_reprotest.references import NOTHING, Reference, Unheld
from pytest_reprotest.report.failure import explain
from pytest_reprotest.report.letters import speller
from pytest_reprotest.report.progress import progress_of, teller_of
from pytest_reprotest.result import AuditResult
from pytest_reprotest.retraining.ends import Breach, DoesNotFit, PartOnly, Planned, Undecided
from pytest_reprotest.retraining.siblings import beside
from pytest_reprotest.selection import select
from pytest_reprotest.settings import (
    SESSION,
    Planning,
    keeps,
    options_of,
    registry_of,
    rerun_command,
)

if TYPE_CHECKING:
    from typing_extensions import Never

    from pytest_reprotest.session import SessionAudits
    from pytest_reprotest.shards.shard import PartTrained, Shard

TAKEN = (
    "beside retrain, the argument regularizer is set by pytest-reprotest, from the marker or "
    "--repro-regularizers, one item each. Take your own parametrize or fixture of that name away, or "
    "rename it"
)

STANDS = (
    "the test was run again: its first verdict stands, and nothing was trained again. Take audited tests out of "
    "reruns, or set limits that hold"
)

OF_A_CALL = ("attribute",)
"""Keywords of ``retrain`` that are options of the audit, as on the marker."""

_WIDEST = 100
"""Columns of a failure's message: it is read in files of other programs, too."""

Executors = dict[tuple[Any, ...], Executor]
"""The session's open executors, by the options that say which one it is."""


class Retraining:
    """What the fixture ``retrain`` calls.

    Parameters
    ----------
    item : pytest's test item
    regularizer : the value of the test's argument ``regularizer``, or None where it has none
    executors : the session's open executors; one is added where none fits
    earlier : audits of the test's earlier attempt, where a plugin runs it again

    Raises
    ------
    OptionError
    """

    def __init__(
        self,
        item: Any,
        regularizer: Any,
        executors: Executors,
        earlier: Sequence[AuditResult | Forecast] = (),
    ) -> None:
        self.item = item
        self._earlier = earlier
        self.results: list[AuditResult | Forecast | PartTrained] = []
        self._executors = executors
        self._registry = registry_of(item.ihook)
        self._options = options_of(item.config, item)
        chosen = select(self._options, self._registry)
        self._lenient = chosen.lenient
        self._session: SessionAudits = item.config.pluginmanager.getplugin(SESSION)
        self._own_name = self._session.place_of(item).name
        self._regularizer: str | None = regularizer
        self._beside: tuple[str, ...] | None = None
        self._baseline: str | None = None
        if regularizer is not None:
            if regularizer not in tuple(chosen.regularizers):  # a fixture of the user's own
                raise OptionError(TAKEN)
            one = chosen.regularizers[regularizer]
            self._options = replace(self._options, regularizers=(one,), baseline=None)
            self._beside = beside(self._session, item, regularizer)
            self._baseline = chosen.baseline

    def run(self, model_factory: Any, settings: Mapping[str, Any]) -> AuditResult:
        """Audit once.

        Raises
        ------
        Breach, DoesNotFit, PartOnly, Planned, Undecided, ReprotestError
        Ended
            By a signal, while it trained.
        """
        with self._errors_told():
            settings = self._of_call(settings)
        self._fail_as_before()
        if self._session.planning is not None:
            self._plan(model_factory, settings, self._session.planning)
        if self._session.shard is not None:
            self._train_part(model_factory, settings, self._session.shard)
        with self._errors_told(), ending():
            trainer = as_trainer(model_factory, settings)
            result = run_audit(
                trainer,
                self._options,
                self._registry,
                name=self._name(),
                executor=self._storing(self._executor(trainer)),
                progress=progress_of(self.item.config, self.item.name, self._session.encoding),
                tell=self._teller(),
                beside=self._beside,
                reference=self._reference(),
                pictures=keeps(self.item.config, "pictures"),
            )
        result = replace(result, settings={**result.settings, **self._own_settings()})
        self.results.append(result)
        if not result.passed:
            raise Breach(self._explained(result))
        if result.inconclusive and result.on_inconclusive == "skip":
            told = "; ".join(
                f"{found.regularizer}: {reason}"
                for found in result.inconclusive
                for reason in found.verdict.reasons
            )
            raise Undecided(f"inconclusive: {told}")
        return result

    def _fail_as_before(self) -> None:
        """Let a failed audit stand where its test is run again: retries would pick the lucky trainings."""
        count = len(self.results)
        before = self._earlier[count] if count < len(self._earlier) else None
        if isinstance(before, AuditResult) and not before.passed:
            self.results.append(before)
            raise Breach(f"{self._explained(before)}\n{STANDS}")

    def _explained(self, result: AuditResult) -> str:
        config = self.item.config
        command = rerun_command(config, self._own_name, self._options)
        width = min(config.get_terminal_writer().fullwidth, _WIDEST)
        return explain(result, command, width, speller(self._session.encoding))

    def _of_call(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Take the options of this call from its keywords; the others, which say how to train."""
        call = {key: value for key, value in settings.items() if key in OF_A_CALL}
        options = options_of(self.item.config, self.item, call)
        if self._regularizer is not None:
            own = self._options.regularizers
            options = replace(options, regularizers=own, baseline=None)
        self._options = options
        return {key: value for key, value in settings.items() if key not in OF_A_CALL}

    def _plan(self, model_factory: Any, settings: Mapping[str, Any], planning: Planning) -> Never:
        """Tell what the audit would be, and end the test there."""
        with self._errors_told():
            reference = self._reference()
            trainer = as_trainer(model_factory, settings)
            forecast = plan_audit(
                trainer,
                reference.asked(self._options),
                self._registry,
                name=self._own_name,
                executor=self._executor(trainer),
                pilot=planning.pilot,
                wanted=planning.half_width,
                beside=self._beside if reference.compares else (),
            )
        if self._regularizer is not None:
            forecast = replace(forecast, test=group(forecast.name, self._regularizer))
        self.results.append(forecast)
        raise Planned("planned")

    def _train_part(self, model_factory: Any, settings: Mapping[str, Any], shard: Shard) -> Never:
        """Train the runs of one part into the store; nothing is judged."""
        from pytest_reprotest.shards.training import train_part

        database = self._session.database
        assert database is not None  # an option that contradicts this is refused
        with self._errors_told(), ending():
            trainer = as_trainer(model_factory, settings)
            part = train_part(
                trainer,
                self._options,
                self._registry,
                shard,
                self._executor(trainer),
                database,
                name=self._name(),
                progress=progress_of(self.item.config, self.item.name, self._session.encoding),
                beside=self._beside,
                own_settings=self._own_settings(),
            )
        self.results.append(part)
        raise PartOnly(f"part {shard} is trained; it is judged where the parts are merged")

    def _own_settings(self) -> dict[str, str]:
        """What a result says of its item, where a test's regularizers are spread over items."""
        if self._regularizer is None:
            return {}
        asked = {} if self._baseline is None else {ASKED_BASELINE: self._baseline}
        return {TEST: group(self._name(), self._regularizer), **asked}

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Let errors begin with the test they are of."""
        nodeid = self._own_name
        try:
            yield
        except RegularizerRefused as refusal:
            if self._lenient:
                raise DoesNotFit(f"does not fit this model: {refusal}") from None
            raise RegularizerRefused(f"{nodeid}: {refusal}") from None
        except ReprotestError as error:
            told = str(error)
            named = told.startswith(nodeid)  # what a bank refuses names the audit
            raise type(error)(told if named else f"{nodeid}: {told}") from None

    def _reference(self) -> Reference:
        shelf = self._session.shelf
        if shelf is not None and self._options.deterministic:
            return Unheld(f"is held against nothing in {shelf.told}: {ONE_SEED}")
        return NOTHING if shelf is None else shelf.of(self._name())

    def _name(self) -> str:
        """Of the next audit."""
        count = len(self.results) + 1
        return self._own_name if count == 1 else f"{self._own_name} #{count}"

    def _teller(self) -> Callable[[str], None] | None:
        """Writes a sentence at once, and has the summary leave it out; None where nothing is live."""
        write = teller_of(self.item.config, self.item.name, self._session.encoding)
        if write is None:
            return None
        name = self._name()

        def tell(sentence: str) -> None:
            write(sentence)
            self._session.told.add((name, sentence))

        return tell

    def _executor(self, trainer: Trainer) -> Executor:
        options = self._options
        timed, where = options.timeout is not None, (options.executor, options.ray_address)
        how = (options.deterministic, timed, trainer.threads)
        place = (options.workers, options.device, *how, *where)
        if place not in self._executors:
            self._executors[place] = open_executor(options, trainer.threads)
        return self._executors[place]

    def _storing(self, executor: Executor) -> Executor:
        """The executor, around it the session's store."""
        database = self._session.database
        if database is None:
            return executor
        from pytest_reprotest.store.executor import StoringExecutor

        resume = bool(self.item.config.option.repro_resume)
        return StoringExecutor(executor, database, self._name(), resume)
