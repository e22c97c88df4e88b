"""New runs of one regularizer held against its runs in a bank, and the JSON form of what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, cast, get_args

import numpy as np

from pytest_reprotest.errors import DataError
from pytest_reprotest.statistics.gate import Gate, bank_gate
from pytest_reprotest.stored import entry, number_in, number_out
from pytest_reprotest.tasks import Array, Task

Method = Literal["rank", "t"]


def gate(task: Task, new: Array, bank: Array) -> Gate:
    """Whether new runs disagree with the bank more than the bank disagrees with itself.

    Parameters
    ----------
    new, bank : arrays (n_runs, n_samples, …)
        Predictions of runs under one regularizer.

    Raises
    ------
    DataError
        Where the bank has too few runs.
    """
    differences = task.pairwise(np.concatenate([new, bank]))
    return bank_gate(differences, len(new), one_flip=1 / bank[0].size)


def gate_out(found: Gate) -> dict[str, Any]:
    """JSON primitives, with what follows from them.

    >>> found = Gate("rank", 0.05, 0.04, 0.0394, 0.05, True, 1, 19)
    >>> gate_in(gate_out(found)) == found, gate_out(found)["failed"]
    (True, True)
    """
    stored = {each.name: getattr(found, each.name) for each in fields(Gate)}
    numbers = {key: number_out(value) for key, value in stored.items() if isinstance(value, float)}
    return {**stored, **numbers, "failed": found.failed}


def gate_in(stored: Mapping[str, Any]) -> Gate:
    """The inverse of ``gate_out``.

    Raises
    ------
    DataError
    """
    method = entry(stored, "method", str)
    if method not in get_args(Method):
        raise DataError(
            f"a gate's method is {method!r:.40}; expected {' or '.join(get_args(Method))}"
        )
    numbers = {
        name: number_in(stored.get(name), name)
        for name in ("new", "bank", "limit", "p_value", "alpha")
    }
    return Gate(
        method=cast(Method, method),
        exact=entry(stored, "exact", bool),
        n_new=entry(stored, "n_new", int),
        n_bank=entry(stored, "n_bank", int),
        **numbers,
    )
