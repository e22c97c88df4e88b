"""A file that audits are held against, read at the session's start; a test's part is decoded when it is due."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_reprotest.bank import ONE_SEED, load_bank
from pytest_reprotest.errors import DataError, did_you_mean
from pytest_reprotest.references.of_bank import BankRuns
from pytest_reprotest.references.of_result import StoredAudit
from pytest_reprotest.references.reference import Reference, Unheld
from pytest_reprotest.result import stored_audit
from pytest_reprotest.results_file import ResultsFile, read_results

_SHOWN = 5


@dataclass(frozen=True)
class Shelf:
    """The references of a session's tests.

    Attributes
    ----------
    file : ResultsFile
    told : str
        The path as the user wrote it.
    gates : bool
        Whether a few new runs are held against a bank, or whole audits against stored ones.
    """

    file: ResultsFile
    told: str
    gates: bool

    def check(self) -> None:
        """Decode every audit, so that a damaged one is known before anything trains.

        Raises
        ------
        DataError
        """
        for name in self.file.audits:
            stored_audit(self.file, name)

    def of(self, name: str) -> Reference:
        """What the audit of a test is held against.

        Raises
        ------
        DataError
            Where a bank has no such test, or its audit can't be read.
        """
        if name in self.file.audits:
            found = stored_audit(self.file, name)
            if "deterministic" in found.settings:
                return Unheld(f"is held against nothing in {self.told}: there {ONE_SEED}")
            return BankRuns(found) if self.gates else StoredAudit(found, self.told)
        hint = did_you_mean(name, self.file.audits)
        if not self.gates:
            return Unheld(f"is not in {self.told}, so it was held against nothing.{hint}")
        names = [repr(known) for known in self.file.audits]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        broken_off = "" if self.file.complete else ", of a session that was interrupted"
        raise DataError(
            f"{name}: not in the bank {self.told}{broken_off}; it holds {', '.join(names[:_SHOWN]) or 'nothing'}"
            f"{more}.{hint} Make a new bank with --repro-save-bank, or leave the test out"
        )


def open_bank(path: Path, told: str) -> Shelf:
    """The bank at a path.

    Raises
    ------
    DataError
        Where the file can't be read, or is no bank.
    """
    return Shelf(load_bank(path).file, told, gates=True)


def open_results(path: Path, told: str) -> Shelf:
    """The stored results at a path; a bank is a file of results, too.

    Raises
    ------
    DataError
        Where the file can't be read.
    """
    return Shelf(read_results(path), told, gates=False)
