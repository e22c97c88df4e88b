"""The public functions: an audit without pytest, and one of predictions made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from pytest_reprotest._audit import collected, measured, run_audit
from pytest_reprotest.errors import OptionError, TrainingError, did_you_mean
from pytest_reprotest.interfaces import Progress, Trainer
from pytest_reprotest.options import MARKER_KEYS, resolve
from pytest_reprotest.plan import Plan
from pytest_reprotest.predictions import Predictions, as_labels, check_y_true
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import Registry
from pytest_reprotest.result import AuditResult, versions

RECIPE_KEYS = tuple(field.name for field in fields(Recipe))


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

    >>> import numpy as np
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
    return run_audit(
        trainer, resolve(extra, marker), registry or Registry(), name=name, progress=progress
    )


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

    >>> import numpy as np
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
        by_regularizer[label] = measured(label, stacked, labels_true, options)
    baseline = options.baseline or (
        "none" if "none" in by_regularizer else next(iter(by_regularizer))
    )
    settings = {"origins": dict(options.origins), "versions": versions()}
    return collected(name, by_regularizer, labels_true, baseline, options, settings, {})


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
