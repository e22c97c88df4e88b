"""The study's data sets, from their official files under the folder that REPROTEST_DATA names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from regularizer_study.datasets.checks import check_source
from regularizer_study.datasets.official import READERS, SPECS
from regularizer_study.datasets.rows import Pairs, as_pairs
from regularizer_study.datasets.spec import (
    DataSet,
    Floats,
    Integers,
    MissingDataError,
    Source,
    Spec,
    StudyDataError,
    WrongDataError,
)
from regularizer_study.datasets.subsets import subset


def load(
    name: str,
    limit: int | None = None,
    flatten: bool = False,
    *,
    test_limit: int | None = None,
    root: Path | None = None,
    spec: Spec | None = None,
) -> DataSet:
    """Read and verify a data set.

    Parameters
    ----------
    name : str
        One of ``SPECS``.
    limit, test_limit : int, optional
        At most so many pictures to train and to test on; the same ones each time, see ``subset``.
    flatten : bool
        Inputs (n, features) in place of (n, channels, height, width).
    root : Path, optional
        The folder of folders; by default what REPROTEST_DATA names.
    spec : Spec, optional
        What the files hold, where they are not the official ones.

    Raises
    ------
    MissingDataError
        Where the files are not there; the message says where to get them.
    WrongDataError
        Where they are damaged, or not the official ones.
    """
    if name not in SPECS:
        raise ValueError(f"no data set {name!r}; expected one of {', '.join(SPECS)}")
    expected = spec or SPECS[name]
    folder = _folder(expected, root)
    train, test = READERS[name](folder, expected)
    check_source(train, expected.n_train, "training", folder or expected.title, expected)
    check_source(test, expected.n_test, "test", folder or expected.title, expected)
    shape = (int(np.prod(expected.shape)),) if flatten else expected.shape
    return DataSet(
        name,
        _taken(train, limit, shape),
        _taken(test, test_limit, shape),
        expected.n_classes,
        shape,
    )


def load_or_skip(name: str, *args: Any, **kwargs: Any) -> DataSet:
    """``load`` in a test, which is skipped with the reason where the data set is not here."""
    import pytest

    __tracebackhide__ = True
    try:
        return load(name, *args, **kwargs)
    except MissingDataError as error:
        pytest.skip(str(error))


def _folder(spec: Spec, root: Path | None) -> Path | None:
    if not spec.folder:
        return None
    named = os.environ.get("REPROTEST_DATA") if root is None else root
    if not named:
        raise spec.missing("the environment variable REPROTEST_DATA is not set")
    return Path(named) / spec.folder


def _taken(source: Source, limit: int | None, shape: tuple[int, ...]) -> tuple[Floats, Integers]:
    index = subset(source.labels, len(source.labels) if limit is None else limit)
    return source.take(index).reshape(len(index), *shape), source.labels[index]


__all__ = [
    "SPECS",
    "DataSet",
    "MissingDataError",
    "Pairs",
    "Spec",
    "StudyDataError",
    "WrongDataError",
    "as_pairs",
    "load",
    "load_or_skip",
    "subset",
]
