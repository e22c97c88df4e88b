"""The files that a session writes at its end, each by the writer that its flag names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.execution.signals import ending
from pytest_reprotest.flags import STEP_SUMMARY, STEP_SUMMARY_WRITER, WRITTEN
from pytest_reprotest.origins import COMMAND_LINE, spelled
from pytest_reprotest.registry import load
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.settings import path_of

INTERRUPTED, USAGE_ERROR = 2, 4  # of pytest.ExitCode


class Outputs:
    """Writes what the session was asked for.

    Attributes
    ----------
    notes : list of str
        Sentences for the summary: what could not be written, and what writers say.
    exitstatus : int
        The session's, an error of usage where a file could not be written.
    """

    def __init__(self, config: Any, exitstatus: int) -> None:
        self.notes: list[str] = []
        self.exitstatus = exitstatus
        self._config = config
        self._tests_failed = bool(exitstatus)

    def write_all(self, finished: Finished) -> None:
        """Write every file, and append the summary; an interrupt ends it, and leaves no half of a file."""
        try:
            with ending():
                self.write(finished)
                self.append_step_summary(finished)
        except KeyboardInterrupt:
            self.notes.append(
                "interrupted while files were written: those not yet written are as they were"
            )
            self.exitstatus = INTERRUPTED

    def write(self, finished: Finished) -> None:
        """Write every file that was asked for; one that can't be written keeps no other from it."""
        for key, writer, path in self._asked():
            told = spelled(COMMAND_LINE, key, path)
            if self._tests_failed and path == path_of(self._config, "compare"):
                self.notes.append(
                    f"{told} is not written: tests failed, and it is what they were held against"
                )
                continue
            try:
                self.notes.extend(load(writer)(path, finished))
            except OSError as error:
                self.notes.append(f"{told} could not be written: {error.strerror or error}")
                self.exitstatus = USAGE_ERROR
            except ReprotestError as error:  # there is nothing to write, or no room for figures
                self.notes.append(str(error))
                self.exitstatus = self.exitstatus or USAGE_ERROR

    def append_step_summary(self, finished: Finished) -> None:
        """Append a summary to the file that the environment names, where there is anything to tell.

        One that can't be written is told and fails nothing: no option asked for it.
        """
        path = os.environ.get(STEP_SUMMARY)
        if not path or not finished.stored:
            return
        try:
            load(STEP_SUMMARY_WRITER)(Path(path), finished)
        except OSError as error:
            told = f"{STEP_SUMMARY}={path}"
            self.notes.append(f"{told} could not be written: {error.strerror or error}")

    def leave_unwritten(self, reason: str) -> None:
        """Say of each file on the command line that it is not written, and why."""
        for key, _, path in self._asked():
            if getattr(self._config.option, f"repro_{key}") is not None:
                told = spelled(COMMAND_LINE, key, path)
                self.notes.append(f"{told} is not written: {reason}")

    def _asked(self) -> Iterator[tuple[str, str, Path]]:
        for flag in WRITTEN:
            path = path_of(self._config, flag.key)
            if path is not None:
                yield flag.key, flag.writer, path
