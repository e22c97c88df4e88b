"""Noise in training: dropout and stochastic depth, drawn from streams keyed by (run, layer, call)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.regularizers import _parameters as check
from pytest_reprotest.regularizers._keyed import KeyedDropout
from pytest_reprotest.regularizers._surgery import hidden_stages, refuse_existing
from pytest_reprotest.regularizers.residual import skip_stages

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True)
class Dropout(Regularizer):
    """Dropout after every hidden layer, after its norm, before the activation (Srivastava et al., 2014).

    Whole channels are dropped after a convolution.

    Parameters
    ----------
    p : float
        Probability that a feature is dropped.
    """

    p: float = 0.5
    name: ClassVar[str] = "dropout"
    summary: ClassVar[str] = "dropout, p = 0.5, after every hidden layer"

    def __post_init__(self) -> None:
        check.probability(self.name, "p", self.p)

    def modify_model(self, model: nn.Module) -> None:
        """Add the dropout."""
        refuse_existing(model, _DROPOUTS, self.name)
        for stage in hidden_stages(model, self.name):
            stage.dropout = KeyedDropout(self.p, dims=2 if stage.convolutional else None)


@dataclass(frozen=True)
class StochasticDepth(Regularizer):
    """Skip connections whose branch is left out for random samples in training (Huang et al., 2016).

    What ``residual`` does, and with probability p a sample skips the branch; kept branches are scaled
    by 1 / (1 - p), so prediction needs no change.

    Parameters
    ----------
    p : float
        Probability that a sample skips a layer.
    """

    p: float = 0.2
    name: ClassVar[str] = "stochastic_depth"
    summary: ClassVar[str] = "residual, each branch skipped with p = 0.2 per sample"

    def __post_init__(self) -> None:
        check.probability(self.name, "p", self.p)

    def modify_model(self, model: nn.Module) -> None:
        """Add the skip connections and the random omission."""
        for stage in skip_stages(model, self.name):
            stage.branch = KeyedDropout(self.p, dims=1)
