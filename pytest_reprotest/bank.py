"""The bank: reference runs of each audited test, which a few new runs are held against.

A bank is a file of results with a mark. What new runs are compared with must be runs of the same training
on the same test set, so another one is refused before anything trains; another machine or library may be
the very change under test, so that is said and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_reprotest.conditions import FINGERPRINT, HOLDS, in_words, other_settings
from pytest_reprotest.differences import CONTENTS, NAMES, Difference, differences, other_test_set
from pytest_reprotest.errors import DataError, did_you_mean
from pytest_reprotest.metrics import Labels
from pytest_reprotest.result import AuditResult, stored_audit
from pytest_reprotest.results_file import ResultsFile, read_results, write_results
from pytest_reprotest.seeds import SOURCES
from pytest_reprotest.statistics.gate import MIN_BANK

FIRST_RUN = "first_run"
"""The setting that holds the index of an audit's first run; 0 where it is not there."""

ADAPTIVE = (
    "runs were added until limits were decided, and such runs look more alike than others; for a bank or a "
    "baseline train a fixed number: leave max_runs out"
)

ONE_SEED = "its runs are of one seed, which say nothing of how much others differ"

_SAID = ("device", "engine", *NAMES, *(key for key in FINGERPRINT if key not in CONTENTS))
"""Settings whose difference is a warning: the result may differ, and may be asked whether it does."""

_INPUTS = "another test set: its inputs are not the same, though their true labels are"
_AGAIN = "Make a new bank with --repro-save-bank"


@dataclass(frozen=True, eq=False)
class Bank:
    """Reference runs by test.

    Attributes
    ----------
    file : ResultsFile
    """

    file: ResultsFile

    @property
    def names(self) -> tuple[str, ...]:
        """The tests that have reference runs."""
        return tuple(self.file.audits)

    def reference(self, name: str) -> AuditResult:
        """The reference runs of a test.

        Raises
        ------
        DataError
            Where the bank has none, or they can't be read.
        """
        return stored_audit(self.file, name)


def save_bank(
    path: str | Path, audits: Sequence[AuditResult], complete: bool = True
) -> tuple[str, ...]:
    """Write a bank, atomically; a sentence for each thing that could not go into it or is of no use there.

    Runs that failed or predict one class are no reference, so their regularizer is left out.

    Parameters
    ----------
    complete : bool
        False after an interrupt.

    Raises
    ------
    DataError
        Where nothing is left to write.
    """
    kept: list[AuditResult] = []
    told: list[str] = []
    for audit in audits:
        if "deterministic" in audit.settings:
            told.append(f"{audit.name}: did not go into the bank: {ONE_SEED}")
            continue
        sound = {
            label: found
            for label, found in audit.by_regularizer.items()
            if not found.verdict.broken and len(found.predictions)
        }
        told.extend(
            f"{audit.name}: {label!r} did not go into the bank, since its runs can't be trusted"
            for label in audit.regularizers
            if label not in sound
        )
        told.extend(
            f"{audit.name}: the bank holds {found.n_runs} runs of {label!r}; new runs are held against "
            f"{MIN_BANK} or more, so make it again with more runs"
            for label, found in sound.items()
            if found.n_runs < MIN_BANK
        )
        if sound and "looks" in audit.settings:
            told.append(f"{audit.name}: {ADAPTIVE}")
        if sound:
            kept.append(replace(audit, by_regularizer=sound, pictures=None))
    if not kept:
        raise DataError(
            f"no bank was written to {path}: {'; '.join(told) or 'nothing was audited'}"
        )
    write_results(path, [audit.to_dict() for audit in kept], complete, kind="bank")
    return tuple(told)


def load_bank(path: str | Path) -> Bank:
    """Read a bank.

    Raises
    ------
    DataError
        Where the file can't be read, or is no bank.
    """
    file = read_results(path)
    if file.kind != "bank":
        raise DataError(
            f"{path} holds results and is no bank; expected a file written by --repro-save-bank. To hold "
            "today's results against stored ones there is --repro-compare"
        )
    return Bank(file)


def next_run(reference: AuditResult) -> int:
    """The index of the first run that is not in the bank.

    New runs of the same base seed start there: run i of one seed is run i again, and would agree with the
    bank's for that reason alone.
    """
    first = reference.settings.get(FIRST_RUN, 0)
    runs = max((found.n_runs for found in reference.by_regularizer.values()), default=0)
    return (first if type(first) is int and first >= 0 else 0) + runs


def check_comparable(
    reference: AuditResult,
    settings: Mapping[str, Any],
    y_true: Labels,
    regularizers: Sequence[str] = (),
) -> tuple[str, ...]:
    """Refuse reference runs of another training or test set; a warning for each difference that may matter.

    Parameters
    ----------
    reference : AuditResult
        Of the bank.
    settings : mapping
        As ``AuditResult.settings`` will be. What it does not hold, or the bank does not, is not compared.
    y_true : int array (n_samples,)
    regularizers : sequence of str
        Labels to be retrained.

    Raises
    ------
    DataError
        The message names every difference.

    >>> from pytest_reprotest.api import audit_predictions
    >>> reference = audit_predictions({"none": [[0, 1], [0, 0]]}, y_true=[0, 1], name="test_a")
    >>> check_comparable(reference, {}, reference.y_true, ["none"])
    ()
    """
    name = reference.name
    different = other_test_set(reference.y_true, y_true)
    if different:
        raise DataError(f"{name}: the bank is of {different}. {_AGAIN}")
    for label in regularizers:
        if label not in reference.by_regularizer:
            raise DataError(
                f"{name}: the bank holds no runs of {label!r}; it holds "
                f"{', '.join(map(repr, reference.regularizers))}.{did_you_mean(label, reference.regularizers)} "
                f"{_AGAIN}, or audit what it holds: --repro-regularizers"
            )
    found = differences(reference.settings, settings)
    refused = [each for each in found if _refused(each, settings)]
    if refused:
        told = "; ".join(
            _INPUTS if each.key == "training.data.test" else str(each) for each in refused
        )
        raise DataError(
            f"{name}: the bank's runs are not of this training: {told}. {_AGAIN}, or train as before"
        )
    changed = in_words(found)
    return (
        *(f"the bank differs in {each}" for each in other_settings(found) if each.key != "seed"),
        *((f"fingerprint, bank → now: {changed}. {HOLDS}",) if changed else ()),
    )


def _refused(difference: Difference, settings: Mapping[str, Any]) -> bool:
    if (
        difference.key == "seed"
    ):  # a source that does not vary takes its one stream from the base seed
        return sorted(settings.get("vary", SOURCES)) != sorted(SOURCES)
    return not any(difference.key == key or difference.key.startswith(f"{key}.") for key in _SAID)
