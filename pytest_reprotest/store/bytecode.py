"""Compiled code as a digest, and the names in it."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from pytest_reprotest.store.hashing import hashed


def code_digest(code: types.CodeType, read: Callable[[Any], str]) -> str:
    """What code does, wherever its lines are and whatever it is called.

    Parameters
    ----------
    read : callable
        From a constant to its digest.

    >>> one, other = (compile(text, "f", "eval") for text in ("x + 1", "(x  + 1)"))
    >>> code_digest(one, repr) == code_digest(other, repr)
    True
    """
    inside = [
        code_digest(each, read) if isinstance(each, types.CodeType) else read(each)
        for each in code.co_consts
    ]
    counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount)
    names = (code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars)
    handlers = getattr(code, "co_exceptiontable", b"")  # from Python 3.11 on
    return hashed("code", code.co_code.hex(), handlers.hex(), code.co_flags, counts, names, *inside)


def names_in(code: types.CodeType) -> set[str]:
    """The names of globals and attributes in a function, and in the functions inside it."""
    inside = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return set(code.co_names).union(*map(names_in, inside))


def places_in(code: types.CodeType) -> set[tuple[str, str, int]]:
    """File, name and first line of a function, and of the functions inside it."""
    inside = (each for each in code.co_consts if isinstance(each, types.CodeType))
    own = (code.co_filename, code.co_name, code.co_firstlineno)
    return {own}.union(*map(places_in, inside))
