"""A worker process: loads a trainer, trains the chunks it is sent, and sends back each outcome.

Started as ``python -m pytest_reprotest.execution.worker FD FOLDER PARENT``; it ends when its pipe or its parent
does.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import shutil
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

READY = "ready"
"""Sent before a chunk's first outcome: what takes time from here on is the training."""


def stack_file(folder: Path, process: int) -> Path:
    """Where a worker writes at which line it is, when it gets SIGUSR1."""
    return folder / f"{process}.stack"


def main(descriptor: int, folder: Path, parent: int) -> None:
    """Serve chunks until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _first_to_go()
    watch = threading.Thread(target=_end_with, args=(parent, folder), daemon=True)
    watch.start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _serve(Connection(descriptor), folder)
    watch.join(1.0)  # where the parent was killed, this is first to see it


def _serve(pipe: Connection[Any, Any], folder: Path) -> None:
    loaded: Any = None
    current: tuple[str, Any] = ("", None)
    traced: Any = None
    while True:
        path, runs, placement = pipe.recv()
        if placement.timeout is not None and traced is None:
            traced = stack_file(folder, os.getpid()).open("w")
            faulthandler.register(signal.SIGUSR1, file=traced, all_threads=False)
        left = list(runs)
        try:
            if path != current[0]:
                from pytest_reprotest.training.shipping import Loaded
                from pytest_reprotest.training.switches import assume

                loaded = loaded or Loaded()
                current = (path, loaded.load(Path(path)))
                assume(current[1][2])
            from pytest_reprotest.execution.chunk import train_chunk

            trainer, regularizers, _ = current[1]
            regularizer = regularizers[runs[0].regularizer]
            pipe.send(READY)
            for outcome in train_chunk(trainer, runs, regularizer, placement):
                pipe.send(outcome)
                left = [run for run in left if run.index != outcome.run.index]
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            from pytest_reprotest.interfaces import RunOutcome

            told = f"{type(error).__name__}: {error}"
            pipe.send(RunOutcome((left or runs)[0], failure=f"in a worker process: {told}"))
        pipe.send(None)


def _first_to_go() -> None:
    """Have the kernel end workers before the process that holds what is finished, where memory is short."""
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError):
        score.write_text(str(min(int(score.read_text()) + 300, 1000)))


def _end_with(parent: int, folder: Path) -> None:
    """End when the parent does, with all that was started here, and remove the data it left."""
    while os.getppid() == parent:
        time.sleep(0.5)
    shutil.rmtree(folder, ignore_errors=True)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
