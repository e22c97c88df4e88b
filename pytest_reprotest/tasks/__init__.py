"""What a model predicts: how its outputs are checked, counted and named. Adding a task touches nothing else."""

from pytest_reprotest.tasks.choice import TASKS, make_task, stored_task
from pytest_reprotest.tasks.classification import CLASSIFICATION, Classification
from pytest_reprotest.tasks.multilabel import MultiLabel
from pytest_reprotest.tasks.regression import Regression
from pytest_reprotest.tasks.task import MAX_SCORES, Array, Names, Task

__all__ = [
    "CLASSIFICATION",
    "MAX_SCORES",
    "TASKS",
    "Array",
    "Classification",
    "MultiLabel",
    "Names",
    "Regression",
    "Task",
    "make_task",
    "stored_task",
]
