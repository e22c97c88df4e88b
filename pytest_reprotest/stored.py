"""Values as results files hold them: arrays packed into text, and reading that trusts nothing.

A file may come from another build, another machine, or from someone who means harm. Types are checked, and
sizes are known to be bearable before anything of that size is made.
"""

from __future__ import annotations

import base64
import math
import sys
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pytest_reprotest.errors import DataError
from pytest_reprotest.predictions import smallest_dtype
from pytest_reprotest.statistics import Estimate

Value = TypeVar("Value")

MAX_ARRAY_BYTES = 2**30
"""The arrays of one audit, unpacked: 1000 runs of 10,000 samples under 100 regularizers."""

MAX_FILE_BYTES = 2**32
"""The arrays of all audits of a file, unpacked: its report holds all at once."""
MAX_RUNS = 10_000
"""Finished runs of one regularizer: their pairs take 800 MB."""

_MOST_AXES = 4  # runs, samples, labels; pictures, height, width, colours
_LEVEL = 6  # of zlib: 1 gives files larger by 40%, 9 takes ten times as long for 10%
_INTEGERS, _FLOATS = ("u1", "u2", "u4", "u8"), ("f4", "f8")
_DTYPES = {name: np.dtype(name).newbyteorder("<") for name in (*_INTEGERS, *_FLOATS)}
_KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "an integer",
    list: "a list",
    dict: "an object",
}


def pack(array: NDArray[Any]) -> dict[str, Any]:
    """Labels from 0 up, or numbers, of any shape (n_samples,) or (n_runs, n_samples, …) as JSON primitives.

    The bytes of the smallest type that holds them, little-endian, deflated, in base64. The last axis comes
    first, so that all runs of a sample stand side by side: runs mostly agree, and that compresses best.

    >>> packed = pack(np.array([[0, 1], [0, 1], [0, 2]]))
    >>> packed["dtype"], packed["shape"]
    ('u1', [3, 2])
    """
    array = np.asarray(array)
    dtype = _smallest(array)
    raw = np.ascontiguousarray(array.T, dtype=_DTYPES[dtype]).tobytes()
    text = base64.b64encode(zlib.compress(raw, _LEVEL)).decode("ascii")
    return {"dtype": dtype, "shape": list(array.shape), "zlib": text}


def _smallest(array: NDArray[Any]) -> str:
    if array.dtype.kind != "f":
        return f"u{smallest_dtype(int(array.max(initial=0)) + 1).itemsize}"
    with np.errstate(over="ignore"):
        return "f4" if np.array_equal(array.astype(np.float32), array) else "f8"


def packed_bytes(stored: Any) -> int:
    """How many bytes a stored array says it unpacks to; 0 for lists, which are there already."""
    if not isinstance(stored, dict):
        return 0
    dtype, shape = entry(stored, "dtype", str), entry(stored, "shape", list)
    sizes = [size for size in shape if type(size) is int and 0 <= size <= MAX_ARRAY_BYTES]
    if dtype not in _DTYPES or sizes != shape or len(shape) > _MOST_AXES:
        raise DataError(f"an array of type {dtype[:40]!r} and shape {shape[:3]} can't be unpacked")
    return math.prod(sizes) * _DTYPES[dtype].itemsize


def declared_bytes(stored: Any) -> int:
    """How many bytes the arrays of a stored audit say they unpack to; what is no array takes none."""
    if not isinstance(stored, dict):
        return 0
    found = stored.get("regularizers")
    each = found.values() if isinstance(found, dict) else ()
    arrays = [inner.get("predictions") for inner in each if isinstance(inner, dict)]
    total = 0
    for array in (stored.get("y_true"), *arrays):
        with suppress(DataError):  # it is told where it is unpacked
            total += packed_bytes(array)
    return total


def unpack(stored: Any, n_dimensions: int, floats: bool = False) -> NDArray[Any]:
    """The inverse of ``pack``; also reads the plain lists of schema version 1.

    Parameters
    ----------
    floats : bool
        Expect finite numbers, in place of labels.

    Raises
    ------
    DataError
        Where it is no such array, or more than ``MAX_ARRAY_BYTES``.

    >>> unpack({"dtype": "u1", "shape": [3, 2], "zlib": "eJxjYGBgZGQCAAANAAU="}, n_dimensions=2)
    array([[0, 1],
           [0, 1],
           [0, 2]], dtype=uint8)
    """
    array = _inflated(stored) if isinstance(stored, dict) else _listed(stored)
    if array.size == 0:
        return np.empty((0,) * n_dimensions, dtype=np.float64 if floats else np.uint8)
    if array.ndim != n_dimensions:
        raise DataError(
            f"an array has shape {array.shape}; expected {n_dimensions} "
            f"dimension{'s' * (n_dimensions > 1)}"
        )
    if floats:
        return _checked_numbers(array)
    if array.dtype.kind not in "iu":
        raise DataError(f"labels are read as {array.dtype}; expected integers")
    if array.min() < 0 or array.max() >= 2**63:
        raise DataError(f"labels go from {array.min()} to {array.max()}; expected 0 up, below 2^63")
    return array.astype(smallest_dtype(int(array.max()) + 1), order="C")


