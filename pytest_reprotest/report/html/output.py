"""The page as a file: ``--repro-html``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.html.page import page
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.results_file import whole_file

INTERRUPTED = "The session was interrupted: tests may be missing."


def write_html(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write a page of every audit of a session.

    Raises
    ------
    ReprotestError
        Where Plotly is not installed.
    """
    write_page(path, finished.audits, () if finished.complete else (INTERRUPTED,))
    return ()


def write_page(path: Path, audits: Sequence[Audited], notes: Sequence[str] = ()) -> None:
    """Write a page, whole or not at all.

    Raises
    ------
    ReprotestError
        Where Plotly is not installed.
    """
    text = page(audits, notes)
    with whole_file(path) as file:
        file.write(text)
