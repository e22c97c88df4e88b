"""The pipeline on one screen: options → plan → runs → predictions → statistics → verdict → result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from pytest_reprotest.errors import OptionError, RegularizerRefused, TrainingError, did_you_mean
from pytest_reprotest.execution.local import LocalExecutor
from pytest_reprotest.interfaces import Executor, Progress, RunOutcome, Trainer
from pytest_reprotest.metrics import Labels
from pytest_reprotest.options import MARKER_KEYS, Options, resolve
from pytest_reprotest.plan import Plan, make_plan
from pytest_reprotest.predictions import Predictions, as_labels, check_y_true
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.result import NO_SUMMARY, AuditResult, RegularizerResult, versions
from pytest_reprotest.statistics import summarize
from pytest_reprotest.verdict import broken, judge

RECIPE_KEYS = tuple(field.name for field in fields(Recipe))


def run_audit(
    trainer: Trainer,
    options: Options,
    registry: Registry | None = None,
    *,
    name: str = "",
    executor: Executor | None = None,
    progress: Callable[[Plan], Progress] | None = None,
) -> AuditResult:
    """Train every run, and judge.

    Raises
    ------
    ReprotestError
        Where nothing can be trained: an impossible option, device, data set, factory, or a regularizer
        that was named and does not fit.
    """
    from pytest_reprotest.training.device import resolve_device

    registry = registry or Registry()
    device = resolve_device(options.device)
    regularizers = {r.label: r for r in registry.resolve(options.regularizers)}
    baseline = check_labels(options, tuple(regularizers), registry)
    refusals = trainer.prepare(tuple(regularizers.values()), device)
    if refusals and not asks_for_all(options):
        raise RegularizerRefused("; ".join(refusals.values()))
    plan = make_plan(options, [label for label in regularizers if label not in refusals])
    report = progress(plan) if progress is not None else _silent
    outcomes = []
    for outcome in (executor or LocalExecutor()).run(trainer, plan, regularizers, device):
        outcomes.append(outcome)
        report(outcome)
    by_regularizer = {
        label: _judged(
            label, [o for o in outcomes if o.run.regularizer == label], trainer.y_true, options
        )
        for label in plan.regularizers
    }
    settings = {
        "runs": options.runs,
        "seed": options.seed,
        "vary": list(options.vary),
        "device": device,
        "engine": "sequential",
        "training": trainer.describe(),
        "origins": dict(options.origins),
        "versions": versions(),
    }
    return _result(name, by_regularizer, trainer.y_true, baseline, options, settings, refusals)


def audit(
    model_factory: Any,
    *,
    name: str = "",
    registry: Registry | None = None,
    progress: Callable[[Plan], Progress] | None = None,
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
    **settings
        ``train``, ``test`` and the fields of Recipe (``epochs``, ``batch_size``, ``optimizer``, ``lr``, …);
        and the marker's keywords (``runs``, ``regularizers``, ``seed``, ``vary``, ``max_prediction_difference``, …)
        with ``device`` and ``report_only``.

    Returns
    -------
    AuditResult
        With a verdict for each regularizer; nothing is raised for a breach.

    Raises
    ------
    ReprotestError

    >>> from torch import nn
    >>> inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> targets = (inputs[:, 0] > 0).astype("int64")
    >>> result = audit(lambda: nn.Linear(2, 2), train=(inputs, targets), test=(inputs, targets),
    ...                runs=3, epochs=5, batch_size=16, max_prediction_difference=0.2)
    >>> result["none"].n_runs, result.passed
    (3, True)
    """
    option_keys = (*MARKER_KEYS, "device", "report_only")
    marker: dict[str, Any] = {key: settings.pop(key) for key in option_keys if key in settings}
    extra: dict[str, Any] = {
        key: marker.pop(key) for key in ("device", "report_only") if key in marker
    }
    trainer = as_trainer(model_factory, settings, option_keys)
    return run_audit(trainer, resolve(extra, marker), registry, name=name, progress=progress)


def audit_predictions(
    predictions: Mapping[str, Any], y_true: Any, *, name: str = "", **thresholds: Any
) -> AuditResult:
    """Judge predictions that were made elsewhere.

    Parameters
    ----------
    predictions : mapping
        Label → int array (n_runs, n_samples) of class labels, or float array
        (n_runs, n_samples, n_classes) of scores; at least 2 runs each.
    y_true : int array (n_samples,)
    name : str
    **thresholds
        ``max_prediction_difference``, ``min_effective_accuracy``, … and ``baseline``, ``report_only``.

    >>> labels = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1]])
    >>> result = audit_predictions({"none": labels}, y_true=[0, 1, 1])
    >>> round(result["none"].prediction_difference.value, 3)
    0.222
    """
    labels_true = check_y_true(y_true)
    extra = {key: thresholds.pop(key) for key in ("report_only",) if key in thresholds}
    options = resolve(extra, thresholds)
    if not predictions:
        raise OptionError("predictions is empty; expected at least one label, such as 'none'")
    by_regularizer = {}
    for label, runs in predictions.items():
        if len(runs) < 2:
            raise OptionError(f"{label!r} has {len(runs)} runs; expected at least 2")
        stacked = Predictions.stack([as_labels(run, labels_true) for run in runs])
        by_regularizer[label] = _measured(label, stacked, labels_true, options)
    baseline = options.baseline or (
        "none" if "none" in by_regularizer else next(iter(by_regularizer))
    )
    settings = {"origins": dict(options.origins), "versions": versions()}
    return _result(name, by_regularizer, labels_true, baseline, options, settings, {})


