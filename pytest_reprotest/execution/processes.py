"""The executor of several processes on this machine: chunks side by side, one a core or one a GPU."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any

from pytest_reprotest.errors import OptionError
from pytest_reprotest.interfaces import Executor, Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Plan, Run

if TYPE_CHECKING:
    from pytest_reprotest.training.shipping import Hold

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_TRIES = 2  # of a chunk whose worker died
_ROOM = 8 << 30  # bytes free in /dev/shm from which data goes there


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_folder() -> str | None:
    """A folder in memory with room for large data, or None for the usual place."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and os.access(shared, os.W_OK) and disk_usage(shared).free > _ROOM
    return str(shared) if roomy else None


@dataclass
class _Chunk:
    runs: tuple[Run, ...]
    tries: int = 0
    note: str | None = None

    @property
    def label(self) -> str:
        return self.runs[0].regularizer

    def __str__(self) -> str:
        indices = ", ".join(str(run.index) for run in self.runs)
        return f"run{'s' * (len(self.runs) > 1)} {indices} of {self.label!r}"


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, device: str, added: Mapping[str, str]) -> None:
        self.device = device
        self.chunk: _Chunk | None = None
        self.returned: set[int] = set()
        ours, theirs = Pipe()
        self.pipe: Connection[Any, Any] = ours
        environment = {**os.environ, **added}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest_reprotest.execution.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C reaches the parent alone
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def give(self, chunk: _Chunk, shipped: Path, placement: Placement) -> None:
        chunk.tries += 1
        self.chunk, self.returned = chunk, set()
        with contextlib.suppress(OSError):  # a dead worker is found by its closed pipe
            self.pipe.send((str(shipped), chunk.runs, replace(placement, device=self.device)))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.pipe.close()


class ProcessExecutor(Executor):
    """Trains chunks in worker processes that outlive an audit; close it to end them.

    Parameters
    ----------
    workers : int
        Processes.
    devices : sequence of str, optional
        The workers' devices, in turn; default the placement's.
    environment : mapping, optional
        Variables that are set for the workers.
    environment_of : callable, optional
        Index of a chunk's first run → more of them for its worker; for fresh workers.
    fresh : bool
        Each chunk is trained in a process of its own, one run or two (``Plan.apart``).

    Raises
    ------
    OptionError
        On systems that cannot hand a pipe to a process (Windows).
    """

    def __init__(
        self,
        workers: int,
        devices: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        environment_of: Callable[[int], Mapping[str, str]] | None = None,
        fresh: bool = False,
    ) -> None:
        if os.name != "posix":
            raise OptionError(
                "--repro-deterministic trains each run in a process of its own, which needs a POSIX system; "
                "leave it out here"
                if fresh
                else "--repro-workers needs a POSIX system; use --repro-workers=1 here"
            )
        self.n_workers = workers
        self._devices = tuple(devices)
        self.environment = {**_ONE_THREAD, **(environment or {})}
        self._environment_of = environment_of
        self._fresh = fresh
        self._workers: list[_Worker] = []
        self._shipping: tuple[tempfile.TemporaryDirectory[str], Hold] | None = None

    def run(
        self,
        trainer: Trainer,
        plan: Plan,
        regularizers: Mapping[str, Regularizer],
        placement: Placement,
    ) -> Iterator[RunOutcome]:
        """Train every chunk; outcomes come as they are ready."""
        from pytest_reprotest.training.switches import states

        parts = plan.apart() if self._fresh else plan.chunks(placement.chunk, self.n_workers)
        waiting = deque(_Chunk(runs) for runs in parts)
        callables = [*trainer.callables(), *(type(each) for each in regularizers.values())]
        shipped = self._hold().ship((trainer, dict(regularizers), states()), callables)
        try:
            yield from self._serve(waiting, shipped, placement)
        except BaseException:  # also Ctrl-C, and a consumer that stops early
            self.close()
            raise
        shipped.unlink()

    def _hold(self) -> Hold:
        """The folder of shipped data, made when first needed."""
        from pytest_reprotest.training.shipping import Hold

        if self._shipping is None:
            folder = tempfile.TemporaryDirectory(prefix="reprotest-", dir=_memory_folder())
            self._shipping = (folder, Hold(Path(folder.name)))
        return self._shipping[1]

    def _serve(
        self, waiting: deque[_Chunk], shipped: Path, placement: Placement
    ) -> Iterator[RunOutcome]:
        failed: set[str] = set()
        while waiting or any(worker.chunk for worker in self._workers):
            self._start(waiting, placement)
            for worker in self._workers:
                if waiting and worker.chunk is None:
                    worker.give(waiting.popleft(), shipped, placement)
            busy = {worker.pipe: worker for worker in self._workers if worker.chunk}
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                for outcome in self._received(worker, waiting):
                    if outcome.failure is not None:
                        failed.add(outcome.run.regularizer)
                    yield outcome
            for chunk in [chunk for chunk in waiting if chunk.label in failed]:
                waiting.remove(chunk)  # here, so that there is always something to wait for

    def _received(self, worker: _Worker, waiting: deque[_Chunk]) -> Iterator[RunOutcome]:
        """What a worker sent, or what became of it."""
        chunk = worker.chunk
        assert chunk is not None
        try:
            outcome = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._buried(worker, chunk, waiting)
            return
        if outcome is None:
            worker.chunk = None
            if self._fresh:
                self._workers.remove(worker)
                worker.end()
        elif outcome.run.index not in worker.returned:
            worker.returned.add(outcome.run.index)
            yield outcome if chunk.note is None else replace(outcome, note=chunk.note)

    def _buried(
        self, worker: _Worker, chunk: _Chunk, waiting: deque[_Chunk]
    ) -> Iterator[RunOutcome]:
        """Put a dead worker's chunk back once, what it had not yet returned; then give it up."""
        self._workers.remove(worker)
        worker.end()
        code = worker.process.returncode
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        left = tuple(run for run in chunk.runs if run.index not in worker.returned)
        if not left:
            return
        rest = _Chunk(left, chunk.tries)
        if chunk.tries < _TRIES:
            rest.note = f"a worker died ({how}) on {rest}, trained again by another"
            waiting.appendleft(rest)
            return
        yield RunOutcome(
            left[0],
            failure=f"its worker process died twice ({how}) on {rest}. Is memory short? Use fewer "
            "--repro-workers",
        )

    def _start(self, waiting: Sequence[_Chunk], placement: Placement) -> None:
        """Start workers, each for the chunk that it will be given."""
        devices = self._devices or (placement.device,)
        idle = sum(worker.chunk is None for worker in self._workers)
        while idle < len(waiting) and len(self._workers) < self.n_workers:
            self._workers.append(self._worker(devices, waiting[idle].runs[0].index))
            idle += 1

    def _worker(self, devices: Sequence[str], index: int) -> _Worker:
        """A worker on the device that has the fewest."""
        busy = [worker.device for worker in self._workers]
        added = {} if self._environment_of is None else self._environment_of(index)
        return _Worker(min(devices, key=busy.count), {**self.environment, **added})

    def close(self) -> None:
        """End all workers at once, and remove the data they shared."""
        while self._workers:
            self._workers.pop().end()
        if self._shipping is not None:
            self._shipping[0].cleanup()
            self._shipping = None
