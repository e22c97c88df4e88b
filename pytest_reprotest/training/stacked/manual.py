"""Forward and backward of a plain tree by hand: a step of a small net is mostly the cost of asking autograd.

Linear layers, ReLU, skip connections and the cross-entropy have their backward here; anything else in a
DirectStack's tree gets a graph of its own. Gradients are put into ``leaf.grad``, or the update is made
there and then (FusedSGD).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pytest_reprotest.training.stacked import direct, operations
from pytest_reprotest.training.stacked.operations import Operation
from pytest_reprotest.training.stacked.reading import Sum


class _Graph(Operation):
    """Any other module, by a graph of its own."""

    def __init__(self, module: nn.Module, parameters: list[Tensor]) -> None:
        self.module = module
        self.parameters = [each for each in parameters if each.requires_grad]

    @property
    def learns(self) -> bool:
        return bool(self.parameters)

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
            operations.accumulate(parameter, value)
        return back


class _Chain(Operation):
    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations
        self.owns_output = bool(operations) and operations[-1].owns_output
        learning = [place for place, each in enumerate(operations) if each.learns]
        self.first = learning[0] if learning else len(operations)

    @property
    def learns(self) -> bool:
        return self.first < len(self.operations)

    def forward(self, inputs: Tensor) -> Tensor:
        for operation in self.operations:
            inputs = operation.forward(inputs)
        return inputs

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        last = 0 if inward else self.first  # what is before learns nothing
        for place in range(len(self.operations) - 1, last - 1, -1):
            back = self.operations[place].backward(gradient, inward or place > last)
            if back is None:
                return None
            gradient = back
        return gradient if inward else None


class _Sum(Operation):
    owns_output = True

    def __init__(self, first: Operation, second: Operation) -> None:
        self.first, self.second = first, second

    @property
    def learns(self) -> bool:
        return self.first.learns or self.second.learns

    def forward(self, inputs: Tensor) -> Tensor:
        first, second = self.first.forward(inputs), self.second.forward(inputs)
        self.shapes = first.shape, second.shape
        return first + second

    def backward(self, gradient: Tensor, inward: bool) -> Tensor | None:
        back = [
            side.backward(gradient.sum_to_size(shape), inward)
            for side, shape in zip((self.first, self.second), self.shapes, strict=True)
        ]
        if not inward or back[0] is None or back[1] is None:
            return None
        return back[0] + back[1]


def by_hand(stack: direct.Stack, group: dict[str, Any] | None) -> Operation | None:
    """The stack's forward and backward, or None where it is no plain tree.

    A module that stands in several places is an operation in each, and its gradients add up.

    Parameters
    ----------
    group : dict or None
        SGD's parameter group where updates may be made in the backward pass.
    """
    if not isinstance(stack, direct.DirectStack):
        return None
    places = Counter(module for _, module in stack.tree.named_modules(remove_duplicate=False))
    repeated = {module for module, count in places.items() if count > 1}
    return _Builder(group, repeated).operation(stack.tree, overwrite=False)


class _Builder:
    """Operations for modules; those that are ``repeated`` are updated once all their gradients are there."""

    def __init__(self, group: dict[str, Any] | None, repeated: set[nn.Module]) -> None:
        self.group = group
        self.repeated = repeated

    def operation(self, module: nn.Module, overwrite: bool) -> Operation:
        if isinstance(module, nn.Sequential):  # the whole tree: within a chain they are taken apart
            return self.chain(module, outermost=True)
        if isinstance(module, Sum):
            return _Sum(self.chain(module.first), self.chain(module.second))
        if isinstance(module, direct.Linear):
            return self.linear(module)
        if isinstance(module, direct.BatchNorm | direct.Affine):
            return operations.Norm(module)
        if isinstance(module, direct.Dropout):
            return operations.Dropout(module)
        if type(module) is nn.ReLU:
            return operations.ReLU(overwrite)
        if isinstance(module, nn.Flatten):
            return operations.Flatten()
        return _Graph(module, list(getattr(module, "own", {}).values()))

    def linear(self, module: direct.Linear, fused: bool = True) -> operations.Linear:
        return operations.Linear(
            module, self.group if fused and module not in self.repeated else None
        )

    def chain(self, module: nn.Module, outermost: bool = False) -> _Chain:
        found: list[Operation] = []
        for each in _links(module):
            last = found[-1] if found else None
            if isinstance(last, operations.Linear | operations.NormOfInputs):
                last.by_sample = isinstance(each, direct.Affine)
            begins = outermost and not any(before.learns for before in found[:-1])
            if begins and isinstance(last, operations.Norm) and isinstance(each, direct.Linear):
                found[-1] = operations.NormOfInputs(last, self.linear(each, fused=False))
            else:
                found.append(self.operation(each, last is not None and last.owns_output))
        return _Chain(found)


def _links(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for each in module:
            yield from _links(each)
    else:
        yield module


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
