"""Folders of results that were written at known times, for the tests of the dashboard."""

import os
from dataclasses import replace

from pages import TEST, audited, runs

from pytest_reprotest.results_file import write_results

DAY = 86400.0
START = 1_780_000_000.0  # in 2026


def put(folder, name, *results, day=0, **arguments):
    """Write audits into a file below a folder, as if on a day."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_results(path, [each.to_dict() for each in results or [audited()]], **arguments)
    os.utime(path, (START + day * DAY, START + day * DAY))
    return path


def single():
    """An audit of one run, which can't differ from any other."""
    made = audited(labels={"none": runs(0.1)})
    none = replace(made["none"], predictions=made["none"].predictions[:1])
    return replace(made, by_regularizer={"none": none})


def result(name=TEST, seed=0, wrong=0.2, **given):
    """An audit of two regularizers whose numbers a seed decides."""
    labels = {"none": runs(wrong, seed=seed), "dropout": runs(wrong / 2, seed=seed + 100)}
    return audited(name=name, **{"labels": labels, "settings": {"seed": seed}, **given})


def three_days(folder):
    """Three files, a day apart, each of two tests; a regularizer of the first breaches its limit."""
    for day in range(3):
        put(
            folder,
            f"{day}.json",
            result(seed=day, max_prediction_difference={"none": 0.01}),
            result(name="test_b.py::test_b", seed=day),
            day=day,
        )
