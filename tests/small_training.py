"""Small data, models and runs that the tests of training share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pytest_reprotest.interfaces import Placement, Regularizer, RunOutcome
from pytest_reprotest.plan import Run
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import none
from pytest_reprotest.seeds import SOURCES, RunSeeds
from pytest_reprotest.training.model import build_model
from pytest_reprotest.training.torch_trainer import TorchTrainer

SEQUENTIAL = Placement("cpu", "sequential", 1)


def blobs(n: int = 48, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Three classes around three centres in six dimensions, with overlap."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % 3
    centres = torch.eye(3, 6)
    return centres[targets] + 0.7 * torch.randn(n, 6, generator=generator), targets


def make_mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


def make_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 3),
    )


def images(n: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 4, 4, generator=generator), torch.arange(n) % 3


def seeds(run: int = 0, base: int = 0, vary: tuple[str, ...] = SOURCES) -> RunSeeds:
    return RunSeeds(base, run, vary)


def built(factory, regularizer: Regularizer | None = None, run: int = 0) -> nn.Module:
    """The model of a run."""
    return build_model(factory, regularizer or none(), seeds(run), torch.zeros(2, 6), "cpu")


def some_runs(
    count: int = 3, label: str = "none", vary: tuple[str, ...] = SOURCES, base: int = 0
) -> list[Run]:
    return [Run(label, index, RunSeeds(base, index, vary)) for index in range(count)]


def trainer_of(factory=make_mlp, train=None, test=None, **recipe) -> TorchTrainer:
    settings = {"epochs": 2, "batch_size": 16, "lr": 0.1, **recipe}
    if "optimizer" in recipe and callable(recipe["optimizer"]):
        del settings["lr"]
    return TorchTrainer(
        factory,
        blobs() if train is None else train,
        blobs(30, seed=1) if test is None else test,
        Recipe(**settings),
    )


def trained(
    trainer, runs, regularizer: Regularizer | None = None, placement: Placement = SEQUENTIAL
) -> dict[int, RunOutcome]:
    """Outcomes by run."""
    outcomes = trainer.train(runs, regularizer or none(), placement)
    return {outcome.run.index: outcome for outcome in outcomes}
