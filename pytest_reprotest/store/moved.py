"""Globals that functions set or change in place: those that only the training changes, and all others."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_reprotest.store.bytecode import places_in
from pytest_reprotest.store.homes import file_of
from pytest_reprotest.store.sources import Moving


class Moved:
    """Gathers, while a training is read, its functions and the globals that functions change."""

    def __init__(self) -> None:
        self._globals: dict[tuple[str, str], tuple[types.ModuleType, Moving]] = {}
        self._places: set[tuple[str, str, int]] = set()

    def note(self, module: types.ModuleType | None, moving: Mapping[str, Moving]) -> None:
        """Note down globals of a module that the training names."""
        if module is not None:
            for name, each in moving.items():
                self._globals.setdefault((module.__name__, name), (module, each))

    def met(self, code: types.CodeType) -> None:
        """Note down a function of the training."""
        self._places |= {(_absolute(file), name, line) for file, name, line in places_in(code)}

    def standing(self, read: Callable[[Any], str]) -> list[tuple[str, str]]:
        """What those globals hold that code changes which is not part of the training: a test, or a set-up.

        The training does not make that itself, so it counts as it stands. What only the training changes, such as
        a cache or a counter, would hang on what ran before.

        Parameters
        ----------
        read : callable
            From a value to its digest; may meet further functions and globals.
        """
        found: dict[tuple[str, str], str] = {}
        while waiting := [key for key in self._globals if key not in found and self._open(key)]:
            for key in waiting:
                found[key] = read(vars(self._globals[key][0]).get(key[1]))
        return sorted((f"{module}.{name}", digest) for (module, name), digest in found.items())

    def _open(self, key: tuple[str, str]) -> bool:
        module, moving = self._globals[key]
        file = _absolute(file_of(module) or "")
        return any((file, *place) not in self._places for place in moving.changers)


def _absolute(file: str) -> str:
    return str(Path(file).absolute())
