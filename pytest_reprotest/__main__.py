"""``python -m pytest_reprotest``."""

from __future__ import annotations

import io
import sys

from pytest_reprotest.commands import main

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a stream that can't show an arrow shows a ?
    raise SystemExit(main())
