"""What turns runs into predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pytest_reprotest.errors import OptionError
from pytest_reprotest.interfaces.outcomes import Placement, Prepared, RunOutcome
from pytest_reprotest.interfaces.regularizer import Regularizer
from pytest_reprotest.pictures import Pixels
from pytest_reprotest.plan import Run
from pytest_reprotest.tasks import CLASSIFICATION, Array, Task


class Trainer(ABC):
    """Turns runs into predictions over one test set."""

    nudges: ClassVar[bool] = False
    """Whether runs whose seeds vary ``ONE_ULP`` have one initial weight moved by one ulp."""
    reads_unseen: bool | tuple[str, ...] = True
    """Whether code may read files, or the environment, of which ``content`` does not tell; or in which parts."""
    threads: int = 1
    """CPU threads that a run computes with: ``workers="auto"`` leaves a core for each."""

    @property
    @abstractmethod
    def y_true(self) -> Array:
        """True values of the test set, (n_samples,): labels, or what else the task predicts."""

    @property
    def task(self) -> Task:
        """What is predicted."""
        return CLASSIFICATION

    def prepare(
        self, regularizers: Sequence[Regularizer], asked: Placement, n_runs: int
    ) -> Prepared:
        """Check what can be checked before anything trains, and settle engine and chunk.

        Raises
        ------
        ReprotestError
            Where no run can be trained at all, or not as asked.
        """
        if asked.engine == "stacked":
            raise OptionError(
                f"engine 'stacked' was asked for, and {type(self).__name__} trains one run at a time; "
                "use --repro-engine=auto"
            )
        return Prepared(replace(asked, engine="sequential"))

    @abstractmethod
    def train(
        self, runs: Sequence[Run], regularizer: Regularizer, placement: Placement
    ) -> Iterator[RunOutcome]:
        """Train one chunk: runs of one regularizer. A run that raises becomes an outcome with a failure."""

    def seconds_per_run(
        self, regularizer: Regularizer, placement: Placement, n_runs: int
    ) -> float | None:
        """How long a run takes where ``n_runs`` are trained together; None where only training would tell.

        For ``--repro-plan``, after ``prepare``. Trains nothing to its end, and restores what it touches.
        """
        return None

    def pictures(self, samples: Sequence[int]) -> Pixels | None:
        """Pictures of test samples, to be shown beside what runs predict for them; None where there are none.

        Parameters
        ----------
        samples : sequence of int
            Places in the test set, at most 256.

        Returns
        -------
        uint8 array (n, height, width) in grey, or (n, height, width, 3) in colours; at most 48 pixels a side.
        """
        return None

    def describe(self) -> dict[str, Any]:
        """Settings that determine the result, as JSON primitives."""
        return {}

    def callables(self) -> tuple[Any, ...]:
        """The user's functions, to be sent to other processes by value."""
        return ()

    def content(self, regularizer: Regularizer) -> Mapping[str, Any]:
        """What decides a run beside ``describe``, its seeds and the regularizer: name → function or object.

        A store holds it against that of an earlier run, by content. Called after ``prepare``.
        """
        return {"trainer": vars(self)}
