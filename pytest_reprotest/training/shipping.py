"""A trainer as something another process can load: code by value, data once, in files all workers map."""

from __future__ import annotations

import io
import pickle
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import torch

from pytest_reprotest.errors import TrainingError

_CODE = "trainer.pkl"
_LARGE = 1 << 10  # elements from which a tensor goes into a mapped file


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Sets large CPU tensors aside; everything else is pickled, functions by value."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.tensors: list[torch.Tensor] = []
        self._places: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> tuple[int, torch.dtype, tuple[int, ...]] | None:
        if not isinstance(obj, torch.Tensor) or obj.numel() < _LARGE or obj.device.type != "cpu":
            return None
        if id(obj) not in self._places:
            self._places[id(obj)] = len(self.tensors)
            self.tensors.append(obj)
        return self._places[id(obj)], obj.dtype, tuple(obj.shape)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder

    def persistent_load(self, pid: tuple[int, torch.dtype, tuple[int, ...]]) -> torch.Tensor:
        place, dtype, shape = pid
        size = torch.Size(shape).numel()
        mapped = torch.from_file(str(self._folder / str(place)), size=size, dtype=dtype)
        return mapped.view(shape)


def ship(what: Any, callables: Iterable[Any], folder: Path) -> None:
    """Write an object into a folder.

    Parameters
    ----------
    what : object
        Such as (trainer, regularizers).
    callables : iterable
        The user's functions and classes: their modules are pickled by value, since a test module or
        conftest cannot be imported elsewhere by its name.

    Raises
    ------
    TrainingError
        Where something in it cannot be pickled.
    """
    code = io.BytesIO()
    pickler = _Pickler(code)
    with _by_value(callables):
        try:
            pickler.dump(what)
        except Exception as error:
            raise TrainingError(
                f"can't send the training to worker processes: {type(error).__name__}: {error}. Build what "
                "can't be pickled (open files, locks, connections) inside the factory, or use "
                "--repro-workers=1"
            ) from None
    for place, tensor in enumerate(pickler.tensors):
        raw = tensor.detach().contiguous().view(-1).view(torch.uint8)
        raw.numpy().tofile(folder / str(place))
    (folder / _CODE).write_bytes(code.getvalue())


def unship(folder: Path) -> Any:
    """Load what ``ship`` wrote; tensors are mapped from the file, so workers share one copy of them."""
    return _Unpickler(io.BytesIO((folder / _CODE).read_bytes()), folder).load()


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
