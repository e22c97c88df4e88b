"""What code and objects hold, as one digest: equal where a training would do the same with them.

A function is its bytecode, its defaults, what it closes over and the globals that it names; an object is its
class and its state. Modules other than the one that the code is written in count by their whole source. What
can't be told for certain raises ``Unknown``: then it is better to train again.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pytest_reprotest.digests import of_arrays
from pytest_reprotest.errors import ReprotestError
from pytest_reprotest.store.homes import origin_of, own_modules_in, source_of

READS = frozenset(
    [
        "open",
        "read_csv",
        "read_parquet",
        "read_json",
        "read_pickle",
        "read_excel",
        "read_table",
        "read_sql",
        "read_text",
        "read_bytes",
        "load",
        "loadtxt",
        "genfromtxt",
        "fromfile",
        "memmap",
        "imread",
        "urlopen",
        "urlretrieve",
        "load_dataset",
        "load_file",
        "safe_open",
        "loads_from_disk",
        "load_from_disk",
    ]
)
"""Names of functions that read files, as far as they are usual."""
SURROUNDINGS = frozenset(("environ", "getenv"))
"""Names by which the environment is read."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, type(...), range, slice)
_IN_C = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.ClassMethodDescriptorType,
    types.MethodWrapperType,
)
_NO_CONTENT = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "_abc_impl",
        "__abstractmethods__",
        "__parameters__",
        "__orig_bases__",
        "__match_args__",
        "__subclasshook__",
        "__classcell__",
    ]
)


class Unknown(ReprotestError):  # noqa: N818 - an answer, not a fault
    """Something whose content can't be established; the message says what."""


