"""Several regularizers as one: ``batch_norm+weight_decay``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from pytest_reprotest.errors import OptionError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only


@dataclass(frozen=True)
class Combined(Regularizer):
    """Its parts one after another; the order they are named in does not matter to the model."""

    parts: tuple[Regularizer, ...]
    name: ClassVar[str] = "combined"
    summary: ClassVar[str] = "several regularizers as one, written a+b"

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise OptionError(f"{self.label!r} names a regularizer twice; name each one once")
        optimizers = [part.name for part in self.parts if _sets_optimizer(part)]
        if len(optimizers) > 1:
            raise OptionError(
                f"{self.label!r} sets the optimizer twice ({' and '.join(optimizers)}); keep one"
            )

    @property
    def label(self) -> str:
        """The parts' labels joined by +."""
        return "+".join(part.label for part in self.parts)

    def modify_model(self, model: nn.Module) -> None:
        """Apply every part."""
        for part in self.parts:
            part.modify_model(model)

    def modify_recipe(self, recipe: Recipe) -> Recipe:
        """Apply every part, the one that sets the optimizer first: the others adapt to it."""
        for part in sorted(self.parts, key=_sets_optimizer, reverse=True):
            recipe = part.modify_recipe(recipe)
        return recipe

    def modify_optimizer(self, optimizer: Any) -> None:
        """Apply every part."""
        for part in self.parts:
            part.modify_optimizer(optimizer)

    def penalty(self, model: nn.Module, parameters: Mapping[str, Tensor]) -> Tensor | None:
        """The sum over the parts that have one."""
        terms = [part.penalty(model, parameters) for part in self.parts]
        present = [term for term in terms if term is not None]
        return sum(present[1:], present[0]) if present else None


_PROBE = Recipe(optimizer="rmsprop", lr=1.0)


def _sets_optimizer(part: Regularizer) -> bool:
    return part.modify_recipe(_PROBE).optimizer != _PROBE.optimizer
