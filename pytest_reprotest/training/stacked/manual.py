"""Forward and backward of a plain tree by hand: a step of a small net is mostly the cost of asking autograd.

Linear layers, ReLU, skip connections and the cross-entropy have their backward here; anything else in a
DirectStack's tree gets a graph of its own. Gradients are put into ``leaf.grad``, or the update is made
there and then (FusedSGD).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pytest_reprotest.regularizers._surgery import Stage
from pytest_reprotest.training.stacked import direct, operations
from pytest_reprotest.training.stacked.operations import Operation


class _Graph(Operation):
    """Any other module, by a graph of its own."""

    def __init__(self, module: nn.Module, parameters: list[Tensor]) -> None:
        self.module = module
        self.parameters = [each for each in parameters if each.requires_grad]

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.enable_grad():
            self.inputs = inputs.detach().requires_grad_()
            self.outputs: Tensor = self.module(self.inputs)
        outputs: Tensor = self.outputs.detach()
        return outputs

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        if self.outputs is self.inputs:
            return gradient
        back, *own = torch.autograd.grad(self.outputs, [self.inputs, *self.parameters], gradient)
        for parameter, value in zip(self.parameters, own, strict=True):
            parameter.grad = value
        return back


class _Chain(Operation):
    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations
        self.owns_output = bool(operations) and operations[-1].owns_output

    def forward(self, inputs: Tensor) -> Tensor:
        for operation in self.operations:
            inputs = operation.forward(inputs)
        return inputs

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        for place in range(len(self.operations) - 1, -1, -1):
            back = self.operations[place].backward(gradient, inward or place > 0)
            if back is None:
                return None
            gradient = back
        return gradient


class _Skip(Operation):
    owns_output = True

    def __init__(self, branch: Operation) -> None:
        self.branch = branch

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.branch.forward(inputs)

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        back = self.branch.backward(gradient, inward)
        return None if back is None else gradient + back


def by_hand(stack: direct.Stack, group: dict[str, Any] | None) -> Operation | None:
    """The stack's forward and backward, or None where it is no plain tree or uses a module twice.

    Parameters
    ----------
    group : dict or None
        SGD's parameter group where updates may be made in the backward pass.
    """
    if not isinstance(stack, direct.DirectStack):
        return None
    modules = [module for _, module in stack.tree.named_modules(remove_duplicate=False)]
    if len({id(module) for module in modules}) < len(modules):
        return None
    return _operation(stack.tree, group, overwrite=False)


def _operation(module: nn.Module, group: dict[str, Any] | None, overwrite: bool) -> Operation:
    if isinstance(module, nn.Sequential):
        return _chain(list(module), group)
    if isinstance(module, Stage):
        layer = _operation(module.layer, group, overwrite=False)
        if isinstance(layer, operations.Linear):
            layer.by_sample = isinstance(module.norm, direct.Affine)
        parts = (module.norm, module.dropout, module.branch)
        rest = _chain([part for part in parts if part is not None], group)
        branch = _Chain([layer, *rest.operations])
        return _Skip(branch) if module.skip else branch
    if isinstance(module, direct.Linear):
        return operations.Linear(module, group)
    if isinstance(module, direct.BatchNorm | direct.Affine):
        return operations.Norm(module)
    if isinstance(module, direct.Dropout):
        return operations.Dropout(module)
    if type(module) is nn.ReLU:
        return operations.ReLU(overwrite)
    if isinstance(module, nn.Flatten):
        return operations.Flatten()
    return _Graph(module, list(getattr(module, "own", {}).values()))


def _chain(modules: list[nn.Module], group: dict[str, Any] | None) -> _Chain:
    found: list[Operation] = []
    for module in modules:
        overwrite = bool(found) and found[-1].owns_output
        found.append(_operation(module, group, overwrite))
    return _Chain(found)


def cross_entropy(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each run, (n_runs,), and its gradient by the scores, (n_runs, n, n_classes).

    >>> losses, gradient = cross_entropy(torch.zeros(1, 2, 4), torch.tensor([[0, 3]]))
    >>> [round(value, 4) for value in (losses.item(), gradient[0, 0, 0].item())]
    [1.3863, -0.375]
    """
    by_class, chosen = scores.mT, targets.unsqueeze(1)
    losses = -torch.log_softmax(by_class, 1).gather(1, chosen).squeeze(1).mean(1)
    gradient = torch.softmax(by_class, 1)
    gradient.scatter_add_(1, chosen, gradient.new_full((1, 1, 1), -1.0).expand(chosen.shape))
    return losses, gradient.mul_(1.0 / targets.shape[1]).mT
