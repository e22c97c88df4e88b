"""One Ray actor, as the executor sees it: the chunk it has, the call that is under way, and its loss."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_reprotest.execution.chunk import Chunk
from pytest_reprotest.execution.ray_actor import Actor, Greeting, Shipped
from pytest_reprotest.interfaces import Placement, RunOutcome


class Lost(Exception):  # noqa: N818 - a loss, which is made good
    """A worker is gone; the text says how, in a few words.

    Attributes
    ----------
    with_node : bool
        Whether its whole node is. Ray says so after some seconds; until then that it can't be reached.
    reason : str
        As Ray tells it, in a line.
    advice : str
    """

    def __init__(self, error: Exception) -> None:
        from ray.exceptions import ActorUnavailableError

        told = " ".join(str(error).split())
        self.with_node = isinstance(error, ActorUnavailableError) or "node has died" in told
        memory = "memory running low" in told
        self.reason = told[:300].rstrip(".")
        self.advice = _ON_MEMORY if memory else _ON_END
        how = "its node can't be reached" if self.with_node else "its process ended"
        super().__init__("its node was out of memory" if memory else how)


_ON_MEMORY = "Use fewer --repro-workers, or nodes with more memory"
_ON_END = "Its log is in the folder logs of Ray's session, on that node"


class RayWorker:
    """An actor with a GPU, or a core, of its own.

    Parameters
    ----------
    device : str
    environment : mapping
        Variables that are set before its process starts.
    meant : int, optional
        Index of the first run of the one chunk that it is for.
    """

    def __init__(
        self, device: str, environment: Mapping[str, str], meant: int | None = None
    ) -> None:
        import ray

        self.meant = meant
        self.chunk: Chunk | None = None
        self._returned: set[int] = set()
        self.node = ""
        self.greeted = False
        needs = {"num_cpus": 1} if device == "cpu" else {"num_cpus": 0, "num_gpus": 1}
        variables = {**environment, "PYTHONPATH": os.pathsep.join(_paths())}
        self._actor = (
            ray.remote(Actor)
            .options(
                **needs,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy="SPREAD",
                runtime_env={"env_vars": variables},
            )
            .remote()
        )
        self.pending: Any = self._actor.greet.remote(device)

    @property
    def idle(self) -> bool:
        """Whether it can be given a chunk."""
        return self.greeted and self.pending is None

    def greet(self) -> Greeting:
        """What it says of itself, once that is there.

        Raises
        ------
        Lost
        """
        greeting: Greeting = self._result()
        self.pending, self.greeted, self.node = None, True, greeting.node
        return greeting

    def give(self, chunk: Chunk, shipped: Shipped, placement: Placement) -> None:
        """Let it begin a chunk."""
        chunk.tries += 1
        self.chunk, self._returned = chunk, set()
        self.pending = self._actor.train.remote(shipped, chunk.runs, placement)

    def ask_for_more(self) -> None:
        """Let it go on with its chunk."""
        self.pending = self._actor.more.remote()

    def receive(self) -> tuple[list[RunOutcome], bool]:
        """The outcomes that are there, and whether more will come.

        Raises
        ------
        Lost
        """
        outcomes, more = self._result()
        fresh = [each for each in outcomes if each.run.index not in self._returned]
        self._returned |= {each.run.index for each in fresh}
        return fresh, more

    def left(self) -> Chunk | None:
        """What it has of its chunk not returned."""
        if self.chunk is None:
            return None
        left = tuple(run for run in self.chunk.runs if run.index not in self._returned)
        return Chunk(left, self.chunk.tries) if left else None

    def rest(self) -> None:
        """Its chunk is done."""
        self.chunk = self.pending = None

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method of the actor returns, waited for.

        Raises
        ------
        Lost
        """
        self.pending = getattr(self._actor, method).remote(*arguments)
        found = self._result()
        self.pending = None
        return found

    def end(self) -> None:
        """End its process, whatever it is at."""
        import ray

        with suppress(Exception):  # it may be gone, and Ray, too
            ray.kill(self._actor, no_restart=True)

    def _result(self) -> Any:
        import ray

        try:
            return ray.get(self.pending)
        except (
            Exception
        ) as error:  # of the actor, its node, or the objects it held: Actor itself raises none
            raise Lost(error) from None


def _paths() -> list[str]:
    """Where modules are found here, apart from what Python and its packages have at their own place there."""
    own = {Path(path).resolve() for path in sysconfig.get_paths().values()}
    own |= {path / "lib-dynload" for path in own}
    found = [Path(path).resolve() for path in sys.path if path and not path.endswith(".zip")]
    return [*(str(path) for path in found if path not in own), "${PYTHONPATH}"]
