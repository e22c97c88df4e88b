"""Averages of the weights over the steps of a training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import _parameters as check

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only


@dataclass(frozen=True)
class Ema(Regularizer):
    """The exponential moving average of the weights predicts, in place of the last ones.

    Parameters
    ----------
    decay : float
        What the average keeps of itself at each step, above 0 and below 1.
    """

    decay: float = 0.99
    name: ClassVar[str] = "ema"
    summary: ClassVar[str] = (
        "predicts with an exponential moving average of the weights, decay 0.99"
    )

    def __post_init__(self) -> None:
        check.fraction(self.name, "decay", self.decay)

    def modify_recipe(self, recipe: Recipe) -> Recipe:
        """Set the recipe's decay, replacing what it had."""
        return replace(recipe, ema_decay=self.decay)
