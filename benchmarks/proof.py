"""What a proof of determinism costs over plainly training the same runs, timed in turn, and what a location does.

    python benchmarks/proof.py [--repeats 5] [--epochs 60]

- proof: a whole audit of three runs against one that trains them plainly, both in fresh processes, two at a time.
- location: a training with one unseeded draw, from the first training to the named line, against the proof alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.datasets import load_digits
from tabulate import tabulate
from torch import Tensor, nn

from pytest_reprotest._audit import run_audit
from pytest_reprotest.execution.choice import open_executor
from pytest_reprotest.execution.processes import ProcessExecutor
from pytest_reprotest.options import Options
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.result import AuditResult
from pytest_reprotest.training.torch_trainer import TorchTrainer


def make_mlp() -> nn.Module:
    """The digits example's net."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


class Noisy(nn.Module):
    """The same net with noise from the system, a tenth of rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = make_mlp()

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores (n, 10)."""
        return self.layers(inputs + 1e-7 * float(np.random.default_rng().normal()))  # type: ignore[no-any-return]


def audited(
    factory: Callable[[], nn.Module], epochs: int, deterministic: bool
) -> tuple[float, AuditResult]:
    """Seconds of an audit of three runs of one seed, and its result."""
    inputs, targets = load_digits(return_X_y=True)
    inputs, targets = torch.tensor(inputs / 16, dtype=torch.float32), torch.tensor(targets)
    trainer = TorchTrainer(
        factory,
        (inputs[:1437], targets[:1437]),
        (inputs[1437:], targets[1437:]),
        Recipe(epochs=epochs, batch_size=64, optimizer="sgd", lr=0.1),
    )
    options = Options(
        runs=3, vary=(), engine="sequential", workers=2, device="cpu", deterministic=deterministic
    )
    executor = open_executor(options) if deterministic else ProcessExecutor(2, fresh=True)
    started = time.perf_counter()
    try:
        result = run_audit(trainer, options, Registry(), executor=executor)
    finally:
        executor.close()
    return time.perf_counter() - started, result


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    given = parser.parse_args()
    wall, locating = [], []
    for _ in range(given.repeats):
        plain_wall, _ = audited(make_mlp, given.epochs, deterministic=False)
        proof_wall, proof = audited(make_mlp, given.epochs, deterministic=True)
        noisy_wall, noisy = audited(Noisy, given.epochs, deterministic=True)
        assert proof.passed
        assert noisy["none"].proof is not None
        assert "default_rng" in str(noisy["none"].proof.divergence)
        wall.append(proof_wall / plain_wall)
        locating.append(noisy_wall / proof_wall)
        print(f"plain {plain_wall:.2f} s, proof {proof_wall:.2f} s, located {noisy_wall:.2f} s")
    rows = [
        (name, f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})")
        for name, found in (
            ("proof / plain", wall),
            ("located / proof", locating),
        )
    ]
    print(tabulate(rows, headers=["", "median (extremes)"]))


if __name__ == "__main__":
    main()
