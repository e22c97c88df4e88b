"""``store ls|show|prune|verify``: look at a store of finished runs, check it, thin it out."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_reprotest.commands import FINE, UNUSABLE, WORSE, say
from pytest_reprotest.errors import ReprotestError

if TYPE_CHECKING:
    from pytest_reprotest.store.database import Database

_NARROWEST = 80


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = "Work with the finished runs that --repro-store keeps."
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, told in (
        ("ls", "list what is there, a row for each regularizer of each test"),
        ("show", "show one entry: what its runs depend on, and each of them"),
        ("prune", "delete runs that are not needed any more"),
        (
            "verify",
            "read everything and hold it against its checksums; exits with 1 where any is damaged",
        ),
    ):
        own = actions.add_parser(action, help=told, description=f"{told[0].upper()}{told[1:]}.")
        own.add_argument("store", metavar="STORE", help="folder of --repro-store")
        if action == "show":
            own.add_argument("entry", metavar="ENTRY", help="the first digits of a row of ls")
        if action == "prune":
            own.add_argument(
                "--unused-for",
                metavar="DAYS",
                type=_days,
                help="those that no audit has used for so many days",
            )
            own.add_argument(
                "--test",
                metavar="NAME",
                action="append",
                default=[],
                help="those of a test; may be repeated",
            )
            own.add_argument("--all", action="store_true", help="everything")


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days < 1e6:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a number of days, such as 30")
    return days


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from pytest_reprotest.store.database import Database

    try:
        with closing(Database(Path(arguments.store), create=False)) as database:
            return _ACTIONS[arguments.action](database, arguments)
    except ReprotestError as error:
        say(str(error), sys.stderr)
        return UNUSABLE


def _list(database: Database, _: argparse.Namespace) -> int:
    from pytest_reprotest.report.held_runs import list_held
    from pytest_reprotest.store.holdings import holdings

    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    for line in list_held(holdings(database), width):
        say(line, sys.stdout)
    return FINE


def _show(database: Database, arguments: argparse.Namespace) -> int:
    from pytest_reprotest.report.held_runs import show_held
    from pytest_reprotest.store.holdings import one_of, runs_of

    held = one_of(database, arguments.entry)
    for line in show_held(held, runs_of(database, held.key)):
        say(line, sys.stdout)
    return FINE


def _prune(database: Database, arguments: argparse.Namespace) -> int:
    from pytest_reprotest.store.database import StoreError
    from pytest_reprotest.store.holdings import prune

    days, tests = arguments.unused_for, arguments.test
    if arguments.all == (days is not None or bool(tests)):
        raise StoreError(
            "say what to delete: --unused-for=DAYS, --test=NAME or both; or --all alone"
        )
    gone = prune(database, days=days, tests=tests)
    say(f"{gone} run{'s' * (gone != 1)} deleted", sys.stdout)
    return FINE


def _verify(database: Database, _: argparse.Namespace) -> int:
    from pytest_reprotest.shards.parts import damaged_parts
    from pytest_reprotest.store.holdings import damaged, holdings

    found = 0
    for told in (*damaged(database), *damaged_parts(database)):
        found += 1
        say(told, sys.stdout)
    runs = sum(each.n_runs for each in holdings(database))
    say(f"{runs} run{'s' * (runs != 1)} read, {found or 'nothing'} damaged", sys.stdout)
    return WORSE if found else FINE


_ACTIONS: dict[str, Callable[[Database, argparse.Namespace], int]] = {
    "ls": _list,
    "show": _show,
    "prune": _prune,
    "verify": _verify,
}
