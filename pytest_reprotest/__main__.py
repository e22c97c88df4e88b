"""``python -m pytest_reprotest``."""

from __future__ import annotations

import io
import os
import sys

from pytest_reprotest.commands import main

PIPE_CLOSED = 141  # as a shell reports a program that SIGPIPE ended

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a stream that can't show an arrow shows a ?
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # its reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    raise SystemExit(code)
