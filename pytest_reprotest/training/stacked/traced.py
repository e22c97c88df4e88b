"""A module's forward as a graph, where a graph shows all of it.

torch.fx calls the forward with a stand-in for the inputs. What it can't see is looked for: values of tensors,
random numbers, state, gradient modes and autocast, what differs between training and evaluation.
"""

from __future__ import annotations

import copy
import operator
import random
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pytest_reprotest.training.state import preserved_state


class Unreadable(Exception):  # noqa: N818 - an answer, not a fault
    """The forward does something that a graph of modules does not show."""


def graph_of(module: nn.Module) -> fx.Graph:
    """The graph of a module's forward, its child modules left whole; the module is left as it is.

    Raises
    ------
    Exception
        Of any kind: a forward may do anything with a value that is no tensor.
    """
    kind: Any = type(module)
    base: Any = nn.Module
    if kind.__call__ is not base.__call__ or kind.train is not base.train:
        raise Unreadable("its own __call__ or train")
    if "forward" in vars(module):
        raise Unreadable("a forward of this object alone")
    graph = _traced(module, training=True)
    if _described(graph) != _described(_traced(module, training=False)):
        raise Unreadable("another forward in evaluation")
    return graph


def _traced(module: nn.Module, training: bool) -> fx.Graph:
    weights = {id(each): each for each in module.parameters()}  # not copied
    clone, untouched = (copy.deepcopy(module, dict(weights)).train(training) for _ in range(2))
    with warnings.catch_warnings(), preserved_state():
        warnings.simplefilter("ignore")
        before = _random_state()
        with _NoTensors():  # type: ignore[no-untyped-call]
            graph = _Tracer().trace(clone)
        if _random_state() != before:
            raise Unreadable("random numbers")
    for (_, one), (_, other) in zip(clone.named_modules(), untouched.named_modules(), strict=True):
        if not _alike(vars(one), vars(other)):
            raise Unreadable("state")
    return graph


class _NoTensors(TorchDispatchMode):
    """Refuses to compute with real tensors: their values would be constants of the graph."""

    def __torch_dispatch__(self, func: Any, *_: Any) -> Any:
        raise Unreadable(f"{func} of a value that does not come from the inputs")


class _Proxy(fx.Proxy):
    def __iadd__(self, other: Any) -> Any:
        # torch.fx itself takes it for a sum that changes nothing
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class _Tracer(fx.Tracer):
    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def create_node(self, *arguments: Any, **named: Any) -> fx.Node:
        if not torch.is_grad_enabled() or any(map(torch.is_autocast_enabled, ("cpu", "cuda"))):
            raise Unreadable("a gradient mode or autocast")
        return super().create_node(*arguments, **named)


def _random_state() -> tuple[Any, ...]:
    _, words, *rest = np.random.get_state()
    return random.getstate(), np.asarray(words).tobytes(), rest


def _alike(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, nn.Module):
        return True  # compared on its own, or never called
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)


def _described(graph: fx.Graph) -> list[tuple[Any, ...]]:
    return [(n.name, n.op, n.target, str(n.args), str(n.kwargs)) for n in graph.nodes]
