"""``report RESULT.json...``: results that were stored, as the summary of a session, over time, as a page."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_reprotest.commands import FINE, UNUSABLE, say
from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.joined import FILE

if TYPE_CHECKING:
    from pytest_reprotest.report.rows import Audited

NO_HISTORY = (
    "--history: no test with a regularizer is in two files or more; name several files of one test"
)
_NARROWEST = 80


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Show the audits of one or several files as a session does at its end, what became of those that are "
        "in several, and write them as a page. Nothing is trained or judged again."
    )
    parser.add_argument(
        "results",
        metavar="RESULT.json",
        nargs="+",
        help="file of --repro-json, --repro-save-bank or to_json; of several the oldest first",
    )
    parser.add_argument(
        "--history",
        action="store_true",
        help="show no file whole, only what became of each test over the files",
    )
    parser.add_argument(
        "--html",
        metavar="PATH",
        help="write a page with figures, of all files, into one file that opens offline; takes the extra report",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print, write, and return the exit code."""
    from pytest_reprotest.report.history import over_time
    from pytest_reprotest.report.letters import speller
    from pytest_reprotest.report.terminal import render
    from pytest_reprotest.results_file import check_writable

    path = None if arguments.html is None else Path(arguments.html)
    try:
        if path is not None:
            from pytest_reprotest.report.plots.output import check_installed

            check_installed("plotly", f"--html={path}")
            check_writable(path, "--html")
        files = [_read(file, several=len(arguments.results) > 1) for file in arguments.results]
        if path is not None:
            from pytest_reprotest.report.html import write_page

            audits = [audited for file in files for audited in file.audits]
            write_page(path, audits, [note for file in files for note in file.notes])
    except ReprotestError as error:
        say(str(error), sys.stderr)
        return UNUSABLE
    except OSError as error:
        say(f"--html={path} could not be written: {error.strerror or error}", sys.stderr)
        return UNUSABLE
    spell = speller(sys.stdout.encoding)
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    for file in () if arguments.history else files:
        if len(files) > 1:
            say(f"{file.path}:", sys.stdout)
        for line in render(file.audits, width, notes=file.notes, spell=spell):
            say(line.text, sys.stdout)
    told = list(over_time(_by_name(files), width, spell))
    for line in told:
        say(line.text, sys.stdout)
    if arguments.history and not told:
        say(NO_HISTORY, sys.stderr)
        return UNUSABLE
    return FINE


def _by_name(files: Sequence[_File]) -> dict[str, Sequence[Audited]]:
    """Files by their names, without folders where those tell none apart."""
    names = [Path(file.path).name for file in files]
    told = names if len(set(names)) == len(names) else [file.path for file in files]
    return {name: file.audits for name, file in zip(told, files, strict=True)}


@dataclass(frozen=True)
class _File:
    """What a file holds, as it is shown."""

    path: str
    audits: Sequence[Audited]
    notes: Sequence[str]


def _read(path: str, several: bool) -> _File:
    from pytest_reprotest.joined import compared_across
    from pytest_reprotest.report.results import outcome_of
    from pytest_reprotest.report.rows import Audited
    from pytest_reprotest.result import stored_audit
    from pytest_reprotest.results_file import read_results

    file = read_results(path)
    results = [stored_audit(file, name) for name in file.audits]
    if several:  # the same tests may be in each
        results = [
            replace(result, settings={**result.settings, FILE: file.path}) for result in results
        ]
    notes = (
        ()
        if file.complete
        else (f"{path} is of a session that was interrupted: tests may be missing.",)
    )
    outcomes = [outcome_of(stored) for stored in file.audits.values()]
    return _File(file.path, list(map(Audited, compared_across(results), outcomes)), notes)
