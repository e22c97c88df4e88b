"""Tasks by name, and as files hold them."""

from __future__ import annotations

from typing import Any

from pytest_reprotest.errors import DataError, OptionError, did_you_mean
from pytest_reprotest.tasks.classification import CLASSIFICATION
from pytest_reprotest.tasks.task import Task

TASKS = ("classification",)


def make_task(task: Any = None) -> Task:
    """The task that a user asked for.

    Raises
    ------
    OptionError
    """
    if isinstance(task, Task):
        return task
    if task in (None, "classification"):
        return CLASSIFICATION
    raise OptionError(
        f"task={task!r}; expected one of {', '.join(TASKS)}.{did_you_mean(str(task), TASKS)}"
    )


def stored_task(stored: Any) -> Task:
    """The task of a stored audit; classification where none is named.

    Raises
    ------
    DataError
    """
    if stored in (None, {"name": "classification"}):
        return CLASSIFICATION
    raise DataError(f"a task is {stored!r:.80}; expected one of {', '.join(TASKS)}")
