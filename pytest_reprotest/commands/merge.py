"""``merge STORE...``: the parts of ``--repro-shard`` joined, judged, shown and written as by one session."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_reprotest.commands import FINE, UNUSABLE, WORSE, say
from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.flags import WRITTEN, Flag

if TYPE_CHECKING:
    from pytest_reprotest.report.finished import Finished
    from pytest_reprotest.result import AuditResult

_NARROWEST = 80
_CODES = """\
exit codes:
  0  every audit passes
  1  an audit fails
  2  the parts can't be joined: one is missing, damaged, or of another audit
"""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Join the parts of audits that pytest --repro-shard=K/N trained into stores, and give the verdict. "
        "Nothing is trained, and no code of the tests is needed. The parts have to be of the same code, data, "
        "settings, versions and kind of machine."
    )
    parser.epilog = _CODES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("stores", metavar="STORE", nargs="+", help="folder of --repro-store")
    for flag in WRITTEN:
        parser.add_argument(_option(flag), metavar=flag.metavar, help=flag.help)


def run(arguments: argparse.Namespace) -> int:
    """Print, write, and return the exit code."""
    from pytest_reprotest.report.finished import Finished

    paths = {
        flag.key: Path(path)
        for flag in WRITTEN
        if (path := getattr(arguments, flag.key)) is not None
    }
    try:
        _check(paths)
        results = _joined([Path(store) for store in arguments.stores])
        finished = Finished([each.to_dict() for each in results], [""] * len(results))
        notes = _written(paths, finished)
    except ReprotestError as error:
        say(str(error), sys.stderr)
        return UNUSABLE
    except OSError as error:
        say(f"{error.filename}: can't be written: {error.strerror or error}", sys.stderr)
        return UNUSABLE
    _show(finished, notes)
    return FINE if all(result.passed for result in results) else WORSE


def _check(paths: dict[str, Path]) -> None:
    from pytest_reprotest.files import check_output
    from pytest_reprotest.report.plots.output import check_installed

    for flag in WRITTEN:
        path = paths.get(flag.key)
        if path is not None:
            option = _option(flag)
            if flag.library:
                check_installed(flag.library, f"{option}={path}")
            check_output(flag, path, option)


def _option(flag: Flag) -> str:
    return flag.option.replace("--repro-", "--")


def _joined(folders: Sequence[Path]) -> list[AuditResult]:
    from pytest_reprotest.shards.merging import merged
    from pytest_reprotest.store.database import Database

    with ExitStack() as opened:
        stores = []
        for folder in dict.fromkeys(folder.resolve() for folder in folders):
            store = Database(folder, create=False)
            opened.callback(store.close)
            stores.append(store)
        return merged(stores)


def _written(paths: dict[str, Path], finished: Finished) -> list[str]:
    from pytest_reprotest.registry import load

    return [
        note
        for flag in WRITTEN
        if flag.key in paths
        for note in load(flag.writer)(paths[flag.key], finished)
    ]


def _show(finished: Finished, notes: Sequence[str]) -> None:
    from pytest_reprotest.report.table import wrap
    from pytest_reprotest.report.terminal import render

    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    for line in render(finished.audits, width, notes=notes):
        say(line.text, sys.stdout)
    for result in finished.results:
        for found in result.failed:
            for reason in found.verdict.reasons:
                for text in wrap(f"FAILED {result.name}: {found.regularizer}: {reason}", width):
                    say(text, sys.stdout)
