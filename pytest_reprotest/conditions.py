"""What two results depend on, the fingerprint, held beside each other: which parts changed, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_reprotest.differences import CONTENTS, Difference, short

_GROUPS = {
    "software": ("versions",),
    "machine": ("machine",),
    "threads": ("training.threads", "threads"),
    "flags": ("flags",),
    "environment": ("environment",),
    "data": CONTENTS,
    "initial weights": ("initial_weights",),
}
"""Group → the keys of its settings, in the order in which they are told."""

FINGERPRINT = tuple(key for keys in _GROUPS.values() for key in keys)
"""The settings that are told in groups."""

_NAMES = {
    "versions.cuda": "CUDA",
    "versions.hip": "HIP",
    "versions.cudnn": "cuDNN",
    "versions.mkl": "MKL",
    "versions.onednn": "oneDNN",
    "machine.processor": "CPU",
    "machine.instructions": "instruction set",
    "machine.gpu": "GPU",
    "machine.compute_capability": "compute capability",
    "training.threads": "",
    "threads.intra_op": "",
    "threads.inter_op": "inter-op",
}
_WITHOUT_COLON = ("threads", "initial weights")
_OF_GPU = ("torch.backends.cuda.", "torch.backends.cudnn.")
_SHOWN = 3  # regularizers whose initial weights changed

HOLDS = "PD between old and new runs holds this change itself"
"""What the difference between runs of unlike fingerprints is worth."""


def changed_parts(differences: Iterable[Difference]) -> dict[str, tuple[str, ...]]:
    """Group → what changed in it, of the differences that belong to the fingerprint.

    >>> changed_parts([Difference("environment.MKL_CBWR", None, "AVX2"), Difference("seed", 0, 1)])
    {'environment': ('MKL_CBWR unset → AVX2',)}
    """
    by_group: dict[str, list[Difference]] = {}
    for difference in differences:
        group = _group(difference.key)
        if group is not None:
            by_group.setdefault(group, []).append(difference)
    return {group: tuple(_told(group, by_group[group])) for group in _GROUPS if group in by_group}


def in_words(differences: Iterable[Difference]) -> str:
    """The changed parts in one line; empty where there are none.

    >>> old_new = {"versions.torch": ("2.4", "2.5"), "training.threads": (1, 4), "training.lr": (1, 2)}
    >>> in_words(Difference(key, *values) for key, values in old_new.items())
    'software: torch 2.4 → 2.5; threads 1 → 4'
    """
    return "; ".join(_headed(group, texts) for group, texts in changed_parts(differences).items())


def other_settings(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The differences that are no part of the fingerprint."""
    return tuple(each for each in differences if _group(each.key) is None)


def described(settings: Mapping[str, Any]) -> Iterator[str]:
    """A result's fingerprint in a few lines: what is set, on or known; without digests.

    >>> list(described({"versions": {"torch": "2.4", "cuda": "none"}, "training": {"threads": 1}}))
    ['software: torch 2.4, CUDA none', 'threads 1']
    """
    training = settings.get("training")
    threads = training.get("threads") if isinstance(training, Mapping) else None
    known = {key: _entries(settings, key) for key in ("versions", "machine", "threads")}
    if threads is not None:
        known["threads"] = {"intra_op": threads, **known["threads"]}
    for key, group in (("versions", "software"), ("machine", "machine"), ("threads", "threads")):
        texts = [f"{_name(f'{key}.{name}')} {short(value)}" for name, value in known[key].items()]
        if texts:
            yield _headed(group, [text.strip() for text in texts])
    flags = list(_on(settings))
    if flags:
        yield _headed("flags", flags)
    variables = _entries(settings, "environment")
    if variables:
        found = [f"{name}={short(v)}" for name, v in variables.items() if v is not None]
        yield _headed("environment", found or ["nothing is set"])


def _on(settings: Mapping[str, Any]) -> Iterator[str]:
    """The flags that are on and have a part in it; those of a GPU have none without one."""
    on_gpu = str(settings.get("device", "")).startswith("cuda")
    for name, value in _entries(settings, "flags").items():
        of_gpu = name.startswith(_OF_GPU)
        if value is not False and value != "none" and (on_gpu or not of_gpu):
            told = name.removeprefix("torch.").removeprefix("backends.")
            yield told if value is True else f"{told} {short(value)}"


def _entries(settings: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = settings.get(key)
    return dict(found) if isinstance(found, Mapping) else {}


def _headed(group: str, texts: Iterable[str]) -> str:
    return f"{group}{'' if group in _WITHOUT_COLON else ':'} {', '.join(texts)}"


def _group(key: str) -> str | None:
    for group, keys in _GROUPS.items():
        if any(key == start or key.startswith(f"{start}.") for start in keys):
            return group
    return None


def _name(key: str) -> str:
    return _NAMES.get(key, key.partition(".")[2])


def _told(group: str, differences: list[Difference]) -> Iterator[str]:
    names = [_name(each.key) for each in differences]
    if group == "data":
        yield from (f"{name.removeprefix('data.')} changed" for name in names)
    elif group == "initial weights":
        more = ", …" if len(names) > _SHOWN else ""
        yield f"changed ({', '.join(names[:_SHOWN])}{more})"
    else:
        for name, each in zip(names, differences, strict=True):
            values = [
                "unset" if group == "environment" and value is None else short(value)
                for value in (each.old, each.new)
            ]
            yield f"{name} {' → '.join(values)}".strip()
