"""A file of results as light rows: what is shown over time of each regularizer, and no prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_reprotest.errors import DataError
from pytest_reprotest.joined import title
from pytest_reprotest.parsing import MAX_BYTES
from pytest_reprotest.report.rows import Audited, Row, score_figure, verdict_word
from pytest_reprotest.result import AuditResult, stored_audit
from pytest_reprotest.results_file import ResultsFile, read_results
from pytest_reprotest.statistics import Estimate

UNNAMED = "(unnamed)"


class Series(NamedTuple):
    """What is followed over time: a regularizer of a test."""

    test: str
    regularizer: str


@dataclass(frozen=True)
class Entry:
    """What the runs under one regularizer gave, in one file.

    Attributes
    ----------
    key : str
        Names it to the browser; the same again after a restart.
    series : Series
    file : str
        The path below the folder.
    audit : str
        The audit's name in the file.
    written : float
        When the file was written, in seconds since the epoch: files hold no time of their own.
    n_runs : int
    score : str
        The score with its name, such as ``accuracy 0.946 ±0.004``.
    prediction_difference : Estimate
        Fraction of test samples; NaN values where it is not known.
    effective : Estimate
        Score minus prediction difference; NaN values where the task has none.
    effective_name : str
        What it is called: ``ETA``, ``eff. R²``, or nothing.
    verdict : str
        The word of the table, such as ``pass``, ``fail (report)`` or ``no limit``.
    style : str
        The colour of the verdict: ``green``, ``red``, ``yellow`` or empty.
    spreads : bool
        Whether its runs could differ: several, and not of one seed as those of a proof are.
    """

    key: str
    series: Series
    file: str
    audit: str
    written: float
    n_runs: int
    score: str
    prediction_difference: Estimate
    effective: Estimate
    effective_name: str
    verdict: str
    style: str
    spreads: bool


_UNKNOWN = Estimate(float("nan"))


def read_entries(path: str, file: str, written: float, size: int) -> tuple[Entry, ...]:
    """The entries of a file.

    Parameters
    ----------
    path : str
        Where the file is.
    file : str
        What it is called below the folder.
    written : float
        Seconds since the epoch.
    size : int
        Bytes.

    Raises
    ------
    DataError
        Where it is no result, is damaged or too large. Predictions are not looked at.
    """
    if size > MAX_BYTES:  # not even read
        raise DataError(f"{path} has more than {MAX_BYTES:,} bytes, the most that is read")
    found = read_results(path)
    return tuple(entry for name in found.audits for entry in _entries(found, name, file, written))


def _entries(found: ResultsFile, name: str, file: str, written: float) -> Iterator[Entry]:
    light = ResultsFile(
        found.path, found.kind, found.complete, {name: _without_predictions(found.audits[name])}
    )
    result = stored_audit(light, name)
    audited = Audited(result)
    names = result.task.names
    for label, each in result.by_regularizer.items():
        spreads = each.n_runs > 1 and each.proof is None
        yield Entry(
            key=_key(file, name, label),
            series=Series(title_of(result), label),
            file=file,
            audit=name,
            written=written,
            n_runs=each.n_runs,
            score=f"{names.score_short} {score_figure(each)}",
            prediction_difference=each.prediction_difference,
            effective=each.effective_score if names.effective_short else _UNKNOWN,
            effective_name=names.effective_short or "",
            verdict=verdict_word(each, audited),
            style=Row(label, audited, each).style,
            spreads=spreads,
        )


def title_of(result: AuditResult) -> str:
    """The test of an audit; one without a name has a word in its place."""
    return title(result) or UNNAMED


def _without_predictions(stored: Any) -> Any:
    """An audit whose largest part is not decoded; whatever else is wrong with it is still found."""
    if not isinstance(stored, Mapping) or not isinstance(stored.get("regularizers"), Mapping):
        return stored
    light = {
        label: {key: value for key, value in each.items() if key != "predictions"}
        if isinstance(each, Mapping)
        else each
        for label, each in stored["regularizers"].items()
    }
    return {**stored, "regularizers": light}


def _key(*parts: str) -> str:
    told = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2s(told, digest_size=8).hexdigest()
