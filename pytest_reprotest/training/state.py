"""Global state that training touches, seeded from streams and restored afterwards."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from pytest_reprotest.digests import digest
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.training.memory import kept_memory


@contextmanager
def preserved_state(threads: int | None = None) -> Iterator[None]:
    """Restore on exit, also after an exception: the generators of Python, NumPy and torch (CPU and
    CUDA), torch's thread count and its gradient mode.

    Parameters
    ----------
    threads : int, optional
        CPU threads to compute with inside; memory that is freed is then kept until the end.
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    torch_state = torch.random.get_rng_state()
    cuda_states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    thread_count = torch.get_num_threads()
    try:
        if threads is not None and threads != thread_count:
            torch.set_num_threads(threads)
        memory = nullcontext() if threads is None else kept_memory()
        with memory, torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.random.set_rng_state(torch_state)
        if cuda_states is not None:
            torch.cuda.set_rng_state_all(cuda_states)
        if torch.get_num_threads() != thread_count:
            torch.set_num_threads(thread_count)


def seed_globals(seeds: RunSeeds, source: str) -> None:
    """Seed the global generators of Python, NumPy and torch from one source's stream."""
    words = seeds.sequence(source).generate_state(4, np.uint32)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed((int(words[2]) << 31) ^ int(words[3]))


def torch_generator(seeds: RunSeeds, source: str) -> torch.Generator:
    """A CPU generator at the start of one source's stream."""
    generator = torch.Generator()
    generator.manual_seed(seeds.seed(source))
    return generator


def global_states() -> dict[str, str]:
    """Digests of the state of Python's and of NumPy's global generator, whatever that is built on."""
    states = {"Python": random.getstate(), "NumPy": np.random.get_state(legacy=False)}
    return {name: digest([pickle.dumps(state)]) for name, state in states.items()}


def symbolic() -> bool:
    """Whether operations are transformed or traced now and have no numbers: torch.func, torch.jit, fake tensors."""
    inner: Any = torch._C
    transformed = inner._functorch.peek_interpreter_stack() is not None
    return bool(transformed or inner._is_tracing() or inner._len_torch_dispatch_stack())