def as_trainer(
    model_factory: Any, settings: Mapping[str, Any], elsewhere: Iterable[str] = ()
) -> Trainer:
    """The trainer of a factory with its data and recipe; a Trainer is taken as it is."""
    from pytest_reprotest.training.torch_trainer import TorchTrainer

    if isinstance(model_factory, Trainer):
        if settings:
            raise TrainingError(
                f"{', '.join(settings)} can't be set beside a {type(model_factory).__name__}, which "
                "decides by itself how it trains"
            )
        return model_factory
    valid = ("train", "test", *RECIPE_KEYS)
    for key in settings:
        if key not in valid:
            hint = (
                "It belongs on the marker: @reproducibility(...)"
                if key in MARKER_KEYS and not elsewhere
                else did_you_mean(key, (*valid, *elsewhere)).strip()
            )
            raise OptionError(
                f"unknown training setting {key!r}; expected any of {', '.join(valid)}. {hint}".rstrip()
            )
    for key in ("train", "test"):
        if settings.get(key) is None:
            raise OptionError(
                f"{key}= is missing; expected the pair (inputs, targets), or a Dataset"
            )
    recipe = Recipe(**{key: settings[key] for key in RECIPE_KEYS if key in settings})
    return TorchTrainer(model_factory, settings["train"], settings["test"], recipe)


def asks_for_all(options: Options) -> bool:
    """Whether regularizers were not chosen one by one, so that some may not fit."""
    return any(
        isinstance(item, str) and "all" in re.findall(r"\w+", item) for item in options.regularizers
    )


def check_labels(options: Options, labels: Sequence[str], registry: Registry) -> str:
    """Check names in ``baseline`` and threshold mappings; return the baseline's label.

    A mapping may name registered regularizers that are not audited now, since the command line may pick
    a few out of a marker's.
    """
    for threshold, names in options.bounds.named().items():
        for name in names:
            if name not in labels:
                try:
                    known = registry.label(name) == name
                except OptionError as error:
                    raise OptionError(f"{threshold}: {error}") from None
                if not known:
                    raise OptionError(
                        f"{threshold}: {name!r} is reported as {registry.label(name)!r}; write it so"
                    )
    if options.baseline is None or options.origin("regularizers") == "command line":
        return "none" if "none" in labels else labels[0]
    if options.baseline not in labels:
        raise OptionError(
            f"baseline={options.baseline!r} is not among the audited regularizers "
            f"{', '.join(labels)}.{did_you_mean(options.baseline, labels)}"
        )
    return options.baseline


def _judged(
    label: str, outcomes: Sequence[RunOutcome], y_true: Labels, options: Options
) -> RegularizerResult:
    outcomes = sorted(outcomes, key=lambda outcome: outcome.run.index)
    failures = tuple(f"{o.run} failed: {o.failure}" for o in outcomes if o.failure is not None)
    seconds = sum(outcome.seconds for outcome in outcomes)
    labels = [outcome.labels for outcome in outcomes if outcome.labels is not None]
    losses = tuple(outcome.losses for outcome in outcomes if outcome.losses)
    if failures or len(labels) < options.runs:
        missing = (f"only {len(labels)} of {options.runs} runs of {label!r} came back",)
        return RegularizerResult(
            label,
            np.empty((0, len(y_true)), dtype=np.uint8),
            NO_SUMMARY,
            options.bounds.limits(label),
            broken(*(failures or missing)),
            losses,
            seconds,
        )
    return _measured(label, Predictions.stack(labels), y_true, options, losses, seconds)


def _measured(
    label: str,
    predictions: Predictions,
    y_true: Labels,
    options: Options,
    losses: tuple[tuple[float, ...], ...] = (),
    seconds: float = 0.0,
) -> RegularizerResult:
    summary = summarize(predictions.labels, y_true)
    limits = options.bounds.limits(label)
    verdict = judge(summary, predictions, y_true, limits)
    return RegularizerResult(label, predictions.labels, summary, limits, verdict, losses, seconds)


def _result(
    name: str,
    by_regularizer: Mapping[str, RegularizerResult],
    y_true: Labels,
    baseline: str,
    options: Options,
    settings: Mapping[str, Any],
    refusals: Mapping[str, str],
) -> AuditResult:
    return AuditResult(
        name,
        by_regularizer,
        y_true,
        baseline,
        dict(refusals),
        settings,
        options.bounds.not_loosened(),
        options.report_only,
    )


def _silent(_: RunOutcome) -> None:
    return None
