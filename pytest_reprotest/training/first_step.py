"""One step on a small batch before anything trains: what can't be trained is told at once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pytest_reprotest.errors import DataError, RegularizerRefused, TrainingError
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers._surgery import LAYERS, Stage
from pytest_reprotest.training.data import Source, TensorSource
from pytest_reprotest.training.objective import check_schedule, make_loss, make_optimizer

_SAMPLES = 32


def check_step(
    model: nn.Module,
    recipe: Recipe,
    regularizer: Regularizer,
    train: Source,
    n_classes: int | None,
    device: str,
) -> None:
    """Train a model one step and predict with it; the model is of no use afterwards.

    Parameters
    ----------
    n_classes : int or None
        Classes that occur in the data's labels: the largest plus one. None where targets are no classes.

    Raises
    ------
    TrainingError, DataError
        Where no run can be trained.
    RegularizerRefused
        Where the model does not use the layers as the regularizer expects.
    """
    check_schedule(recipe)
    optimizer = make_optimizer(recipe, model.parameters(), regularizer)
    index = torch.arange(min(train.n_samples, recipe.batch_size, _SAMPLES), device=device)
    inputs, targets = train.take(index)
    model.train()
    with recorded_calls(model) as calls:
        outputs = model(inputs)
    train.head.check(outputs, targets)
    if n_classes is not None:
        _check_classes(outputs, n_classes)
    loss = make_loss(recipe, train.head)(outputs, targets)
    if not isinstance(loss, Tensor) or loss.dim() != 0:
        shape = tuple(loss.shape) if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise TrainingError(
            f"the loss returned {shape}; expected a scalar tensor, the mean over the batch"
        )
    penalty = regularizer.penalty(model, dict(model.named_parameters()))
    (loss if penalty is None else loss + penalty).backward()
    _check_stages(model, calls, regularizer.label)
    optimizer.step()
    if smallest_batch(recipe, train.n_samples) == 1 < len(index):
        _check_lone_sample(model, inputs[:1], targets[:1], recipe, train)
    model.eval()
    with torch.no_grad():
        train.head.check(model(inputs), targets)


def check_prediction(model: nn.Module, test: Source, device: str) -> None:
    """Predict a test sample, which may be unlike the training set's.

    Raises
    ------
    DataError
    """
    inputs, _ = test.take(torch.zeros(1, dtype=torch.int64, device=device))
    sizes = "".join(f", {size}" for size in inputs.shape[1:])
    trial = copy.deepcopy(model).eval()
    try:
        with torch.no_grad():
            trial(inputs)
    except Exception as error:
        raise DataError(
            f"the model trains on train= and can't predict test=, whose inputs are {inputs.dtype} of shape "
            f"(n{sizes}): {error}. Prepare both sets the same way"
        ) from error


def classes_in(*sources: Source) -> int:
    """Classes that occur in the labels of what is held: the largest plus one."""
    held = [source for source in sources if isinstance(source, TensorSource)]
    return max(int(source.targets.max()) for source in held) + 1


def kind_of(*sources: Source) -> str:
    """Type and shape of the inputs of the first source that is held, for messages."""
    held = next(source for source in sources if isinstance(source, TensorSource))
    sizes = "".join(f", {size}" for size in held.inputs.shape[1:])
    return f"{held.inputs.dtype} of shape (n{sizes})"


def smallest_batch(recipe: Recipe, n_samples: int) -> int:
    """Samples in the smallest batch of an epoch."""
    whole, rest = divmod(n_samples, recipe.batch_size)
    return recipe.batch_size if not rest or (recipe.drop_last and whole) else rest


def _check_classes(outputs: Tensor, n_classes: int) -> None:
    if outputs.shape[1] < n_classes:
        raise DataError(
            f"labels outside the classes: the largest label is {n_classes - 1}, the model gives scores "
            f"for {outputs.shape[1]} classes (0 … {outputs.shape[1] - 1}). Widen its last layer, or "
            "re-encode the labels"
        )
    if outputs.shape[1] < 2:
        raise TrainingError(
            "the model gives one score a sample; expected one for each class, so 2 for a binary task"
        )


def _check_lone_sample(
    model: nn.Module, sample: Tensor, target: Tensor, recipe: Recipe, train: Source
) -> None:
    try:
        train.head.check(model(sample), target)
    except Exception as error:
        raise TrainingError(
            f"the last batch of an epoch holds 1 sample ({train.n_samples} samples, batch_size="
            f"{recipe.batch_size}), and the model can't be trained on it: {error}. Set drop_last=True, or "
            "another batch_size"
        ) from error


@contextmanager
def recorded_calls(model: nn.Module) -> Iterator[list[nn.Module]]:
    """The layers and stages of a model in the order in which their calls end."""
    calls: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: calls.append(module))
        for module in model.modules()
        if type(module) in (*LAYERS, Stage)
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _check_stages(model: nn.Module, calls: list[nn.Module], asking: str) -> None:
    """Refuse surgery that the forward passes by, or that met the layer of the scores."""
    stages = {name: m for name, m in model.named_modules() if isinstance(m, Stage)}
    called = {id(module) for module in calls}
    for name, stage in stages.items():
        used = id(stage.layer) in called or any(p.grad is not None for p in stage.parameters())
        if used and id(stage) not in called:
            raise RegularizerRefused(
                f"{asking!r} was put around the layer {name!r}, which the model reaches by another way "
                "than calling that attribute (a list of layers, or its weight), so it would do nothing; "
                "call the attribute, or hold layers in nn.ModuleList"
            )
    layers = [module for module in model.modules() if type(module) in LAYERS]
    last = next((module for module in reversed(calls) if type(module) in LAYERS), None)
    around = {id(stage.layer): name for name, stage in stages.items()}
    if id(last) in around and id(layers[-1]) in called:
        raise RegularizerRefused(
            f"{asking!r} takes the layer that the model defines last for the one that gives the scores, "
            f"but {around[id(last)]!r} is called after it; define layers in the order of their use"
        )
