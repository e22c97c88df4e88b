"""A training recorded as digests: what each module gives, each gradient, and what the generators hold.

By hooks for all modules and all optimizers, so that it works in a user's own loop, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from pytest_reprotest.digests import digest, of_arrays
from pytest_reprotest.trace import Event, Phase
from pytest_reprotest.training.content import tensor_digest

current: ContextVar[Recorder | None] = ContextVar("current", default=None)
"""What records the training that goes on, for the checkpoints of a user's own function."""

_IN_FULL = 200_000
"""Events kept one by one, some 50 MB; later ones are chained, one digest for each step and phase."""


class Recorder:
    """Gathers the events of one training.

    >>> layer, recorder = nn.Linear(2, 1), Recorder()
    >>> with recorder.recording():
    ...     _ = layer(torch.zeros(1, 2))
    >>> [(event.phase, event.name) for event in recorder.events][-2:]
    [('inputs', ''), ('forward', '')]
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.step = 0
        self._depth = 0
        self._names: dict[int, str] = {}  # of modules and parameters, by identity
        self._held: list[nn.Module] = []  # so that no identity is given again

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record everything that is computed inside."""
        with ExitStack() as stack:
            for handle in (
                register_module_forward_pre_hook(self._enters),
                register_module_forward_hook(self._leaves),
                register_optimizer_step_pre_hook(self._before_step),
                register_optimizer_step_post_hook(self._after_step),
            ):
                stack.callback(handle.remove)
            stack.callback(current.reset, current.set(self))
            yield

    def add(self, phase: Phase, name: str, found: str, evaluation: bool = False) -> None:
        """Keep an event, or chain it with those of its step and phase where there are many."""
        if len(self.events) < _IN_FULL:
            self.events.append(Event(self.step, phase, name, found, evaluation))
            return
        last = self.events[-1]
        if (last.step, last.phase, last.name, last.evaluation) == (
            self.step,
            phase,
            "",
            evaluation,
        ):
            found = digest([last.digest.encode(), name.encode(), found.encode()])
            self.events[-1] = last._replace(digest=found)
        else:
            self.events.append(Event(self.step, phase, "", found, evaluation))

    def streams(self, evaluation: bool = False) -> None:
        """The state of each global generator."""
        numpy_state: Any = np.random.get_state(legacy=False)
        for name, found in (
            ("Python", digest([repr(random.getstate()).encode()])),
            (
                "NumPy",
                of_arrays(numpy_state["state"]["key"], np.array(numpy_state["state"]["pos"])),
            ),
            ("torch", tensor_digest(torch.random.get_rng_state())),
            *_of_gpus(),
        ):
            self.add("stream", name, found, evaluation)

    def _enters(self, module: nn.Module, inputs: Any) -> None:
        if self._depth == 0:
            evaluation = not module.training
            if id(module) not in self._names:
                self._meet(module)
            self.streams(evaluation)
            for tensor in _tensors(inputs):
                self.add("inputs", "", tensor_digest(tensor), evaluation)
        self._depth += 1

    def _leaves(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._depth = max(self._depth - 1, 0)
        name, evaluation = self._name(module), not module.training
        for tensor in _tensors(output):
            self.add("forward", name, tensor_digest(tensor), evaluation)
        if self._depth == 0:
            for buffer_name, buffer in module.named_buffers():
                self.add("buffers", buffer_name, tensor_digest(buffer), evaluation)

    def _meet(self, root: nn.Module) -> None:
        """Learn the names below a module that is called by itself, and record what it starts from."""
        self._held.append(root)
        for name, module in root.named_modules():
            self._names.setdefault(id(module), name)
        for name, parameter in root.named_parameters():
            self._names.setdefault(id(parameter), name)
            self.add("start", name, tensor_digest(parameter))

    def _name(self, module: nn.Module) -> str:
        name = self._names.get(id(module), "")
        kind = type(module).__name__
        return f"{name} ({kind})" if name else kind

    def _before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for name, parameter in self._parameters(optimizer):
            if parameter.grad is not None:
                self.add("gradient", name, tensor_digest(parameter.grad))

    def _after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for name, parameter in self._parameters(optimizer):
            self.add("weights", name, tensor_digest(parameter))
        self.step += 1

    def _parameters(self, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
        every = [each for group in optimizer.param_groups for each in group["params"]]
        for number, parameter in enumerate(every):
            yield self._names.get(id(parameter), f"parameter {number}"), parameter


def _tensors(found: Any) -> Iterator[Tensor]:
    """The tensors in an output, however it is nested."""
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, dict):
        for each in found.values():
            yield from _tensors(each)
    elif isinstance(found, (tuple, list)):
        for each in found:
            yield from _tensors(each)


def _of_gpus() -> Iterator[tuple[str, str]]:
    """The state of each GPU's generator, where one is in use."""
    if torch.cuda.is_initialized():
        for number, state in enumerate(torch.cuda.get_rng_state_all()):
            yield f"GPU {number}", tensor_digest(state)
