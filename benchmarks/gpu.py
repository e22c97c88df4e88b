"""How much faster a stack of runs trains on one GPU than the same runs one at a time.

The work of performance.md's roofline: 784-128-128-10, batch 128, Adam, float32. Three ways over the same
data on the device, each without synchronization inside:

- eager: a plain PyTorch loop, one run at a time;
- graphed: that loop's step as a CUDA graph, one run at a time;
- stacked: pytest-reprotest's engine, all runs as one model, its step as a CUDA graph.

    python benchmarks/gpu.py [--runs 128] [--steps 200]

Prints microseconds a run-step (one step of one run) and the ratios; needs a CUDA device.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from pytest_reprotest.recipe import Recipe
from pytest_reprotest.regularizers import none
from pytest_reprotest.training.data import TensorSource
from pytest_reprotest.training.stacked.engine import StackTraining, make_stack
from pytest_reprotest.training.stacked.graph import GraphedStep

BATCH, SAMPLES = 128, 60_000


def make_mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def seconds(step: Callable[[int], None], steps: int) -> float:
    """Median seconds a step over five repeats, after a warm-up."""
    for number in range(10):
        step(number)
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        started = time.perf_counter()
        for number in range(steps):
            step(number)
        torch.cuda.synchronize()
        times.append((time.perf_counter() - started) / steps)
    return statistics.median(times)


def one_at_a_time(train: TensorSource, order: Tensor, graphed: bool) -> Callable[[int], None]:
    model = make_mlp().cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4, capturable=graphed, fused=graphed)
    static = order[:BATCH].clone()

    def step(index: Tensor) -> None:
        inputs, targets = train.inputs[index], train.targets[index]
        loss = functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    batches = order.split(BATCH)[:-1]
    if not graphed:
        return lambda number: step(batches[number % len(batches)])
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(static)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(static)

    def replay(number: int) -> None:
        static.copy_(batches[number % len(batches)])
        graph.replay()

    return replay


def stacked(train: TensorSource, runs: int, graphed: bool) -> Callable[[int], None]:
    stack = make_stack([make_mlp().cuda() for _ in range(runs)])
    stack.train()
    training = StackTraining(stack, Recipe(optimizer="adam"), none(), train, graphed)
    orders = torch.stack([torch.randperm(SAMPLES) for _ in range(runs)]).cuda()
    batches = orders.split(BATCH, dim=1)[:-1]
    step = GraphedStep(training) if graphed else training.step
    return lambda number: step(batches[number % len(batches)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: nothing measured")
    torch.manual_seed(0)
    train = TensorSource(torch.rand(SAMPLES, 784).cuda(), torch.randint(10, (SAMPLES,)).cuda())
    order = torch.randperm(SAMPLES).cuda()
    eager = seconds(one_at_a_time(train, order, graphed=False), options.steps)
    graphed = seconds(one_at_a_time(train, order, graphed=True), options.steps)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, float32")
    print(f"one at a time, eager    {eager * 1e6:8.1f} us a run-step")
    print(f"one at a time, graphed  {graphed * 1e6:8.1f} us a run-step")
    for runs in sorted({1, 8, 32, options.runs}):
        for with_graph in (False, True):
            torch.cuda.reset_peak_memory_stats()
            each = seconds(stacked(train, runs, with_graph), options.steps) / runs
            memory = torch.cuda.max_memory_allocated() / 2**20
            print(
                f"stacked {runs:4d}{', graph' if with_graph else ', eager':8s}  {each * 1e6:8.2f} us a "
                f"run-step: {eager / each:6.1f} x eager, {graphed / each:5.1f} x graphed "
                f"({memory:.0f} MiB)"
            )


if __name__ == "__main__":
    main()
