"""``dashboard DIR``: a folder of results over time, in a browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pytest_reprotest.commands import FINE, UNUSABLE, say
from pytest_reprotest.errors import ReprotestError

PORT = 8050


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Show the results in a folder and its subfolders over time, in a browser, with filters, two results "
        "side by side, and the samples that flip most. Results that are added, changed or removed are shown "
        "without a restart. Nothing is trained, judged again or written. It takes the extra dashboard."
    )
    parser.add_argument("folder", metavar="DIR", help="folder of files of --repro-json")
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        default=PORT,
        help=f"port to serve at (default {PORT}); 0 takes one that is free",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="address to serve at (default 127.0.0.1, which no other machine reaches); there is no password",
    )
    parser.add_argument(
        "--open", action="store_true", help="open it in the browser of this machine"
    )


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a number from 0 to 65535")
    return port


def run(arguments: argparse.Namespace) -> int:
    """Serve until it is interrupted, and return the exit code."""
    from pytest_reprotest.dashboard.serve import check_folder, check_installed, serve

    try:
        check_installed()
        folder = check_folder(Path(arguments.folder))
        serve(folder, arguments.host, arguments.port, arguments.open, _told)
    except ReprotestError as error:
        say(str(error), sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:  # before it served
        pass
    _told("Stopped.")
    return FINE


def _told(text: str) -> None:
    say(text, sys.stdout)
    sys.stdout.flush()
