"""The public functions: an audit without pytest, and one of predictions made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pytest_reprotest._audit import collected, run_audit
from pytest_reprotest.errors import DataError, OptionError, TrainingError, did_you_mean
from pytest_reprotest.fingerprint import versions
from pytest_reprotest.interfaces import Progress, Trainer
from pytest_reprotest.measuring import distance_of, measured
from pytest_reprotest.options import MARKER_KEYS, READERS, Options, resolve
from pytest_reprotest.plan import Plan, baseline_among
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizer_result import RegularizerResult
from pytest_reprotest.result import AuditResult
from pytest_reprotest.tasks import Array, Task, make_task
from pytest_reprotest.thresholds import THRESHOLDS, TOLERANCES, check_task

RECIPE_KEYS = tuple(field.name for field in fields(Recipe))
TASK_KEYS = ("task", "tolerance", "score")
JUDGING_KEYS = (
    *THRESHOLDS,
    "baseline",
    "report_only",
    "decision",
    "confidence",
    "on_inconclusive",
    "compat",
)


def audit(
    model_factory: Any,
    *,
    name: str = "",
    registry: Registry | None = None,
    progress: Callable[[Plan], Progress] | None = None,
    store: str | Path | None = None,
    resume: bool = False,
    **settings: Any,
) -> AuditResult:
    """Audit the reproducibility of a training, without pytest.

    Parameters
    ----------
    model_factory : callable or Trainer
        Returns a fresh ``nn.Module`` at each call; or a Trainer, such as FunctionTrainer(train_fn, y_true=…).
    name : str
        Stands in the result.
    registry : Registry, optional
        Where regularizers are looked up.
    progress : callable, optional
        From the plan to a function that is called with each finished run.
    store : path, optional
        Folder of a store, as ``--repro-store``: finished runs are kept there, and taken from there.
    resume : bool
        As ``--repro-resume``: refuse to train anew where what the stored runs depended on has changed.
    **settings
        ``train``, ``test``, ``task``, ``tolerance`` and ``score`` of a task, and the fields of Recipe
        (``epochs``, ``batch_size``, ``optimizer``, ``lr``, …);
        and the marker's keywords (``runs``, ``regularizers``, ``seed``, ``vary``, ``max_prediction_difference``, …)
        with ``device``, ``workers``, ``executor``, ``ray_address`` and ``report_only``.

    Returns
    -------
    AuditResult
        With a verdict for each regularizer; nothing is raised for a breach.

    Raises
    ------
    ReprotestError

    >>> import numpy as np
    >>> from torch import nn
    >>> inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> targets = (inputs[:, 0] > 0).astype("int64")
    >>> result = audit(lambda: nn.Linear(2, 2), train=(inputs, targets), test=(inputs, targets),
    ...                runs=3, epochs=5, batch_size=16, max_prediction_difference=0.2)
    >>> result["none"].n_runs, result.passed
    (3, True)
    """
    from pytest_reprotest.execution.choice import open_executor
    from pytest_reprotest.store.database import Database
    from pytest_reprotest.store.executor import StoringExecutor

    option_keys = (
        *(key for key in MARKER_KEYS if key not in TOLERANCES),
        "device",
        "workers",
        "executor",
        "ray_address",
        "report_only",
    )
    given: dict[str, Any] = {key: settings.pop(key) for key in option_keys if key in settings}
    trainer = as_trainer(model_factory, settings, option_keys)
    options = resolve(call=given)
    if resume and store is None:
        raise OptionError("resume=True goes on with what a store holds; name its folder: store=...")
    with ExitStack() as opened:
        executor = open_executor(options, trainer.threads)
        opened.callback(executor.close)
        if store is not None:
            database = Database(Path(store))
            opened.callback(database.close)
            executor = StoringExecutor(executor, database, name, resume)
        return run_audit(
            trainer,
            options,
            registry or Registry(),
            name=name,
            executor=executor,
            progress=progress,
        )


def audit_predictions(
    predictions: Mapping[str, Any],
    y_true: Any,
    *,
    name: str = "",
    task: str | Task = "classification",
    tolerance: float | None = None,
    score: str | None = None,
    **thresholds: Any,
) -> AuditResult:
    """Judge predictions that were made elsewhere.

    Parameters
    ----------
    predictions : mapping
        Label → int array (n_runs, n_samples) of class labels, or float array
        (n_runs, n_samples, n_classes) of scores; at least 2 runs each. Of a regression numbers
        (n_runs, n_samples); of several labels 0 and 1, or scores, (n_runs, n_samples, n_labels).
    y_true : array (n_samples,) or (n_samples, n_labels)
    name : str
    task : str or Task
        ``"classification"``, ``"regression"`` or ``"multilabel"``.
    tolerance : float, optional
        Of a regression: the largest difference between two predictions that does not matter.
    score : str, optional
        Of a regression: ``"r2"`` (default) or ``"mae"``.
    **thresholds
        ``max_prediction_difference``, ``min_effective_accuracy``, … and ``baseline``, ``report_only``,
        ``decision``, ``confidence``, ``on_inconclusive``, ``compat``.

    Raises
    ------
    DataError
        For predictions or true values that cannot be audited; the message names label and run.
    OptionError
        For an unknown or impossible threshold, or one for a label that is not there.

    >>> import numpy as np
    >>> labels = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1]])
    >>> result = audit_predictions({"none": labels}, y_true=[0, 1, 1])
    >>> round(result["none"].prediction_difference.value, 3)
    0.222
    """
    for key in thresholds:
        if key not in JUDGING_KEYS:
            raise OptionError(
                f"audit_predictions() got an unknown keyword {key!r}; expected any of "
                f"{', '.join(JUDGING_KEYS)}.{did_you_mean(key, JUDGING_KEYS)}"
            )
    kind = make_task(task, tolerance, score)
    true = kind.check_y_true(y_true)
    options = resolve(call=thresholds)
    check_task(options.bounds, kind.title, kind.thresholds)
    if not isinstance(predictions, Mapping) or not predictions:
        raise DataError(
            f"predictions is {_told(predictions)}; expected a mapping from label to array, such as "
            "{'none': labels}"
        )
    labels = tuple(map(str, predictions))
    named = options.bounds.named()
    if options.baseline is not None:
        named = {"baseline": (options.baseline,), **named}
    for key, names in named.items():
        for missing in [name for name in names if name not in labels]:
            raise OptionError(
                f"{key}: no predictions of {missing!r}; expected any of "
                f"{', '.join(map(repr, labels))}."
                f"{did_you_mean(missing, labels)}"
            )
    by_regularizer = {
        label: _measured(label, runs, kind, true, options)
        for label, runs in zip(labels, predictions.values(), strict=True)
    }
    baseline = options.baseline or baseline_among(labels)
    settings = {
        "decision": options.decision,
        "origins": dict(options.origins),
        "versions": versions(),
    }
    return collected(name, by_regularizer, kind, true, baseline, options, settings)


def _measured(
    label: str, runs: Any, task: Task, y_true: Array, options: Options
) -> RegularizerResult:
    """One label's result; an adaptive decision is for those who can train more."""
    if (_length(runs) or 0) < 2:
        raise DataError(
            f"{label!r} holds {_told(runs)}; expected an array (n_runs, n_samples) of at least 2 runs"
        )
    per_run, scores = [], []
    for index, run in enumerate(runs):
        try:
            per_run.append(task.check_output(run, y_true))
        except DataError as error:
            raise DataError(f"run {index} of {label!r}: {error}") from None
        scores.append(task.scores_kept(run))
    distance = distance_of(scores)
    own = replace(options, runs=len(per_run))
    return measured(label, task.stack(per_run), task, y_true, own, distance)