class Content:
    """Digests of a training's parts.

    Parameters
    ----------
    homes : iterable of str
        Names of the modules in which the training is written: of these only what is used counts.

    Attributes
    ----------
    names : set of str
        Every name in the user's code that was met.
    """

    def __init__(self, homes: Iterable[str] = ()) -> None:
        self.names: set[str] = set()
        self._homes = frozenset(homes)
        self._known: dict[int, str] = {}
        self._open: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is only good while its object lives

    def digest(self, value: Any) -> str:
        """The digest of one part, 32 hexadecimal digits.

        Raises
        ------
        Unknown

        >>> Content().digest(lambda x: x + 1) == Content().digest(lambda x: x + 1)
        True
        >>> Content().digest(lambda x: x + 1) == Content().digest(lambda x: x + 2)
        False
        """
        try:
            return self._of(value)
        except RecursionError:
            raise Unknown(f"a {type(value).__name__} that is nested too deeply") from None

    def _of(self, value: Any) -> str:
        if isinstance(value, _PLAIN) and type(value) in _PLAIN:
            return _hash(type(value).__name__, repr(value))
        key = id(value)
        if key in self._open:
            return _hash("back", len(self._open) - self._open[key])
        if key in self._known:
            return self._known[key]
        self._open[key] = len(self._open)
        self._kept.append(value)
        try:
            found = self._compound(value)
        finally:
            del self._open[key]
        if isinstance(value, (types.FunctionType, type, types.ModuleType)):
            self._known[key] = found
        return found

    def _compound(self, value: Any) -> str:
        for kind, read in _READERS:
            if isinstance(value, kind):
                return read(self, value)
        return self._instance(value)

    def _sequence(self, value: Any) -> str:
        if type(value) not in (list, tuple):
            return self._instance(value)
        return _hash(type(value).__name__, *map(self._of, value))

    def _set(self, value: Any) -> str:
        return _hash(type(value).__name__, *sorted(map(self._of, value)))

    def _mapping(self, value: Any) -> str:
        if type(value) not in (dict, types.MappingProxyType):
            return self._instance(value)
        return _hash("mapping", *(self._of(each) for pair in value.items() for each in pair))

    def _array(self, value: Any) -> str:
        if value.dtype.hasobject:
            return _hash("array", value.shape, self._of(value.tolist()))
        return _hash("array", of_arrays(value))

    def _function(self, value: types.FunctionType) -> str:
        origin = origin_of(value.__module__ or "__main__")
        if origin is not None:
            return _hash("installed", origin, value.__module__, value.__qualname__)
        used = _names_in(value.__code__)
        world = value.__globals__
        parts = [
            self._code(value.__code__),
            self._of(value.__defaults__),
            self._of(value.__kwdefaults__),
            *(self._cell(cell) for cell in value.__closure__ or ()),
            *(_hash(name, self._of(world[name])) for name in sorted(used) if name in world),
        ]
        return _hash("function", *parts, self._elsewhere(value.__module__))

    def _code(self, code: types.CodeType) -> str:
        self.names |= set(code.co_names)
        return _hash(
            "code",
            code.co_code.hex(),
            code.co_flags,
            code.co_argcount,
            code.co_kwonlyargcount,
            code.co_posonlyargcount,
            *code.co_names,
            "variables",
            *code.co_varnames,
            "free",
            *code.co_freevars,
            "constants",
            *map(self._of, code.co_consts),
        )

    def _cell(self, cell: types.CellType) -> str:
        try:
            return self._of(cell.cell_contents)
        except ValueError:  # not set yet
            return _hash("empty")

    def _class(self, value: type) -> str:
        origin = origin_of(value.__module__)
        if origin is not None:
            return _hash("installed", origin, value.__module__, value.__qualname__)
        own = sorted((k, v) for k, v in vars(value).items() if k not in _NO_CONTENT)
        return _hash(
            "class",
            value.__qualname__,
            *map(self._of, value.__bases__),
            *(part for name, each in own for part in (name, self._of(each))),
            self._elsewhere(value.__module__),
        )

    def _elsewhere(self, name: str | None) -> str:
        """The sources behind code that is imported into the module the training is written in."""
        if name is None or name in self._homes or name not in sys.modules:
            return _hash("home")
        return self._of(sys.modules[name])

    def _module(self, value: types.ModuleType) -> str:
        origin = origin_of(value.__name__)
        if origin is not None:
            return _hash("installed", origin, value.__name__)
        source = source_of(value)
        if source is None:
            raise Unknown(f"the module {value.__name__!r}, which has no source file")
        more = [sys.modules[name] for name in own_modules_in(value) if name not in self._homes]
        return _hash("module", source, *map(self._of, more))

    def _wrapped(self, value: Any) -> str:
        return _hash(type(value).__name__, self._of(value.__wrapped__))

    def _method(self, value: types.MethodType) -> str:
        return _hash("method", self._of(value.__func__), self._of(value.__self__))

    def _static(self, value: Any) -> str:
        return _hash(type(value).__name__, self._of(value.__func__))

    def _property(self, value: property) -> str:
        return _hash("property", *(self._of(f) for f in (value.fget, value.fset, value.fdel)))

    def _cached_property(self, value: Any) -> str:
        return _hash("cached property", self._of(value.func))

    def _in_c(self, value: Any) -> str:
        owner = getattr(value, "__objclass__", value)
        name: str = getattr(owner, "__module__", None) or "builtins"
        bound_to = getattr(value, "__self__", None)
        bound = bound_to is not None and not isinstance(bound_to, (type, types.ModuleType))
        parts = [self._of(bound_to)] if bound else []
        return _hash("in C", origin_of(name), name, value.__qualname__, *parts)

    def _enum(self, value: enum.Enum) -> str:
        return _hash("member", self._of(type(value)), value.name)

    def _instance(self, value: Any) -> str:
        """An object by its class and what ``copy`` would take of it."""
        kind = type(value)
        if kind.__module__ == "torch" and kind.__name__ in ("Tensor", "Parameter"):
            from pytest_reprotest.training.content import tensor_digest

            return _hash("tensor", tensor_digest(value))
        if kind.__module__ in ("typing", "types", "torch") and not hasattr(value, "__dict__"):
            return _hash(kind.__qualname__, repr(value))  # torch.float32, int | None
        try:
            taken = value.__reduce_ex__(4)
        except Exception as error:
            raise Unknown(f"a {kind.__module__}.{kind.__qualname__} ({error})") from None
        if isinstance(taken, str):
            return _hash("named", self._of(kind), taken)
        make, arguments, *state = taken
        listed = [list(each) if hasattr(each, "__next__") else each for each in state]
        return _hash("object", self._of(kind), *map(self._of, (make, arguments, *listed)))


_READERS: tuple[tuple[Any, Callable[[Content, Any], str]], ...] = (
    (types.FunctionType, Content._function),
    (type, Content._class),
    (types.ModuleType, Content._module),
    (types.MethodType, Content._method),
    (types.CodeType, Content._code),
    (functools._lru_cache_wrapper, Content._wrapped),
    ((staticmethod, classmethod), Content._static),
    (property, Content._property),
    (functools.cached_property, Content._cached_property),
    (_IN_C, Content._in_c),
    (np.ndarray, Content._array),
    ((list, tuple), Content._sequence),
    ((set, frozenset), Content._set),
    ((dict, types.MappingProxyType), Content._mapping),
    (enum.Enum, Content._enum),
)


def _names_in(code: types.CodeType) -> set[str]:
    """The names of globals and attributes in a function, and in the functions inside it."""
    inside = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return set(code.co_names).union(*map(_names_in, inside))


def _hash(*parts: Any) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = str(part).encode("utf-8", "surrogatepass")
        found.update(b"%d:" % len(text))
        found.update(text)
    return found.hexdigest()


def parts_of(content: Mapping[str, Any], homes: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Name of each part → its digest, and the names that the user's code mentions.

    Raises
    ------
    Unknown
        Naming the part.
    """
    reader = Content(homes)
    found = {}
    for name, part in content.items():
        try:
            found[name] = reader.digest(part)
        except Unknown as reason:
            raise Unknown(f"{name} holds {reason}") from None
    return found, reader.names
