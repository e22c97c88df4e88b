"""The whole training step as a CUDA graph: one launch in place of some hundred."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_WARM_UP = 3  # steps before capture, as torch asks for


class GraphedStep:
    """Runs a StackTraining's step from a graph, one for each batch size.

    Capturing takes warm-up steps; parameters, buffers, optimizer state and the running loss are put back
    afterwards, so the graph changes no result.
    """

    def __init__(self, training: Any) -> None:
        self.training = training
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def __call__(self, index: Tensor) -> None:
        """One step on samples ``index`` (n_runs, n)."""
        size = index.shape[1]
        if size not in self._graphs:
            self._graphs[size] = self._capture(index)
        graph, static = self._graphs[size]
        static.copy_(index)
        graph.replay()

    def _capture(self, index: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        static = index.clone()
        kept = [(tensor, tensor.detach().clone()) for tensor in self._state()]
        had_state = bool(self.training.optimizer.state)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                self.training.step(static)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.no_grad():
            for tensor, value in kept:
                tensor.copy_(value)
            if not had_state:
                for tensor in self._optimizer_state():
                    tensor.zero_()
        graph = torch.cuda.CUDAGraph()
        self.training.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.training.step(static)
        return graph, static

    def _state(self) -> list[Tensor]:
        stack = self.training.stack
        return [
            *stack.leaves.values(),
            *stack.buffers.values(),
            *self._optimizer_state(),
            self.training.total,
        ]

    def _optimizer_state(self) -> list[Tensor]:
        return [
            value
            for state in self.training.optimizer.state.values()
            for value in state.values()
            if isinstance(value, Tensor)
        ]
