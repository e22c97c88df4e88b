"""Normalization after every hidden layer; the layer's bias is removed, as in the study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.regularizers import _parameters as check
from pytest_reprotest.regularizers._surgery import NORMS, Stage, hidden_stages, refuse_existing

__tracebackhide__ = True  # where a parameter is refused, pytest shows the user's line only


class Features(nn.Module):
    """A norm over (n, features) applied to the last dimension of (…, features)."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, inputs: Tensor) -> Tensor:
        """Flatten the leading dimensions, normalize, restore them."""
        if inputs.dim() == 2:
            flat: Tensor = self.norm(inputs)
            return flat
        normalized: Tensor = self.norm(inputs.reshape(-1, inputs.shape[-1])).reshape(inputs.shape)
        return normalized


class _Normalization(Regularizer):
    def modify_model(self, model: nn.Module) -> None:
        """Put a norm after every hidden layer and remove the layer's bias."""
        refuse_existing(model, NORMS, self.name)
        for stage in hidden_stages(model, self.name):
            weight = next(stage.layer.parameters())
            norm = self.norm(stage).to(device=weight.device, dtype=weight.dtype)
            stage.norm = norm if stage.convolutional else Features(norm)
            stage.drop_bias()

    def norm(self, stage: Stage) -> nn.Module:
        """The norm of one stage."""
        raise NotImplementedError


@dataclass(frozen=True)
class BatchNorm(_Normalization):
    """``nn.BatchNorm`` per feature or channel (Ioffe & Szegedy, 2015)."""

    name: ClassVar[str] = "batch_norm"
    summary: ClassVar[str] = "batch normalization after every hidden layer, whose bias is removed"

    def norm(self, stage: Stage) -> nn.Module:
        """BatchNorm of the layer's dimensionality."""
        if not stage.convolutional:
            return nn.BatchNorm1d(stage.width)
        kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
        return kinds[len(stage.layer.kernel_size) - 1](stage.width)  # type: ignore[arg-type]


@dataclass(frozen=True)
class LayerNorm(_Normalization):
    """``nn.LayerNorm`` over the features; over channels and positions after a convolution."""

    name: ClassVar[str] = "layer_norm"
    summary: ClassVar[str] = "layer normalization after every hidden layer, whose bias is removed"

    def norm(self, stage: Stage) -> nn.Module:
        """LayerNorm, for a convolution as one group of all channels."""
        return nn.GroupNorm(1, stage.width) if stage.convolutional else nn.LayerNorm(stage.width)


@dataclass(frozen=True)
class GroupNorm(_Normalization):
    """``nn.GroupNorm`` (Wu & He, 2018).

    Parameters
    ----------
    groups : int
        Must divide the width of every hidden layer, and leave more than one feature in a group after a
        linear one.
    """

    groups: int = 8
    name: ClassVar[str] = "group_norm"
    summary: ClassVar[str] = "group normalization, 8 groups, after every hidden layer without bias"

    def __post_init__(self) -> None:
        check.count(self.name, "groups", self.groups)

    def norm(self, stage: Stage) -> nn.Module:
        """GroupNorm; refused where the groups do not divide the width, or hold one number each."""
        most = stage.width if stage.convolutional else stage.width // 2
        fitting = [n for n in range(1, most + 1) if stage.width % n == 0]
        if self.groups not in fitting:
            lone = self.groups == stage.width
            because = ", since a group of one feature normalizes to 0" if lone else ""
            example = f", e.g. group_norm({fitting[len(fitting) // 2]})" if fitting else ""
            raise RegularizerRefused(
                f"'group_norm' with {self.groups} groups does not fit a hidden layer of width "
                f"{stage.width}{because}; numbers that fit are {fitting or 'none'}{example}"
            )
        return nn.GroupNorm(self.groups, stage.width)
