"""What third parties implement: Regularizer, Trainer, Executor, and what passes between them."""

from pytest_reprotest.interfaces.executor import Executor
from pytest_reprotest.interfaces.outcomes import (
    Placement,
    Prepared,
    Progress,
    RunOutcome,
    silent,
)
from pytest_reprotest.interfaces.regularizer import Regularizer
from pytest_reprotest.interfaces.trainer import Trainer

__all__ = [
    "Executor",
    "Placement",
    "Prepared",
    "Progress",
    "Regularizer",
    "RunOutcome",
    "Trainer",
    "silent",
]
