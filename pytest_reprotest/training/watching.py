"""Calls that take what no seed of a run decides, found while it trains, with the user's line."""

from __future__ import annotations

import datetime
import functools
import math
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

from pytest_reprotest.trace import Draw, Event, Kind
from pytest_reprotest.training.faults import OURS
from pytest_reprotest.training.lines import is_theirs, line_of, under
from pytest_reprotest.training.loaders import Loaders
from pytest_reprotest.training.state import symbolic

_GLOBAL_PYTHON: Any = random.seed.__self__  # type: ignore[attr-defined]
_CLOCKS = {
    "time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time"
}  # fmt: skip
_TORCH_DRAWS = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli",
    "multinomial", "normal", "poisson", "dropout", "feature_dropout", "alpha_dropout", "rrelu", "random_",
    "normal_", "uniform_", "bernoulli_", "exponential_", "geometric_", "log_normal_", "cauchy_",
}  # fmt: skip
_NUMPY_DRAWS = (
    "rand", "randn", "randint", "random", "random_sample", "choice", "permutation", "shuffle", "normal",
    "uniform", "binomial", "poisson", "standard_normal", "exponential", "beta", "gamma",
)  # fmt: skip
_SEEDS = ("manual_seed", "set_state")
_SEED_BITS = 128  # that numpy.random.SeedSequence asks of the system where it is given no seed
_MOST = 20  # of a kind
_F_DROPOUT = functional.dropout.__code__
_STEPS = 3  # after which a watch that is limited may end


