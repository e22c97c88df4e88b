"""What a model's outputs are to a task, as tensors: targets, the shape to expect, and predictions.

All work on a batch of one run (n, …), and on one of several runs (n_runs, n, …).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pytest_reprotest.errors import DataError, OptionError, TrainingError
from pytest_reprotest.predictions import check_y_true, smallest_dtype
from pytest_reprotest.tasks import MAX_SCORES, Array, Classification, MultiLabel, Regression, Task
from pytest_reprotest.tasks.regression import as_numbers

_WIDE = (torch.float32, torch.float64)


class Head(ABC):
    """What one task makes of a model's outputs."""

    keeps_scores: ClassVar[bool] = False
    losses: ClassVar[tuple[str, ...]]
    """Names of losses that fit, the default first."""

    @abstractmethod
    def targets(self, given: NDArray[Any], inputs: Tensor) -> Tensor:
        """Validated targets for a loss.

        Raises
        ------
        DataError
        """

    @abstractmethod
    def check(self, outputs: Any, targets: Tensor) -> None:
        """Refuse outputs that are not of the shape a batch of targets (n, …) asks for.

        Raises
        ------
        TrainingError
        """

    def aligned(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and targets as the loss takes them: nothing broadcasts."""
        return outputs, targets

    def reduced(self, outputs: Tensor) -> Tensor:
        """What is to be kept of a batch of outputs."""
        return outputs

    @abstractmethod
    def predictions(self, reduced: Tensor, n_outputs: int) -> Array:
        """Predictions (n_samples, …) of what was kept of one run's outputs.

        Parameters
        ----------
        n_outputs : int
            Size of the outputs' last axis.
        """


class ClassHead(Head):
    """Scores (n, n_classes) against int64 labels (n,)."""

    keeps_scores = True
    losses = ("cross_entropy", "nll_loss")

    def targets(self, given: NDArray[Any], inputs: Tensor) -> Tensor:
        """Labels, int64 (n,)."""
        return torch.from_numpy(check_y_true(given))

    def check(self, outputs: Any, targets: Tensor) -> None:
        """A table of scores."""
        n_samples = len(targets)
        if not _is_tensor(outputs, 2, n_samples):
            raise TrainingError(
                f"the model returned {_shape(outputs)} for {n_samples} inputs; expected a tensor of scores "
                f"({n_samples}, n_classes)"
            )

    def reduced(self, outputs: Tensor) -> Tensor:
        """The class of the highest score."""
        return outputs.argmax(dim=-1)

    def predictions(self, reduced: Tensor, n_outputs: int) -> Array:
        """Labels of the smallest integer type."""
        labels: Array = reduced.cpu().numpy().astype(smallest_dtype(n_outputs))
        return labels


class _FloatHead(Head):
    """Outputs of the targets' own shape and type."""

    def aligned(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """A last axis of size 1 that targets don't have is dropped."""
        if outputs.dim() == targets.dim() + 1 and outputs.shape[-1] == 1:
            outputs = outputs.squeeze(-1)
        if outputs.shape != targets.shape:
            raise TrainingError(
                f"the model returned {tuple(outputs.shape)} for targets of shape {tuple(targets.shape)}"
            )
        return outputs, targets.to(outputs.dtype)


class NumberHead(_FloatHead):
    """Numbers (n,) or (n, 1) against floats (n,)."""

    losses = ("mse", "l1")

    def targets(self, given: NDArray[Any], inputs: Tensor) -> Tensor:
        """Floats (n,) of the inputs' type, or of torch's default type."""
        return torch.from_numpy(as_numbers(given)).to(_float_type(inputs))

    def check(self, outputs: Any, targets: Tensor) -> None:
        """One number a sample."""
        n_samples = len(targets)
        single = _is_tensor(outputs, 2, n_samples) and outputs.shape[1] == 1
        if not single and not _is_tensor(outputs, 1, n_samples):
            raise TrainingError(
                f"the model returned {_shape(outputs)} for {n_samples} inputs; expected a tensor of one "
                f"number a sample, ({n_samples},) or ({n_samples}, 1)"
            )

    def predictions(self, reduced: Tensor, n_outputs: int) -> Array:
        """Numbers (n_samples,)."""
        numbers: Array = _plain(reduced).numpy().reshape(len(reduced))
        return numbers


class LabelsHead(_FloatHead):
    """Scores (n, n_labels) against 0 and 1 as floats of that shape.

    Parameters
    ----------
    task : MultiLabel
    logits : bool
        The loss says that scores are logits.
    """

    losses = ("bce_with_logits",)

    def __init__(self, task: MultiLabel, logits: bool) -> None:
        self.task = task
        self.logits = logits

    def targets(self, given: NDArray[Any], inputs: Tensor) -> Tensor:
        """0 and 1 as floats (n, n_labels) of the inputs' type, or of torch's default type."""
        return torch.from_numpy(self.task.check_y_true(given)).to(_float_type(inputs))

    def check(self, outputs: Any, targets: Tensor) -> None:
        """One score for each label of a sample."""
        if not isinstance(outputs, Tensor) or outputs.shape != targets.shape:
            raise TrainingError(
                f"the model returned {_shape(outputs)} for {len(targets)} inputs with {targets.shape[1]} "
                f"labels each; expected a tensor of scores {tuple(targets.shape)}"
            )

    def reduced(self, outputs: Tensor) -> Tensor:
        """Which labels are predicted, where a batch can tell."""
        return (outputs > self.task.logit).to(torch.uint8) if self.logits else outputs

    def predictions(self, reduced: Tensor, n_outputs: int) -> Array:
        """0 and 1, uint8 (n_samples, n_labels)."""
        values = _plain(reduced).numpy()
        return self.task.check_output(values, values)


CLASSES = ClassHead()


_KINDS: tuple[tuple[type[Task], type[Head]], ...] = (
    (Classification, ClassHead),
    (Regression, NumberHead),
    (MultiLabel, LabelsHead),
)


def _kind_of(task: Task) -> type[Head]:
    for kind, head in _KINDS:
        if isinstance(task, kind):
            return head
    raise OptionError(
        f"task={task!r} can't be trained from a model factory; train in a function of your own: "
        "FunctionTrainer(train_fn, y_true=..., task=...)"
    )


def default_loss(task: Task) -> str:
    """The loss of a task where the user names none.

    >>> default_loss(Regression(0.1))
    'mse'
    """
    return _kind_of(task).losses[0]


def head_of(task: Task, loss: Any) -> Head:
    """What a task makes of the outputs of a model that is trained with a loss.

    Parameters
    ----------
    loss : str or callable
        Of the recipe.

    Raises
    ------
    OptionError
        For a loss that is none for this task, or a task that has no models.
    """
    kind = _kind_of(task)
    if isinstance(loss, str) and loss not in kind.losses:
        raise OptionError(
            f"loss={loss!r} is none for a {task.title}; expected {' or '.join(kind.losses)}, or a callable"
        )
    if isinstance(task, MultiLabel):
        return LabelsHead(task, logits=loss == "bce_with_logits")
    return CLASSES if kind is ClassHead else kind()


class Gathered:
    """Predictions of a test set by some runs, gathered from batches of outputs.

    Parameters
    ----------
    head : Head
    n_samples : int
        Of the whole test set.
    """

    def __init__(self, head: Head, n_samples: int) -> None:
        self._head = head
        self._n_samples = n_samples
        self._finite: Tensor | None = None
        self._reduced: list[Tensor] = []
        self._scores: list[Tensor] = []
        self._n_outputs = 1

    def add(self, outputs: Tensor) -> None:
        """The next batch, (n_runs, n, …)."""
        finite = torch.isfinite(outputs).flatten(1).all(1)
        self._finite = finite if self._finite is None else self._finite & finite
        self._n_outputs = outputs.shape[-1]
        self._reduced.append(self._head.reduced(outputs))
        if self._head.keeps_scores and self._n_samples * self._n_outputs <= MAX_SCORES:
            self._scores.append(outputs.float())

    def runs(self) -> list[tuple[Array, NDArray[np.float32] | None] | None]:
        """Of each run its predictions and scores; None where these are not all finite."""
        assert self._finite is not None
        reduced = torch.cat(self._reduced, dim=1)
        scores = (
            torch.cat(self._scores, dim=1).nan_to_num_().cpu().numpy() if self._scores else None
        )
        return [
            (
                self._head.predictions(reduced[run], self._n_outputs),
                None if scores is None else scores[run],
            )
            if fine
            else None
            for run, fine in enumerate(self._finite.tolist())
        ]


def check_alike(train: Tensor, test: Tensor) -> None:
    """Refuse training and test targets of another number of labels.

    Raises
    ------
    DataError
    """
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"train= has {train.shape[1]} labels a sample and test= has {test.shape[1]}; expected the same "
            "labels in both"
        )


def _float_type(inputs: Tensor) -> torch.dtype:
    return inputs.dtype if inputs.dtype in _WIDE else torch.get_default_dtype()


def _plain(values: Tensor) -> Tensor:
    """On the CPU, in a type that NumPy has."""
    return (values.float() if values.dtype == torch.bfloat16 else values).cpu()


def _is_tensor(outputs: Any, dims: int, n_samples: int) -> bool:
    return isinstance(outputs, Tensor) and outputs.dim() == dims and len(outputs) == n_samples


def _shape(outputs: Any) -> Any:
    return tuple(outputs.shape) if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
