"""A worker process: loads a trainer, trains the chunks it is sent, and sends back each outcome.

Started as ``python -m pytest_reprotest.execution.worker FD``; it ends when its pipe or its parent does.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def main(descriptor: int) -> None:
    """Serve chunks until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    orphaned: list[Path] = []
    threading.Thread(target=_end_with, args=(os.getppid(), orphaned), daemon=True).start()
    pipe: Connection[Any, Any] = Connection(descriptor)
    loaded: Any = None
    current: tuple[str, Any] = ("", None)
    while True:
        try:
            path, runs, placement = pipe.recv()
        except EOFError:
            return
        try:
            orphaned[:] = [Path(path).parent]
            if path != current[0]:
                from pytest_reprotest.training.shipping import Loaded
                from pytest_reprotest.training.switches import assume

                loaded = loaded or Loaded()
                current = (path, loaded.load(Path(path)))
                assume(current[1][2])
            from pytest_reprotest.execution.chunk import train_chunk

            trainer, regularizers, _ = current[1]
            regularizer = regularizers[runs[0].regularizer]
            for outcome in train_chunk(trainer, runs, regularizer, placement):
                pipe.send(outcome)
        except Exception as error:
            from pytest_reprotest.interfaces import RunOutcome

            told = f"{type(error).__name__}: {error}"
            pipe.send(replace(RunOutcome(runs[0]), failure=f"in a worker process: {told}"))
        pipe.send(None)


def _end_with(parent: int, orphaned: list[Path]) -> None:
    """End when the parent does, and remove the data it left."""
    while os.getppid() == parent:
        time.sleep(0.5)
    for folder in orphaned:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
