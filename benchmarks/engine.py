"""What the engine gains on this machine's cores, each figure a ratio measured side by side in one run.

    python benchmarks/engine.py [--repeats 3] [--runs 10] [--only loops,study,memory,checks]

- loops: one epoch of R runs by pytest-reprotest (stacked, one worker a core) against a straightforward
  loop over tensors (one run at a time: index, forward, backward, step), with one thread and with one a
  core, the same models, data, batches and one test pass a run. Two of its runs are timed and taken for
  all. The fraction of the machine's GEMM peak counts the products of forward and backward only.
- study: against the loop of the study's script: a DataLoader over per-sample PIL image → tensor, .item()
  each step, a test pass each epoch. One run of it is measured and taken R times.
- memory: peak resident memory of an audit of 100 runs in a process of its own, beyond torch and the data.
- checks: what the checks of the ladder cost before an audit.

Images are MNIST's where REPROTEST_DATA holds it, else noise of its shape: the work is the same.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.execution.processes import ProcessExecutor, available_cores
from pytest_reprotest.interfaces import Executor, Placement
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.training.torch_trainer import TorchTrainer

_TIMED_RUNS = 2


@dataclass(frozen=True)
class Work:
    """A net and its data: layer widths, batch size, learning rate, tensors."""

    name: str
    widths: tuple[int, ...]
    batch_size: int
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def make(self) -> nn.Module:
        """A fresh model."""
        layers: list[nn.Module] = []
        for inward, outward in zip(self.widths, self.widths[1:], strict=False):
            layers += [nn.Linear(inward, outward), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    @property
    def flops(self) -> float:
        """Of an epoch of one run: 2 a multiply-add, three products a layer, two in the first."""
        sizes = [a * b for a, b in zip(self.widths, self.widths[1:], strict=False)]
        return 2.0 * len(self.train[1]) * (3 * sum(sizes) - sizes[0])


def images() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    folder = Path(os.environ.get("REPROTEST_DATA", "")) / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        generator = torch.Generator().manual_seed(0)
        return tuple(  # type: ignore[return-value]
            (torch.rand(n, 784, generator=generator), torch.randint(10, (n,), generator=generator))
            for n in (60_000, 10_000)
        )

    def read(name: str, skip: int) -> Tensor:
        raw = gzip.decompress((folder / name).read_bytes())
        return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=skip).copy())

    return tuple(  # type: ignore[return-value]
        (
            read(f"{part}-images-idx3-ubyte.gz", 16).view(-1, 784).float() / 255,
            read(f"{part}-labels-idx1-ubyte.gz", 8).long(),
        )
        for part in ("train", "t10k")
    )


def digits() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    from sklearn.datasets import load_digits

    inputs, targets = load_digits(return_X_y=True)
    inputs, targets = torch.tensor(inputs / 16, dtype=torch.float32), torch.tensor(targets)
    return (inputs[:1437], targets[:1437]), (inputs[1437:], targets[1437:])


def plain_loop(work: Work, runs: int, epochs: int, threads: int) -> float:
    """Seconds of the straightforward loop: nothing foolish in it, nothing clever either.

    One run after another, so two are timed and the rest taken for the same.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    inputs, targets = work.train
    started = time.perf_counter()
    for run in range(_TIMED_RUNS):
        torch.manual_seed(run)
        model = work.make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(epochs):
            for index in torch.randperm(len(targets)).split(work.batch_size):
                loss = functional.cross_entropy(model(inputs[index]), targets[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            model(work.test[0]).argmax(1)
    seconds = time.perf_counter() - started
    torch.set_num_threads(before)
    return seconds * runs / _TIMED_RUNS


class Ours:
    """An audit's runs, prepared, on an executor that is warm: it has had these data before."""

    def __init__(self, work: Work, runs: int, epochs: int, executor: Executor) -> None:
        self.regularizers = {r.label: r for r in Registry().resolve(["none"])}
        recipe = Recipe(epochs=epochs, batch_size=work.batch_size, optimizer="sgd", lr=0.1)
        self.trainer = TorchTrainer(work.make, work.train, work.test, recipe)
        self.plan = make_plan(Options(runs=runs), ["none"])
        self.executor = executor
        share = -(-runs // executor.n_workers)
        asked = Placement("cpu", "stacked")
        found = self.trainer.prepare(list(self.regularizers.values()), asked, share)
        self.placement = found.placement

    def seconds(self) -> float:
        """From handing over the plan to the last prediction; workers have started before."""
        started = time.perf_counter()
        outcomes = list(
            self.executor.run(self.trainer, self.plan, self.regularizers, self.placement)
        )
        assert all(outcome.failure is None for outcome in outcomes)
        return time.perf_counter() - started


def gemm_peak(threads: int) -> float:
    """The best float32 matrix product of this machine, FLOP/s, over some sizes."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    best = 0.0
    for size in (512, 1024, 2048):
        first, second = torch.rand(size, size), torch.rand(size, size)
        for _ in range(6):
            started = time.perf_counter()
            first @ second
            best = max(best, 2.0 * size**3 / (time.perf_counter() - started))
    torch.set_num_threads(before)
    return best


def alternate(ways: Sequence[Callable[[], float]], repeats: int) -> list[list[float]]:
    """Times of several ways, taken in turn so that all see the same neighbours: one list a way."""
    turns = [[way() for way in ways] for _ in range(repeats)]
    return [list(times) for times in zip(*turns, strict=True)]


def ratio(own: Sequence[float], other: Sequence[float]) -> str:
    """Median of other over own, with the extremes."""
    ratios = sorted(b / a for a, b in zip(own, other, strict=True))
    return f"{statistics.median(ratios):5.2f} x ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def loops(works: Sequence[Work], runs: int, repeats: int) -> None:
    cores = available_cores()
    workers = ProcessExecutor(cores)
    for work in works:
        epochs = 1 if work.widths[0] == 784 else 10
        several, alone = (Ours(work, runs, epochs, e) for e in (workers, LocalExecutor()))
        several.seconds()
        ways: list[Callable[[], float]] = [
            several.seconds,
            alone.seconds,
            partial(plain_loop, work, runs, epochs, 1),
            partial(plain_loop, work, runs, epochs, cores),
            partial(gemm_peak, cores),
        ]
        own, one, loop_1, loop_n, peaks = alternate(ways, repeats)
        rates = [work.flops * runs * epochs / seconds for seconds in own]
        share = statistics.median(rate / peak for rate, peak in zip(rates, peaks, strict=True))
        best = [min(pair) for pair in zip(loop_1, loop_n, strict=True)]
        middle = statistics.median
        print(
            f"{work.name}: {cores} workers, stacks of {several.placement.chunk}: {middle(own):.2f} s"
        )
        print(f"  against the faster loop:       {ratio(own, best)}")
        print(f"  loop, 1 thread {middle(loop_1):7.2f} s:      {ratio(own, loop_1)}")
        print(f"  loop, {cores} threads {middle(loop_n):6.2f} s:      {ratio(own, loop_n)}")
        print(
            f"  1 worker, stacks of {alone.placement.chunk}, {middle(one):.2f} s, "
            f"against 1 thread: {ratio(one, loop_1)}"
        )
        print(
            f"  {middle(rates) / 1e9:.0f} GFLOP/s of a GEMM peak of {middle(peaks) / 1e9:.0f}: "
            f"{share:.0%}",
            flush=True,
        )
    workers.close()


class Pictures(Dataset[tuple[Tensor, int]]):
    """What torchvision's MNIST does with ToTensor: bytes → PIL image → float tensor, one by one."""

    def __init__(self, pixels: Tensor, targets: Tensor) -> None:
        self.bytes, self.targets = pixels, targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        from PIL import Image

        picture = Image.fromarray(self.bytes[place].numpy(), mode=None)
        pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True)).view(28, 28, 1)
        channels_first = pixels.permute(2, 0, 1).contiguous()
        return channels_first.to(torch.float32).div(255), int(self.targets[place])


def pictures(data: tuple[Tensor, Tensor]) -> tuple[Dataset[tuple[Tensor, int]], str]:
    """The data as the study reads it, by torchvision itself where it is installed; and by what."""
    pixels, targets = (data[0] * 255).round().byte().view(-1, 28, 28), data[1]
    try:
        from torchvision import __version__, datasets, transforms
    except (ImportError, RuntimeError):  # not there, or built for another torch
        return Pictures(pixels, targets), "the operations of torchvision's MNIST and ToTensor"
    made: Any = datasets.MNIST.__new__(datasets.MNIST)  # without its files
    made.data, made.targets = pixels, targets
    made.transform, made.target_transform = transforms.ToTensor(), None
    return made, f"torchvision {__version__}"


def study(work: Work, runs: int, repeats: int) -> None:
    (train_set, reader), (test_set, _) = pictures(work.train), pictures(work.test)

    def loop() -> float:
        train = DataLoader(train_set, batch_size=work.batch_size, shuffle=True)
        test = DataLoader(test_set, batch_size=work.batch_size)
        started = time.perf_counter()
        model = work.make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        total, right = 0.0, 0
        for inputs, targets in train:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs.flatten(1)), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            for inputs, targets in test:
                right += int((model(inputs.flatten(1)).argmax(1) == targets).sum().item())
        return (time.perf_counter() - started) * runs

    executor = ProcessExecutor(available_cores())
    ours = Ours(work, runs, 1, executor)
    ours.seconds()
    own, other = alternate([ours.seconds, loop], repeats)
    print(
        f"{work.name}: {statistics.median(own):.2f} s, the study's loop ({reader}) "
        f"{statistics.median(other):.1f} s "
        f"(one run times {runs}): {ratio(own, other)}"
    )
    executor.close()


