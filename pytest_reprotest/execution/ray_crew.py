"""The workers of one executor on a Ray cluster: started, heard, and what becomes of the chunks of those lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_reprotest.errors import TrainingError
from pytest_reprotest.execution.chunk import Chunk
from pytest_reprotest.execution.ray_worker import Lost, RayWorker
from pytest_reprotest.interfaces import RunOutcome

TRIES = 2  # of a chunk whose worker was lost
_STARTS = 3  # workers in a row that ended before they answered
_WAIT = 300.0  # seconds for a first worker; a busy cluster takes its time, and one that grows, too
_TICK = 1.0  # seconds after which is looked again


class Crew:
    """Workers on one kind of device.

    Parameters
    ----------
    device : str
        As each worker calls its own.
    size : int
        Workers at most.
    told : str
        The cluster, in words.

    Attributes
    ----------
    unlike : str or None
        What is to be said of workers that are not alike; taken away once said.
    """

    def __init__(self, device: str, size: int, told: str) -> None:
        self.device, self.size = device, size
        self.workers: list[RayWorker] = []
        self.unlike: str | None = None
        self._told = told
        self._stillborn = 0
        self._kind: Mapping[str, Any] | None = None
        self._heard = time.monotonic()

    @property
    def busy(self) -> list[RayWorker]:
        """Those that have a chunk."""
        return [worker for worker in self.workers if worker.chunk is not None]

    @property
    def idle(self) -> list[RayWorker]:
        """Those that can be given one."""
        return [worker for worker in self.workers if worker.idle]

    def start(
        self,
        wanted: Sequence[int | None],
        environment_of: Callable[[int | None], Mapping[str, str]],
    ) -> None:
        """Have a worker for each waiting chunk, as far as there is room; those that no chunk waits for any more
        and that are meant for none else are ended.

        Parameters
        ----------
        wanted : sequence of int or None
            The run that each worker is meant for; None: for any.
        environment_of : callable
            From that to its environment.
        """
        missing = Counter(wanted)
        for worker in [worker for worker in self.workers if worker.chunk is None]:
            if missing[worker.meant]:
                missing[worker.meant] -= 1
            elif worker.meant is not None:
                self.end(worker)
        for meant in list(missing.elements())[: max(self.size - len(self.workers), 0)]:
            self.workers.append(RayWorker(self.device, environment_of(meant), meant))

    def wait(self) -> list[RayWorker]:
        """Workers that have something to say, after a second at most; those that have started are greeted.

        Raises
        ------
        TrainingError
            Where nothing trains and no worker has come up for too long, or one after another ends at its start.
        """
        import ray

        pending = {worker.pending: worker for worker in self.workers if worker.pending is not None}
        done, _ = ray.wait(list(pending), num_returns=1, timeout=_TICK) if pending else ([], [])
        if done or self.busy or self.idle:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > _WAIT:
            need = "core" if self.device == "cpu" else "GPU"
            raise TrainingError(
                f"no Ray worker could start in {_WAIT:g} seconds: {self._told} has no {need} to spare. `ray "
                "status` says what holds them"
            )
        found = [pending[each] for each in done]
        for worker in [worker for worker in found if not worker.greeted]:
            self._greet(worker)
            found.remove(worker)
        return found

    def _greet(self, worker: RayWorker) -> None:
        try:
            greeting = worker.greet()
        except Lost as lost:
            self.end(worker)
            self._stillborn += 1
            if self._stillborn < _STARTS:
                return
            there = sum(each.greeted for each in self.workers)
            if there:  # the others do the work
                self.size = there
                return
            raise TrainingError(
                f"Ray workers don't start: {lost.reason}. pytest-reprotest and torch have to be installed on "
                "every node, in the versions that are here"
            ) from None
        self._stillborn = 0
        self._kind = self._kind or greeting.kind
        differing = sorted(
            name
            for part, found in greeting.kind.items()
            for name in found.keys() | self._kind[part].keys()
            if found.get(name) != self._kind[part].get(name)
        )
        if differing:
            self.unlike = _UNLIKE.format(", ".join(differing))

    def bury(self, worker: RayWorker, lost: Lost) -> tuple[list[Chunk], list[RunOutcome]]:
        """End a lost worker, and all of a lost node.

        Returns
        -------
        again : list of Chunk
            What they had not returned, to be trained once more.
        given_up : list of RunOutcome
            The failures of chunks that were lost before.
        """
        gone = [each for each in self.workers if lost.with_node and each.node == worker.node]
        again, given_up = [], []
        for each in gone or [worker]:
            rest = each.left()
            self.end(each)
            if rest is None:
                continue
            if rest.tries < TRIES:
                rest.note = f"a Ray worker was lost ({lost}) on {rest}, trained again by another"
                again.append(rest)
            else:
                why = f"its Ray worker was lost twice ({lost}) on {rest}. {lost.advice}"
                given_up.append(RunOutcome(rest.runs[0], failure=why))
        return again, given_up

    def end(self, *workers: RayWorker) -> None:
        """End workers, whatever they are at."""
        for worker in workers:
            if worker in self.workers:
                self.workers.remove(worker)
            worker.end()


_UNLIKE = "the workers of the Ray cluster are not alike ({}), so a run's last bits may depend on where it was trained"
