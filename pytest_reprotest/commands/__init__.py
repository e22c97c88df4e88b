"""What ``python -m pytest_reprotest`` can do: each command with a line of help, loaded when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple


class Command(NamedTuple):
    """A command: its line of help, and the module with ``describe(parser)`` and ``run(arguments) -> int``."""

    summary: str
    module: str


COMMANDS = {
    "compare": Command(
        "hold one file of results against another, offline", "pytest_reprotest.commands.compare"
    ),
    "dashboard": Command(
        "show a folder of results over time, in a browser", "pytest_reprotest.commands.dashboard"
    ),
    "merge": Command(
        "join the parts of audits that --repro-shard trained, and give the verdict",
        "pytest_reprotest.commands.merge",
    ),
    "report": Command(
        "show the results of files, and write them as a page", "pytest_reprotest.commands.report"
    ),
    "store": Command(
        "look at a store of finished runs, check it, thin it out", "pytest_reprotest.commands.store"
    ),
}
PROGRAM = "python -m pytest_reprotest"
FINE, WORSE, UNUSABLE, STALE = 0, 1, 2, 3
"""Exit codes; argparse, too, ends with 2 where it can't use the command line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; without one, print the help.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Work with results that pytest-reprotest wrote."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    modules: dict[str, Any] = {}
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.summary)
        if name in given:
            modules[name] = importlib.import_module(command.module)
            modules[name].describe(own)
    parsed = parser.parse_args(given)
    if parsed.command is None:
        parser.print_help()
        return FINE
    code: int = modules[parsed.command].run(parsed)
    return code


def say(text: str, stream: Any) -> None:
    """Print a line in the letters that the stream has; what a file holds can't steer the terminal."""
    from pytest_reprotest.errors import printable
    from pytest_reprotest.report.letters import speller

    print(speller(getattr(stream, "encoding", None))(printable(text)), file=stream)
