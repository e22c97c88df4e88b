"""What a Ray worker does: loads a trainer, trains the chunks it is given, and hands over one outcome after another.

It knows nothing of Ray but how to fetch what was put there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_reprotest.errors import ReprotestError, TrainingError
from pytest_reprotest.interfaces import Placement, Regularizer, RunOutcome, Trainer
from pytest_reprotest.plan import Run

if TYPE_CHECKING:
    from pytest_reprotest.training.parcels import Unpacked


class Shipped(NamedTuple):
    """A parcel that was put into Ray's store: its number, and references to its code and to its data by digest."""

    number: int
    code: Any
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Greeting:
    """What a worker says of itself when it has started.

    Attributes
    ----------
    node : str
        Ray's name of its node.
    host : str
    kind : mapping
        Versions and machine; workers that differ in them may round differently.
    """

    node: str
    host: str
    kind: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a trainer answered, or the error it raised; and what it noted for itself meanwhile."""

    value: Any = None
    error: ReprotestError | None = None
    changed: Mapping[str, bytes] | None = None


class Actor:
    """One long-lived worker; made an actor by ``RayExecutor``."""

    def __init__(self) -> None:
        self._number = -1
        self._loaded: Any = None
        self._unpacked: Unpacked | None = None
        self._outcomes: Iterator[RunOutcome] = iter(())
        self._together = False
        self._host = socket.gethostname()

    def greet(self, device: str) -> Greeting:
        """Tell where it is and what it computes with."""
        import ray

        from pytest_reprotest.training.surroundings import surroundings

        found = surroundings(_known(device))
        kind = {"versions": found["versions"], "machine": found["machine"]}
        return Greeting(ray.get_runtime_context().get_node_id(), self._host, kind)

    def surroundings(
        self, states: Mapping[str, Any], device: str, threads: int | None, deterministic: bool
    ) -> dict[str, Any]:
        """What the last bits depend on here, with the session's flags of PyTorch set."""
        from pytest_reprotest.training.surroundings import surroundings
        from pytest_reprotest.training.switches import assume

        assume(states)
        return surroundings(_known(device), threads, deterministic=deterministic)

    def ask(self, shipped: Shipped, question: str, device: str, *arguments: Any) -> Answer:
        """Call one of the trainer's methods."""
        from pytest_reprotest.training.parcels import changes, noted

        try:
            trainer = self._load(shipped)[0]
            before = noted(trainer)
            return Answer(getattr(trainer, question)(*arguments), changed=changes(before, trainer))
        except Exception as error:
            blind = self._blind(device)
            if blind is not None:
                return Answer(error=TrainingError(blind))
            if isinstance(error, ReprotestError):
                return Answer(error=error)
            return Answer(error=TrainingError(self._told(error)))

    def train(
        self, shipped: Shipped, runs: Sequence[Run], placement: Placement
    ) -> tuple[list[RunOutcome], bool]:
        """Begin a chunk: the first outcomes, and whether more will come."""
        try:
            trainer, regularizers, _ = self._load(shipped)
            regularizer = regularizers[runs[0].regularizer]
            self._outcomes = self._trained(trainer, runs, regularizer, placement)
        except Exception as error:
            self._outcomes = iter((RunOutcome(runs[0], failure=self._told(error)),))
        self._together = placement.engine == "stacked"
        return self.more()

    def more(self) -> tuple[list[RunOutcome], bool]:
        """The next outcome, or all of runs that are trained as one model, and whether more will come."""
        if self._together:
            return list(self._outcomes), False
        outcome = next(self._outcomes, None)
        return ([], False) if outcome is None else ([outcome], True)

    def _trained(
        self,
        trainer: Trainer,
        runs: Sequence[Run],
        regularizer: Regularizer,
        placement: Placement,
    ) -> Iterator[RunOutcome]:
        from pytest_reprotest.execution.chunk import train_chunk

        try:
            for outcome in train_chunk(trainer, runs, regularizer, placement):
                yield self._with_process(outcome)
        except Exception as error:
            yield RunOutcome(runs[0], failure=self._told(error))

    def _with_process(self, outcome: RunOutcome) -> RunOutcome:
        """With a number of the process that no other node's process has."""
        if outcome.digests is None:
            return outcome
        from pytest_reprotest.digests import digest

        number = int(digest([f"{self._host} {os.getpid()}".encode()])[:12], 16)
        return replace(outcome, digests=replace(outcome.digests, process=number))

    def _load(self, shipped: Shipped) -> Any:
        """The trainer, its regularizers and the session's flags, fetched where they are not here yet."""
        if shipped.number != self._number:
            import ray

            from pytest_reprotest.training.parcels import Unpacked
            from pytest_reprotest.training.switches import assume

            self._unpacked = self._unpacked or Unpacked()
            self._number, self._loaded = -1, None
            self._loaded = self._unpacked.load(
                ray.get(shipped.code), lambda name: ray.get(shipped.data[name])
            )
            self._number = shipped.number
            assume(self._loaded[2])
        return self._loaded

    def _told(self, error: Exception) -> str:
        told = f"in a Ray worker on {self._host}: {type(error).__name__}: {error}"
        if isinstance(error, ImportError):
            told += (
                ". Code that is trained has to be importable on every node: install it there, or start Ray "
                'yourself with runtime_env={"working_dir": "."}'
            )
        return told

    def _blind(self, device: str) -> str | None:
        """What is wrong where Ray gave a GPU and PyTorch sees none."""
        if _known(device) == device:
            return None
        from pytest_reprotest.fingerprint import versions

        return (
            f"Ray gave the worker on {self._host} a GPU, and torch {versions()['torch']} there sees none. "
            "Install a build of torch with CUDA on that node, or use --repro-device=cpu"
        )


def _known(device: str) -> str:
    """The device, or the CPU where PyTorch has no such one: what trains there may be another library."""
    from pytest_reprotest.training.device import visible_gpus

    return device if not device.startswith("cuda") or visible_gpus() else "cpu"
