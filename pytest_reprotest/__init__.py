"""pytest-reprotest: if we train this again, do we get the same model?

The names below load on first use, so that importing the package costs nothing.

PYTEST_DONT_REWRITE: there are no assertions of tests here, and pytest need not warn that it came too late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_reprotest.api import audit, audit_predictions
    from pytest_reprotest.errors import (
        DataError,
        OptionError,
        RegularizerRefused,
        ReprotestError,
        TrainingError,
    )
    from pytest_reprotest.interfaces import Executor, Regularizer, RunOutcome, Trainer
    from pytest_reprotest.marker import reproducibility
    from pytest_reprotest.recipe import Recipe
    from pytest_reprotest.result import AuditResult, RegularizerResult
    from pytest_reprotest.statistics import Estimate
    from pytest_reprotest.training.function_trainer import FunctionTrainer
    from pytest_reprotest.training.torch_trainer import TorchTrainer
    from pytest_reprotest.verdict import Verdict

_HOMES = {
    "api": ("audit", "audit_predictions"),
    "errors": (
        "DataError",
        "OptionError",
        "RegularizerRefused",
        "ReprotestError",
        "TrainingError",
    ),
    "interfaces": ("Executor", "Regularizer", "RunOutcome", "Trainer"),
    "marker": ("reproducibility",),
    "recipe": ("Recipe",),
    "result": ("AuditResult", "RegularizerResult"),
    "statistics": ("Estimate",),
    "training.function_trainer": ("FunctionTrainer",),
    "training.torch_trainer": ("TorchTrainer",),
    "verdict": ("Verdict",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AuditResult",
    "DataError",
    "Estimate",
    "Executor",
    "FunctionTrainer",
    "OptionError",
    "Recipe",
    "Regularizer",
    "RegularizerRefused",
    "RegularizerResult",
    "ReprotestError",
    "RunOutcome",
    "TorchTrainer",
    "Trainer",
    "TrainingError",
    "Verdict",
    "audit",
    "audit_predictions",
    "reproducibility",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
