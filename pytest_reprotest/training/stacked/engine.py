"""Training a stack: the gather, one forward and backward, one optimizer step for all its runs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.tasks import Array
from pytest_reprotest.training.averaging import batches_in_order, recompute, weight_average
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.heads import Gathered
from pytest_reprotest.training.objective import losses_by_run, set_rates
from pytest_reprotest.training.sequential import (
    Trained,
    diverged,
    epoch_order,
    not_finite,
    steps_per_epoch,
)
from pytest_reprotest.training.stacked.direct import DirectStack, NotDirect, Stack
from pytest_reprotest.training.stacked.fused import fusible
from pytest_reprotest.training.stacked.graph import GraphedStep
from pytest_reprotest.training.stacked.manual import by_hand, cross_entropy
from pytest_reprotest.training.stacked.optimizer import clip_by_run, stacked_optimizer
from pytest_reprotest.training.stacked.vmapped import VmappedStack
from pytest_reprotest.training.state import torch_generator

_EVALUATION_ELEMENTS = 1 << 22  # input numbers of all runs in one batch of predictions

Predicted = tuple[Array, NDArray[np.float32] | None] | None
"""One run's predictions and scores, or None where outputs are not finite."""


def make_stack(models: Sequence[nn.Module]) -> Stack:
    """Stack models of one architecture, without vmap where the tree is plain."""
    try:
        return DirectStack(models)
    except NotDirect:
        return VmappedStack(models)


def _penalty_by_run(stack: Stack, regularizer: Regularizer) -> Callable[..., Tensor] | None:
    """The regularizer's penalty of each run, (n_runs,), from stacked parameters; None where it has none."""
    own = dict(stack.skeleton.named_parameters())
    if regularizer.penalty(stack.skeleton, own) is None:
        return None
    vmap: Callable[..., Callable[..., Tensor]] = torch.vmap
    return vmap(lambda each: regularizer.penalty(stack.skeleton, each), randomness="error")


class StackTraining:
    """The parts of a stack's training that a step needs, and the step itself.

    A loss is averaged within a run and summed over runs, so each run's gradient is its own.
    """

    def __init__(
        self,
        stack: Stack,
        recipe: Recipe,
        regularizer: Regularizer,
        train: TensorSource,
        graphed: bool = False,
    ) -> None:
        self.stack = stack
        self.train = train
        self.trainable = [leaf for leaf in stack.leaves.values() if leaf.requires_grad]
        self.optimizer = stacked_optimizer(recipe, self.trainable, regularizer, graphed)
        self.max_grad_norm = recipe.max_grad_norm
        self.losses = losses_by_run(recipe, train.head)
        self.total = torch.zeros(stack.n_runs, device=train.targets.device)
        self.penalty = _penalty_by_run(stack, regularizer)
        free = self.penalty is None and self.max_grad_norm is None
        plain = recipe.loss == "cross_entropy"
        group = fusible(self.optimizer) if free else None
        self.operation = by_hand(stack, group) if plain else None
        self._ones = torch.ones_like(self.total)
        self._shape = train.inputs.shape[1:]

    def objective(self, index: Tensor) -> Tensor:
        """Loss and penalty of each run, (n_runs,), on samples ``index`` (n_runs, n), with their graph."""
        inputs, targets = self._batch(index)
        losses = self.losses(self.stack(inputs), targets)
        return losses if self.penalty is None else losses + self.penalty(self.stack.leaves)

    def step(self, index: Tensor) -> None:
        """One step of every run."""
        for leaf in self.trainable:
            leaf.grad = None
        objective = self._by_hand(index) if self.operation is not None else self._by_graph(index)
        if self.max_grad_norm is not None:
            clip_by_run(self.trainable, self.max_grad_norm)
        if any(leaf.grad is not None for leaf in self.trainable):
            self.optimizer.step()
        self.total += objective

    def _by_graph(self, index: Tensor) -> Tensor:
        objective = self.objective(index)
        objective.backward(self._ones)
        return objective.detach()

    def _by_hand(self, index: Tensor) -> Tensor:
        assert self.operation is not None
        with torch.no_grad():
            inputs, targets = self._batch(index)
            losses, gradient = cross_entropy(self.operation.forward(inputs), targets)
            self.operation.backward(gradient, inward=False)
        if self.penalty is None:
            return losses
        penalty = self.penalty(self.stack.leaves)
        found = torch.autograd.grad(penalty, self.trainable, self._ones, allow_unused=True)
        for leaf, gradient in zip(self.trainable, found, strict=True):
            if gradient is not None:  # backward() would warn of the layout that gradients have here
                leaf.grad = gradient if leaf.grad is None else leaf.grad.add_(gradient)
        return losses + penalty.detach()

    def _batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = self.train.take(index.reshape(-1))
        return inputs.view(*index.shape, *self._shape), targets.view(
            *index.shape, *targets.shape[1:]
        )


