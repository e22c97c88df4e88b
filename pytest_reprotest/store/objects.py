"""What objects hold that are no code: by their class and what ``copy`` would take of them."""

from __future__ import annotations

import copyreg
import enum
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_reprotest.digests import of_arrays
from pytest_reprotest.store.hashing import hashed
from pytest_reprotest.store.homes import module_of
from pytest_reprotest.store.unknown import Unknown

PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, type(...), range)
"""Types whose ``repr`` says everything."""
_BY_REPR = ("typing", "types", "torch")
"""Modules whose values without a ``__dict__`` are told by their ``repr``: torch.float32, int | None."""

Read = Callable[[Any], str]


def sequence(value: Any, read: Read) -> str:
    """A list or tuple; of a subclass what ``copy`` takes."""
    if type(value) not in (list, tuple):
        return instance(value, read)
    return hashed(type(value).__name__, *map(read, value))


def a_set(value: Any, read: Read) -> str:
    """A set, in no order."""
    if type(value) not in (set, frozenset):
        return instance(value, read)
    return hashed(type(value).__name__, *sorted(map(read, value)))


def mapping(value: Any, read: Read) -> str:
    """A mapping, in its order."""
    if type(value) not in (dict, types.MappingProxyType):
        return instance(value, read)
    return hashed("mapping", *(read(each) for pair in value.items() for each in pair))


def array(value: Any, read: Read) -> str:
    """An array by its bytes; a mapped file by what it holds now."""
    if type(value) not in (np.ndarray, np.memmap):
        return instance(value, read)
    if value.dtype.hasobject:
        return hashed("objects", value.dtype, value.shape, read(value.tolist()))
    return hashed("array", value.dtype, of_arrays(np.asarray(value)))


def member(value: enum.Enum, read: Read) -> str:
    """A member of an enumeration, or several flags."""
    return hashed("member", read(type(value)), value.name, read(value._value_))


def instance(value: Any, read: Read) -> str:
    """Anything else.

    Raises
    ------
    Unknown
    """
    kind = type(value)
    names = set(map(_title, kind.__mro__))
    if is_tensor(value):
        return _tensor(value)
    if stands := _shared_generator(value):
        return hashed("seeded", stands)
    if drawn := names & _GENERATORS:
        raise Unknown(
            f"a generator that goes on from run to run ({min(drawn)}), so a run hangs on those before it"
        )
    if module_of(kind) in _BY_REPR and not hasattr(value, "__dict__"):
        return hashed(kind.__qualname__, repr(value))
    taken = _taken(value, kind)
    if isinstance(taken, str):
        if not any(_at(taken, module) is value for module in _modules_of(value, kind)):
            raise Unknown(f"a {_title(kind)} named {taken!r} that is found nowhere")
        return hashed("named", read(kind), taken)
    make, arguments, *state = taken
    listed = [list(each) if hasattr(each, "__next__") else each for each in state]
    return hashed("object", read(kind), *map(read, (make, arguments, *listed)))


_GENERATORS = {
    "random.Random",
    "numpy.random._generator.Generator",
    "numpy.random.bit_generator.BitGenerator",
    "numpy.random.mtrand.RandomState",
    "torch._C.Generator",
}


def is_tensor(value: Any) -> bool:
    """Whether it is one of torch's own, which has no state beside its numbers."""
    kind = type(value)
    return module_of(kind).startswith("torch") and "torch.Tensor" in map(_title, kind.__mro__)


def _shared_generator(value: Any) -> str | None:
    """The name of a global generator: each run seeds those, so where they stand now is of no account."""
    for name, attribute in (("random", "_inst"), ("numpy.random.mtrand", "_rand")):
        if getattr(sys.modules.get(name), attribute, None) is value:
            return name
    default = getattr(sys.modules.get("torch"), "default_generator", None)
    return "torch" if value is default and default is not None else None


def _tensor(value: Any) -> str:
    from pytest_reprotest.training.content import tensor_digest

    try:
        digest = tensor_digest(value)
    except Exception as error:
        raise Unknown(f"a tensor whose bytes can't be read ({error})") from None
    return hashed("tensor", type(value).__qualname__, value.requires_grad, value.device, digest)


def _taken(value: Any, kind: type) -> Any:
    """What ``copy`` would make another of it from."""
    reduce = copyreg.dispatch_table.get(kind)
    try:
        return value.__reduce_ex__(4) if reduce is None else reduce(value)
    except Exception as error:
        raise Unknown(f"a {_title(kind)} ({error})") from None


def _at(path: str, found: Any) -> Any:
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _modules_of(value: Any, kind: type) -> list[Any]:
    """Where a value that is kept by its name alone may be from."""
    names = (module_of(value), module_of(kind), "builtins", "numpy", "scipy.special")
    return [sys.modules[name] for name in names if name in sys.modules]


def _title(kind: type) -> str:
    module = module_of(kind)
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
