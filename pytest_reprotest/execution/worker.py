"""A worker process: loads a trainer, trains the chunks it is sent, and sends back each outcome.

Started as ``python -m pytest_reprotest.execution.worker FD``; it ends when its pipe or its parent does.
"""

from __future__ import annotations

import os
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
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    pipe: Connection[Any, Any] = Connection(descriptor)
    loaded: dict[str, Any] = {}
    while True:
        try:
            folder, runs, placement = pipe.recv()
        except EOFError:
            return
        try:
            if folder not in loaded:
                from pytest_reprotest.training.shipping import unship

                loaded = {folder: unship(Path(folder))}
            trainer, regularizers = loaded[folder]
            for outcome in trainer.train(runs, regularizers[runs[0].regularizer], placement):
                pipe.send(outcome)
        except Exception as error:
            from pytest_reprotest.interfaces import RunOutcome

            told = f"{type(error).__name__}: {error}"
            pipe.send(replace(RunOutcome(runs[0]), failure=f"in a worker process: {told}"))
        pipe.send(None)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
