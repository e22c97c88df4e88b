"""The executor of several processes on this machine: chunks side by side, one a core or one a GPU."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING

from pytest_reprotest.errors import OptionError, TrainingError
from pytest_reprotest.execution.chunk import ONE_THREAD, Chunk
from pytest_reprotest.execution.lost import after_death, after_timeout
from pytest_reprotest.execution.signals import shielded
from pytest_reprotest.execution.workers import Worker, least_busy, patience
from pytest_reprotest.interfaces import Executor, Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Plan

if TYPE_CHECKING:
    from pytest_reprotest.training.shipping import Hold

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
                if workers > 1
                else "--repro-timeout ends processes, which needs a POSIX system; leave it out here"
            )
        self.n_workers = workers
        self._devices = tuple(devices)
        self.environment = {**ONE_THREAD, **(environment or {})}
        self._environment_of = environment_of
        self._fresh = fresh
        self._workers: list[Worker] = []
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
        waiting = deque(Chunk(runs) for runs in parts)
        callables = [*trainer.callables(), *(type(each) for each in regularizers.values())]
        try:
            shipped = self._hold().ship((trainer, dict(regularizers), states()), callables)
        except OSError as error:
            raise TrainingError(
                f"the training can't be handed to worker processes: {error.strerror or error}. Make room in "
                f"{_memory_folder() or 'the folder of temporary files'}, or name another one in TMPDIR"
            ) from None
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
        self, waiting: deque[Chunk], shipped: Path, placement: Placement
    ) -> Iterator[RunOutcome]:
        failed: set[str] = set()
        while waiting or any(worker.chunk for worker in self._workers):
            self._start(waiting, placement)
            for worker in self._workers:
                if waiting and worker.chunk is None:
                    worker.give(waiting.popleft(), shipped, placement)
            busy = {worker.pipe: worker for worker in self._workers if worker.chunk}
            heard = [busy[pipe] for pipe in wait(list(busy), patience(busy.values()))]  # type: ignore[index]
            late = [worker for worker in busy.values() if worker not in heard and worker.overdue]
            for worker in (*heard, *late):
                chunk = worker.chunk
                assert chunk is not None
                outcome = self._ended(worker) if worker in late else self._received(worker, waiting)
                if outcome is None:
                    continue
                if outcome.failure is not None:
                    failed.add(outcome.run.regularizer)
                notes = [note for note in (chunk.note, outcome.note) if note is not None]
                yield replace(outcome, note="; ".join(notes) or None)
            for chunk in [chunk for chunk in waiting if chunk.label in failed]:
                waiting.remove(chunk)  # here, so that there is always something to wait for

    def _received(self, worker: Worker, waiting: deque[Chunk]) -> RunOutcome | None:
        """What a worker sent, or what became of it."""
        chunk = worker.chunk
        assert chunk is not None
        try:
            outcome = worker.receive()
        except (EOFError, OSError):
            self._bury(worker)
            again = after_death(chunk, worker.left, worker.process.returncode, worker.stacked)
            if isinstance(again, RunOutcome):
                return again
            waiting.extendleft(reversed(again))
            return None
        if worker.chunk is None and self._fresh:
            self._bury(worker)
        return outcome

    def _ended(self, worker: Worker) -> RunOutcome | None:
        """End a worker whose training takes too long, and say so."""
        left, where = worker.left, worker.where()
        self._bury(worker)
        assert worker.timeout is not None
        return after_timeout(left, worker.timeout, worker.stacked, where) if left else None

    def _bury(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def _start(self, waiting: Sequence[Chunk], placement: Placement) -> None:
        """Start workers, each for the chunk that it will be given."""
        devices = self._devices or (placement.device,)
        idle = sum(worker.chunk is None for worker in self._workers)
        while idle < len(waiting) and len(self._workers) < self.n_workers:
            index = waiting[idle].runs[0].index
            added = {} if self._environment_of is None else self._environment_of(index)
            device = least_busy(devices, self._workers)
            environment = {**self.environment, **added}
            self._workers.append(Worker(device, environment, self._hold().folder))
            idle += 1

    def close(self) -> None:
        """End all workers at once, and remove the data they shared."""
        with shielded():  # a second Ctrl-C leaves no process and no folder
            while self._workers:
                self._workers.pop().end()
            if self._shipping is not None:
                self._shipping[0].cleanup()
                self._shipping = None
