"""Progress while runs train: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tqdm import tqdm

from pytest_reprotest.errors import printable
from pytest_reprotest.interfaces import Progress, RunOutcome
from pytest_reprotest.plan import Plan
from pytest_reprotest.report.letters import speller

_LINE_EVERY = 30.0  # seconds


def progress_of(
    config: Any, title: str, encoding: str | None = None
) -> Callable[[Plan], Progress] | None:
    """Progress for a pytest session; none at -q, on a worker, or without a terminal reporter."""
    terminal = _terminal(config, encoding)
    if terminal is None:
        return None
    if config.pluginmanager.getplugin("terminalreporter").isatty:
        return lambda plan: bar(plan, terminal, title)
    return lambda plan: lines(plan, terminal.line, title)


def teller_of(config: Any, title: str, encoding: str | None = None) -> Callable[[str], None] | None:
    """A function that writes a sentence of a test at once, on a line of its own; None where progress is."""
    terminal = _terminal(config, encoding)
    return None if terminal is None else lambda text: terminal.line(printable(f"{title}: {text}"))


def _terminal(config: Any, encoding: str | None) -> Terminal | None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or config.get_verbosity() < 0 or hasattr(config, "workerinput"):
        return None
    return Terminal(reporter, config.pluginmanager.getplugin("capturemanager"), encoding)


class Terminal:
    """pytest's terminal as a file for tqdm: each write steps out of pytest's capture.

    Parameters
    ----------
    reporter : pytest's terminal reporter
    capture : pytest's capture manager, or None
    encoding : str or None
        Of the terminal; without Unicode tqdm draws its bar in other signs.
    """

    def __init__(self, reporter: Any, capture: Any, encoding: str | None = None) -> None:
        self._reporter = reporter
        self._capture = capture
        self.encoding = encoding or "utf-8"
        self._spell = speller(encoding)

    def write(self, text: str) -> None:
        """Write as it is."""
        with self._uncaptured():
            self._reporter.write(text, flush=True)

    def line(self, text: str) -> None:
        """Write on a line of its own."""
        with self._uncaptured():
            self._reporter.ensure_newline()
            self._reporter.write_line(self._spell(text))

    def begin(self) -> None:
        """Leave pytest's own line."""
        with self._uncaptured():
            self._reporter.ensure_newline()

    def flush(self) -> None:
        """Every write is flushed already."""

    @property
    def columns(self) -> int:
        """The terminal's width."""
        return shutil.get_terminal_size().columns

    def _uncaptured(self) -> AbstractContextManager[Any]:
        if self._capture is None:
            return nullcontext()
        context: AbstractContextManager[Any] = self._capture.global_and_fixture_disabled()
        return context


def bar(plan: Plan, terminal: Terminal, title: str) -> Progress:
    """A bar that counts runs, rewritten in place and removed at the end."""
    terminal.begin()
    shown: Any = tqdm(
        total=len(plan.runs),
        desc=title,
        unit="run",
        file=terminal,
        leave=False,
        ncols=terminal.columns,
    )

    left = {label: len(plan.of(label)) for label in plan.regularizers}

    def advance(outcome: RunOutcome) -> None:
        label = outcome.run.regularizer
        # a regularizer is left at its first failed run, so its other runs will not come
        step = left[label] if outcome.failure is not None else min(1, left[label])
        left[label] -= step
        shown.set_postfix_str(_now(outcome), refresh=False)
        shown.update(step)
        if not any(left.values()):
            shown.close()

    return advance


def _now(outcome: RunOutcome) -> str:
    """The regularizer that trains, and the rung of its attribution."""
    run = outcome.run
    return f"{run.regularizer}, {run.rung}" if run.rung else run.regularizer


def lines(plan: Plan, write: Callable[[str], None], title: str) -> Progress:
    """A line at most every 30 seconds."""
    started = last = time.monotonic()
    done = 0

    def advance(outcome: RunOutcome) -> None:
        nonlocal last, done
        done += 1
        now = time.monotonic()
        if now - last >= _LINE_EVERY:
            last = now
            write(
                f"{title}: {done} of {len(plan.runs)} runs, {now - started:.0f} s, "
                f"now {_now(outcome)}"
            )

    return advance
