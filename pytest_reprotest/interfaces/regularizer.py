"""A named change to a training."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

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
