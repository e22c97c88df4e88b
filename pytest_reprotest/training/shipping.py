"""A trainer as something another process can load: code by value, data once, in files all workers map.

Data stays where it is from one audit to the next as long as its bytes are the same: writing fresh memory costs
several times what comparing does.
"""

from __future__ import annotations

import io
import pickle
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import torch

from pytest_reprotest.errors import TrainingError

_LARGE = 1 << 10  # elements from which a tensor goes into a mapped file

Place = tuple[str, torch.dtype, tuple[int, ...]]
"""Where a tensor's bytes are: file name, dtype, shape."""


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Sets large CPU tensors aside; everything else is pickled, functions by value."""

    def __init__(self, file: io.BytesIO, place: Callable[[torch.Tensor], Place]) -> None:
        super().__init__(file)
        self._place = place
        self._places: dict[int, Place] = {}

    def persistent_id(self, obj: Any) -> Place | None:
        if not isinstance(obj, torch.Tensor) or obj.numel() < _LARGE or obj.device.type != "cpu":
            return None
        if id(obj) not in self._places:
            self._places[id(obj)] = self._place(obj.detach())
        return self._places[id(obj)]


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        file: io.BytesIO,
        find: Callable[[Place], torch.Tensor],
        known: dict[Place, torch.Tensor],
    ) -> None:
        super().__init__(file)
        self._find = find
        self._before = known
        self.known: dict[Place, torch.Tensor] = {}

    def persistent_load(self, pid: Place) -> torch.Tensor:
        found = self._before.get(pid, self.known.get(pid))
        self.known[pid] = self._find(pid) if found is None else found
        return self.known[pid]


def pickled(
    what: Any, callables: Iterable[Any], place: Callable[[torch.Tensor], Place], else_use: str
) -> bytes:
    """An object as bytes, without its large tensors.

    Parameters
    ----------
    what : object
        Such as (trainer, regularizers).
    callables : iterable
        The user's functions and classes: their modules are pickled by value, since a test module or
        conftest cannot be imported elsewhere by its name.
    place : callable
        Called with each large CPU tensor, puts it somewhere, and returns what finds it there.
    else_use : str
        What the user can do in place of shipping it.

    Raises
    ------
    TrainingError
        Where something in it cannot be pickled.
    """
    code = io.BytesIO()
    with _by_value(callables):
        try:
            _Pickler(code, place).dump(what)
        except Exception as error:
            raise TrainingError(
                f"can't send the training to worker processes: {type(error).__name__}: {error}. Build "
                f"what can't be pickled (open files, locks, connections) inside the factory, or use "
                f"{else_use}"
            ) from None
    return code.getvalue()


def unpickled(
    code: bytes, find: Callable[[Place], torch.Tensor], known: dict[Place, torch.Tensor]
) -> tuple[Any, dict[Place, torch.Tensor]]:
    """What ``pickled`` made bytes of, and its large tensors.

    Parameters
    ----------
    find : callable
        Called with each place that is not among those ``known``; returns its tensor.
    """
    unpickler = _Unpickler(io.BytesIO(code), find, known)
    what = unpickler.load()
    return what, unpickler.known


def _mapped(folder: Path, place: Place) -> torch.Tensor:
    name, dtype, shape = place
    size = torch.Size(shape).numel()
    return torch.from_file(str(folder / name), size=size, dtype=dtype).view(shape)


class Hold:
    """The sending side: a folder with what was shipped last.

    Parameters
    ----------
    folder : Path
        Empty; whoever made it removes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data: dict[Place, torch.Tensor] = {}
        self._used: set[Place] = set()
        self._count = 0

    def ship(self, what: Any, callables: Iterable[Any]) -> Path:
        """Write an object, and drop what only the one before it needed.

        Parameters
        ----------
        what, callables
            As in ``pickled``.

        Returns
        -------
        Path
            What ``Loaded.load`` reads.

        Raises
        ------
        TrainingError
            Where something in it cannot be pickled.
        """
        self._used = set()
        code = pickled(what, callables, self.place, "--repro-workers=1")
        for place in [place for place in self._data if place not in self._used]:
            del self._data[place]
            (self.folder / place[0]).unlink()
        path = self._new(".pkl")
        path.write_bytes(code)
        return path

    def place(self, tensor: torch.Tensor) -> Place:
        """Where a tensor's bytes are, written unless they are there."""
        raw = _bytes(tensor)
        for place, held in self._data.items():
            alike = place[1:] == (tensor.dtype, tuple(tensor.shape))
            if alike and torch.equal(raw, _bytes(held)):  # bytes: NaN equals itself, -0 is not 0
                self._used.add(place)
                return place
        path = self._new("")
        raw.numpy().tofile(path)
        place = (path.name, tensor.dtype, tuple(tensor.shape))
        self._data[place] = _mapped(self.folder, place)
        self._used.add(place)
        return place

    def _new(self, suffix: str) -> Path:
        self._count += 1
        return self.folder / f"{self._count}{suffix}"


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor's bytes, by eights where that is possible: they are compared faster."""
    raw = tensor.contiguous().view(-1).view(torch.uint8)
    return raw.view(torch.int64) if raw.numel() % 8 == 0 else raw


class Loaded:
    """The receiving side: maps data from the files, so that workers share one copy of it."""

    def __init__(self) -> None:
        self._mapped: dict[Place, torch.Tensor] = {}

    def load(self, path: Path) -> Any:
        """Load what ``Hold.ship`` wrote; what was mapped before stays so."""
        what, self._mapped = unpickled(
            path.read_bytes(), lambda place: _mapped(path.parent, place), self._mapped
        )
        return what


@contextmanager
def _by_value(callables: Iterable[Any]) -> Iterator[None]:
    names = {getattr(each, "__module__", None) for each in callables}
    modules = [sys.modules[name] for name in names if name in sys.modules and _is_theirs(name)]
    with ExitStack() as undo:
        for module in modules:
            if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
                undo.callback(cloudpickle.unregister_pickle_by_value, module)
        yield


def _is_theirs(name: str) -> bool:
    """Whether a module is the user's own: not installed, not the standard library's, not ours."""
    root = name.partition(".")[0]
    if name == "__main__" or root in sys.stdlib_module_names or root == "pytest_reprotest":
        return False
    file = getattr(sys.modules[name], "__file__", None)
    installed = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return file is not None and not file.startswith(installed)
