"""A module class of the user's as the plain tree that its forward amounts to.

Read are chains of child modules and elementwise functions, and sums of two such chains over one value, in any
place and depth. For all else the answer is None, and the model runs under vmap.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from pytest_reprotest.regularizers._keyed import KeyedDropout
from pytest_reprotest.training.stacked.traced import Unreadable, graph_of

_TWINS: dict[Any, Callable[..., nn.Module]] = {
    functional.relu: nn.ReLU, torch.relu: nn.ReLU, "relu": nn.ReLU,
    functional.sigmoid: nn.Sigmoid, torch.sigmoid: nn.Sigmoid, "sigmoid": nn.Sigmoid,
    functional.tanh: nn.Tanh, torch.tanh: nn.Tanh, "tanh": nn.Tanh,
    functional.relu6: nn.ReLU6, functional.leaky_relu: nn.LeakyReLU, functional.elu: nn.ELU,
    functional.selu: nn.SELU, functional.gelu: nn.GELU, functional.silu: nn.SiLU, functional.mish: nn.Mish,
    functional.softplus: nn.Softplus, functional.hardtanh: nn.Hardtanh, functional.hardswish: nn.Hardswish,
}  # fmt: skip
_IN_PLACE = {"relu_": "relu", "sigmoid_": "sigmoid", "tanh_": "tanh"}
_SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")
_MAY_RETURN_INPUTS = (nn.Identity, nn.Flatten, KeyedDropout)


class Sum(nn.Module):
    """The sum of two chains over the same inputs."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, inputs: Tensor) -> Tensor:
        """Add them up."""
        total: Tensor = self.first(inputs) + self.second(inputs)
        return total


def as_tree(module: nn.Module) -> nn.Module | None:
    """The module as Sequential, Sum and its own child modules, or None; it is left as it is."""
    if type(module).__module__.partition(".")[0] == "torch":
        return None
    try:
        return _Reader(module, graph_of(module)).tree()
    except Exception:
        return None


class _Reader:
    """Reads a graph from its output back to its input; an error of any kind means that it can't."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        self.module = module
        self.source, *calls, self.output = graph.nodes
        if self.source.op != "placeholder" or str(self.source.target).startswith("*"):
            raise Unreadable("its inputs")
        self.single: dict[fx.Node, nn.Module] = {}
        # the value that a call, or both sides of a sum, come from
        self.before: dict[fx.Node, fx.Node] = {}
        self.shapes: set[Any] = set()
        self.sizes: set[Any] = set()
        self.read: list[fx.Node] = []
        for node in calls:
            self._place(node)

    def tree(self) -> nn.Module:
        """The whole forward."""
        result: Any = self.output.args[0]
        tree = self._chain(result, self.source)
        if len(self.read) != len(self.before):
            raise Unreadable("a value that is used for nothing, or in two places that are no sum")
        return tree

    def _chain(self, node: fx.Node, start: fx.Node) -> nn.Sequential:
        found: list[nn.Module] = []
        while node is not start:
            self.read.append(node)
            if node in self.single:
                found.append(self.single[node])
            else:
                found.append(self._sum(node))
            node = self.before[node]
        return nn.Sequential(*reversed(found))

    def _sum(self, node: fx.Node) -> Sum:
        sides: list[Any] = list(node.args)
        first, second = (self._chain(side, self.before[node]) for side in sides)
        known = {id(module) for module in first.modules()}
        shared = [module for module in second.modules() if id(module) in known]
        if any(True for module in shared for _ in module.buffers()):
            raise Unreadable("state whose order a tree does not keep")
        return Sum(first, second)

    def _place(self, node: fx.Node) -> None:
        operand: Any = node.args[0]
        if self._is_size(node):
            return
        if node.op in ("call_function", "call_method") and node.target in _SUMS:
            sides: list[Any] = list(node.args)
            if len(sides) != 2 or node.kwargs or set(sides) - {self.source, *self.before}:
                raise Unreadable("a sum with something else")
            line = set(self._line(sides[0]))
            self.before[node] = next(each for each in self._line(sides[1]) if each in line)
            overwrites = node.target in (operator.iadd, "add_")
        else:
            self.single[node] = self._module(node)
            self.before[node] = operand
            overwrites = _overwrites(self.single[node])
        if overwrites and not self._is_free(operand):
            raise Unreadable("a value that changes in place and is used elsewhere")

    def _line(self, node: fx.Node) -> Iterator[fx.Node]:
        """The values that all ways from the inputs to this one pass, backwards."""
        while node is not self.source:
            yield node
            node = self.before[node]
        yield node

    def _is_free(self, node: fx.Node) -> bool:
        """Whether a value is used once and shares its memory with no other."""
        while node is not self.source and len(node.users) == 1:
            if not isinstance(self.single.get(node), _MAY_RETURN_INPUTS):
                return True
            node = self.before[node]
        return False

    def _is_size(self, node: fx.Node) -> bool:
        """Whether a call asks for the shape of a value, or for the number of samples."""
        of: Any = node.args[0]
        asked = (node.op, node.target, *node.args[1:])
        if node.kwargs:
            return False
        if asked in (("call_method", "size"), ("call_function", getattr, "shape")):
            self.shapes.add(node)
            return True
        first = asked == ("call_function", operator.getitem, 0) and of in self.shapes
        if first or asked == ("call_method", "size", 0):
            self.sizes.add(node)
            return True
        return False

    def _module(self, node: fx.Node) -> nn.Module:
        """The child that a node calls, or the module of the function that it calls."""
        rest: list[Any] = list(node.args[1:])
        if node.op == "call_module":
            if rest or node.kwargs:
                raise Unreadable("a child with other inputs")
            return self.module.get_submodule(str(node.target))
        target: Any = node.target
        if target in (torch.reshape, "reshape", "view"):
            batch, width = rest if len(rest) == 2 else rest[0]
            if (batch in self.sizes or batch == -1) and type(width) is int:
                return nn.Flatten()  # to (n, width): what follows fits no other width
            raise Unreadable("a view")
        if len(node.all_input_nodes) != 1:
            raise Unreadable("a function of several values")
        if target in (torch.flatten, "flatten"):
            named = dict(zip(("start_dim", "end_dim"), rest, strict=False))
            return nn.Flatten(**{"start_dim": 0, **named, **node.kwargs})
        twin = _TWINS[_IN_PLACE.get(target, target)](*rest, **node.kwargs)
        if target in _IN_PLACE:
            vars(twin)["inplace"] = True
        return twin


def _overwrites(module: nn.Module) -> bool:
    """Whether a module changes its inputs; classes of the user's that do are not read themselves."""
    while type(module) is nn.Sequential and len(module):
        module = module[0]
    return bool(getattr(module, "inplace", False))
