"""Tasks by name, and as files hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_reprotest.errors import DataError, OptionError, did_you_mean
from pytest_reprotest.tasks.classification import CLASSIFICATION
from pytest_reprotest.tasks.multilabel import MultiLabel
from pytest_reprotest.tasks.regression import Regression
from pytest_reprotest.tasks.task import Task

TASKS = ("classification", "regression", "multilabel")


def make_task(task: Any = None, tolerance: float | None = None, score: str | None = None) -> Task:
    """The task that a user asked for.

    Parameters
    ----------
    task : str or Task, optional
        Default classification.
    tolerance : float, optional
        Of a regression, which needs one: the largest difference that does not matter.
    score : {"r2", "mae"}, optional
        Of a regression; default R².

    Raises
    ------
    OptionError

    >>> make_task("regression", tolerance=0.1)
    Regression(tolerance=0.1, score='r2')
    """
    if isinstance(task, str) and task == "regression":
        if tolerance is None:
            raise OptionError(
                "task='regression' needs tolerance=: the largest difference between two predictions that "
                "does not matter, in the units of the target"
            )
        return Regression(tolerance, "r2" if score is None else score)
    if not isinstance(task, Task) and task not in (None, *TASKS):
        raise OptionError(
            f"task={task!r}; expected one of {', '.join(TASKS)}.{did_you_mean(str(task), TASKS)}"
        )
    for name, value in (("tolerance", tolerance), ("score", score)):
        if value is not None:
            told = "a Task, which holds its own" if isinstance(task, Task) else f"{_told(task)}"
            raise OptionError(
                f"{name}={value!r} belongs to task='regression', and task is {told}; leave it out"
            )
    if isinstance(task, Task):
        return _readable(task)
    return MultiLabel() if task == "multilabel" else CLASSIFICATION


def _readable(task: Task) -> Task:
    """Refuse a task that a stored result could not be read back to."""
    try:
        known = stored_task(task.to_dict()) == task
    except DataError:
        known = False
    if not known:
        raise OptionError(
            f"task={task!r} can't be read back from a stored result; expected a Classification, Regression "
            "or MultiLabel"
        )
    return task


def _told(task: str | None) -> str:
    return repr(task or "classification")


def stored_task(stored: Any) -> Task:
    """The task of a stored audit; classification where none is named.

    Raises
    ------
    DataError

    >>> stored_task({"name": "regression", "tolerance": 0.1, "score": "mae"})
    Regression(tolerance=0.1, score='mae')
    """
    if stored is None:
        return CLASSIFICATION
    name = stored.get("name") if isinstance(stored, Mapping) else None
    try:
        if name == "classification":
            return CLASSIFICATION
        if name == "regression":
            return Regression(stored.get("tolerance"), stored.get("score"))
        if name == "multilabel":
            return MultiLabel(stored.get("threshold"))
    except (OptionError, TypeError, OverflowError) as error:
        raise DataError(f"a task can't be read: {error}") from None
    raise DataError(f"a task is {stored!r:.80}; expected one of {', '.join(TASKS)}")
