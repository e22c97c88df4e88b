"""A training recorded as digests: what each module gives, each gradient, and what the generators hold.

By hooks for all modules and all optimizers, so that it works in a user's own loop, too.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

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

from pytest_reprotest.digests import digest
from pytest_reprotest.trace import Event, Phase
from pytest_reprotest.training.content import tensor_digest
from pytest_reprotest.training.state import global_states, symbolic

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
    [('inputs', ''), ('forward', 'Linear')]
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.step = 0
        self._depth = 0
        self._entered = 0  # events when the outermost forward began
        self._names: dict[int, tuple[weakref.ref[Any], str]] = {}  # of modules and parameters
        self._thread = threading.get_ident()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record everything that is computed inside."""
        with ExitStack() as stack:
            for handle in (
                register_module_forward_pre_hook(self._enters),
                register_module_forward_hook(self._leaves, with_kwargs=True, always_call=True),
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
        states = {**global_states(), "torch": _digest(torch.random.get_rng_state()), **_of_gpus()}
        for name, found in states.items():
            self.add("stream", name, found, evaluation)

    def _enters(self, module: nn.Module, inputs: Any) -> None:
        if not self._records():
            return
        if self._depth == 0:
            evaluation = not module.training
            if self._known(module) is None:
                self._meet(module)
            self.streams(evaluation)
            for tensor in _tensors(inputs):
                self.add("inputs", "", _digest(tensor), evaluation)
            self._entered = len(self.events)
        self._depth += 1

    def _leaves(self, module: nn.Module, _: Any, *rest: Any) -> None:
        """Also where forward raised, as recomputation of checkpointed activations does by itself; torch gives
        no keyword arguments then.
        """
        if not self._records():
            return
        *given, output = rest
        self._depth = max(self._depth - 1, 0)
        name, evaluation = self._name(module), not module.training
        for tensor in _tensors(output):
            self.add("forward", name, _digest(tensor), evaluation)
        if self._depth == 0:
            self._insert_inputs(given, evaluation)
            for buffer_name, buffer in module.named_buffers():
                self.add("buffers", buffer_name, _digest(buffer), evaluation)

    def _insert_inputs(self, given: Any, evaluation: bool) -> None:
        """Inputs by keyword, which a global hook is given after the forward only, to where they belong."""
        if len(self.events) < _IN_FULL:
            found = [
                Event(self.step, "inputs", "", _digest(tensor), evaluation)
                for tensor in _tensors(given)
            ]
            self.events[self._entered : self._entered] = found

    def _records(self) -> bool:
        """Whether this call is of the training itself: not of another thread, and computes numbers."""
        return threading.get_ident() == self._thread and not symbolic()

    def _meet(self, root: nn.Module) -> None:
        """Learn the names below a module that is called by itself, and record what it starts from."""
        for name, module in root.named_modules():
            if self._known(module) is None:
                self._names[id(module)] = (weakref.ref(module), name)
        for name, parameter in root.named_parameters():
            if self._known(parameter) is None:
                self._names[id(parameter)] = (weakref.ref(parameter), name)
            self.add("start", name, _digest(parameter))

    def _known(self, thing: Any) -> str | None:
        """Its name; an identity that was given again to something else is not known."""
        reference, name = self._names.get(id(thing), (None, ""))
        return name if reference is not None and reference() is thing else None

    def _name(self, module: nn.Module) -> str:
        name, kind = self._known(module), type(module).__name__
        return f"{name} ({kind})" if name else kind

    def _before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for name, parameter in self._parameters(optimizer):
            if parameter.grad is not None:
                self.add("gradient", name, _digest(parameter.grad))

    def _after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for name, parameter in self._parameters(optimizer):
            self.add("weights", name, _digest(parameter))
        self.step += 1

    def _parameters(self, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
        every = [each for group in optimizer.param_groups for each in group["params"]]
        for number, parameter in enumerate(every):
            yield self._known(parameter) or f"parameter {number}", parameter


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


def _digest(tensor: Tensor) -> str:
    """As ``tensor_digest``; what can't be read (a lazy parameter, a meta tensor) is not compared."""
    try:
        return tensor_digest(tensor)
    except Exception:
        return "unreadable"


def _of_gpus() -> dict[str, str]:
    """The state of each GPU's generator, where one is in use."""
    found = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {f"GPU {number}": _digest(state) for number, state in enumerate(found)}
