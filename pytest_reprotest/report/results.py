"""The results as a file: ``--repro-json``, and ``--repro-save-bank`` for a bank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_reprotest.bank import save_bank
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.rows import OUTCOMES
from pytest_reprotest.results_file import write_results

OUTCOME = "outcome"
"""The entry of an audit that says what became of its test where the verdict did not decide it."""


def outcome_of(stored: Mapping[str, Any]) -> str:
    """What became of a stored audit's test, as ``Audited.outcome``; empty where its verdict decided it.

    >>> outcome_of({"outcome": "xfail"}), outcome_of({})
    ('xfail', '')
    """
    told = stored.get(OUTCOME, "")
    return told if told in OUTCOMES else ""


def write_json(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write every audit and what became of its test, without predictions where they are not wanted."""
    audits = [
        {**stored, OUTCOME: outcome} if outcome else stored
        for stored, outcome in zip(finished.stored, finished.outcomes, strict=True)
    ]
    if not finished.predictions:
        audits = list(map(without_predictions, audits))
    write_results(path, audits, complete=finished.complete)
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
