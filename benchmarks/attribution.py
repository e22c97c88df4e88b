"""The ladder of attribution on digits and MNIST: the examples' trainings, and longer ones at larger steps.

    REPROTEST_DATA=~/data PYTHONPATH=examples python benchmarks/attribution.py [--runs 10] [--only digits ...]

Prints each rung, and exits with 1 where runs of one seed differ on a CPU, or where a source alone gives more than
everything by more than their intervals explain.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from idx import load_mnist
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from pytest_reprotest import AuditResult, audit
from pytest_reprotest.report.attributed import attributions
from pytest_reprotest.report.rows import Audited

Data = dict[str, Any]

LONG = {"batch_size": 32, "drop_last": True}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "digits": ("digits", {"epochs": 20, "batch_size": 64, "drop_last": True, "lr": 0.1}),
    "digits-long": ("digits", {"epochs": 40, "optimizer": "momentum", "lr": 0.1, **LONG}),
    "mnist": ("mnist", {"epochs": 4, "batch_size": 128, "lr": 0.1, "schedule": "linear"}),
    "mnist-long": ("mnist", {"epochs": 8, "lr": 0.5, **LONG}),
}


def digits() -> Data:
    """scikit-learn's digits, split as the example splits them."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=0.2, random_state=0, stratify=labels
    )
    return {"train": (x_train, y_train), "test": (x_test, y_test)}


def mnist() -> Data:
    """The example's part of MNIST."""
    data = load_mnist(Path(os.environ["REPROTEST_DATA"]) / "mnist")
    train, test = (
        images.reshape(len(images), -1).astype("float32") / 255.0
        for images in (data.train_images[:10_240], data.test_images)
    )
    return {"train": (train, data.train_labels[:10_240]), "test": (test, data.test_labels)}


def make_mlp(width: int) -> nn.Module:
    """The examples' net."""
    return nn.Sequential(
        nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def wrong(result: AuditResult) -> list[str]:
    """What is not as it has to be."""
    found = result["none"].attribution
    if found is None:
        return ["there is no attribution"]
    whole = found["all"].prediction_difference
    told = [
        f"{rung.name} gives more than everything"
        for rung in found.rungs
        if rung.prediction_difference.low > whole.high
    ]
    same = found["identical"].same_bits
    return (
        told if same or result.settings["device"] != "cpu" else ["runs of one seed differ", *told]
    )


def main() -> int:
    """Train, print, and exit with 1 where something is not as it has to be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    asked = parser.parse_args()
    missed = 0
    for name in asked.only:
        kind, recipe = CASES[name]
        data = {"digits": digits, "mnist": mnist}[kind]()
        width = data["train"][0].shape[1]
        started = time.perf_counter()
        result = audit(
            lambda width=width: make_mlp(width),
            name=name,
            runs=asked.runs,
            device=asked.device,
            attribute=True,
            **data,
            **recipe,
        )
        told = wrong(result)
        missed += len(told)
        print(f"\n{name}: {recipe}, accuracy {result['none'].accuracy.value:.3f}, "
              f"{time.perf_counter() - started:.0f} s")  # fmt: skip
        print("\n".join([*attributions([Audited(result)], 100), *told]), flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