def train_stack(
    runs: Sequence[Run],
    models: Sequence[nn.Module],
    recipe: Recipe,
    regularizer: Regularizer,
    train: TensorSource,
    test: TensorSource,
    device: str,
) -> list[Trained | Exception]:
    """Train runs of one regularizer as one model, and predict the test set with each.

    Returns
    -------
    list
        For each run its predictions, losses and scores, or what went wrong with it alone.
    """
    if len(runs) == 1:  # axes of length 1 are computed along other paths, with other rounding
        twin = [*models, copy.deepcopy(models[0])]
        pair = train_stack([*runs, *runs], twin, recipe, regularizer, train, test, device)
        return pair[:1]
    stack = make_stack(models)
    graphed = device.startswith("cuda") and isinstance(recipe.optimizer, str)
    training = StackTraining(stack, recipe, regularizer, train, graphed)
    step = GraphedStep(training) if graphed else training.step
    average = weight_average(recipe, stack.leaves.values())
    orders = [torch_generator(run.seeds, "data_order") for run in runs]
    base_rates = [float(group["lr"]) for group in training.optimizer.param_groups]
    steps = steps_per_epoch(recipe, train.n_samples)
    rate_factor = recipe.learning_rate_factor
    history: list[list[float]] = []
    stack.train()
    for epoch in range(recipe.epochs):
        order = torch.stack([epoch_order(each, train.n_samples) for each in orders]).to(device)
        training.total.zero_()
        for number, index in enumerate(order.split(recipe.batch_size, dim=1)[:steps]):
            if recipe.schedule != "constant":
                factor = rate_factor((epoch * steps + number) / (recipe.epochs * steps))
                set_rates(training.optimizer, [rate * factor for rate in base_rates])
            step(index)
            if average is not None:
                average.update()
        history.append((training.total / steps).tolist())
    if average is not None:
        average.put()
        batches = batches_in_order(train.n_samples, recipe.batch_size, device)
        recompute(stack.batch_norms(), stack.train, stack.share, train, batches)
    predicted = predict(stack, test)
    return [
        _outcome([losses[run] for losses in history], predicted[run], recipe)
        for run in range(len(runs))
    ]


def _outcome(losses: list[float], found: Predicted, recipe: Recipe) -> Trained | Exception:
    for epoch, loss in enumerate(losses):
        if not math.isfinite(loss):
            return diverged(loss, epoch, recipe)
    if found is None:
        return not_finite()
    labels, scores = found
    return Trained(labels, tuple(losses), scores)


@torch.no_grad()
def predict(stack: Stack, test: TensorSource) -> list[Predicted]:
    """Predictions (n_samples, …) of each run and their scores; None where outputs are not finite."""
    stack.train(False)
    size = max(1, _EVALUATION_ELEMENTS // max(test.inputs[0].numel() * stack.n_runs, 1))
    gathered = Gathered(test.head, test.n_samples)
    for inputs in test.inputs.split(size):
        gathered.add(stack.share(inputs))
    return gathered.runs()
