"""Pickles of bytes, numbers, strings, lists, dicts and arrays of bytes; nothing that they name is run.

The names by which NumPy's pickles rebuild an array stand for small objects of this module, so that a pickle
reaches no function of NumPy or of any other module. Every other name is refused.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np

from regularizer_study.datasets.spec import Bytes

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since NumPy 2


class RefusedPickleError(ValueError):
    """A pickle that holds anything else, or is damaged."""


def read_pickle(content: bytes) -> Any:
    """What a pickle holds: strings of Python 2 as bytes, arrays as uint8 arrays.

    Arrays are arrays at the top level and in a dict there, which is where data sets have them.

    Raises
    ------
    RefusedPickleError
        For any name other than those of an array of bytes, and for what is no pickle at all.
    """
    try:
        held = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except RefusedPickleError:
        raise
    except Exception as error:  # a hostile pickle raises what it likes
        raise RefusedPickleError(
            f"not a pickle of plain values ({type(error).__name__}: {error})"
        ) from None
    if isinstance(held, dict):
        return {key: _plain(value) for key, value in held.items()}
    return _plain(held)


def _plain(value: Any) -> Any:
    return value.array() if isinstance(value, _Array) else value


class _Sealed:
    """Has no attributes that a pickle could set."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise RefusedPickleError(f"sets the state of {type(self).__name__.lstrip('_')!r}")


class _Array(_Sealed):
    """An array of bytes as its pickle describes it."""

    __slots__ = ("_content", "_fortran", "_shape")

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = (0,)
        self._fortran, self._content = False, b""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        sizes = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
        if not sizes or type(content) is not bytes or not isinstance(dtype, _Dtype):
            raise RefusedPickleError("holds an array that is not one of bytes")
        if math.prod(shape) != len(content):
            raise RefusedPickleError(f"holds {len(content)} bytes for an array of shape {shape}")
        self._shape, self._fortran, self._content = shape, bool(fortran), content

    def array(self) -> Bytes:
        """The array, read-only."""
        flat: Bytes = np.frombuffer(self._content, np.uint8)
        return flat.reshape(self._shape, order="F" if self._fortran else "C")


class _Dtype(_Sealed):
    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like: they mean nothing for bytes."""


class _Reconstruct(_Sealed):
    __slots__ = ()

    def __call__(self, *args: Any) -> _Array:
        return _Array()


class _MakeDtype(_Sealed):
    __slots__ = ()

    def __call__(self, code: Any, *args: Any) -> _Dtype:
        if code not in ("u1", b"u1", "|u1", b"|u1"):
            raise RefusedPickleError(f"holds an array of dtype {code!r}; expected bytes, 'u1'")
        return _Dtype()


class _Encode(_Sealed):
    """How Python 3 writes bytes in the protocols of Python 2."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any) -> bytes:
        if type(text) is not str or encoding not in ("latin1", b"latin1"):
            raise RefusedPickleError("encodes something else than bytes")
        return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Any] = {
    **{(module, "_reconstruct"): _Reconstruct() for module in _MULTIARRAY},
    ("numpy", "ndarray"): "ndarray",  # an argument only, so it need not be callable
    ("numpy", "dtype"): _MakeDtype(),
    ("_codecs", "encode"): _Encode(),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a name; nothing is imported."""
        if (module, name) not in _ADMITTED:
            raise RefusedPickleError(
                f"names {module}.{name}, which is no part of an array of bytes; it was not run"
            )
        return _ADMITTED[module, name]
