"""A pytest session's audits: gathered from reports, written and printed at its end.

Knows pytest by its hooks alone, so that nothing but ``plugin`` imports it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from pytest_reprotest.settings import Planning, header, path_of

if TYPE_CHECKING:
    from pytest_reprotest.references.shelf import Shelf
    from pytest_reprotest.report.terminal import Line
    from pytest_reprotest.result import AuditResult

hookimpl = pluggy.HookimplMarker("pytest")

_USAGE_ERROR = 4  # pytest.ExitCode.USAGE_ERROR


class SessionAudits:
    """Gathers audits as reports come in, writes the JSON file and the summary; on the controller only."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.found: dict[tuple[int, str], tuple[list[str], str]] = {}
        self.notes: list[str] = []
        self.planning: Planning | None = None
        self.told: set[tuple[str, str]] = set()
        """Name of an audit and a note of it that the terminal had before it trained."""

    @functools.cached_property
    def shelf(self) -> Shelf | None:
        """What audits are held against, read once it is asked for.

        Raises
        ------
        DataError
        """
        from pytest_reprotest.files import open_shelf

        return open_shelf(self.config)

    def pytest_report_collectionfinish(self, items: Sequence[Any]) -> str | None:
        """One copy-pasteable line where an audited test is collected; none at -q."""
        count = sum("retrain" in getattr(item, "fixturenames", ()) for item in items)
        return header(self.config, count) if count and self.config.get_verbosity() >= 0 else None

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a report's audits; where a test is run again, its first verdict stands."""
        stored = getattr(report, "reprotest", None)
        if stored is not None:
            outcome = ""
            if hasattr(report, "wasxfail"):
                outcome = "xfail" if report.skipped else "xpass"
            place = getattr(report, "reprotest_place", 0)
            first = self.found.get((place, report.nodeid))
            self.found[place, report.nodeid] = (first[0], "rerun") if first else (stored, outcome)

    @hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        """Write ``--repro-json`` and ``--repro-save-bank``."""
        if hasattr(self.config, "workerinput") or self._runs_no_test():
            return
        finished = int(exitstatus) in (0, 1, 5) and not (session.shouldstop or session.shouldfail)
        for key, write in (("json", self._write_results), ("save_bank", self._write_bank)):
            path = path_of(self.config, key)
            told = f"--repro-{key.replace('_', '-')}={path}"
            if path is None:
                continue
            if self.planning is not None:
                if getattr(self.config.option, f"repro_{key}") is not None:
                    self.notes.append(f"{told} is not written: --repro-plan trains nothing")
                continue
            if key == "json" and int(exitstatus) and path == path_of(self.config, "compare"):
                self.notes.append(
                    f"{told} is not written: tests failed, and it is what they were held against"
                )
                continue
            from pytest_reprotest.errors import DataError

            try:
                write(path, finished)
            except OSError as error:
                self.notes.append(f"{told} could not be written: {error.strerror or error}")
                session.exitstatus = _USAGE_ERROR
            except DataError as error:  # there is nothing to write
                self.notes.append(str(error))
                session.exitstatus = session.exitstatus or _USAGE_ERROR

    def _write_results(self, path: Path, finished: bool) -> None:
        from pytest_reprotest.results_file import write_results

        write_results(path, [stored for stored, _ in self._stored()], complete=finished)

    def _write_bank(self, path: Path, finished: bool) -> None:
        from pytest_reprotest.bank import save_bank
        from pytest_reprotest.result import AuditResult

        audits = [AuditResult.from_dict(stored) for stored, _ in self._stored()]
        self.notes.extend(save_bank(path, audits, complete=finished))

    def _runs_no_test(self) -> bool:
        flags = ("collectonly", "setuponly", "showfixtures", "show_fixtures_per_test")
        return any(getattr(self.config.option, flag, False) for flag in flags)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table."""
        if not self.found and not self.notes:
            return
        lines = self._summary() if self.planning is None else self._plan(self.planning)
        if lines:
            terminalreporter.section("reproducibility" + " plan" * (self.planning is not None))
        for line in lines:
            markup = {line.style: True} if line.style else {}
            terminalreporter.write_line(line.text, **markup)

    def _stored(self) -> list[tuple[Any, str]]:
        """Each audit as it was stored and what became of its test, in the order of the tests."""
        return [
            (json.loads(text), outcome)
            for _, (stored, outcome) in sorted(self.found.items())
            for text in stored
        ]

    def _plan(self, planning: Planning) -> list[Line]:
        from pytest_reprotest.forecast import Forecast
        from pytest_reprotest.report.planned import render_plan

        forecasts = [Forecast.from_dict(stored) for stored, _ in self._stored()]
        width = self.config.get_terminal_writer().fullwidth
        verbosity = self.config.get_verbosity()
        return render_plan(forecasts, width, verbosity, self.notes, planning.half_width)

    def _summary(self) -> list[Line]:
        from pytest_reprotest.joined import compared_across
        from pytest_reprotest.report.rows import Audited
        from pytest_reprotest.report.terminal import render
        from pytest_reprotest.result import AuditResult

        told = [(AuditResult.from_dict(stored), outcome) for stored, outcome in self._stored()]
        results = compared_across([self._untold(result) for result, _ in told])
        audits = [
            Audited(result, outcome) for result, (_, outcome) in zip(results, told, strict=True)
        ]
        width = self.config.get_terminal_writer().fullwidth
        verbosity = self.config.get_verbosity()
        return render(audits, width, verbosity, self.notes)

    def _untold(self, result: AuditResult) -> AuditResult:
        """The result without the notes that were on the terminal before it trained."""
        notes = tuple(note for note in result.notes if (result.name, note) not in self.told)
        return replace(result, notes=notes)
