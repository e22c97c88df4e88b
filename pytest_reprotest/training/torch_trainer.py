"""The trainer of torch models: a factory, data and a recipe."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from pytest_reprotest.errors import RegularizerRefused, ReprotestError, TrainingError
from pytest_reprotest.interfaces import Regularizer, RunOutcome, Trainer
from pytest_reprotest.metrics import Labels
from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.training.data import Source, TensorSource, as_source
from pytest_reprotest.training.faults import tell
from pytest_reprotest.training.model import Factory, build_model, check_factory
from pytest_reprotest.training.sequential import check_step, train_sequentially
from pytest_reprotest.training.state import preserved_state, seed_globals


class TorchTrainer(Trainer):
    """Trains the models of a factory.

    Parameters
    ----------
    model_factory : callable
        Returns a fresh ``nn.Module`` that gives scores (n, n_classes). It may take a parameter named
        ``regularizer``, the label: then it builds the regularizer's part of the model in by hand.
    train, test : pair (inputs, targets) of tensors or arrays, or Dataset
        Inputs (n_samples, …), integer class labels (n_samples,).
    recipe : Recipe
    """

    def __init__(self, model_factory: Factory, train: Any, test: Any, recipe: Recipe) -> None:
        check_factory(model_factory)
        self.model_factory = model_factory
        self.recipe = recipe
        with preserved_state():
            self._train = as_source(train, "train", fixed=False)
            fixed = as_source(test, "test", fixed=True)
        assert isinstance(fixed, TensorSource)
        self._test = fixed
        self._placed: tuple[str, Source, Source] | None = None

    @property
    def y_true(self) -> Labels:
        """Labels of the test set, int64 (n_samples,)."""
        labels: Labels = self._test.targets.cpu().numpy()
        return labels

    def describe(self) -> dict[str, Any]:
        """The recipe and the sizes of the data."""
        return {
            "model_factory": getattr(self.model_factory, "__qualname__", repr(self.model_factory)),
            **self.recipe.describe(),
            "n_train": self._train.n_samples,
            "n_test": self._test.n_samples,
        }

    def prepare(self, regularizers: Sequence[Regularizer], device: str) -> Mapping[str, str]:
        """Build every regularizer's model once and try one step of it."""
        refusals = {}
        with preserved_state(self.recipe.threads):
            train, _ = self._on(device)
            labels = [self._test.targets.max()]
            if isinstance(self._train, TensorSource):
                labels.append(self._train.targets.max())
            n_classes = int(max(int(label) for label in labels)) + 1
            for regularizer in regularizers:
                try:
                    self._try(regularizer, train, n_classes, device)
                except RegularizerRefused as refusal:
                    refusals[regularizer.label] = str(refusal)
                except ReprotestError as error:
                    raise type(error)(f"{regularizer.label!r}: {error}") from None
                except Exception as error:
                    raise TrainingError(
                        f"{regularizer.label!r}: a first step on a small batch raised {tell(error)}\n"
                        f"  inputs are {self._kind()}"
                    ) from error
        return refusals

    def _try(self, regularizer: Regularizer, train: Source, n_classes: int, device: str) -> None:
        seeds = RunSeeds(base=0, run=0)
        recipe = regularizer.modify_recipe(self.recipe)
        model = build_model(self.model_factory, regularizer, seeds, self._sample(), device)
        seed_globals(seeds, "noise")
        check_step(model, recipe, regularizer, train, n_classes, device)

    def train(
        self, runs: Sequence[Run], regularizer: Regularizer, device: str
    ) -> Iterator[RunOutcome]:
        """Train runs one after another."""
        recipe = regularizer.modify_recipe(self.recipe)
        for run in runs:
            with preserved_state(recipe.threads):
                outcome = self._train_one(run, recipe, regularizer, device)
            yield outcome

    def _train_one(
        self, run: Run, recipe: Recipe, regularizer: Regularizer, device: str
    ) -> RunOutcome:
        started = time.perf_counter()
        try:
            train, test = self._on(device)
            model = build_model(self.model_factory, regularizer, run.seeds, self._sample(), device)
            trained = train_sequentially(run, model, recipe, regularizer, train, test, device)
        except Exception as error:
            return RunOutcome(run, failure=tell(error), seconds=time.perf_counter() - started)
        return RunOutcome(run, trained.labels, trained.losses, time.perf_counter() - started)

    def _sample(self) -> Tensor:
        return self._test.inputs[:2]

    def _on(self, device: str) -> tuple[Source, Source]:
        """Both data sets on the device, moved once."""
        if self._placed is None or self._placed[0] != device:
            self._placed = (device, self._train.to(device), self._test.to(device))
        return self._placed[1:]

    def _kind(self) -> str:
        sizes = "".join(f", {size}" for size in self._test.inputs.shape[1:])
        return f"{self._test.inputs.dtype} of shape (n{sizes})"
