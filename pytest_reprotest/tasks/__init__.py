"""What a model predicts: how its outputs are checked, counted and named. Adding a task touches nothing else."""

from pytest_reprotest.tasks.choice import TASKS, make_task, stored_task
from pytest_reprotest.tasks.classification import CLASSIFICATION, Classification
from pytest_reprotest.tasks.task import Array, Names, Task

__all__ = [
    "CLASSIFICATION",
    "TASKS",
    "Array",
    "Classification",
    "Names",
    "Task",
    "make_task",
    "stored_task",
]
