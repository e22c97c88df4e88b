"""Optimizers as regularizers, as the study treats them: they replace the recipe's optimizer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import _parameters as check

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only


@dataclass(frozen=True)
class Momentum(Regularizer):
    """SGD with momentum.

    Parameters
    ----------
    momentum : float
        Fraction of the last update that is kept, 0 to below 1.
    lr : float, optional
        Learning rate; default a tenth of the recipe's (the study: SGD 0.1, momentum 0.01).
    """

    momentum: float = 0.9
    lr: float | None = None
    name: ClassVar[str] = "momentum"
    summary: ClassVar[str] = "SGD with momentum 0.9 at a tenth of the recipe's learning rate"

    def __post_init__(self) -> None:
        check.probability(self.name, "momentum", self.momentum)
        if self.lr is not None:
            check.positive(self.name, "lr", self.lr)

    def modify_recipe(self, recipe: Recipe) -> Recipe:
        """Replace optimizer and learning rate."""
        if self.lr is None and callable(recipe.optimizer):
            raise RegularizerRefused(
                "'momentum' takes a tenth of the recipe's learning rate, which an optimizer given as a "
                "callable hides; write momentum(lr=0.01), or give the optimizer by name"
            )
        lr = recipe.learning_rate / 10 if self.lr is None else self.lr
        return replace(recipe, optimizer="momentum", momentum=self.momentum, lr=lr)


@dataclass(frozen=True)
class Adam(Regularizer):
    """Adam (Kingma & Ba, 2015).

    Parameters
    ----------
    lr : float
        Learning rate; the study's is 3e-4 (1e-3 on Fashion-MNIST).
    """

    lr: float = 3e-4
    name: ClassVar[str] = "adam"
    summary: ClassVar[str] = "Adam at learning rate 3e-4"

    def __post_init__(self) -> None:
        check.positive(self.name, "lr", self.lr)

    def modify_recipe(self, recipe: Recipe) -> Recipe:
        """Replace optimizer and learning rate."""
        return replace(recipe, optimizer="adam", lr=self.lr)
