"""What code and objects hold, as one digest: equal where a training would do the same with them.

A function is its bytecode, its defaults, what it closes over and the globals that it names; an object is its
class and its state. Modules other than the one that the code is written in count by their whole source. What
can't be told for certain raises ``Unknown``: then it is better to train again.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from pytest_reprotest.store import objects
from pytest_reprotest.store.bytecode import code_digest, names_in
from pytest_reprotest.store.hashing import hashed
from pytest_reprotest.store.homes import by_name, file_of, module_of, origin_of
from pytest_reprotest.store.moved import Moved
from pytest_reprotest.store.sources import imported_here, imports_in, moving_globals, sources_behind
from pytest_reprotest.store.special import IN_C, NO_CONTENT, ON_HEAP
from pytest_reprotest.store.unknown import Unknown


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
    paths : set of str
        Every path, and every text that looks like one, that an object holds.
    """

    def __init__(self, homes: Iterable[str] = ()) -> None:
        self.names: set[str] = set()
        self.paths: set[str] = set()
        self._homes = frozenset(homes)
        self._known: dict[int, str] = {}
        self._open: dict[int, int] = {}
        self._tensors: dict[int, int] = {}
        self._moved = Moved()
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
            found = self._of(value)
            standing = self._moved.standing(self._of)
            return hashed(found, standing) if standing else found
        except Unknown:
            raise
        except RecursionError:
            raise Unknown(f"a {type(value).__name__} that is nested too deeply") from None
        except Exception as error:  # objects of the user's may raise whatever they like
            told = f"{type(error).__name__}: {error}"
            raise Unknown(f"a {type(value).__name__} that can't be read ({told})") from None

    def _of(self, value: Any) -> str:
        if type(value) in objects.PLAIN:
            if isinstance(value, str) and "/" in value:
                self.paths.add(value)
            return hashed(type(value).__name__, repr(value))
        key = id(value)
        if key in self._open:
            return hashed("back", len(self._open) - self._open[key])
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
        for kind, of_object in _OBJECTS:
            if isinstance(value, kind):
                return of_object(value, self._of)
        if isinstance(value, PurePath):
            self.paths.add(str(value))
            return hashed("path", type(value).__name__, str(value))
        if objects.is_tensor(value):
            if id(value) in self._tensors:  # weights that are tied, not two that are equal
                return hashed("the same tensor", self._tensors[id(value)])
            self._tensors[id(value)] = len(self._tensors)
        return objects.instance(value, self._of)

    def _function(self, value: types.FunctionType) -> str:
        claimed, world = value.__module__ or "__main__", value.__globals__
        origin = origin_of(claimed)
        if origin is not None and by_name(value):
            self.names.add(value.__name__)  # in hand under whatever name
            return hashed("installed", origin, claimed, value.__qualname__)
        attributes = {k: v for k, v in vars(value).items() if k != "__wrapped__"}
        parts = [
            self._of(value.__defaults__),
            self._of(value.__kwdefaults__),
            *self._modules_given(value),
            *(self._cell(cell) for cell in value.__closure__ or ()),
            *(hashed(name, self._of(each)) for name, each in attributes.items()),
        ]
        home = world.get("__name__", claimed)
        origin = origin_of(home)
        if origin is not None:  # a wrapper, say: its code is installed, what it holds is not
            code = code_digest(value.__code__, self._of)
            return hashed("made by", origin, home, value.__code__.co_name, code, *parts)
        used = names_in(value.__code__)
        moving = {k: v for k, v in moving_globals(sys.modules.get(home)).items() if k in used}
        used = used.union(*(each.names for each in moving.values()))
        self._moved.note(sys.modules.get(home), moving)
        named = sorted(name for name in used if name in world and name not in moving)
        imported = imports_in(value.__code__, world.get("__package__") or "")
        return hashed(
            "function",
            self._code(value.__code__),
            *parts,
            *(hashed(name, self._named(world[name], used, set())) for name in named),
            sorted(sources_behind(imported).items()) if imported else "",
            *(self._named(each, used, set()) for each in imported_here(imported)),
            sorted((name, each.syntax) for name, each in moving.items()),
            self._elsewhere(home),
        )

    def _named(self, value: Any, used: set[str], met: set[int]) -> str:
        """A global; of a module of the user's also what is used of it, as it is now."""
        if not isinstance(value, types.ModuleType) or origin_of(value.__name__) is not None:
            return self._of(value)
        if id(value) in met:
            return self._of(value)
        met.add(id(value))
        moving = moving_globals(value)
        self._moved.note(value, {k: each for k, each in moving.items() if k in used})
        inside = sorted(name for name in used & vars(value).keys() if name not in moving)
        return hashed(
            self._of(value),
            *(hashed(name, self._named(vars(value)[name], used, met)) for name in inside),
        )

    def _code(self, value: types.CodeType) -> str:
        self.names |= names_in(value)
        self._moved.met(value)
        return code_digest(value, self._of)

    def _modules_given(self, value: types.FunctionType) -> list[str]:
        """What a function uses of modules of the user's that are its defaults or that it closes over."""
        given = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # not set yet
                given.append(cell.cell_contents)
        used = names_in(value.__code__)
        return [
            self._named(each, used, set()) for each in given if isinstance(each, types.ModuleType)
        ]

    def _cell(self, cell: types.CellType) -> str:
        try:
            return self._of(cell.cell_contents)
        except ValueError:  # not set yet
            return hashed("empty")

    def _class(self, value: type) -> str:
        module = module_of(value)
        origin = origin_of(module)
        if origin is not None and (not value.__flags__ & ON_HEAP or by_name(value)):
            return hashed("installed", origin, module, value.__qualname__)
        own = sorted((k, v) for k, v in vars(value).items() if k not in NO_CONTENT)
        return hashed(
            "class",
            value.__qualname__,
            self._of(type(value)),
            *map(self._of, value.__bases__),
            *(part for name, each in own for part in (name, self._of(each))),
            self._elsewhere(module),
        )

    def _elsewhere(self, name: str) -> str:
        """The sources behind code that is imported into the module the training is written in."""
        if name in self._homes or name not in sys.modules:
            return hashed("home")
        return hashed("elsewhere", sorted(sources_behind([name]).items()))

    def _module(self, value: types.ModuleType) -> str:
        name = value.__name__
        if sys.modules.get(name) is value:
            origin = origin_of(name)
            if origin is not None:
                return hashed("installed", origin, name)
            sources = sources_behind([name])
            if sources[name] != "absent":
                return hashed("module", sorted(sources.items()))
        if file_of(value) is None:
            raise Unknown(f"the module {name!r}, which has no source file")
        raise Unknown(f"the module {name!r}, which is not imported under that name")

    def _wrapped(self, value: Any) -> str:
        return hashed(type(value).__name__, self._of(value.__wrapped__))

    def _method(self, value: types.MethodType) -> str:
        return hashed("method", self._of(value.__func__), self._of(value.__self__))

    def _static(self, value: Any) -> str:
        return hashed(type(value).__name__, self._of(value.__func__))

    def _property(self, value: property) -> str:
        return hashed("property", *(self._of(f) for f in (value.fget, value.fset, value.fdel)))

    def _cached_property(self, value: Any) -> str:
        return hashed("cached property", self._of(value.func))

    def _generic(self, value: Any) -> str:
        return hashed("generic", self._of(value.__origin__), self._of(value.__args__))

    def _in_c(self, value: Any) -> str:
        self.names.add(value.__name__)
        owner = getattr(value, "__objclass__", value)
        name = module_of(owner)
        origin = origin_of(name)
        bound_to = getattr(value, "__self__", None)
        parts: list[Any] = []
        if isinstance(bound_to, (type, types.ModuleType)):
            parts.append(bound_to.__name__)
        elif bound_to is not None:
            parts.append(self._of(bound_to))
        if origin is None and not isinstance(
            value, (types.MemberDescriptorType, types.GetSetDescriptorType)
        ):
            parts.append(self._elsewhere(name))
        return hashed("in C", origin, name, value.__qualname__, *parts)


