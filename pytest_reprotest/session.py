"""A pytest session's audits: gathered from reports, written and printed at its end.

Knows pytest by its hooks alone, so that nothing but ``plugin`` imports it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from pytest_reprotest.flags import STEP_SUMMARY, WRITTEN
from pytest_reprotest.settings import Planning, header, keeps, path_of

if TYPE_CHECKING:
    from pytest_reprotest.references.shelf import Shelf
    from pytest_reprotest.report.finished import Finished
    from pytest_reprotest.report.terminal import Line
    from pytest_reprotest.result import AuditResult
    from pytest_reprotest.shards.shard import Shard
    from pytest_reprotest.store.database import Database

hookimpl = pluggy.HookimplMarker("pytest")


class Place(NamedTuple):
    """The number of an audited item in the order of collection, and its name then.

    Later pytest-xdist appends a group to it (``--dist=loadgroup``), and no other session would find it.
    """

    number: int
    name: str


class _Reported(NamedTuple):
    """The audits of one test as its report brought them."""

    stored: list[str]
    outcome: str
    failed: bool


_LOST = "{} began and never ended, so its audit is missing here: its process died, or the session was stopped"


class SessionAudits:
    """Gathers audits as reports come in, writes its files and the summary; on the controller only."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.places: dict[int, Place] = {}
        """Of audited items, by their identity: plugins shuffle them, and change what they are called."""
        self.found: dict[tuple[int, str], _Reported] = {}
        self.begun: dict[tuple[int, str], None] = {}
        """Audited tests that were set up and have not yet told what became of them."""
        self.notes: list[str] = []
        self.complete = True
        self.encoding: str | None = getattr(sys.stdout, "encoding", None)
        """Of the terminal; later, tests write to something else."""
        self.planning: Planning | None = None
        self.shard: Shard | None = None
        self.told: set[tuple[str, str]] = set()
        """Name of an audit and a note of it that the terminal had before it trained."""
        self._ending = contextlib.ExitStack()

    @functools.cached_property
    def shelf(self) -> Shelf | None:
        """What audits are held against, read once it is asked for.

        Raises
        ------
        DataError
        """
        from pytest_reprotest.files import open_shelf

        return open_shelf(self.config)

    @functools.cached_property
    def database(self) -> Database | None:
        """The store of ``--repro-store``, opened once it is asked for.

        Raises
        ------
        StoreError
        """
        folder = path_of(self.config, "store")
        if folder is None:
            return None
        from pytest_reprotest.store.database import Database

        opened = Database(folder)
        if opened.set_aside is not None:
            self.notes.append(
                f"The store was damaged; it is now {opened.set_aside}, and a new one was begun."
            )
        return opened

    def check(self) -> None:
        """Read what audits are held against or taken from, before anything trains.

        Raises
        ------
        ReprotestError
        """
        if self.shelf is not None:
            self.shelf.check()
        folder = path_of(self.config, "store")
        if folder is not None and folder.is_dir():
            self.database  # noqa: B018 - opens it

    def pytest_report_collectionfinish(self, items: Sequence[Any]) -> str | None:
        """One copy-pasteable line where an audited test is collected; none at -q."""
        count = sum("retrain" in getattr(item, "fixturenames", ()) for item in items)
        return header(self.config, count) if count and self.config.get_verbosity() >= 0 else None

    def pytest_itemcollected(self, item: Any) -> None:
        """Number the audited items, so that the summary keeps their order whoever runs them, and when."""
        if "retrain" in getattr(item, "fixturenames", ()):
            self.places[id(item)] = Place(len(self.places), item.nodeid)

    def place_of(self, item: Any) -> Place:
        """Where an item was collected."""
        return self.places.get(id(item), Place(0, item.nodeid))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a report's audits; those of a test that is run again take their place, unless they had failed."""
        place = getattr(report, "reprotest_place", None)
        if place is None:
            return
        test = (place, report.nodeid)
        if report.when == "setup" and report.passed:
            self.begun[test] = None
        elif report.when == "call":
            self.begun.pop(test, None)
        stored = getattr(report, "reprotest", None)
        if stored is not None:
            outcome, first = "", self.found.get(test)
            if first is not None:
                outcome = "rerun"
            elif hasattr(report, "wasxfail"):
                outcome = "xfail" if report.skipped else "xpass"
            told = _Reported(stored, outcome, report.reprotest_failed)
            if first is not None and first.failed and not told.failed:
                told = first._replace(outcome=outcome)
            self.found[test] = told
            self._spread_out()

    def _spread_out(self) -> None:
        """Where audits train in the workers of pytest-xdist, end as by Ctrl-C here, too, from the first on."""
        if len(self.found) == 1 and self.config.pluginmanager.hasplugin("dsession"):
            from pytest_reprotest.execution.signals import ending

            self._ending.enter_context(ending())

    @hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        """Write the files that were asked for."""
        self._ending.close()
        if hasattr(self.config, "workerinput") or self._runs_no_test():
            return
        stopped = session.shouldstop or session.shouldfail
        self.complete = int(exitstatus) in (0, 1, 5) and not stopped and not self.begun
        self.notes.extend(_LOST.format(nodeid) for _, nodeid in sorted(self.begun))
        asked = any(path_of(self.config, flag.key) is not None for flag in WRITTEN)
        if not asked and not (self.found and os.environ.get(STEP_SUMMARY)):
            return
        from pytest_reprotest.outputs import Outputs

        outputs = Outputs(self.config, int(exitstatus))
        if self.planning is not None:
            outputs.leave_unwritten("--repro-plan trains nothing")
        elif self.shard is not None:
            outputs.leave_unwritten(f"--repro-shard={self.shard} judges nothing")
        else:
            outputs.write_all(self.finished)
        self.notes.extend(outputs.notes)
        session.exitstatus = outputs.exitstatus

    def pytest_unconfigure(self) -> None:
        """Let go of the store."""
        database = vars(self).get("database")
        if database is not None:
            database.close()

    def _runs_no_test(self) -> bool:
        flags = ("collectonly", "setuponly", "showfixtures", "show_fixtures_per_test")
        return any(getattr(self.config.option, flag, False) for flag in flags)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table."""
        if not self.found and not self.notes:
            return
        title = "reproducibility"
        if self.planning is not None:
            lines, title = self._plan(self.planning), f"{title} plan"
        elif self.shard is not None:
            lines, title = self._parts(), f"{title}, part {self.shard}"
        else:
            lines = self._summary()
        if lines:
            terminalreporter.section(title)
        from pytest_reprotest.errors import printable

        for line in lines:
            markup = {line.style: True} if line.style else {}
            terminalreporter.write_line(printable(line.text), **markup)

    def _stored(self) -> list[tuple[Any, str]]:
        """Each audit as it was stored and what became of its test, in the order of the tests."""
        return [
            (json.loads(text), told.outcome)
            for _, told in sorted(self.found.items())
            for text in told.stored
        ]

    @functools.cached_property
    def finished(self) -> Finished:
        """The audits at the session's end, decoded once."""
        from pytest_reprotest.report.finished import Finished

        stored = self._stored()
        return Finished(
            [audit for audit, _ in stored],
            [outcome for _, outcome in stored],
            self.complete,
            path_of(self.config, "json") is None or keeps(self.config, "json_predictions"),
        )

    def _plan(self, planning: Planning) -> list[Line]:
        from pytest_reprotest.forecast import Forecast
        from pytest_reprotest.report.letters import speller
        from pytest_reprotest.report.planned import render_plan

        forecasts = [Forecast.from_dict(stored) for stored, _ in self._stored()]
        width = self.config.get_terminal_writer().fullwidth
        verbosity = self.config.get_verbosity()
        spell = speller(self.encoding)
        return render_plan(forecasts, width, verbosity, self.notes, planning.half_width, spell)

    def _parts(self) -> list[Line]:
        from pytest_reprotest.report.sharded import render_parts
        from pytest_reprotest.shards.shard import PartTrained

        parts = [PartTrained.from_dict(stored) for stored, _ in self._stored()]
        width = self.config.get_terminal_writer().fullwidth
        return render_parts(parts, width, str(path_of(self.config, "store")), self.notes)

    def _summary(self) -> list[Line]:
        from pytest_reprotest.report.letters import speller
        from pytest_reprotest.report.terminal import render

        audits = [
            replace(audited, result=self._untold(audited.result))
            for audited in self.finished.audits
        ]
        width = self.config.get_terminal_writer().fullwidth
        verbosity = self.config.get_verbosity()
        return render(audits, width, verbosity, self.notes, speller(self.encoding))

    def _untold(self, result: AuditResult) -> AuditResult:
        """The result without the notes that were on the terminal before it trained."""
        notes = tuple(note for note in result.notes if (result.name, note) not in self.told)
        return replace(result, notes=notes)
