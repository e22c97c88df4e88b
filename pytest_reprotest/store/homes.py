"""Where code comes from: Python itself, an installed distribution, this package, or the user's own files."""

from __future__ import annotations

import functools
import importlib.metadata as metadata
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_reprotest.digests import digest

_OURS = "pytest_reprotest"


def origin_of(name: str) -> str | None:
    """What stands for the code of a module, with its version; None for the user's own.

    >>> origin_of("json"), origin_of("pytest_reprotest.plan")
    ('python', 'pytest-reprotest')
    """
    root = name.partition(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return "python"
    if root == _OURS:
        return "pytest-reprotest"
    if root == "__main__":
        return None
    file = getattr(sys.modules.get(name) or sys.modules.get(root), "__file__", None)
    if file is not None and not file.startswith(_installed()):
        return None
    return f"{root} {_version(root)}"


@functools.cache
def _installed() -> tuple[str, ...]:
    """Folders of installed packages."""
    import site

    found = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple({path.rstrip("/") + "/" for path in found if path})


@functools.cache
def _version(root: str) -> str:
    """The version of the distribution that a package is from."""
    try:
        return metadata.version(root)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(root, [])
        return " ".join(f"{name} {metadata.version(name)}" for name in sorted(set(names)))


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


def source_of(module: ModuleType) -> str | None:
    """The digest of a module's file; None where it has none that can be read."""
    file = getattr(module, "__file__", None)
    try:
        return None if file is None else digest([Path(file).read_bytes()])
    except OSError:
        return None


def own_modules_in(module: ModuleType) -> list[str]:
    """The user's modules that a module of the user's has in hand: what it imported, whole or in part."""
    named: set[str] = set()
    for value in vars(module).values():
        name: Any = value.__name__ if isinstance(value, ModuleType) else None
        name = name or getattr(value, "__module__", None)
        if isinstance(name, str) and name in sys.modules and name != module.__name__:
            named.add(name)
    return sorted(name for name in named if origin_of(name) is None)
