"""Module surgery: every hidden layer becomes a Stage, which regularizers then furnish.

A hidden layer is an ``nn.Linear`` or ``nn.Conv1d/2d/3d`` (exactly: subclasses are left alone) other than
the last of them in the order of ``model.modules()``, which gives the scores.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from pytest_reprotest.errors import RegularizerRefused

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS: tuple[type[nn.Module], ...] = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)


class Stage(nn.Module):
    """A hidden layer and what was put around it: layer, norm, dropout, then the skip connection.

    The order is the same whatever order the regularizers were named in. Attributes the stage lacks, such
    as ``weight`` or ``out_features``, are the layer's.
    """

    norm: nn.Module | None
    dropout: nn.Module | None
    branch: nn.Module | None

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        for place in ("norm", "dropout", "branch"):  # so their order is that of the forward
            self.register_module(place, None)
        self.skip = False

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layer and its furnishings."""
        outputs = self.layer(inputs)
        if self.norm is not None:
            outputs = self.norm(outputs)
        if self.dropout is not None:
            outputs = self.dropout(outputs)
        if self.branch is not None:
            outputs = self.branch(outputs)
        result: Tensor = inputs + outputs if self.skip else outputs
        return result

    @property
    def convolutional(self) -> bool:
        """Whether the layer is a convolution; its channels are then dimension 1, else the last."""
        return not isinstance(self.layer, nn.Linear)

    @property
    def width(self) -> int:
        """Output features or channels."""
        layer: Any = self.layer
        return int(layer.out_channels if self.convolutional else layer.out_features)

    @property
    def keeps_shape(self) -> bool:
        """Whether outputs have the inputs' shape, so that a skip connection fits."""
        layer: Any = self.layer
        if not self.convolutional:
            return bool(layer.in_features == layer.out_features)
        if layer.in_channels != layer.out_channels or set(layer.stride) != {1}:
            return False
        if layer.padding == "same":
            return True
        reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        padding = [0] * len(reach) if layer.padding == "valid" else layer.padding
        return [2 * p for p in padding] == reach

    def drop_bias(self) -> None:
        """Remove the layer's bias, as the study does; a batch norm that follows would subtract it again."""
        self.layer.register_parameter("bias", None)


def hidden_stages(model: nn.Module, asking: str) -> list[Stage]:
    """The model's hidden layers as stages, wrapped in place where they are not yet.

    A layer that stands in several places stays one layer.
    """
    layers = [module for module in model.modules() if type(module) in LAYERS]
    hidden = {id(module) for module in layers[:-1]}
    if not hidden:
        raise RegularizerRefused(
            f"{asking!r} needs a hidden nn.Linear or nn.Conv layer; this model has {len(layers)} such "
            "layer in all, and the last one gives the scores"
        )
    stages = {id(m.layer): m for m in model.modules() if isinstance(m, Stage)}
    for parent in list(model.modules()):
        if isinstance(parent, Stage):
            continue
        for name, child in list(parent._modules.items()):  # named_children() skips repeats
            if child is not None and id(child) in hidden:
                parent.add_module(name, stages.setdefault(id(child), Stage(child)))
    order = {id(module): place for place, module in enumerate(layers)}
    return sorted(stages.values(), key=lambda stage: order[id(stage.layer)])


def refuse_existing(model: nn.Module, kinds: tuple[type[nn.Module], ...], asking: str) -> None:
    """Refuse a model that already has what a regularizer would add."""
    for name, module in model.named_modules():
        if isinstance(module, kinds):
            raise RegularizerRefused(
                f"{asking!r} would come on top of {name!r} ({type(module).__name__}), which the model "
                f"already has; leave it out of the model factory, or leave out {asking!r}"
            )
