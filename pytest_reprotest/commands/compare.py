"""``compare OLD NEW``: one file of results held against another, test by test."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_reprotest.commands import FINE, STALE, UNUSABLE, WORSE, say
from pytest_reprotest.errors import DataError, OptionError
from pytest_reprotest.thresholds import DEFAULT_TOLERANCES, TOLERANCES, read_threshold

if TYPE_CHECKING:
    from pytest_reprotest.baseline import BaselineComparison
    from pytest_reprotest.results_file import ResultsFile

_ABOUT = {
    "max_accuracy_drop": "accuracy may fall",
    "max_effective_accuracy_drop": "Effective Test Accuracy may fall",
    "max_prediction_difference_increase": "prediction difference may rise",
    "max_negative_flip_excess": (
        "the fraction that old runs have right and new runs wrong may exceed that among old runs"
    ),
    "max_r2_drop": "R² of a regression may fall",
    "max_effective_r2_drop": "Effective R² of a regression may fall",
    "max_mae_increase": "the mean absolute error of a regression may rise",
}
_CODES = """\
exit codes:
  0  nothing is worse than tolerated
  1  something is worse
  2  the files can't be compared
  3  nothing is worse and something is better than tolerated: OLD is stale,
     store NEW in its place
"""


@dataclass(frozen=True)
class _Compared:
    """What came of two files: comparisons, and the tests for which there is none, with the reason."""

    found: tuple[BaselineComparison, ...]
    unusable: dict[str, str]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    @property
    def code(self) -> int:
        """The exit code; what is worse stays so, whatever else could not be compared."""
        statuses = {comparison.status for comparison in self.found}
        if "worse" in statuses:
            return WORSE
        if self.unusable:
            return UNUSABLE
        return STALE if "better" in statuses else FINE


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Hold the audits of NEW against those of the same name in OLD: accuracy,\n"
        "Effective Test Accuracy, prediction difference and negative flips of every\n"
        "regularizer that both audited."
    )
    parser.epilog = _CODES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "old", metavar="OLD", help="file of --repro-json, --repro-save-bank or to_json"
    )
    parser.add_argument("new", metavar="NEW", help="another one")
    for name in TOLERANCES:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="X",
            type=_fraction(name),
            help=f"how much {_ABOUT[name]}, {TOLERANCES[name].unit.rstrip(',')} (default {_default(name)})",
        )
    parser.add_argument(
        "--decision",
        choices=("confidence", "point"),
        default="confidence",
        help="confidence (default): a change counts where its one-sided bound is beyond what is "
        "tolerated; point: where its estimate is, which few runs get wrong often",
    )
    parser.add_argument(
        "--confidence",
        metavar="X",
        type=_level,
        default=0.95,
        help="level of the one-sided bound (default 0.95)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")


def _default(name: str) -> str:
    default = DEFAULT_TOLERANCES.get(name)
    return "the regression's tolerance" if default is None else f"{default:g}"


def _fraction(name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return read_threshold(name, text)
        except OptionError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0.5 < level < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a number above 0.5 and below 1")
    return level


def run(arguments: argparse.Namespace) -> int:
    """Compare, print, and return the exit code."""
    from pytest_reprotest.results_file import read_results

    try:
        old, new = read_results(arguments.old), read_results(arguments.new)
        compared = _compared(old, new, arguments)
    except DataError as error:
        say(str(error), sys.stderr)
        return UNUSABLE
    for name, reason in compared.unusable.items():
        say(f"{name or '(unnamed)'}: {reason}", sys.stderr)
    if arguments.json:
        print(json.dumps(_document(compared), indent=2))
    else:
        for line in _lines(old, new, compared, shutil.get_terminal_size().columns):
            say(line, sys.stdout)
    return compared.code


def _compared(old: ResultsFile, new: ResultsFile, arguments: argparse.Namespace) -> _Compared:
    from pytest_reprotest.baseline import compare_results
    from pytest_reprotest.result import stored_audit

    names = [name for name in new.audits if name in old.audits]
    if not names:
        told = [", ".join(file.audits) or "none" for file in (old, new)]
        raise DataError(
            f"{old.path} and {new.path} have no test in common; the first holds {told[0]}, the second "
            f"{told[1]}"
        )
    tolerances = {
        name: value for name in TOLERANCES if (value := getattr(arguments, name)) is not None
    }
    found, unusable = [], {}
    for name in names:  # one by one: only two audits are in memory
        try:
            found.append(
                compare_results(
                    stored_audit(new, name),
                    stored_audit(old, name),
                    tolerances,
                    decision=arguments.decision,
                    confidence=arguments.confidence,
                )
            )
        except DataError as error:
            unusable[name] = str(error)
    return _Compared(
        tuple(found),
        unusable,
        tuple(name for name in old.audits if name not in new.audits),
        tuple(name for name in new.audits if name not in old.audits),
    )


def _document(compared: _Compared) -> dict[str, Any]:
    return {
        "status": {FINE: "same", WORSE: "worse", UNUSABLE: "unusable", STALE: "better"}[
            compared.code
        ],
        "tests": [comparison.to_dict() for comparison in compared.found],
        "unusable": compared.unusable,
        "only_old": list(compared.only_old),
        "only_new": list(compared.only_new),
    }


def _lines(old: ResultsFile, new: ResultsFile, compared: _Compared, width: int) -> Iterator[str]:
    from pytest_reprotest.report.compared import remarks, render, sentence

    yield from render(compared.found, width)
    for file in (old, new):
        if not file.complete:
            yield from sentence(
                f"{file.path} is of a session that was interrupted: tests may be missing.", width
            )
    for comparison in compared.found:
        yield from remarks(comparison, width)
    for path, names in ((old.path, compared.only_old), (new.path, compared.only_new)):
        if names:
            yield from sentence(f"only in {path}: {', '.join(names)}", width)
    ending = {
        FINE: "Nothing is worse than tolerated.",
        WORSE: "Worse than tolerated.",
        UNUSABLE: "Not everything could be compared.",
        STALE: f"Better than tolerated: {old.path} is stale. Store {new.path} in its place.",
    }
    yield from sentence(ending[compared.code], width)
