"""Sources of the user's modules, with all that they import, read and never executed."""

from __future__ import annotations

import ast
import dis
import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from pytest_reprotest.digests import digest
from pytest_reprotest.store.homes import file_of, origin_of, origin_of_file
from pytest_reprotest.store.scopes import FUNCTIONS, changed_by, functions_in
from pytest_reprotest.store.unknown import Unknown


def sources_behind(names: Iterable[str]) -> dict[str, str]:
    """Modules and all that they import → the digest of each of the user's, the version of each installed one.

    A module that can't be found is there as "absent": code may go on without it.

    >>> sources_behind(["json", "no_such_module"])
    {'json': 'python', 'no_such_module': 'absent'}
    """
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path, found[name] = _located(name)
        if path is None:
            continue
        try:
            raw = path.read_bytes()
        except OSError:
            found[name] = "absent"
            continue
        found[name] = digest([raw])
        if path.suffix == ".py":
            is_package = path.name == "__init__.py"
            waiting.extend(_imports(raw, name if is_package else name.rpartition(".")[0]))
        waiting.extend(name.rsplit(".", count)[0] for count in range(1, name.count(".") + 1))
        if isinstance(sys.modules.get(name), types.ModuleType):
            waiting.extend(_in_hand(sys.modules[name]))
    return dict(sorted(found.items()))


def imported_here(names: Iterable[str]) -> list[types.ModuleType]:
    """Those modules that are the user's, imported: a function that is to be called imports them anyway.

    Raises
    ------
    Unknown
        Where one can't be imported.
    """
    found = []
    for name in sorted(names):
        path, _ = _located(name)
        if path is not None:
            try:
                found.append(importlib.import_module(name))
            except Exception as error:  # whatever a module of the user's raises
                raise Unknown(
                    f"an import of {name!r} that raises {type(error).__name__}: {error}"
                ) from None
    return found


def imports_in(code: types.CodeType, package: str) -> set[str]:
    """The modules that a function imports, and the functions inside it.

    >>> def lazily():
    ...     import json.decoder
    ...     from string import digits
    >>> sorted(imports_in(lazily.__code__, ""))
    ['json', 'json.decoder', 'string', 'string.digits']
    """
    found: set[str] = set()
    before: list[Any] = []
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            level, listed = before[-2:]
            found |= _full_names(step.argval or "", level or 0, listed or (), package)
        before.append(step.argval)
    inside = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return found.union(*(imports_in(each, package) for each in inside))


@dataclass(frozen=True)
class Moving:
    """A global that functions set or change in place.

    Attributes
    ----------
    syntax : str
        Of the statements that set it at first.
    names : frozenset of str
        The names in those.
    changers : frozenset of (str, int)
        Name and first line of each function that changes it, as its compiled code tells them.
    """

    syntax: str = ""
    names: frozenset[str] = frozenset()
    changers: frozenset[tuple[str, int]] = frozenset()


def moving_globals(module: types.ModuleType | None) -> Mapping[str, Moving]:
    """Globals that the functions of a module set or change, so that what they hold depends on what ran before.

    Modules, functions and classes are none: they are code, whatever is set on them.
    """
    try:
        found = _moving(Path(file_of(module) or "").read_bytes())
    except OSError:
        return {}
    code = (types.ModuleType, types.FunctionType, type)
    return {k: v for k, v in found.items() if not isinstance(getattr(module, k, None), code)}


@functools.lru_cache(maxsize=256)
def _moving(raw: bytes) -> Mapping[str, Moving]:
    changed: dict[str, set[tuple[str, int]]] = {}
    for function, hidden in functions_in(raw):
        for name in changed_by(function, hidden):
            changed.setdefault(name, set()).add(_place(function))
    found = {name: Moving(changers=frozenset(by)) for name, by in changed.items()}
    for statement in ast.parse(raw).body if changed else ():
        if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            named = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
            names = frozenset(node.id for node in named)
            for node in named:
                if node.id in found and isinstance(node.ctx, ast.Store):
                    before = found[node.id]
                    syntax, all_names = before.syntax + ast.dump(statement), before.names | names
                    found[node.id] = Moving(syntax, all_names, before.changers)
    return found


def _place(function: ast.AST) -> tuple[str, int]:
    """Name and first line of a function, as its compiled code tells them."""
    decorators = getattr(function, "decorator_list", [])
    lines = [each.lineno for each in (*decorators, function)]
    return getattr(function, "name", "<lambda>"), min(lines)


@functools.lru_cache(maxsize=256)
def _imports(raw: bytes, package: str) -> frozenset[str]:
    found: set[str] = set()
    for node in _walk(raw, ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= _full_names(alias.name, 0, (), package)
        elif isinstance(node, ast.ImportFrom):
            listed = [alias.name for alias in node.names]
            found |= _full_names(node.module or "", node.level, listed, package)
    return frozenset(found)


def _walk(raw: bytes, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    try:
        return (node for node in ast.walk(ast.parse(raw)) if isinstance(node, kinds))
    except (SyntaxError, ValueError, RecursionError):  # nothing that could be imported
        return iter(())


def _full_names(name: str, level: int, listed: Iterable[str], package: str) -> set[str]:
    """What ``from name import listed`` may import: the module, its parents, and modules in it."""
    if level:
        try:
            name = importlib.util.resolve_name("." * level + name, package)
        except ImportError:
            return set()
    parts = name.split(".")
    parents = {".".join(parts[: count + 1]) for count in range(len(parts))}
    return parents | {f"{name}.{each}" for each in listed if each != "*"}


def _located(name: str) -> tuple[Path | None, str]:
    """The file of a module of the user's, or what stands for any other."""
    root = name.partition(".")[0]
    if name in sys.modules:
        origin, file = origin_of(name), file_of(sys.modules[name])
    else:
        if root in sys.modules and (origin := origin_of(root)) is not None:
            return None, origin
        file = _spec_file(name)
        if file is None and root not in sys.stdlib_module_names:
            return None, "absent"
        origin = "python" if file is None else origin_of_file(root, file)
    if origin is not None or file is None:
        return None, origin or "absent"
    return (None, "folder") if Path(file).is_dir() else (Path(file), "")


def _spec_file(name: str) -> str | None:
    """The file of a module that is not imported, or the folder of a package without one."""
    root, *parts = name.split(".")
    try:
        spec = importlib.util.find_spec(root)
        for part in parts:
            if spec is None or spec.submodule_search_locations is None:
                return None
            root = f"{root}.{part}"
            spec = PathFinder.find_spec(root, list(spec.submodule_search_locations))
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    if spec.has_location and spec.origin is not None:
        return spec.origin
    return next(iter(spec.submodule_search_locations or ()), None)


def _in_hand(module: types.ModuleType) -> list[str]:
    """Modules behind what a module holds, however it came by that."""
    named: set[str] = set()
    for value in list(vars(module).values()):
        try:
            name: Any = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
        except Exception:  # whatever an attribute of the user's raises
            continue
        if isinstance(name, str) and name in sys.modules and origin_of(name) is None:
            named.add(name)
    return sorted(named - {module.__name__})
