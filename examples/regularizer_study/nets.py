"""The study's nets as model factories."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from regularizer_study.convolutional import BLOCKS, make_cnn
from regularizer_study.mlp import GROUPS, make_mlp

ARCHITECTURES = ("mlp", "cnn")
NORMS = ("none", "layer", "batch", "group")
NOISES = ("none", "dropout", "stochastic_depth")


@dataclass(frozen=True)
class Net:
    """A model factory: called, it returns a fresh net whose weights are drawn from the global generators.

    Attributes
    ----------
    architecture : str
        ``mlp`` or ``cnn``.
    depth : int
        Linear stages of an MLP, 2 or more; 5, 10 or 18 layers of a convolutional net.
    norm : str
        ``none``, ``layer``, ``batch`` or ``group``.
    residual : bool
        At depth 2 of an MLP it changes nothing.
    noise : str
        ``none``, ``dropout`` or ``stochastic_depth``, which needs residual stages.
    tied : bool
        The middle stages of an MLP without residual stages are one and the same, as they were in the study.
    n_classes : int
    in_shape : tuple
        Of one input: (channels, height, width), or (features,) for an MLP.

    >>> Net("mlp", 6, norm="layer", tied=True, in_shape=(1, 28, 28)).label
    'mlp-6, layer norm, tied'
    >>> sum(weights.numel() for weights in Net("mlp", 2, in_shape=(784,))().parameters())
    101770
    """

    architecture: str
    depth: int
    norm: str = "none"
    residual: bool = False
    noise: str = "none"
    tied: bool = False
    n_classes: int = 10
    in_shape: tuple[int, ...] = (1, 28, 28)
    dropout: ClassVar[float] = 0.5

    def __post_init__(self) -> None:
        for name, valid in (
            ("architecture", ARCHITECTURES),
            ("norm", NORMS),
            ("noise", NOISES),
        ):
            if getattr(self, name) not in valid:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}; expected one of {', '.join(valid)}"
                )
        reason = self._refusal()
        if reason is not None:
            raise ValueError(reason)

    def _refusal(self) -> str | None:
        if self.architecture == "mlp" and self.depth < 2:
            return f"an MLP of depth {self.depth}; expected 2 or more linear stages"
        if self.architecture == "cnn" and self.depth not in BLOCKS:
            return f"a convolutional net of depth {self.depth}; expected one of {', '.join(map(str, BLOCKS))}"
        if self.architecture == "cnn" and len(self.in_shape) != 3:
            return f"in_shape={self.in_shape} for a convolutional net; expected (channels, height, width)"
        if self.tied and (self.architecture == "cnn" or self.residual):
            return "tied=True is for MLPs without residual stages: the study tied no others"
        if self.noise == "stochastic_depth" and not (self.residual and self.depth > 2):
            return f"noise='stochastic_depth' for {self.label!r}, which has no residual stage to leave out"
        if self.norm == "group" and self.architecture == "mlp" and self.n_inputs % GROUPS:
            return f"norm='group' for {self.n_inputs} inputs, which {GROUPS} groups do not divide"
        return None

    def __call__(self) -> nn.Module:
        """Build one."""
        return make_mlp(self) if self.architecture == "mlp" else make_cnn(self)

    @property
    def n_inputs(self) -> int:
        """Numbers in one input."""
        return math.prod(self.in_shape)

    @property
    def omitted(self) -> float:
        """The probability that a residual branch is left out."""
        return 0.2 if self.noise == "stochastic_depth" else 0.0

    @property
    def label(self) -> str:
        """In words: what it is, where it is not the plain net."""
        words = [f"{self.architecture}-{self.depth}"]
        words += [f"{self.norm} norm"] * (self.norm != "none")
        words += ["residual"] * self.residual
        words += [self.noise.replace("_", " ")] * (self.noise != "none")
        words += ["tied"] * self.tied
        return ", ".join(words)
