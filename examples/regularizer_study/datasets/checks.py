"""Checks that any file can be held to."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

from regularizer_study.datasets.spec import Source, Spec

_PIECE = 1 << 20


def md5_of(stream: IO[bytes], most: int | None = None) -> tuple[str, int]:
    """MD5 and length of a stream; it is read in pieces, and not past ``most`` bytes."""
    digest, length = hashlib.md5(usedforsecurity=False), 0
    while piece := stream.read(_PIECE):
        digest.update(piece)
        length += len(piece)
        if most is not None and length > most:
            break
    return digest.hexdigest(), length


def check_md5(path: Path, spec: Spec) -> None:
    """Refuse a file of another content than the official one's."""
    if path.name not in spec.md5:
        return
    with path.open("rb") as stream:
        found, length = md5_of(stream)
    if found != spec.md5[path.name]:
        raise spec.wrong(path, f"MD5 {found} of {length:,} bytes", f"MD5 {spec.md5[path.name]}")


def check_source(source: Source, count: int, split: str, where: object, spec: Spec) -> None:
    """Refuse a split with another number of pictures, or with labels that are no classes."""
    found = len(source.labels)
    if found != count:
        raise spec.wrong(where, f"{found:,} {split} pictures", f"{count:,}")
    low, high = int(source.labels.min()), int(source.labels.max())
    if low < 0 or high >= spec.n_classes:
        raise spec.wrong(
            where, f"{split} labels from {low} to {high}", f"labels from 0 to {spec.n_classes - 1}"
        )
