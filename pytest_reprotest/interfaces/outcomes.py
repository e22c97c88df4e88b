"""What passes between executors, trainers and the audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.digests import Digests
from pytest_reprotest.plan import Plan, Run
from pytest_reprotest.tasks import Array
from pytest_reprotest.trace import Trace


@dataclass(frozen=True)
class RunOutcome:
    """What one run left behind.

    Attributes
    ----------
    run : Run
    labels : array (n_samples,), or None where the run failed
        Predicted labels, or what else the task predicts.
    losses : tuple of float
        Mean training loss of each epoch; empty where the trainer does not know it.
    seconds : float
        Wall-clock time of the training and its predictions.
    failure : str or None
        What went wrong, as a sentence for the user.
    note : str or None
        Something the report should say, such as a chunk that had to be made smaller.
    scores : float32 array (n_samples, n_classes), optional
        Probabilities or logits, where the trainer has them and they are not too many to keep.
    digests : Digests, optional
        All of it to the last bit, where determinism is to be proven.
    trace : Trace, optional
        What was recorded along the training, where that is to be traced or watched.
    """

    run: Run
    labels: Array | None = None
    losses: tuple[float, ...] = ()
    seconds: float = 0.0
    failure: str | None = None
    note: str | None = None
    scores: NDArray[np.float32] | None = None
    digests: Digests | None = None
    trace: Trace | None = None


@dataclass(frozen=True)
class Placement:
    """Where and how runs are trained.

    Attributes
    ----------
    device : str
        Such as ``"cpu"`` or ``"cuda:0"``.
    engine : str
        ``"auto"``, ``"stacked"`` or ``"sequential"`` as asked for; never ``"auto"`` once prepared.
    chunk : int
        Runs that are trained together; changes no result on a CPU.
    deterministic : bool
        Each run is trained with the switches of PyTorch's determinism set, and leaves digests.
    traced : bool
        And a trace.
    timeout : float or None
        Seconds that a run may take; kept by executors that can end a process.
    """

    device: str = "cpu"
    engine: str = "auto"
    chunk: int = 1
    deterministic: bool = False
    traced: bool = False
    timeout: float | None = None

    def shared_out(self, n_runs: int, n_workers: int) -> Placement:
        """With chunks small enough that each worker has its share of the runs.

        >>> Placement(chunk=10).shared_out(6, 2).chunk
        3
        """
        return replace(self, chunk=min(self.chunk, max(-(-n_runs // n_workers), 1)))

    def pieces(self, plan: Plan, n_workers: int) -> list[tuple[Run, ...]]:
        """The runs that have to be trained together to come out the same.

        On a CPU each by itself: its bits hang on no other run. Elsewhere a stack.
        """
        if self.engine == "stacked" and self.device != "cpu":
            return plan.chunks(self.chunk, n_workers)
        return [(run,) for run in plan.runs]


@dataclass(frozen=True)
class Prepared:
    """What a trainer found before training.

    Attributes
    ----------
    placement : Placement
        As it will be.
    refusals : mapping
        Label of each regularizer that does not fit → the reason.
    notes : tuple of str
        Sentences for the report.
    initial_weights : mapping
        Label → digest of the weights that run 0 of seed 0 starts from, where the trainer knows them.
    """

    placement: Placement
    refusals: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    initial_weights: Mapping[str, str] = field(default_factory=dict)


Progress = Callable[[RunOutcome], None]
"""Called after each finished run."""


def silent(_: RunOutcome) -> None:
    """The progress that nobody looks at."""
