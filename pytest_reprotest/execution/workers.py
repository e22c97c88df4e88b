"""One worker process as its parent sees it: the pipe to it, the chunk it trains, and how long that may take."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import FrameSummary
from typing import Any

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.execution.chunk import Chunk
from pytest_reprotest.execution.worker import stack_file
from pytest_reprotest.interfaces import Placement, RunOutcome
from pytest_reprotest.plan import Run

_START = (
    120.0  # seconds at least for what comes before a training: imports, and data that is mapped
)
_LONGEST_WAIT = 3600.0  # seconds: what the system waits for has to fit into its integers
_TRACED_WITHIN = 0.5  # seconds for a worker to write where it is
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.MULTILINE)


class Worker:
    """One process and the pipe to it.

    Parameters
    ----------
    device : str
    added : mapping
        Variables of its environment beside those of this process.
    folder : Path
        What is shipped to it; it removes that where this process is killed.

    Raises
    ------
    TrainingError
        Where the system has no room for another process.
    """

    def __init__(self, device: str, added: Mapping[str, str], folder: Path) -> None:
        self.device = device
        self.chunk: Chunk | None = None
        self.returned: set[int] = set()
        self.stacked = False
        self.deadline = math.inf
        """Of ``time.monotonic``, which no change of the clock moves."""
        self.timeout: float | None = None
        """Seconds that a run may take."""
        self._folder = folder
        ours, theirs = Pipe()
        self.pipe: Connection[Any, Any] = ours
        environment = {**os.environ, **added}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        told = [str(theirs.fileno()), str(folder), str(os.getpid())]
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest_reprotest.execution.worker", *told],
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches the parent alone
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        except OSError as error:
            raise TrainingError(
                f"a worker process can't be started: {error.strerror or error}. Use fewer --repro-workers, or "
                "close other programs"
            ) from None
        finally:
            theirs.close()

    def give(self, chunk: Chunk, shipped: Path, placement: Placement) -> None:
        """Send it a chunk; its time runs from when it says that it is ready."""
        chunk.tries += 1
        self.chunk, self.returned = chunk, set()
        self.stacked = placement.engine == "stacked"
        self.timeout = placement.timeout
        self._limit(max(_START, placement.timeout or 0.0))
        with contextlib.suppress(OSError):  # a dead worker is found by its closed pipe
            self.pipe.send((str(shipped), chunk.runs, replace(placement, device=self.device)))

    def receive(self) -> RunOutcome | None:
        """An outcome that it sent; None where it is ready to train, or has none left.

        Raises
        ------
        EOFError, OSError
            Where it died.
        """
        sent = self.pipe.recv()
        if sent is None:
            self.chunk, self.deadline = None, math.inf
            return None
        new = isinstance(sent, RunOutcome) and sent.run.index not in self.returned
        if new:
            self.returned.add(sent.run.index)
        self._limit(self._allowed)
        return sent if new else None

    def _limit(self, seconds: float) -> None:
        self.deadline = math.inf if self.timeout is None else time.monotonic() + seconds

    @property
    def left(self) -> tuple[Run, ...]:
        """The runs of its chunk that it has not returned."""
        runs = () if self.chunk is None else self.chunk.runs
        return tuple(run for run in runs if run.index not in self.returned)

    @property
    def _allowed(self) -> float:
        """Seconds until its next outcome: the time of a run, or of all runs of a stack, which end together."""
        return (self.timeout or math.inf) * (max(len(self.left), 1) if self.stacked else 1)

    @property
    def overdue(self) -> bool:
        """Whether its time is over, and nothing has come."""
        return time.monotonic() >= self.deadline and not self.pipe.poll()

    def where(self) -> str | None:
        """The line of the user's at which it is, where it can still tell."""
        file = stack_file(self._folder, self.process.pid)
        if not file.exists():
            return None
        with contextlib.suppress(OSError):
            os.kill(self.process.pid, signal.SIGUSR1)
        text, before, until = "", None, time.monotonic() + _TRACED_WITHIN
        while (not text or text != before) and time.monotonic() < until:
            time.sleep(0.05)
            text, before = file.read_text(errors="replace"), text
        from pytest_reprotest.training.faults import theirs

        found = [FrameSummary(name, int(line), where) for name, line, where in _FRAME.findall(text)]
        return theirs(reversed(found))

    def end(self) -> None:
        """Kill it with the processes that it has started."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        stack_file(self._folder, self.process.pid).unlink(missing_ok=True)


def patience(workers: Iterable[Worker]) -> float | None:
    """Seconds to wait for the first of them; None as long as it takes."""
    first = min((worker.deadline for worker in workers), default=math.inf)
    if first == math.inf:
        return None
    return min(max(first - time.monotonic(), 0.0), _LONGEST_WAIT)


def least_busy(devices: Sequence[str], workers: Iterable[Worker]) -> str:
    """The device that has the fewest workers."""
    return min(devices, key=[worker.device for worker in workers].count)
