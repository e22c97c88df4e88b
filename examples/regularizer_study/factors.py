"""The study's factors as cells, each one training to audit, and profiles: how many of them, and how long."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from regularizer_study.datasets import SPECS, DataSet, load, load_or_skip
from regularizer_study.nets import NORMS, Net

OPTIMIZERS = ("sgd", "momentum", "adam")
WEIGHT_DECAYS = (0.0, 1e-4)
DEPTHS = {"mlp": (2, 6, 20), "cnn": (5, 10, 18)}
LEARNING_RATES = {"sgd": 0.1, "momentum": 0.01, "adam": 3e-4}
OTHER_LEARNING_RATES = {("fashion_mnist", "adam"): 1e-3}
EPOCHS = {"mnist": 25, "fashion_mnist": 25}
OTHER_EPOCHS = 10
BATCH_SIZE = 128
MOMENTUM = 0.9


@dataclass(frozen=True)
class Cell:
    """One combination of factors.

    Attributes
    ----------
    data : str
        A data set of ``SPECS``.
    architecture, depth, norm, residual, noise, tied
        Of the net, see ``Net``.
    optimizer : str
        ``sgd``, ``momentum`` or ``adam``, at the study's learning rate for the data set.
    weight_decay : float
    orthogonal : bool
        With the package's penalty ``orthogonal``.

    >>> Cell("mnist", "mlp", 6, "sgd", weight_decay=1e-4, norm="layer", residual=True).id
    'mnist-mlp6-sgd-wd0.0001-layer-residual'
    """

    data: str = "mnist"
    architecture: str = "mlp"
    depth: int = 2
    optimizer: str = "sgd"
    weight_decay: float = 0.0
    norm: str = "none"
    residual: bool = False
    noise: str = "none"
    orthogonal: bool = False
    tied: bool = False

    def __post_init__(self) -> None:
        if self.data not in SPECS:
            raise ValueError(f"data={self.data!r}; expected one of {', '.join(SPECS)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"optimizer={self.optimizer!r}; expected one of {', '.join(OPTIMIZERS)}"
            )
        _ = self.net  # which refuses what no net can be

    @property
    def id(self) -> str:
        """For parametrization: what is on, joined by hyphens."""
        words = [self.data, f"{self.architecture}{self.depth}", self.optimizer]
        words += [f"wd{self.weight_decay:g}"] * (self.weight_decay > 0)
        words += [self.norm] * (self.norm != "none")
        words += ["residual"] * self.residual
        words += [self.noise] * (self.noise != "none")
        words += ["orthogonal"] * self.orthogonal
        words += ["tied"] * self.tied
        return "-".join(words)

    @property
    def replicate(self) -> bool:
        """Whether it trains the same net as the cell without residual stages, of which there are none to have."""
        return self.architecture == "mlp" and self.depth == 2 and self.residual

    @property
    def seed(self) -> int:
        """The base seed: a cell's own, so that cells are independent, also two that train the same net."""
        return zlib.crc32(self.id.encode())

    @property
    def net(self) -> Net:
        """The model factory."""
        spec = SPECS[self.data]
        return Net(
            self.architecture,
            self.depth,
            self.norm,
            self.residual,
            self.noise,
            self.tied,
            spec.n_classes,
            spec.shape,
        )

    @property
    def learning_rate(self) -> float:
        """The study's, by optimizer and data set."""
        return OTHER_LEARNING_RATES.get((self.data, self.optimizer), LEARNING_RATES[self.optimizer])

    @property
    def epochs(self) -> int:
        """The study's, by data set."""
        return EPOCHS.get(self.data, OTHER_EPOCHS)

    @property
    def regularizer(self) -> str:
        """The package's regularizer that this cell is audited under: all else is in net and recipe."""
        return "orthogonal" if self.orthogonal else "none"

    @property
    def recipe(self) -> dict[str, Any]:
        """Keywords for ``retrain`` or ``audit``."""
        return {
            "epochs": self.epochs,
            "batch_size": BATCH_SIZE,
            "optimizer": self.optimizer,
            "lr": self.learning_rate,
            "momentum": MOMENTUM,
            "weight_decay": self.weight_decay,
        }


