"""The results as a file: ``--repro-json``, and ``--repro-save-bank`` for a bank."""

from __future__ import annotations

from pathlib import Path

from pytest_reprotest.bank import save_bank
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.results_file import write_results


def write_json(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write every audit."""
    write_results(path, finished.stored, complete=finished.complete)
    return ()


def write_bank(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write a bank of the audits.

    Raises
    ------
    DataError
        Where nothing is there to write.
    """
    return save_bank(path, finished.results, complete=finished.complete)
