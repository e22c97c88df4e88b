"""The executor of a Ray cluster: chunks side by side on long-lived workers, one a GPU or one a core."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_reprotest.errors import OptionError, ReprotestError, TrainingError
from pytest_reprotest.execution.chunk import ONE_THREAD, Chunk
from pytest_reprotest.execution.ray_actor import Answer, Shipped
from pytest_reprotest.execution.ray_connection import Connection
from pytest_reprotest.execution.ray_crew import TRIES, Crew
from pytest_reprotest.execution.ray_worker import Lost, RayWorker
from pytest_reprotest.interfaces import (
    Executor,
    Placement,
    Prepared,
    Regularizer,
    RunOutcome,
    Trainer,
)
from pytest_reprotest.plan import Plan


class RayExecutor(Executor):
    """Trains chunks in actors of a Ray cluster, which outlive an audit; close it to end them.

    Parameters
    ----------
    device : str
        ``"auto"`` (the GPUs of the cluster, else its cores), ``"cpu"`` or ``"cuda"``.
    workers : int or "auto"
        Actors at most; ``auto``: one a GPU, or one a core.
    address : str, optional
        Of a cluster, as ``ray.init`` takes it; default a Ray that this process is connected to, else that of
        ``RAY_ADDRESS``, else one on this machine that is started here and ended by ``close``.
    cpus, gpus : int
        Of one that is started here.
    environment : mapping, optional
        Variables that are set for the workers.
    environment_of : callable, optional
        Index of a chunk's first run → more of them for its worker; for fresh workers.
    fresh : bool
        Each chunk is trained by a worker of its own, one run or two (``Plan.apart``).

    Raises
    ------
    OptionError
        Where Ray is not installed, no cluster answers, or it has no such device.
    """

    def __init__(
        self,
        device: str,
        workers: int | str = "auto",
        address: str | None = None,
        *,
        cpus: int = 1,
        gpus: int = 0,
        environment: Mapping[str, str] | None = None,
        environment_of: Callable[[int], Mapping[str, str]] | None = None,
        fresh: bool = False,
    ) -> None:
        self._asked = (device, workers)
        self.environment: dict[str, str] = {**ONE_THREAD, **(environment or {})}
        self._environment_of = environment_of
        self._fresh = fresh
        self._shipped: Shipped | None = None
        self._count = 0
        self._connection = Connection(address, cpus, gpus)
        self._connection.open()
        try:
            self._crew = self._gathered()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> None:
        """Connect again where that was closed since."""
        if self._connection.open():
            self._shipped = None
            self._crew = self._gathered()

    def _gathered(self) -> Crew:
        """No workers yet, and room for as many as the cluster has devices."""
        import ray

        device, workers = self._asked
        found = ray.cluster_resources()
        gpus, cores = int(found.get("GPU", 0)), int(found.get("CPU", 0))
        on_gpu = device == "cuda" or (device == "auto" and gpus > 0)
        if on_gpu and not gpus:
            raise OptionError(
                f"--repro-device={device}: {self._connection.told} has no GPU that Ray knows of "
                f"({cores} cores). Start Ray on its nodes with --num-gpus=N, or use --repro-device=cpu"
            )
        if not on_gpu and not cores:
            raise OptionError(
                f"--repro-executor=ray: {self._connection.told} has no core that Ray may use; start Ray on "
                "its nodes with --num-cpus=N"
            )
        self.device: str = "cuda:0" if on_gpu else "cpu"  # Ray shows an actor its own GPU alone
        most = gpus if on_gpu else cores
        self.n_workers = most if workers == "auto" else min(int(workers), most)
        return Crew(self.device, self.n_workers, self._connection.told)

    def prepare(
        self,
        trainer: Trainer,
        regularizers: Sequence[Regularizer],
        asked: Placement,
        n_runs: int,
    ) -> Prepared:
        """``trainer.prepare``; where it is about a GPU, by a worker that has one."""
        if asked.device == "cpu":
            return trainer.prepare(regularizers, asked, n_runs)
        by_label = {each.label: each for each in regularizers}
        found: Prepared = self._ask(
            trainer, by_label, "prepare", tuple(regularizers), asked, n_runs
        )
        return found

    def seconds_per_run(
        self, trainer: Trainer, regularizer: Regularizer, placement: Placement, n_runs: int
    ) -> float | None:
        """``trainer.seconds_per_run``, by a worker."""
        by_label = {regularizer.label: regularizer}
        found: float | None = self._ask(
            trainer, by_label, "seconds_per_run", regularizer, placement, n_runs
        )
        return found

    def surroundings(self, placement: Placement, threads: int | None) -> dict[str, Any] | None:
        """What the last bits depend on, as the first worker tells it."""
        from pytest_reprotest.training.switches import states

        def told(worker: RayWorker) -> Any:
            return worker.call(
                "surroundings", states(), placement.device, threads, placement.deterministic
            )

        found: dict[str, Any] = self._by_one(told)
        return found

    def _ask(
        self,
        trainer: Trainer,
        regularizers: Mapping[str, Regularizer],
        question: str,
        *arguments: Any,
    ) -> Any:
        """What a worker's copy of the trainer answers; what it noted for itself is noted here, too."""
        from pytest_reprotest.training.parcels import take_over

        self._connect()
        shipped = self._ship(trainer, regularizers)
        answer: Answer = self._by_one(
            lambda worker: worker.call("ask", shipped, question, self.device, *arguments)
        )
        if answer.error is not None:
            raise answer.error
        take_over(trainer, dict(answer.changed or {}))
        return answer.value

    def _by_one(self, call: Callable[[RayWorker], Any]) -> Any:
        """What the first worker that is there returns; another is asked once where that one is lost."""
        self._connect()
        try:
            for tries in range(TRIES):
                while not self._crew.idle:
                    self._crew.start([self._meant(0)], self._environment)
                    self._crew.wait()
                worker = self._crew.idle[0]
                try:
                    return call(worker)
                except Lost as lost:
                    self._crew.bury(worker, lost)
                    if tries + 1 == TRIES:
                        raise TrainingError(f"two Ray workers were lost: {lost}") from None
                finally:
                    if self._fresh:
                        self._crew.end(worker)
        except ReprotestError:
            raise
        except BaseException:  # also Ctrl-C
            self.close()
            raise

    def run(
        self,
        trainer: Trainer,
        plan: Plan,
        regularizers: Mapping[str, Regularizer],
        placement: Placement,
    ) -> Iterator[RunOutcome]:
        """Train every chunk; outcomes come as they are ready."""
        self._connect()
        parts = plan.apart() if self._fresh else plan.chunks(placement.chunk, self.n_workers)
        waiting = deque(Chunk(runs) for runs in parts)
        shipped = self._ship(trainer, regularizers)
        try:
            for outcome in self._serve(waiting, shipped, replace(placement, device=self.device)):
                notes = "; ".join(filter(None, [outcome.note, self._crew.unlike]))
                self._crew.unlike = None
                yield replace(outcome, note=notes or None)
        except GeneratorExit:  # a consumer that has seen enough
            self._crew.end(*self._crew.busy)
            raise
        except BaseException:  # also Ctrl-C
            self.close()
            raise

    def _ship(self, trainer: Trainer, regularizers: Mapping[str, Regularizer]) -> Shipped:
        """Put a trainer into Ray's store: its code again, its data where that is not there yet."""
        import ray

        from pytest_reprotest.training.parcels import pack
        from pytest_reprotest.training.switches import states

        callables = [*trainer.callables(), *(type(each) for each in regularizers.values())]
        what = (trainer, dict(regularizers), states())
        parcel = pack(what, callables, "--repro-executor=local")
        held: Mapping[str, Any] = {} if self._shipped is None else self._shipped.data
        data = {
            name: held[name] if name in held else ray.put(each)
            for name, each in parcel.data.items()
        }
        self._count += 1
        self._shipped = Shipped(self._count, ray.put(parcel.code), data)
        return self._shipped

    def _serve(
        self, waiting: deque[Chunk], shipped: Shipped, placement: Placement
    ) -> Iterator[RunOutcome]:
        failed: set[str] = set()
        crew = self._crew
        while waiting or crew.busy:
            crew.start([self._meant(chunk.runs[0].index) for chunk in waiting], self._environment)
            for worker in crew.idle:
                own = [c for c in waiting if worker.meant in (None, c.runs[0].index)]
                if own:
                    waiting.remove(own[0])
                    worker.give(own[0], shipped, placement)
            for worker in crew.wait():
                for outcome in self._received(worker, waiting):
                    if outcome.failure is not None:
                        failed.add(outcome.run.regularizer)
                    yield outcome
            for chunk in [chunk for chunk in waiting if chunk.label in failed]:
                waiting.remove(chunk)

    def _received(self, worker: RayWorker, waiting: deque[Chunk]) -> Iterator[RunOutcome]:
        """What a worker sent, or what became of it."""
        chunk = worker.chunk
        if chunk is None:  # of a node that was found lost a moment ago
            return
        try:
            outcomes, more = worker.receive()
        except Lost as lost:
            again, given_up = self._crew.bury(worker, lost)
            waiting.extendleft(again)
            yield from given_up
            return
        if more:
            worker.ask_for_more()
        else:
            worker.rest()
            if self._fresh:
                self._crew.end(worker)
        for outcome in outcomes:
            yield outcome if chunk.note is None else replace(outcome, note=chunk.note)

    def _meant(self, index: int) -> int | None:
        """The run that a fresh worker is meant for; others are for any."""
        return index if self._fresh else None

    def _environment(self, index: int | None) -> dict[str, str]:
        """Of the worker that is meant for a run."""
        if self._environment_of is None or index is None:
            return self.environment
        return {**self.environment, **self._environment_of(index)}

    def close(self) -> None:
        """End all workers at once, and Ray where it was started here."""
        self._crew.end(*self._crew.workers)
        self._shipped = None
        self._connection.close()
