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
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_PATIENCE = 5  # seconds that a parent whose pipe is closed takes to be gone


def main(descriptor: int) -> None:
    """Serve chunks until the pipe closes, or breaks because the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    orphaned: list[Path] = []
    watch = threading.Thread(target=_end_with, args=(os.getppid(), orphaned), daemon=True)
    watch.start()
    try:
        _serve(Connection(descriptor), orphaned)
    except (EOFError, ConnectionError):
        watch.join(_PATIENCE)  # it clears up, once the parent is gone for certain


def _serve(pipe: Connection[Any, Any], orphaned: list[Path]) -> None:
    chunks = _Chunks()
    while True:
        path, runs, placement = pipe.recv()
        orphaned[:] = [Path(path).parent]
        for outcome in chunks.trained(Path(path), runs, placement):
            pipe.send(outcome)
        pipe.send(None)


class _Chunks:
    """What was shipped last, loaded once for all chunks of it."""

    def __init__(self) -> None:
        self._loaded: Any = None
        self._current: tuple[Path, Any] = (Path(), None)

    def trained(self, path: Path, runs: Any, placement: Any) -> Iterator[Any]:
        """The outcomes of a chunk; an error that no trainer caught is one, too."""
        try:
            if path != self._current[0]:
                from pytest_reprotest.training.shipping import Loaded
                from pytest_reprotest.training.switches import assume

                self._loaded = self._loaded or Loaded()
                self._current = (path, self._loaded.load(path))
                assume(self._current[1][2])
            from pytest_reprotest.execution.chunk import train_chunk

            trainer, regularizers, _ = self._current[1]
            regularizer = regularizers[runs[0].regularizer]
            yield from train_chunk(trainer, runs, regularizer, placement)
        except Exception as error:
            from pytest_reprotest.interfaces import RunOutcome

            told = f"{type(error).__name__}: {error}"
            yield replace(RunOutcome(runs[0]), failure=f"in a worker process: {told}")


def _end_with(parent: int, orphaned: list[Path]) -> None:
    """End when the parent does, and remove the data it left."""
    while os.getppid() == parent:
        time.sleep(0.5)
    for folder in orphaned:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
