"""What ``--repro-plan`` foretells of the digits audit, beside what the audit then takes and shows.

Training time by regularizer: a few timed steps against a whole training, in turn. Half-widths of the 95%
interval: typical at the limit, and from a pilot, against the mean of audits of other seeds. The half-width of
one audit of 10 runs is uncertain by some 25% or more, so the mean over the regularizers is what to look at.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from test_digits_mlp import LIMITS, RECIPE, Digits, make_mlp

from pytest_reprotest._audit import run_audit
from pytest_reprotest.execution.choice import open_executor
from pytest_reprotest.forecast import Expected, Forecast
from pytest_reprotest.options import Options
from pytest_reprotest.planner import plan_audit
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.result import AuditResult
from pytest_reprotest.results_file import ResultsFile
from pytest_reprotest.thresholds import Bounds
from pytest_reprotest.training.torch_trainer import TorchTrainer

SHOWN = {"prediction_difference": "PD", "effective_accuracy": "ETA"}


class Turn(NamedTuple):
    """A forecast, and the audit that followed it."""

    forecast: Forecast
    result: AuditResult

    def seconds(self, label: str) -> tuple[float, float]:
        """Foretold and measured."""
        expected = next(each for each in self.forecast.expected if each.regularizer == label)
        assert expected.seconds is not None
        return expected.seconds[0], self.result[label].seconds


def digits() -> Digits:
    """The example's own split."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=0.2, random_state=0, stratify=labels
    )
    return Digits((x_train, y_train), (x_test, y_test))


def time_table(turns: list[Turn]) -> tuple[str, float]:
    """Medians over the turns with their extremes, and the median error of a whole audit's time."""
    rows = []
    for label in turns[0].result.regularizers:
        foretold, measured = zip(*(turn.seconds(label) for turn in turns), strict=True)
        ratios = [f / m for f, m in zip(foretold, measured, strict=True)]
        rows.append(
            [label, statistics.median(foretold), statistics.median(measured), *_spread(ratios)]
        )
    totals = [
        [sum(turn.seconds(label)[at] for label in turn.result.regularizers) for at in (0, 1)]
        for turn in turns
    ]
    ratios = [foretold / measured for foretold, measured in totals]
    rows.append(
        ["all", *(statistics.median(each) for each in zip(*totals, strict=True)), *_spread(ratios)]
    )
    headings = ["", "foretold s", "measured s", "ratio", "lowest", "highest"]
    table = tabulate(rows, headers=headings, tablefmt="github", floatfmt=".2f")
    return table, statistics.median(abs(ratio - 1) for ratio in ratios)


def _spread(ratios: list[float]) -> list[float]:
    return [statistics.median(ratios), min(ratios), max(ratios)]


def width_table(piloted: Forecast, turns: list[Turn]) -> str:
    """Half-widths: at the limit, from the pilot, and the mean of the audits' own."""
    rows: list[list[Any]] = []
    by_metric: dict[str, list[list[float]]] = {metric: [] for metric in SHOWN}
    for own, from_pilot in zip(turns[0].forecast.expected, piloted.expected, strict=True):
        row: list[Any] = [own.regularizer]
        for metric in SHOWN:
            realised = statistics.fmean(
                _found(turn.result, own.regularizer, metric) for turn in turns
            )
            three = [_width(own, metric), _width(from_pilot, metric), realised]
            by_metric[metric].append(three)
            row.extend(three)
        rows.append(row)
    means = [
        statistics.fmean(column)
        for metric in SHOWN
        for column in zip(*by_metric[metric], strict=True)
    ]
    rows.append(["mean", *means])
    headings = [
        "",
        *(f"{short} {what}" for short in SHOWN.values() for what in ("limit", "pilot", "realised")),
    ]
    return tabulate(rows, headers=headings, tablefmt="github", floatfmt=".4f")


def _found(result: AuditResult, label: str, metric: str) -> float:
    summary = result[label].summary
    if metric == "prediction_difference":
        return summary.prediction_difference.half_width
    return summary.effective_score.half_width


def _width(expected: Expected, metric: str) -> float:
    width = expected.widths[metric].half_width
    assert width is not None
    return width


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--pilot-runs", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--goal", type=float, default=0.25, help="median error of the whole time")
    arguments = parser.parse_args()
    data = digits()
    bounds = Bounds(
        {
            "max_prediction_difference": {label: limit for label, (limit, _) in LIMITS.items()},
            "min_effective_accuracy": {label: limit for label, (_, limit) in LIMITS.items()},
        }
    )
    options = Options(
        runs=arguments.runs, regularizers=("all",), workers=arguments.workers, bounds=bounds
    )
    trainer = TorchTrainer(make_mlp, data.train, data.test, Recipe(epochs=20, **RECIPE))
    registry, executor = Registry(), open_executor(options)
    name, workers = "digits", executor.n_workers
    turns = []
    for seed in range(arguments.repeats):
        forecast = plan_audit(trainer, options, registry, name=name, workers=workers)
        result = run_audit(
            trainer, replace(options, seed=seed), registry, name=name, executor=executor
        )
        turns.append(Turn(forecast, result))
    elsewhere = replace(options, seed=100, runs=arguments.pilot_runs)
    pilot = run_audit(trainer, elsewhere, registry, name=name, executor=executor)
    executor.close()
    file = ResultsFile("pilot.json", "results", True, {name: pilot.to_dict()})
    piloted = plan_audit(trainer, options, registry, name=name, pilot=file)
    table, error = time_table(turns)
    print(table, width_table(piloted, turns), sep="\n\n")
    print(f"\nmedian error of the whole time: {error:.0%} (goal {arguments.goal:.0%})")
    return 0 if error <= arguments.goal else 1


if __name__ == "__main__":
    sys.exit(main())