class Watch:
    """Gathers the calls of one training.

    Attributes
    ----------
    draws : list of Draw
        Each kind and line once.
    step : int
        Steps of an optimizer so far.

    Parameters
    ----------
    events : sequence of Event
        Of the trace that grows meanwhile; tells which of them a call came before.
    """

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.draws: list[Draw] = []
        self.step = 0
        self._events = events
        self._known: set[tuple[str, str]] = set()
        self._seeded: set[str] = set()
        self._state: bytes | None = None
        self._until = self._latest = math.inf
        self._looks_in = -1  # process

    @contextmanager
    def watching(self, seconds: float = math.inf, at_most: float = math.inf) -> Iterator[None]:
        """Watch what is computed inside.

        Parameters
        ----------
        seconds, at_most : float
            Every call is looked at, at the price of slower Python, for so many seconds and three steps of an
            optimizer, however long these take up to ``at_most``. The few functions that are replaced (numpy.random,
            DataLoader) and dropout modules are watched throughout.
        """
        started = time.perf_counter()
        self._until, self._latest = started + seconds, started + at_most
        with tempfile.TemporaryDirectory(prefix="reprotest-") as folder:
            loaders = Loaders(Path(folder))
            counting = register_optimizer_step_post_hook(self._count)
            try:
                with loaders.watched(), self._replaced(), self._profiled():
                    yield
            finally:
                counting.remove()
            self.draws.extend(loaders.found())

    @contextmanager
    def _profiled(self) -> Iterator[None]:
        if sys.getprofile() is not None:  # somebody else's; the rest is watched all the same
            yield
            return
        self._looks_in = os.getpid()
        sys.setprofile(self._look)
        threading.setprofile(self._look)
        try:
            yield
        finally:
            self._looks_in = -1  # for threads that go on
            sys.setprofile(None)
            threading.setprofile(None)

    @contextmanager
    def _replaced(self) -> Iterator[None]:
        """Functions that a profiler does not see."""
        names = (*_NUMPY_DRAWS, "seed", "set_state")
        before = {name: getattr(np.random, name) for name in names}
        for name, theirs in before.items():
            setattr(np.random, name, _Replaced(theirs, self))
        dropout = register_module_forward_pre_hook(self._dropout)
        try:
            yield
        finally:
            dropout.remove()
            for name, theirs in before.items():
                setattr(np.random, name, theirs)

    def _dropout(self, module: nn.Module, _: Any) -> None:
        if isinstance(module, _DropoutNd) and module.training and module.p and not symbolic():
            self._dropped(sys._getframe(1))

    def _dropped(self, frame: FrameType) -> None:
        if not torch.is_grad_enabled():
            self._add(
                "evaluation",
                "dropout is on while no gradients are recorded, so predictions are partly random; call "
                "model.eval() before predicting, and give F.dropout training=self.training",
                frame,
            )

    def called(self, name: str, seeds: bool, frame: FrameType) -> None:
        """A function of ``numpy.random`` was called."""
        if seeds:
            if line_of(frame):
                self._seeded.add("NumPy")
        else:
            self._global("NumPy", f"np.random.{name}", frame)

    def _look(self, frame: FrameType, event: str, arg: Any) -> None:
        """Called at each call and return; never raises."""
        now = time.perf_counter()
        over = (now > self._until and self.step >= _STEPS) or now > self._latest
        # dynamo would compile this function, too
        compiles = frame.f_code.co_name == "compile_wrapper"
        if over or compiles or os.getpid() != self._looks_in:
            sys.setprofile(None)
        elif event == "c_call":
            self._c_call(frame, arg)
        elif event == "c_return":
            before, self._state = self._state, None
            if before is not None and before != _torch_state():
                self._global("torch", f"torch's {_name_of(arg)}", frame)
        elif event == "call" and frame.f_code is _F_DROPOUT and frame.f_locals.get("training"):
            self._dropped(frame)

    def _count(self, *_: Any) -> None:
        self.step += 1

    def _c_call(self, frame: FrameType, arg: Any) -> None:
        name, owner = _name_of(arg), getattr(arg, "__self__", None)
        if name == "urandom" and frame.f_locals.get("k") == _SEED_BITS:
            self._add("unseeded", "NumPy's generator without a seed", frame)
        elif name == "urandom":
            self._add("system", "os.urandom", frame)
        elif name in _CLOCKS and owner is time:
            if is_theirs(frame):
                self._add("clock", f"time.{name}()", frame)
        elif name in ("now", "utcnow", "today") and _is_date(owner):
            self._add("clock", f"datetime.{name}()", frame)
        elif name in ("seed", "setstate") and isinstance(owner, random.Random):
            if name == "seed" and frame.f_locals.get("a", 0) is None:
                self._add("unseeded", f"{type(owner).__name__}() without a seed", frame)
            elif owner is _GLOBAL_PYTHON and line_of(frame):
                self._seeded.add("Python")
        elif isinstance(owner, torch.Generator):
            if name == "seed":
                self._add("unseeded", "torch's seed(), which takes the system's", frame)
            elif owner is torch.default_generator and name in _SEEDS and line_of(frame):
                self._seeded.add("torch")
        elif name in ("random", "getrandbits") and owner is _GLOBAL_PYTHON:
            self._global("Python", "random", frame)
        elif name in ("start_new_thread", "start_joinable_thread"):
            self._add("thread", "a thread was started", frame)
        elif name in _TORCH_DRAWS and not symbolic():
            self._state = _torch_state()

    def _global(self, library: str, what: str, frame: FrameType) -> None:
        """A draw from a global generator: a leak where the user's code never seeds that, and it is not in a
        factory, which has a stream of its own.
        """
        if library not in self._seeded and not under(frame, "build_model", OURS):
            self._add(
                "global",
                f"{what} draws from {library}'s global generator, which the training never seeds: here it "
                "follows the run's noise stream, elsewhere whatever drew from it before. Draw from a "
                "generator of the training's own",
                frame,
            )

    def _add(self, kind: Kind, what: str, frame: FrameType | None) -> None:
        line = line_of(frame)
        of_kind = sum(draw.kind == kind for draw in self.draws)
        if line and (kind, line) not in self._known and of_kind < _MOST:
            self._known.add((kind, line))
            self.draws.append(Draw(kind, what, line, len(self._events)))


class _Replaced:
    """A function of ``numpy.random`` that tells of its calls; pickled it is the function itself."""

    def __init__(self, theirs: Any, watch: Watch) -> None:
        functools.update_wrapper(self, theirs)
        self._theirs, self._watch = theirs, watch

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = self._theirs.__name__
        seeds = name == "set_state" or (name == "seed" and bool(args or kwargs) and args != (None,))
        if seeds or name != "seed":
            self._watch.called(name, seeds, sys._getframe(1))
        return self._theirs(*args, **kwargs)

    def __reduce__(self) -> Any:
        return _of_numpy, (self._theirs.__name__,)


def _of_numpy(name: str) -> Any:
    return getattr(np.random, name)


def _torch_state() -> bytes:
    return torch.random.get_rng_state().numpy().tobytes()


def _is_date(owner: Any) -> bool:
    return isinstance(owner, type) and issubclass(owner, datetime.date)


def _name_of(arg: Any) -> str:
    return getattr(arg, "__name__", "")


def unseeded_calls(call: Callable[[], Any]) -> str:
    """What a call takes that no seed decides, to go on a sentence: ``; os.urandom at a.py:3 in f: …``."""
    watch = Watch()
    with watch.watching():
        call()
    found = [draw for draw in watch.draws if draw.kind in ("unseeded", "system", "clock")]
    return "".join(f"; {draw.what} at {draw.line}" for draw in found[:1])