def memory(runs: int = 100) -> None:
    """Measured in a process of its own, this file with --memory-child."""
    command = [sys.executable, __file__, "--memory-child", str(runs)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def memory_child(runs: int) -> None:
    train, test = images()
    work = Work("depth 2", (784, 128, 10), 128, train, test)
    plain_loop(work, 1, 1, 1)  # torch's own pools
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = peak_memory()
    Ours(work, runs, 1, LocalExecutor()).seconds()
    print(
        f"{runs} runs of depth 2: {peak_memory() - before:.0f} MiB at the peak beyond torch, the data and "
        "one plain run"
    )


def peak_memory() -> float:
    """The largest resident memory of this process, MiB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**10


def checks(work: Work, repeats: int) -> None:
    registry = Registry()
    found = registry.resolve(["all"])
    trainer = TorchTrainer(work.make, work.train, work.test, Recipe(batch_size=work.batch_size))
    for regularizers in (found[:1], found):
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            trainer.prepare(regularizers, Placement("cpu", "auto"), 10)
            times.append(time.perf_counter() - started)
        print(
            f"{work.name:9s} checks of {len(regularizers)} regularizers: {statistics.median(times):.2f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--only", default="loops,study,memory,checks")
    parser.add_argument("--memory-child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_child:
        memory_child(options.memory_child)
        return
    train, test = images()
    depth2 = Work("depth 2", (784, 128, 10), 128, train, test)
    depth6 = Work("depth 6", (784, *[128] * 5, 10), 128, train, test)
    small = Work("digits", (64, 128, 10), 64, *digits())
    print(
        f"{platform.machine()}, {available_cores()} cores, torch {torch.__version__}, {options.runs} runs"
    )
    wanted = options.only.split(",")
    if "loops" in wanted:
        loops([depth2, depth6, small], options.runs, options.repeats)
    if "study" in wanted:
        study(depth2, options.runs, options.repeats)
    if "memory" in wanted:
        memory()
    if "checks" in wanted:
        three = Work("digits-3", (64, 128, 128, 10), 64, *digits())
        checks(three, options.repeats)


if __name__ == "__main__":
    main()
