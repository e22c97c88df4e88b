"""Results read whole, on demand: of those that were opened last a few are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pytest_reprotest.baseline import BaselineComparison, compare_results
from pytest_reprotest.conditions import changed_parts, other_settings
from pytest_reprotest.dashboard.entries import Entry, title_of
from pytest_reprotest.dashboard.index import Index, Stamp
from pytest_reprotest.differences import Difference, differences, other_test_set
from pytest_reprotest.errors import DataError
from pytest_reprotest.joined import compared_across
from pytest_reprotest.report.html.united import Shown, united
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.result import AuditResult, stored_audit
from pytest_reprotest.results_file import read_results

KEPT = 4
"""Tests with all their predictions: one may take a gigabyte."""

_SAMPLES = 20


class _Test(NamedTuple):
    file: str
    test: str


class Opened:
    """The tests that were opened last, with all their predictions.

    Parameters
    ----------
    index : Index
    kept : int
        How many are kept in memory.
    """

    def __init__(self, index: Index, kept: int = KEPT) -> None:
        self.index = index
        self._most = kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Test, tuple[Stamp | None, list[Shown]]] = OrderedDict()

    def test(self, entry: Entry) -> Shown:
        """The audit that an entry is of, with that of other regularizers of its test.

        Raises
        ------
        DataError
            Where the file can't be read any more, or its predictions are damaged.
        """
        for shown in self._tests(entry):
            if entry.series.regularizer in shown.result.by_regularizer:
                return shown
        raise DataError(f"{entry.file} holds no {entry.series.regularizer!r} of this test any more")

    def alone(self, entry: Entry) -> AuditResult:
        """The audit with the entry's regularizer and no other.

        Raises
        ------
        DataError
        """
        result, label = self.test(entry).result, entry.series.regularizer
        compared = {name: each for name, each in result.comparisons.items() if name == label}
        return replace(
            result,
            by_regularizer={label: result[label]},
            comparisons=compared,
            not_applicable={},
        )

    def _tests(self, entry: Entry) -> list[Shown]:
        wanted = _Test(entry.file, entry.series.test)
        stamp = self.index.snapshot.stamps.get(entry.file)
        with self._lock:  # one at a time: two pages that open the same file read it once
            known = self._kept.get(wanted)
            if known is not None and known[0] == stamp:
                self._kept.move_to_end(wanted)
                return known[1]
            found = _read(str(self.index.path(entry)), wanted, entry.audit)
            self._kept[wanted] = (stamp, found)
            self._kept.move_to_end(wanted)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return found


def _read(path: str, wanted: _Test, audit: str) -> list[Shown]:
    try:
        file = read_results(path)
        same = [
            name
            for name, stored in file.audits.items()
            if name == audit or _test_of(stored) == wanted.test
        ]
        results = [stored_audit(file, name) for name in same]
    except DataError as error:
        raise DataError(str(error).replace(path, wanted.file)) from None
    of_test = [result for result in results if title_of(result) == wanted.test]
    return united([Audited(result) for result in compared_across(of_test)])


def _test_of(stored: object) -> object:
    """The test of an audit that is not decoded."""
    settings = stored.get("settings") if isinstance(stored, dict) else None
    return settings.get("test") if isinstance(settings, dict) else None


@dataclass(frozen=True)
class Sample:
    """A sample of the test set, and how often it flips in each of two results.

    Attributes
    ----------
    place : int
        In the test set, from 0.
    old, new : float
        Fraction of pairs of runs that disagree on it.
    """

    place: int
    old: float
    new: float


@dataclass(frozen=True)
class Sides:
    """Two results beside each other, the older one first.

    Attributes
    ----------
    old, new : AuditResult
        Each with one regularizer.
    comparison : BaselineComparison or None
    refused : str
        Why the two are not compared; empty where they are.
    settings : tuple of Difference
    fingerprint : mapping of str to tuple of str
        Group → what changed in it.
    warnings : tuple of str
    samples : tuple of Sample
        Those whose flip rate changed most; none where the test sets differ.
    """

    old: AuditResult
    new: AuditResult
    comparison: BaselineComparison | None
    refused: str
    settings: tuple[Difference, ...]
    fingerprint: dict[str, tuple[str, ...]]
    warnings: tuple[str, ...]
    samples: tuple[Sample, ...]


def beside(old: AuditResult, new: AuditResult) -> Sides:
    """Two audits of one regularizer each, compared as far as they can be."""
    labels = [result.regularizers[0] for result in (old, new)]
    comparison, refused = None, ""
    if labels[0] != labels[1]:
        refused = (
            f"one is of {labels[0]!r} and the other of {labels[1]!r}: only results of one "
            "regularizer are held against each other"
        )
    else:
        try:
            comparison = compare_results(new, old)
        except DataError as error:
            refused = str(error)
    unlike = differences(old.settings, new.settings)
    return Sides(
        old,
        new,
        comparison,
        refused,
        other_settings(unlike),
        changed_parts(unlike),
        () if comparison is None else comparison.warnings,
        _changed_samples(old, new, labels),
    )


def _changed_samples(
    old: AuditResult, new: AuditResult, labels: Sequence[str]
) -> tuple[Sample, ...]:
    found = [result[label] for result, label in zip((old, new), labels, strict=True)]
    if old.task != new.task or other_test_set(old.y_true, new.y_true) is not None:
        return ()
    if any(len(each.predictions) < 2 for each in found):
        return ()
    was, now = (np.asarray(each.flip_rates, dtype=float) for each in found)
    largest = np.argsort(-np.abs(now - was), kind="stable")[:_SAMPLES]
    return tuple(
        Sample(int(place), float(was[place]), float(now[place]))
        for place in largest
        if was[place] != now[place]
    )
