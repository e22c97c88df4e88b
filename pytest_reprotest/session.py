"""A pytest session's audits: gathered from reports, written and printed at its end.

Knows pytest by its hooks alone, so that nothing but ``plugin`` imports it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pluggy

from pytest_reprotest.settings import header, json_path

hookimpl = pluggy.HookimplMarker("pytest")

_USAGE_ERROR = 4  # pytest.ExitCode.USAGE_ERROR


class SessionAudits:
    """Gathers audits as reports come in, writes the JSON file and the summary; on the controller only."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.found: dict[tuple[int, str], tuple[list[str], str]] = {}
        self.notes: list[str] = []

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
        """Write ``--repro-json``."""
        path = json_path(self.config)
        if path is None or hasattr(self.config, "workerinput") or self._runs_no_test():
            return
        from pytest_reprotest.results_file import write_results

        finished = int(exitstatus) in (0, 1, 5) and not (session.shouldstop or session.shouldfail)
        audits = [json.loads(text) for stored, _ in self.found.values() for text in stored]
        try:
            write_results(path, audits, complete=finished)
        except OSError as error:
            self.notes.append(
                f"--repro-json={path} could not be written: {error.strerror or error}"
            )
            session.exitstatus = _USAGE_ERROR

    def _runs_no_test(self) -> bool:
        flags = ("collectonly", "setuponly", "showfixtures", "show_fixtures_per_test")
        return any(getattr(self.config.option, flag, False) for flag in flags)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table."""
        if not self.found and not self.notes:
            return
        from pytest_reprotest.report.rows import Audited
        from pytest_reprotest.report.terminal import render
        from pytest_reprotest.result import AuditResult

        audits = [
            Audited(AuditResult.from_dict(json.loads(text)), outcome)
            for _, (stored, outcome) in sorted(self.found.items())
            for text in stored
        ]
        width = self.config.get_terminal_writer().fullwidth
        verbosity = self.config.get_verbosity()
        lines = render(audits, width, verbosity, self.notes)
        if lines:
            terminalreporter.section("reproducibility")
        for line in lines:
            markup = {line.style: True} if line.style else {}
            terminalreporter.write_line(line.text, **markup)
