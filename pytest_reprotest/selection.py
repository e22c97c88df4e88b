"""Which regularizers an audit means: its options read against the registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_reprotest.errors import OptionError, did_you_mean
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.options import Options
from pytest_reprotest.origins import COMMAND_LINE, spelled
from pytest_reprotest.plan import baseline_among
from pytest_reprotest.registry import Registry


@dataclass(frozen=True)
class Selection:
    """The regularizers of an audit.

    Attributes
    ----------
    regularizers : mapping
        Label → Regularizer, in the order they are reported.
    baseline : str
        The label that others are held against.
    lenient : bool
        ``all`` was asked for, so some may not fit the model: they are reported, and the rest is audited.
    """

    regularizers: Mapping[str, Regularizer]
    baseline: str
    lenient: bool


def select(options: Options, registry: Registry) -> Selection:
    """Resolve the regularizers, and check the names in ``baseline`` and threshold mappings.

    A mapping may name regularizers that are not audited now, registered ones and objects of the marker,
    since the command line may pick a few out of a marker's.

    Raises
    ------
    OptionError
    """
    registry = registry.offering(options.offered)
    try:
        regularizers = {found.label: found for found in registry.resolve(options.regularizers)}
    except OptionError as error:
        asked = options.regularizers
        value = asked[0] if len(asked) == 1 else list(asked)
        origin = options.origin("regularizers")
        raise OptionError(f"{spelled(origin, 'regularizers', value)}: {error}") from None
    for threshold, names in options.bounds.named().items():
        for name in names:
            if name not in regularizers:
                _check_known(threshold, name, registry)
    lenient = any(
        isinstance(item, str) and "all" in re.findall(r"\w+", item) for item in options.regularizers
    )
    return Selection(regularizers, _baseline(options, tuple(regularizers)), lenient)


def _check_known(threshold: str, name: str, registry: Registry) -> None:
    try:
        label = registry.label(name)
    except OptionError as error:
        raise OptionError(f"{threshold}: {error}") from None
    if label != name:
        raise OptionError(f"{threshold}: {name!r} is reported as {label!r}; write it so")


def _baseline(options: Options, labels: tuple[str, ...]) -> str:
    fallback = baseline_among(labels)
    if options.baseline is None or options.baseline in labels:
        return options.baseline or fallback
    if options.origin("regularizers") == COMMAND_LINE:
        return fallback
    raise OptionError(
        f"baseline={options.baseline!r} is not among the audited regularizers "
        f"{', '.join(labels)}.{did_you_mean(options.baseline, labels)}"
    )
