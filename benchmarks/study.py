"""The depth-2 part of the study's grid on MNIST, and the same work by a DataLoader loop.

    REPROTEST_DATA=~/data PYTHONPATH=examples python benchmarks/study.py [--epochs 2]

Runs the suite as a user would (36 cells, five runs of 25 epochs, two cells side by side) and times it; then trains one
run of one cell for some epochs as the study's script does, batch by batch from a DataLoader, on one thread,
and extrapolates: times 25 epochs, five runs and 36 cells, over two such loops side by side. With --loop only the loop.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch
from engine import pictures
from regularizer_study.datasets import load
from regularizer_study.factors import BATCH_SIZE, Cell, published_cells
from torch import nn
from torch.utils.data import DataLoader

ROOT = Path(__file__).parents[1]
SUITE = [
    sys.executable, "-m", "pytest", "examples/regularizer_study/test_study.py", "-p", "no:cacheprovider",
    "--study-profile=published", "-k", "mlp2-", "-n", "2", "-q",
]  # fmt: skip
CELLS = [cell for cell in published_cells() if cell.depth == 2]
RUNS, EPOCHS = 5, 25


def suite() -> float:
    """Seconds of the whole part, start-up included."""
    started = time.perf_counter()
    subprocess.run(SUITE, cwd=ROOT, check=True)
    return time.perf_counter() - started


def loop(cell: Cell, epochs: int) -> float:
    """Seconds of an epoch of one run in the study's loop: samples one by one, the loss read at each step."""
    torch.set_num_threads(1)
    inputs, targets = load(cell.data).train
    train, told = pictures((torch.from_numpy(inputs), torch.from_numpy(targets)))
    loader = DataLoader(train, batch_size=BATCH_SIZE, shuffle=True)
    model, loss = cell.net(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=cell.learning_rate)
    print(f"pictures from {told}")
    started = time.perf_counter()
    for _ in range(epochs):
        total = 0.0
        for batch, labels in loader:
            optimizer.zero_grad()
            found = loss(model(batch), labels)
            found.backward()
            optimizer.step()
            total += found.item()
    return (time.perf_counter() - started) / epochs


def main() -> None:
    parser = argparse.ArgumentParser(description="The study's grid at depth 2, and its own loop.")
    parser.add_argument("--epochs", type=int, default=2, help="of the loop")
    parser.add_argument("--loop", action="store_true", help="leave out the grid")
    given = parser.parse_args()
    whole = None if given.loop else suite()
    epoch = loop(CELLS[0], given.epochs)
    extrapolated = epoch * EPOCHS * RUNS * len(CELLS) / 2
    print(
        f"loop: {epoch:.2f} s an epoch of one run; the grid in two loops: {extrapolated / 60:.0f} min"
    )
    if whole is not None:
        print(
            f"suite: {len(CELLS)} cells of {RUNS} runs in {whole / 60:.1f} min on two cores; "
            f"{extrapolated / whole:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