@dataclass(frozen=True)
class Profile:
    """A choice of cells, and how they are trained.

    Attributes
    ----------
    name : str
    cells : tuple of Cell
    runs : int
    epochs : int or None
        In place of the study's.
    n_train, n_test : int or None
        At most so many pictures.
    """

    name: str
    cells: tuple[Cell, ...]
    runs: int = 5
    epochs: int | None = None
    n_train: int | None = None
    n_test: int | None = None

    def recipe(self, cell: Cell) -> dict[str, Any]:
        """A cell's keywords under this profile."""
        return {**cell.recipe, "epochs": self.epochs or cell.epochs}

    def data(self, cell: Cell, skip: bool = False) -> DataSet:
        """A cell's data set under this profile; with ``skip`` a test without it is skipped."""
        read = load_or_skip if skip else load
        return read(cell.data, self.n_train, test_limit=self.n_test)


def published_cells(data: str = "mnist") -> tuple[Cell, ...]:
    """The grid that the study ran: 108 cells, without noise. Middle stages are tied as they were there."""
    factors = product(DEPTHS["mlp"], OPTIMIZERS, WEIGHT_DECAYS, NORMS[:3], (False, True))
    return tuple(published_cell(data, *each) for each in factors)


def published_cell(
    data: str, depth: int, optimizer: str, weight_decay: float, norm: str, residual: bool
) -> Cell:
    """One cell of the grid that the study ran."""
    tied = depth > 2 and not residual
    return Cell(data, "mlp", depth, optimizer, weight_decay, norm, residual, tied=tied)


def full_cells(datasets: Iterable[str] | None = None) -> Iterator[Cell]:
    """All that the study planned, on each data set: both architectures, all norms, noise and penalty.

    Left out is what would train the same net twice: residual MLPs of depth 2.
    """
    for data in (name for name in SPECS if name != "digits") if datasets is None else datasets:
        for architecture, depths in DEPTHS.items():
            yield from _cells(data, architecture, depths)


def _cells(data: str, architecture: str, depths: tuple[int, ...]) -> Iterator[Cell]:
    both = (False, True)
    factors = product(depths, OPTIMIZERS, WEIGHT_DECAYS, NORMS, both, both)
    for depth, optimizer, decay, norm, residual, orthogonal in factors:
        if residual and (architecture, depth) == ("mlp", 2):
            continue
        noises = ("none", "dropout", "stochastic_depth") if residual else ("none", "dropout")
        for noise in noises:
            yield Cell(
                data,
                architecture,
                depth,
                optimizer,
                decay,
                norm,
                residual,
                noise,
                orthogonal,
            )


def _smoke() -> Profile:
    cells = (
        Cell("digits", depth=2),
        Cell("digits", depth=6, norm="layer", residual=True, noise="stochastic_depth"),
        Cell("digits", depth=6, norm="batch", optimizer="momentum", tied=True),
        Cell("digits", "cnn", 5, optimizer="adam", norm="group", orthogonal=True),
    )
    return Profile("smoke", cells, runs=3, epochs=3, n_train=640)


def _ci() -> Profile:
    residual = Cell(depth=6, residual=True)
    cells = (
        Cell(depth=2),
        Cell(depth=2, optimizer="adam"),
        Cell(depth=6, norm="layer", tied=True),
        *(replace(residual, norm=norm) for norm in NORMS),
        *(replace(residual, optimizer=optimizer) for optimizer in OPTIMIZERS[1:]),
        replace(residual, weight_decay=1e-4),
        replace(residual, noise="dropout"),
        replace(residual, noise="stochastic_depth"),
        replace(residual, orthogonal=True),
        Cell(depth=20, norm="layer", residual=True),
    )
    # 80 whole batches: a small last one would undo part of the training.
    return Profile("ci", cells, epochs=4, n_train=80 * BATCH_SIZE)


PROFILES = ("smoke", "ci", "published", "full")


def profile(name: str, data: str | None = None) -> Profile:
    """A profile by its name.

    - ``smoke``: a cell of each kind on the digits; seconds.
    - ``ci``: MNIST, 10,240 pictures, four epochs; minutes.
    - ``published``: what the study ran on MNIST, or the same on another data set.
    - ``full``: all that it planned, or one data set of it.

    Raises
    ------
    ValueError
        For another name, and for ``data`` where a profile has its own.
    """
    if data is not None and name in ("smoke", "ci"):
        raise ValueError(f"the profile {name} has its own data; expected published or full")
    if name == "smoke":
        return _smoke()
    if name == "ci":
        return _ci()
    if name == "published":
        return Profile(name, published_cells(data or "mnist"))
    if name == "full":
        return Profile(name, tuple(full_cells(data and (data,))))
    raise ValueError(f"no profile {name!r}; expected one of {', '.join(PROFILES)}")
