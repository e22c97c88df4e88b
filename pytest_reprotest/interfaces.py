"""What third parties implement: Regularizer, Trainer, Executor, and what passes between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.digests import Digests
from pytest_reprotest.errors import OptionError
from pytest_reprotest.pictures import Pixels
from pytest_reprotest.plan import Plan, Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.tasks import CLASSIFICATION, Array, Task
from pytest_reprotest.trace import Trace

if TYPE_CHECKING:
    from torch import Tensor, nn


class Regularizer(ABC):
    """A named change to model, loss, optimizer or batches.

    Subclass it as a frozen dataclass whose fields are the parameters, give ``name`` and ``summary``, and
    override what it changes. Raise RegularizerRefused, with the reason, where it does not fit.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    @property
    def label(self) -> str:
        """The name with the parameters that are not at their default: ``weight_decay(0.001)``."""
        options: tuple[Any, ...] = fields(self) if is_dataclass(self) else ()
        given = [
            (option, getattr(self, option.name))
            for option in options
            if option.default is MISSING or getattr(self, option.name) != option.default
        ]
        if not given:
            return self.name
        plain = [  # a NumPy number's repr could not be parsed back
            (option, value.item() if isinstance(value, np.generic) else value)
            for option, value in given
        ]
        shown = [
            f"{value!r}" if option is options[0] else f"{option.name}={value!r}"
            for option, value in plain
        ]
        return f"{self.name}({', '.join(shown)})"

    def modify_model(self, model: nn.Module) -> None:
        """Change a model in place; it is this run's own copy."""
        return

    def modify_recipe(self, recipe: Recipe) -> Recipe:
        """Return the recipe to train with."""
        return recipe

    def modify_optimizer(self, optimizer: Any) -> None:
        """Change in place an optimizer that the user's callable made; named ones follow the recipe."""
        return

    def penalty(self, model: nn.Module, parameters: Mapping[str, Tensor]) -> Tensor | None:
        """A scalar to add to the loss, computed from ``parameters`` (by qualified name), else None.

        ``model`` tells the structure; read values from ``parameters`` only, since a stacked engine keeps
        them apart from the model.
        """
        return None


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


class Executor(ABC):
    """Decides where chunks of runs are trained."""

    n_workers: int = 1
    """Chunks that are trained side by side."""

    environment: Mapping[str, str] = {}
    """Variables that are set for the processes that train."""

    device: str | None = None
    """What every worker calls its device, where that is not this machine's to say."""

    def prepare(
        self,
        trainer: Trainer,
        regularizers: Sequence[Regularizer],
        asked: Placement,
        n_runs: int,
    ) -> Prepared:
        """``trainer.prepare``, on the machine whose device it is about."""
        return trainer.prepare(regularizers, asked, n_runs)

    def seconds_per_run(
        self, trainer: Trainer, regularizer: Regularizer, placement: Placement, n_runs: int
    ) -> float | None:
        """``trainer.seconds_per_run``, likewise."""
        return trainer.seconds_per_run(regularizer, placement, n_runs)

    def surroundings(self, placement: Placement, threads: int | None) -> dict[str, Any] | None:
        """What the last bits depend on where it trains, as ``training.surroundings`` tells it; None: here."""
        return None

    @abstractmethod
    def run(
        self,
        trainer: Trainer,
        plan: Plan,
        regularizers: Mapping[str, Regularizer],
        placement: Placement,
    ) -> Iterator[RunOutcome]:
        """Train every run of the plan, in any order."""

    def told(self) -> tuple[str, ...]:
        """Sentences for the report of what was trained, once that is finished."""
        return ()

    def close(self) -> None:
        """End what outlives an audit."""
        return


Progress = Callable[[RunOutcome], None]
"""Called after each finished run."""


def silent(_: RunOutcome) -> None:
    """The progress that nobody looks at."""