def _told(value: Any) -> str:
    length, kind = _length(value), type(value).__name__
    return f"{value!r} ({kind})" if length is None else f"{kind} of length {length}"


def _length(value: Any) -> int | None:
    try:
        return len(value)
    except TypeError:
        return None


def as_trainer(
    model_factory: Any, settings: Mapping[str, Any], elsewhere: Iterable[str] = ()
) -> Trainer:
    """The trainer of a factory with its data and recipe; a Trainer is taken as it is."""
    from pytest_reprotest.training.heads import default_loss
    from pytest_reprotest.training.torch_trainer import TorchTrainer

    if isinstance(model_factory, Trainer):
        if settings:
            raise TrainingError(
                f"{', '.join(settings)} can't be set beside a {type(model_factory).__name__}, which "
                "decides by itself how it trains"
            )
        return model_factory
    valid = ("train", "test", *TASK_KEYS, *RECIPE_KEYS)
    for key in settings:
        if key not in valid:
            raise OptionError(
                f"unknown training setting {key!r}; expected any of {', '.join(valid)}."
                f"{_hint(key, valid, tuple(elsewhere))}"
            )
    for key in ("train", "test"):
        if settings.get(key) is None:
            raise OptionError(
                f"{key}= is missing; expected the pair (inputs, targets), or a Dataset"
            )
    task = make_task(*(settings.get(key) for key in TASK_KEYS))
    given = {key: settings[key] for key in RECIPE_KEYS if key in settings}
    recipe = Recipe(**{"loss": default_loss(task), **given})
    return TorchTrainer(model_factory, settings["train"], settings["test"], recipe, task)


def _hint(key: str, valid: tuple[str, ...], elsewhere: tuple[str, ...]) -> str:
    if key == "y_true":
        return " A training function of your own is wrapped: FunctionTrainer(train_fn, y_true=...)"
    if not elsewhere and key in MARKER_KEYS:
        return " It belongs on the marker: @reproducibility(...)"
    if not elsewhere and key in READERS:
        return f" It is set by --repro-{key.replace('_', '-')}, or repro_{key} in the ini file"
    return did_you_mean(key, (*valid, *elsewhere))
