"""The trainer of torch models: a factory, data and a recipe."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from pytest_reprotest.errors import DataError, RegularizerRefused, ReprotestError, TrainingError
from pytest_reprotest.interfaces import Placement, Prepared, Regularizer, RunOutcome, Trainer
from pytest_reprotest.pictures import Pixels
from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.seeds import RunSeeds
from pytest_reprotest.tasks import CLASSIFICATION, Array, Classification, Task
from pytest_reprotest.training.content import content_hash, has_hash, weights_digest
from pytest_reprotest.training.data import DatasetSource, Source, TensorSource, as_source
from pytest_reprotest.training.faults import tell
from pytest_reprotest.training.first_step import check_prediction, check_step, classes_in, kind_of
from pytest_reprotest.training.forward_trace import in_words
from pytest_reprotest.training.heads import check_alike, head_of
from pytest_reprotest.training.ladder import Trial, choose
from pytest_reprotest.training.model import (
    Factory,
    build_model,
    check_factory,
    fixed_start,
    same_object,
    same_weights,
    unseeded_start,
)
from pytest_reprotest.training.pictures import pictures_of
from pytest_reprotest.training.proving import digests_of, state_of
from pytest_reprotest.training.sequential import train_sequentially
from pytest_reprotest.training.shortage import (
    Short,
    fitting,
    out_of_memory,
    short_is_told,
    too_large,
    train_in_parts,
)
from pytest_reprotest.training.stacked.engine import train_stack
from pytest_reprotest.training.state import preserved_state, seed_globals
from pytest_reprotest.training.timing import time_training


class TorchTrainer(Trainer):
    """Trains the models of a factory.

    Parameters
    ----------
    model_factory : callable
        Returns a fresh ``nn.Module`` that gives what the task asks for: scores (n, n_classes), numbers
        (n,) or (n, 1), or scores (n, n_labels). It may take a parameter named
        ``regularizer``, the label: then it builds the regularizer's part of the model in by hand.
    train, test : pair (inputs, targets) of tensors or arrays, or Dataset
        Inputs (n_samples, …), targets (n_samples,) or (n_samples, n_labels).
    recipe : Recipe
    task : Task

    Raises
    ------
    OptionError, DataError, TrainingError
    """

    nudges = True
    reads_unseen = ("recipe", "task", "data", "regularizer")  # a factory's files are in the model

    def __init__(
        self,
        model_factory: Factory,
        train: Any,
        test: Any,
        recipe: Recipe,
        task: Task = CLASSIFICATION,
    ) -> None:
        check_factory(model_factory)
        head = head_of(task, recipe.loss)
        self._task, self.model_factory = task, model_factory
        self.recipe, self.threads = recipe, recipe.threads
        with preserved_state():
            self._train = as_source(train, "train", fixed=False, head=head)
            fixed = as_source(test, "test", fixed=True, head=head)
        assert isinstance(fixed, TensorSource)
        self._test = fixed
        try:
            self._y_true = task.check_y_true(fixed.targets.cpu().numpy())
        except DataError as error:
            raise DataError(f"test=: {error}") from None
        if isinstance(self._train, TensorSource):
            check_alike(self._train.targets, fixed.targets)
        classes = isinstance(task, Classification)
        self._n_classes = classes_in(self._train, fixed) if classes else None
        self._placed: tuple[str, Source, Source] | None = None
        self._fixed_starts: dict[str, str] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_placed": None}  # each process moves the data to its own device

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._task

    @property
    def y_true(self) -> Array:
        """True values of the test set, (n_samples,): int64 labels, floats, or 0 and 1 (n_samples, n_labels)."""
        return self._y_true

    def describe(self) -> dict[str, Any]:
        """The recipe, and sizes and content of the data."""
        return {
            "model_factory": getattr(self.model_factory, "__qualname__", repr(self.model_factory)),
            **self.recipe.describe(),
            "n_train": self._train.n_samples,
            "n_test": self._test.n_samples,
            "data": {"train": content_hash(self._train), "test": content_hash(self._test)},
        }

    def callables(self) -> tuple[Any, ...]:
        """Factory, loss, optimizer and schedule, as far as they are functions; the class of a Dataset."""
        recipe = self.recipe
        given = (self.model_factory, recipe.loss, recipe.optimizer, recipe.schedule)
        read = (type(self._train.dataset),) if isinstance(self._train, DatasetSource) else ()
        return (*(each for each in given if callable(each)), *read)

    def content(self, regularizer: Regularizer) -> Mapping[str, Any]:
        """Code, a model as it starts, which may hold what a file says, and data that has no hash."""
        with preserved_state(self.recipe.threads):
            model = self._model(regularizer, RunSeeds(base=0, run=0), "cpu")
        return {
            "model_factory": self.model_factory,
            "model": model,
            "recipe": vars(self.recipe),
            "task": self._task,
            "data": [vars(each) for each in (self._train, self._test) if not has_hash(each)],
        }

    def prepare(
        self, regularizers: Sequence[Regularizer], asked: Placement, n_runs: int
    ) -> Prepared:
        """Build every regularizer's model, try one step of it, and settle engine and chunk."""
        refusals = {}
        trials: list[Trial] = []
        with preserved_state(self.recipe.threads), short_is_told(asked.device):
            train, test = self._on(asked.device)
            for regularizer in regularizers:
                try:
                    trials.append(self._try(regularizer, train, asked.device))
                    check_prediction(trials[-1][2][0], test, asked.device)
                except RegularizerRefused as refusal:
                    refusals[regularizer.label] = str(refusal)
                except ReprotestError as error:
                    raise type(error)(f"{regularizer.label!r}: {error}") from None
                except Exception as error:
                    raise TrainingError(
                        f"{regularizer.label!r}: a first step on a small batch raised {tell(error)}\n"
                        f"  inputs are {kind_of(self._train, self._test)}"
                    ) from error
            starts = {each.label: weights_digest(models[0]) for each, _, models in trials}
            chosen = choose(trials, train, asked, n_runs)
            notes = (*chosen.notes, *dict.fromkeys(filter(None, self._fixed_starts.values())))
            return replace(chosen, refusals=refusals, notes=notes, initial_weights=starts)

    def _try(self, regularizer: Regularizer, train: Source, device: str) -> Trial:
        recipe = regularizer.modify_recipe(self.recipe)
        models = tuple(
            self._model(regularizer, RunSeeds(base=0, run=run), device) for run in range(2)
        )
        again = self._model(regularizer, RunSeeds(base=0, run=0), device)
        if not same_weights(models[0], again):
            raise unseeded_start(self.model_factory, regularizer)
        if same_weights(*models):
            self._fixed_starts[regularizer.label] = same_object(self.model_factory, regularizer)
        seed_globals(RunSeeds(base=0, run=0), "noise")
        check_step(copy.deepcopy(models[0]), recipe, regularizer, train, self._n_classes, device)
        return regularizer, recipe, (models[0], models[1])

    def train(
        self, runs: Sequence[Run], regularizer: Regularizer, placement: Placement
    ) -> Iterator[RunOutcome]:
        """Train a chunk, stacked or one run after another."""
        why = self._fixed_starts.get(regularizer.label)
        if why is not None and "init" in runs[0].seeds.vary and not runs[0].rung:
            error = fixed_start(self.model_factory, runs[0].seeds, why)
            yield RunOutcome(runs[0], failure=str(error))
            return
        recipe = regularizer.modify_recipe(self.recipe)
        if placement.engine == "stacked":
            with preserved_state(recipe.threads):
                outcomes = train_in_parts(
                    lambda part: self._train_stacked(part, recipe, regularizer, placement.device),
                    runs,
                    placement.device,
                )
            yield from outcomes
            return
        for run in runs:
            with preserved_state(recipe.threads):
                outcome = self._train_one(run, recipe, regularizer, placement)
            yield outcome

    def pictures(self, samples: Sequence[int]) -> Pixels | None:
        """Pictures of test samples, where inputs look like images."""
        return pictures_of(self._test.inputs, samples)

    def seconds_per_run(
        self, regularizer: Regularizer, placement: Placement, n_runs: int
    ) -> float | None:
        """Seconds of a run, from a few steps of models that are then let go."""
        recipe = regularizer.modify_recipe(self.recipe)
        stacked, device = placement.engine == "stacked", placement.device
        count = n_runs if stacked else 1

        def build() -> list[nn.Module]:
            seeds = (RunSeeds(base=0, run=run) for run in range(count))
            return [self._model(regularizer, each, device) for each in seeds]

        with preserved_state(recipe.threads):
            train, test = self._on(device)
            seed_globals(RunSeeds(base=0, run=0), "noise")
            seconds = fitting(
                lambda: time_training(build, recipe, regularizer, train, test, device, stacked),
                device,
            )
        if not isinstance(seconds, Short):
            return seconds / count
        if count == 1:
            raise TrainingError(f"{regularizer.label!r}: {too_large(device, seconds)}")
        return self.seconds_per_run(regularizer, placement, count // 2)

    def _train_one(
        self, run: Run, recipe: Recipe, regularizer: Regularizer, placement: Placement
    ) -> RunOutcome:
        started, device = time.perf_counter(), placement.device
        start: dict[str, str] = {}

        def again() -> None:
            model = self._model(regularizer, run.seeds, device)
            train_sequentially(run, model, recipe, regularizer, *self._on(device), device)

        try:
            model = self._model(regularizer, run.seeds, device)
            if placement.deterministic:
                start = state_of(model)
            trained = train_sequentially(run, model, recipe, regularizer, *self._on(device), device)
        except Exception as error:
            told = in_words(error, device, again)
            return RunOutcome(run, failure=told, seconds=time.perf_counter() - started)
        outcome = RunOutcome(run, trained.labels, trained.losses, scores=trained.scores)
        if placement.deterministic:
            outcome = replace(outcome, digests=digests_of(outcome, start, model))
        return replace(outcome, seconds=time.perf_counter() - started)

    def _train_stacked(
        self, runs: Sequence[Run], recipe: Recipe, regularizer: Regularizer, device: str
    ) -> list[RunOutcome]:
        """One stack, or the failure of the first run that has no model."""
        started = time.perf_counter()
        train, test = self._on(device)
        assert isinstance(train, TensorSource)
        assert isinstance(test, TensorSource)
        models: list[nn.Module] = []
        try:
            for run in runs:
                models.append(self._model(regularizer, run.seeds, device))
            trained = train_stack(runs, models, recipe, regularizer, train, test, device)
        except Exception as error:
            if out_of_memory(error):
                raise
            failed = runs[len(models)] if len(models) < len(runs) else runs[0]
            return [RunOutcome(failed, failure=tell(error))]
        seconds = (time.perf_counter() - started) / len(runs)
        return [
            RunOutcome(run, failure=tell(one), seconds=seconds)
            if isinstance(one, Exception)
            else RunOutcome(run, one.labels, one.losses, seconds, scores=one.scores)
            for run, one in zip(runs, trained, strict=True)
        ]

    def _model(self, regularizer: Regularizer, seeds: RunSeeds, device: str) -> nn.Module:
        return build_model(self.model_factory, regularizer, seeds, self._test.inputs[:2], device)

    def _on(self, device: str) -> tuple[Source, Source]:
        """Both data sets on the device, moved once."""
        if self._placed is None or self._placed[0] != device:
            self._placed = (device, self._train.to(device), self._test.to(device))
        return self._placed[1:]
