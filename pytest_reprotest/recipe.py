"""How a model is trained: the frozen recipe that regularizers may change and engines follow."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_reprotest.errors import OptionError, did_you_mean

LEARNING_RATES = {
    "sgd": 0.1,
    "momentum": 0.01,
    "nesterov": 0.01,
    "adam": 3e-4,
    "adamw": 3e-4,
    "rmsprop": 1e-3,
}
"""Optimizer names with their default learning rates; SGD, momentum and Adam as in the study."""

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    "warmup_cosine": lambda progress: (
        (progress + 0.01) / 0.11
        if progress < 0.1
        else 0.5 * (1.0 + math.cos(math.pi * (progress - 0.1) / 0.9))
    ),
}
"""Factor on the learning rate by progress, the fraction of steps done (0 to 1)."""

LOSSES = ("cross_entropy", "nll_loss", "mse", "l1", "bce_with_logits")


@dataclass(frozen=True)
class Recipe:
    """A training recipe.

    Attributes
    ----------
    epochs : int
        Passes over the training set.
    batch_size : int
        Samples a step; the last batch of an epoch may be smaller.
    optimizer : str or callable
        A name of ``LEARNING_RATES``, or a callable from a list of parameters to a
        ``torch.optim.Optimizer``.
    lr : float, optional
        Learning rate; default by optimizer name. Not for a callable, which sets its own.
    momentum : float
        Of ``momentum`` and ``nesterov``.
    weight_decay : float
        The optimizer's L2 coefficient.
    loss : str or callable
        ``cross_entropy`` or ``nll_loss``; of a regression ``mse`` or ``l1``; of several labels
        ``bce_with_logits``; or a callable ``(outputs, targets) -> scalar tensor`` that averages over the
        batch. ``retrain`` and ``audit`` take the first that fits the task where none is given.
    schedule : str or callable
        A name of ``SCHEDULES``, or a callable from progress (0 to 1) to a factor on the learning rate.
    max_grad_norm : float, optional
        Clip each run's gradient to this Euclidean norm.
    drop_last : bool
        Leave out an epoch's last batch where it is smaller than ``batch_size``.
    ema_decay : float, optional
        Predict with the exponential moving average of the weights: what it keeps of itself at each step,
        above 0 and below 1. The statistics of batch norms are recomputed for it.
    threads : int
        CPU threads of one run. Results on a CPU depend on it.

    Raises
    ------
    OptionError
        For a value that cannot be trained with.

    >>> Recipe(optimizer="adam").learning_rate
    0.0003
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str | Callable[..., Any] = "sgd"
    lr: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    loss: str | Callable[..., Any] = "cross_entropy"
    schedule: str | Callable[[float], float] = "constant"
    max_grad_norm: float | None = None
    drop_last: bool = False
    ema_decay: float | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "threads"):
            _positive_integer(name, getattr(self, name))
        for name, valid in (
            ("optimizer", tuple(LEARNING_RATES)),
            ("loss", LOSSES),
            ("schedule", tuple(SCHEDULES)),
        ):
            _name_or_callable(name, getattr(self, name), valid)
        for name in ("lr", "max_grad_norm"):
            if getattr(self, name) is not None:
                _number(name, getattr(self, name), above_zero=True)
        _number("momentum", self.momentum)
        _number("weight_decay", self.weight_decay)
        if self.ema_decay is not None:
            _fraction("ema_decay", self.ema_decay)
        if not isinstance(self.drop_last, bool):
            raise OptionError(f"drop_last={self.drop_last!r}; expected True or False")
        if callable(self.optimizer) and self.lr is not None:
            raise OptionError(
                f"lr={self.lr!r} has no effect on an optimizer given as a callable; set the learning "
                "rate inside it, such as lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
            )
        if callable(self.optimizer) and self.weight_decay:
            raise OptionError(
                f"weight_decay={self.weight_decay!r} has no effect on an optimizer given as a callable; "
                "set it inside, or audit the regularizer 'weight_decay'"
            )

    @property
    def learning_rate(self) -> float:
        """The learning rate of a named optimizer: ``lr``, or the optimizer's default."""
        return LEARNING_RATES[str(self.optimizer)] if self.lr is None else self.lr

    @property
    def learning_rate_factor(self) -> Callable[[float], float]:
        """The schedule as a function of progress."""
        return SCHEDULES[self.schedule] if isinstance(self.schedule, str) else self.schedule

    def describe(self) -> dict[str, Any]:
        """The settings as JSON primitives; callables by name."""
        described = {
            name: getattr(value, "__qualname__", repr(value)) if callable(value) else value
            for name, value in vars(self).items()
        }
        if not callable(self.optimizer):
            described["lr"] = self.learning_rate
        return described


def _positive_integer(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{name}={value!r}; expected an integer of at least 1")


def _number(name: str, value: Any, above_zero: bool = False) -> None:
    bound = "above 0" if above_zero else "of 0 or more"
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value <= sys.float_info.max  # also refuses NaN
        or (above_zero and value == 0)
    ):
        raise OptionError(f"{name}={value!r}; expected a finite number {bound}")


def _fraction(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise OptionError(f"{name}={value!r}; expected a number above 0 and below 1")


def _name_or_callable(name: str, value: Any, valid: tuple[str, ...]) -> None:
    if callable(value) or value in valid:
        return
    hint = did_you_mean(value, valid) if isinstance(value, str) else ""
    raise OptionError(f"{name}={value!r}; expected one of {', '.join(valid)}, or a callable.{hint}")
