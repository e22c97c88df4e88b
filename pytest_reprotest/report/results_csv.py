"""``--repro-csv``: a row for each regularizer, in the columns of the study's tables and some of our own."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from pytest_reprotest.joined import title
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.rows import Audited, verdict_word
from pytest_reprotest.report.table import one_line
from pytest_reprotest.result import AuditResult, RegularizerResult
from pytest_reprotest.results_file import whole_file

_STUDY = (
    "optim",
    "dataset",
    "num_layers",
    "norms",
    "noise",
    "lnoise",
    "residual",
    "seed",
    "epochs",
    "runs",
    "device",
    "eff_test_accuracy",
    "med_stat",
    "pval",
)
_OWN = (
    "test",
    "regularizer",
    "task",
    "score",
    "score_low",
    "score_high",
    "prediction_difference",
    "prediction_difference_low",
    "prediction_difference_high",
    "effective_score",
    "verdict",
)
COLUMNS = (*_STUDY, *_OWN)

# The study's words for regularizers and optimizers.
_OPTIMIZERS = {"momentum": "sgdmom"}
_NORMS = {"batch_norm": "batch", "layer_norm": "layer", "group_norm": "group"}
_NOISES = {"dropout": "dropout", "stochastic_depth": "stochastic_depth"}
_PENALTIES = {"weight_decay": "wdecay", "orthogonal": "orthogonal"}

_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Values = dict[str, object]


def write_csv(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write the heading and the rows, those of one test beside each other."""
    with whole_file(path) as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for audited in finished.audits:
            for values in _rows(audited):
                writer.writerow({name: inert(value) for name, value in values.items()})
    return ()


def inert(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: a text that begins like one gets an apostrophe.

    >>> inert("=cmd|' /C calc'!A0"), inert("test_a.py::test_mlp"), inert(-0.1)
    ("'=cmd|' /C calc'!A0", 'test_a.py::test_mlp', -0.1)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_OF_FORMULAS) else value


def _rows(audited: Audited) -> Iterator[Values]:
    result = audited.result
    for label, found in result.by_regularizer.items():
        yield {
            **_of_study(label, found, result),
            "test": one_line(title(result)),
            "regularizer": label,
            "task": result.task.name,
            "score": _number(found.score.value),
            "score_low": _number(found.score.low),
            "score_high": _number(found.score.high),
            "prediction_difference": _number(found.prediction_difference.value),
            "prediction_difference_low": _number(found.prediction_difference.low),
            "prediction_difference_high": _number(found.prediction_difference.high),
            "effective_score": _number(found.effective_score.value)
            if result.task.names.effective_score
            else "",
            "verdict": verdict_word(found, audited),
        }
    for label in result.not_applicable:
        yield {
            "test": one_line(title(result)),
            "regularizer": label,
            "task": result.task.name,
            "verdict": "does not fit",
        }


def _of_study(label: str, found: RegularizerResult, result: AuditResult) -> Values:
    """The study's columns as far as an audit knows them: not the depth of a net; a test for a data set."""
    training = result.settings.get("training", {})
    parts = re.sub(r"\([^()]*\)", "", label).split("+")
    optimizer = next((name for name in parts if name in ("momentum", "adam")), None)
    optimizer = optimizer or training.get("optimizer", "")
    decayed = [*parts, *(["weight_decay"] if training.get("weight_decay") else [])]
    accuracy = result.task.names.effective_score == "effective_accuracy"
    tested = found.study_p_value is not None and math.isfinite(found.study_p_value)
    return {
        "optim": _OPTIMIZERS.get(optimizer, optimizer),
        "dataset": one_line(title(result)),
        "norms": _words(parts, _NORMS),
        "noise": _words(parts, _NOISES),
        "lnoise": _words(decayed, _PENALTIES),
        "residual": str("residual" in parts).lower(),
        "seed": result.settings.get("seed", ""),
        "epochs": training.get("epochs", ""),
        "runs": found.n_runs,
        "device": result.settings.get("device", ""),
        "eff_test_accuracy": _number(found.effective_score.value) if accuracy else "",
        "med_stat": 0 if tested else "",  # the smaller sum of ranks: no difference is negative
        "pval": found.study_p_value if tested else "",
    }


def _words(parts: list[str], known: dict[str, str]) -> str:
    return "+".join(dict.fromkeys(known[part] for part in parts if part in known)) or "false"


def _number(value: float) -> object:
    return float(value) if math.isfinite(value) else ""
