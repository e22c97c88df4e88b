"""Skip connections around hidden layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.regularizers._surgery import Stage, hidden_stages


def skip_stages(model: nn.Module, asking: str) -> list[Stage]:
    """The hidden stages that a skip connection fits, with one around each."""
    stages = [stage for stage in hidden_stages(model, asking) if stage.keeps_shape]
    if not stages:
        raise RegularizerRefused(
            f"{asking!r} needs a hidden layer whose output has its input's shape, such as "
            "nn.Linear(128, 128); this model has none. Give it one, or build the skip connections in a "
            "model factory with a parameter named 'regularizer'"
        )
    for stage in stages:
        stage.skip = True
    return stages


@dataclass(frozen=True)
class Residual(Regularizer):
    """x + layer(x) for each hidden layer that keeps its input's shape (He et al., 2016).

    The branch holds the layer with its norm and dropout, where there are any; the activation stays after
    the sum.
    """

    name: ClassVar[str] = "residual"
    summary: ClassVar[str] = "a skip connection around each hidden layer that keeps its shape"

    def modify_model(self, model: nn.Module) -> None:
        """Add the skip connections."""
        skip_stages(model, self.name)
