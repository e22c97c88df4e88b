"""What third parties implement: Regularizer, Trainer, Executor, and what passes between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_reprotest.metrics import Labels
from pytest_reprotest.plan import Plan, Run
from pytest_reprotest.recipe import Recipe

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
        shown = [
            f"{value!r}" if option is options[0] else f"{option.name}={value!r}"
            for option, value in given
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
    labels : int array (n_samples,), or None where the run failed
    losses : tuple of float
        Mean training loss of each epoch; empty where the trainer does not know it.
    seconds : float
        Wall-clock time of the training and its predictions.
    failure : str or None
        What went wrong, as a sentence for the user.
    """

    run: Run
    labels: Labels | None = None
    losses: tuple[float, ...] = ()
    seconds: float = 0.0
    failure: str | None = None


class Trainer(ABC):
    """Turns runs into predictions over one test set."""

    @property
    @abstractmethod
    def y_true(self) -> Labels:
        """True labels, int array (n_samples,)."""

    def prepare(self, regularizers: Sequence[Regularizer], device: str) -> Mapping[str, str]:
        """Check what can be checked before anything trains.

        Returns
        -------
        mapping
            Label of each regularizer that does not fit → the reason.

        Raises
        ------
        ReprotestError
            Where no run can be trained at all.
        """
        return {}

    @abstractmethod
    def train(
        self, runs: Sequence[Run], regularizer: Regularizer, device: str
    ) -> Iterator[RunOutcome]:
        """Train the runs of one regularizer; a run that raises becomes an outcome with a failure."""

    def describe(self) -> dict[str, Any]:
        """Settings that determine the result, as JSON primitives."""
        return {}


class Executor(ABC):
    """Decides where runs are trained."""

    @abstractmethod
    def run(
        self, trainer: Trainer, plan: Plan, regularizers: Mapping[str, Regularizer], device: str
    ) -> Iterator[RunOutcome]:
        """Train every run of the plan, in any order."""


Progress = Callable[[RunOutcome], None]
"""Called after each finished run."""