def _checked_numbers(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise DataError(
            f"numbers are read as {array.dtype}, or not finite; expected finite numbers"
        )
    return array.astype(np.float32 if array.dtype == _DTYPES["f4"] else np.float64, order="C")


def _inflated(stored: dict[str, Any]) -> NDArray[Any]:
    size = packed_bytes(stored)
    if size > MAX_ARRAY_BYTES:
        raise too_large(size)
    inflater = zlib.decompressobj()
    try:
        packed = base64.b64decode(entry(stored, "zlib", str), validate=True)
        raw = inflater.decompress(packed, size + 1)  # never more, whatever the text holds
    except (ValueError, zlib.error) as error:
        raise DataError(f"an array can't be unpacked: {error}") from None
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise DataError(f"an array does not unpack to its shape {stored['shape'][:3]}")
    flat = np.frombuffer(raw, dtype=_DTYPES[stored["dtype"]])
    return flat.reshape(stored["shape"][::-1]).T if size else flat


def _listed(stored: Any) -> NDArray[Any]:
    if not isinstance(stored, list):
        raise DataError(f"there is {_told(stored)}; expected a packed array, or a list")
    _check_numbers(stored, _MOST_AXES)
    try:
        return np.asarray(stored)
    except (ValueError, OverflowError) as error:
        raise DataError(f"a list can't be read as an array: {error}") from None


def _check_numbers(stored: list[Any], axes: int) -> None:
    """Refuse a nested list of anything but numbers: an array of one long text takes its length for each."""
    for value in stored:
        if isinstance(value, list) and axes > 1:
            _check_numbers(value, axes - 1)
        elif type(value) not in (int, float):
            raise DataError(f"a list holds {_told(value)}; expected numbers")


def too_large(size: int, most: int = MAX_ARRAY_BYTES, whose: str = "an audit's") -> DataError:
    """The error of arrays that would not be safe to hold."""
    return DataError(f"{whose} arrays take {size:,} bytes; expected at most {most:,}")


def entry(stored: Mapping[str, Any], key: str, kind: type[Value]) -> Value:
    """An entry of a stored object, which has to be there and of its kind.

    >>> entry({"name": "test_a"}, "name", str)
    'test_a'
    """
    if not isinstance(stored, Mapping):
        raise DataError(f"there is {_told(stored)}; expected an object with the entry {key!r}")
    if key not in stored:
        raise DataError(f"the entry {key!r} is missing")
    value = stored[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DataError(f"{key} is {_told(value)}; expected {_KINDS[kind]}")
    return value


def texts(stored: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """An entry that is a list of texts."""
    values = entry(stored, key, list)
    for value in values:
        if not isinstance(value, str):
            raise DataError(f"{key} holds {_told(value)}; expected texts")
    return tuple(values)


def texts_by_name(stored: Mapping[str, Any], key: str) -> dict[str, str]:
    """An entry that is an object of texts."""
    values = entry(stored, key, dict)
    return {name: entry(values, name, str) for name in values}


def number_out(number: float) -> float | None:
    """A finite number; None for any other."""
    return float(number) if math.isfinite(number) else None


def number_in(stored: Any, name: str = "number") -> float:
    """The inverse of ``number_out``: NaN for None."""
    if stored is None:
        return math.nan
    if isinstance(stored, bool) or not isinstance(stored, (int, float)):
        raise DataError(f"{name} is {_told(stored)}; expected a number")
    if not abs(stored) <= sys.float_info.max:
        raise DataError(f"{name} is {_told(stored)}; expected a finite number")
    return float(stored)


def finite_in(stored: Mapping[str, Any], key: str) -> float:
    """An entry that is a finite number, and not left open.

    >>> finite_in({"seconds": 2}, "seconds")
    2.0
    """
    number = number_in(stored.get(key), key)
    if math.isnan(number):
        raise DataError(f"{key} is null or missing; expected a finite number")
    return number


def estimate_out(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as JSON primitives."""
    return {name: number_out(value) for name, value in asdict(estimate).items()}


def estimate_in(stored: Mapping[str, Any], key: str) -> Estimate:
    """The inverse of ``estimate_out``, for an entry of a stored object."""
    found = entry(stored, key, dict)
    return Estimate(
        **{each.name: number_in(found.get(each.name), key) for each in fields(Estimate)}
    )


def _told(value: Any) -> str:
    """A value and its type, cut short: it may be anything."""
    if value is None:
        return "null"
    text = "" if isinstance(value, (list, dict)) else repr(value)[:40] + " "
    kind = _KINDS.get(type(value), type(value).__name__)
    return f"{text}({kind})" if text else kind
