"""Where code comes from: Python itself, an installed distribution, this package, or the user's own files."""

from __future__ import annotations

import functools
import importlib.metadata as metadata
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_reprotest.digests import digest

_OURS = "pytest_reprotest"


def origin_of(name: str) -> str | None:
    """What stands for the code of a module, with its version; None for the user's own.

    A file of the user's is the user's own under whatever name, also that of a module of Python.

    >>> origin_of("json"), origin_of("pytest_reprotest.plan")
    ('python', 'pytest-reprotest')
    """
    root = name.partition(".")[0]
    if root == _OURS:
        return "pytest-reprotest"
    if root == "__main__":
        return None
    file = file_of(sys.modules.get(name)) or file_of(sys.modules.get(root))
    if file is None:
        return "python" if root in sys.stdlib_module_names else None
    return origin_of_file(root, file)


def origin_of_file(root: str, file: str) -> str | None:
    """``origin_of`` for a file and the name of its package."""
    if file.startswith(_installed()):
        return f"{root} {_version(root)}"
    of_python = root in sys.stdlib_module_names and file.startswith(_of_python())
    return "python" if of_python else None


def file_of(module: Any) -> str | None:
    """A module's file, or of a package without one its first folder."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        try:
            file = next(iter(module.__path__), None)
        except (AttributeError, TypeError):
            return None
    return file if isinstance(file, str) else None


def module_of(value: Any) -> str:
    """The name of the module that a class or function is of; builtins where it gives none."""
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else "builtins"  # types of Cython hold a descriptor there


def by_name(value: Any) -> bool:
    """Whether a function or class is found where its names say: then it is that of its module.

    >>> by_name(json_loads := __import__("json").loads), by_name(lambda: json_loads)
    (True, False)
    """
    found: Any = sys.modules.get(module_of(value))
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


@functools.cache
def _installed() -> tuple[str, ...]:
    """Folders of installed packages."""
    import site

    found = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple({path.rstrip("/") + "/" for path in found if path})


@functools.cache
def _of_python() -> tuple[str, ...]:
    """Folders of the standard library."""
    found = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), sys.base_prefix]
    return tuple({path.rstrip("/") + "/" for path in found if path})


@functools.cache
def _version(root: str) -> str:
    """The version of the distribution that a package is from, and what was installed of it."""
    names = _distributions().get(root, [root])
    return " ".join(filter(None, (_distribution(name) for name in sorted(set(names)))))


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _distribution(name: str) -> str:
    """Name and version; one's own package keeps its version while its code changes, so also its files' digests.

    >>> _distribution("no such distribution")
    ''
    """
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ""
    record = (found.read_text("RECORD") or "").splitlines()
    lines = sorted(line for line in record if _is_code(line.partition(",")[0]))
    return f"{name} {found.version} {digest(line.encode() for line in lines)}"


def _is_code(path: str) -> bool:
    """Whether a line of RECORD is of what runs: the rest is of how it was installed, and of scripts."""
    return not (path.startswith(("..", "/", '"')) or ".dist-info/" in path or path.endswith(".pyc"))


@functools.cache
def own_code() -> str:
    """The digest of this package's sources: engines decide results, and change under one version."""
    package = Path(__file__).parent.parent
    files = sorted(package.rglob("*.py"), key=str)
    return digest(
        part
        for file in files
        for part in (file.relative_to(package).as_posix().encode(), file.read_bytes())
    )
