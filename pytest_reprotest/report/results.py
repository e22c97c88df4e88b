"""The results as a file: ``--repro-json``, and ``--repro-save-bank`` for a bank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_reprotest.bank import save_bank
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.results_file import write_results


def write_json(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write every audit, without predictions where they are not wanted."""
    audits = finished.stored if finished.predictions else map(without_predictions, finished.stored)
    write_results(path, tuple(audits), complete=finished.complete)
    return ()


def without_predictions(stored: Mapping[str, Any]) -> dict[str, Any]:
    """An audit as ``AuditResult.to_dict()`` gave it, less the predictions of its runs and pictures of samples.

    >>> kept = without_predictions({"regularizers": {"none": {"n_runs": 2, "predictions": [[0], [1]]}}})
    >>> kept["regularizers"]
    {'none': {'n_runs': 2}}
    """
    by_regularizer = {
        label: {key: value for key, value in found.items() if key != "predictions"}
        for label, found in stored["regularizers"].items()
    }
    kept = {key: value for key, value in stored.items() if key != "pictures"}
    return {**kept, "regularizers": by_regularizer}


def write_bank(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write a bank of the audits.

    Raises
    ------
    DataError
        Where nothing is there to write.
    """
    return save_bank(path, finished.results, complete=finished.complete)
