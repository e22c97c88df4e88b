"""The settings of two audits held beside each other: what was trained, how, on what and by what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COMPARED = (
    *("seed", "vary", "device", "engine", "training"),
    *("versions", "machine", "threads", "flags", "environment", "initial_weights"),
)
"""The settings that can change a result."""

NAMES = ("training.model_factory", "training.train_fn")
"""Settings that name code: another name may be the same code, and the same name other code."""

CONTENTS = ("training.data.train", "training.data.test")
"""Settings that are None where the content is not known."""

_DIGESTS = {
    "training.data.train": "the training data changed",
    "training.data.test": "the inputs of the test set changed",
}
"""Settings whose values tell a reader nothing."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST = 60
_DEEPEST = 5


@dataclass(frozen=True)
class Difference:
    """One setting that differs; a key such as ``training.epochs``."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.key in _DIGESTS:
            return _DIGESTS[self.key]
        start, _, label = self.key.partition(".")
        if start == "initial_weights":
            return f"the initial weights of {label!r} changed"
        return f"{self.key}: {short(self.old)} → {short(self.new)}"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The settings that two audits both know and that differ.

    >>> old = {"seed": 0, "training": {"epochs": 20, "lr": 0.1}}
    >>> new = {"seed": 0, "training": {"epochs": 10, "lr": 0.1}, "device": "cpu"}
    >>> [str(difference) for difference in differences(old, new)]
    ['training.epochs: 20 → 10']
    """
    flat_old, flat_new = dict(_flat(old)), dict(_flat(new))
    trained = all(isinstance(settings.get("training"), Mapping) for settings in (old, new))
    for key in NAMES if trained else ():
        if key in flat_old or key in flat_new:  # one may be a function, the other a model factory
            flat_old.setdefault(key, None)
            flat_new.setdefault(key, None)
    return tuple(
        Difference(key, value, flat_new[key])
        for key, value in flat_old.items()
        if key in flat_new
        and value != flat_new[key]
        and not (key in CONTENTS and None in (value, flat_new[key]))
        and not (key == "device" and _kind(value) == _kind(flat_new[key]))
    )


def other_test_set(old: NDArray[Any], new: NDArray[Any]) -> str | None:
    """In which way two arrays of true labels (n_samples, …) are not of one test set; None where they are.

    >>> other_test_set(np.array([0, 1, 1]), np.array([0, 1, 0]))
    'another test set: true labels differ on 1 of 3 samples'
    """
    if old.shape != new.shape:
        return f"another test set: {_size(old)} there, {_size(new)} here"
    if old.dtype.kind in "iub":
        classes = [np.unique(labels).tolist() for labels in (old, new)]
        if classes[0] != classes[1]:
            told = [f"{len(found)} classes ({_listed(found)})" for found in classes]
            return f"another label set: {told[0]} there, {told[1]} here"
    differing = int((old != new).reshape(len(old), -1).any(axis=1).sum())
    if not differing:
        return None
    return f"another test set: true labels differ on {differing} of {len(old)} samples"


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in COMPARED:
        if key in settings:
            yield from _leaves(key, settings[key])


def _kind(device: Any) -> str:
    """``cuda`` of ``cuda:1``: which of several GPUs it was is no difference, and another model is told as such."""
    return str(device).partition(":")[0]


def _leaves(key: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items() if depth < _DEEPEST else ():
            yield from _leaves(f"{key}.{name}", inner, depth + 1)
    elif isinstance(value, (list, tuple)):
        yield key, [_plain(inner) for inner in value]
    else:
        yield key, _plain(value)


def _plain(value: Any) -> Any:
    """A text without the place in memory that a callable's repr holds: it is another in each process."""
    return _ADDRESS.sub("", value) if isinstance(value, str) else value


def short(value: Any) -> str:
    """A value in at most 60 characters.

    >>> short(["init", "noise"]), short(None)
    ('init,noise', 'none')
    """
    if value is None:
        return "none"
    text = (",".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _listed(classes: list[int]) -> str:
    shown = ", ".join(map(str, classes[:5]))
    return f"{shown}, …" if len(classes) > 5 else shown


def _size(labels: NDArray[Any]) -> str:
    return f"{' × '.join(map(str, labels.shape))} samples"