_READERS: tuple[tuple[Any, Callable[[Content, Any], str]], ...] = (
    (types.FunctionType, Content._function),
    (types.GenericAlias, Content._generic),
    (type, Content._class),
    (types.ModuleType, Content._module),
    (types.MethodType, Content._method),
    (types.CodeType, Content._code),
    (functools._lru_cache_wrapper, Content._wrapped),
    ((staticmethod, classmethod), Content._static),
    (property, Content._property),
    (functools.cached_property, Content._cached_property),
    (IN_C, Content._in_c),
)
_OBJECTS: tuple[tuple[Any, Callable[[Any, objects.Read], str]], ...] = (
    (enum.Enum, objects.member),
    (np.ndarray, objects.array),
    ((list, tuple), objects.sequence),
    ((set, frozenset), objects.a_set),
    ((dict, types.MappingProxyType), objects.mapping),
)


def parts_of(
    content: Mapping[str, Any], homes: Iterable[str]
) -> tuple[dict[str, str], dict[str, set[str]], dict[str, set[str]]]:
    """Name of each part → its digest; the names that the user's code of each mentions; the paths it holds.

    Raises
    ------
    Unknown
        Naming the part.
    """
    found, names, paths = {}, {}, {}
    for name, part in content.items():
        reader = Content(homes)  # one each: what two parts share is in the names of both
        try:
            found[name] = reader.digest(part)
        except Unknown as reason:
            raise Unknown(f"{name} holds {reason}") from None
        names[name], paths[name] = reader.names, reader.paths
    return found, names, paths
