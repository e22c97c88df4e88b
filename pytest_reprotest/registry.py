"""The registered regularizers: built-ins as lazy references, third parties' classes, and their syntax."""

from __future__ import annotations

import ast
import importlib
import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_reprotest.errors import OptionError, did_you_mean, shown
from pytest_reprotest.interfaces import Regularizer

_ROOM = "pytest_reprotest.regularizers"
BUILT_IN = {
    "none": f"{_ROOM}.baseline:NoRegularizer",
    "momentum": f"{_ROOM}.optimizer:Momentum",
    "adam": f"{_ROOM}.optimizer:Adam",
    "weight_decay": f"{_ROOM}.penalty:WeightDecay",
    "orthogonal": f"{_ROOM}.penalty:Orthogonal",
    "dropout": f"{_ROOM}.noise:Dropout",
    "stochastic_depth": f"{_ROOM}.noise:StochasticDepth",
    "batch_norm": f"{_ROOM}.normalization:BatchNorm",
    "layer_norm": f"{_ROOM}.normalization:LayerNorm",
    "group_norm": f"{_ROOM}.normalization:GroupNorm",
    "residual": f"{_ROOM}.residual:Residual",
    "ema": f"{_ROOM}.averaging:Ema",
}
COMBINED = f"{_ROOM}.combined:Combined"


def load(reference: str) -> Any:
    """The object that ``"module:object"`` names."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


_LONGEST = 10_000  # characters of a list of regularizers; what is longer no parser is given


class Registry:
    """Regularizers by name.

    Parameters
    ----------
    extra : iterable of Regularizer classes
        Third parties' own; a name that is taken is refused.
    offered : iterable of Regularizer objects
        What a marker lists besides names: text may name them, too, by their label.

    >>> registry = Registry()
    >>> [regularizer.label for regularizer in registry.resolve(["none, weight_decay(1e-3)+dropout"])]
    ['none', 'weight_decay(0.001)+dropout']
    """

    def __init__(self, extra: Iterable[Any] = (), offered: Iterable[Any] = ()) -> None:
        self._extra: dict[str, type[Regularizer]] = {}
        for regularizer in extra:
            self._register(regularizer)
        self._offered: dict[str, Regularizer] = {
            part.label: part
            for item in offered
            if isinstance(item, Regularizer)
            for part in (item, *getattr(item, "parts", ()))
        }

    def offering(self, offered: Iterable[Any]) -> Registry:
        """The same registry with a marker's objects."""
        return Registry(self._extra.values(), offered)

    def _register(self, regularizer: Any) -> None:
        if not (isinstance(regularizer, type) and issubclass(regularizer, Regularizer)):
            raise OptionError(
                f"pytest_reprotest_regularizers returned {shown(regularizer)}; expected subclasses of "
                "pytest_reprotest.Regularizer"
            )
        name = getattr(regularizer, "name", None)
        if (
            not isinstance(name, str)
            or not name.isidentifier()
            or keyword.iskeyword(name)
            or name == "all"
        ):
            raise OptionError(
                f"the regularizer {regularizer.__qualname__} has name={name!r}; expected an identifier "
                "such as 'mixup'"
            )
        if not isinstance(getattr(regularizer, "summary", None), str):
            raise OptionError(
                f"the regularizer {name!r} has no summary; give it one line for --repro-list"
            )
        if name in self.names and self.get(name) is not regularizer:
            raise OptionError(
                f"the regularizer name {name!r} is taken; give {regularizer.__qualname__} another"
            )
        self._extra[name] = regularizer

    @property
    def names(self) -> tuple[str, ...]:
        """All names, built-ins first."""
        return (*BUILT_IN, *(name for name in self._extra if name not in BUILT_IN))

    def get(self, name: str) -> type[Regularizer]:
        """The class of a name; an unknown one is refused with the closest."""
        if name in self._extra:
            return self._extra[name]
        if name not in BUILT_IN:
            raise OptionError(
                f"unknown regularizer {name!r}; expected any of {', '.join(self.names)}, a combination "
                f"such as 'batch_norm+dropout', or 'all'.{did_you_mean(name, (*self.names, 'all'))}"
            )
        found: type[Regularizer] = load(BUILT_IN[name])
        return found

    def summaries(self) -> list[tuple[str, str]]:
        """Name and one line of every regularizer."""
        return [(name, self.get(name).summary) for name in self.names]

    def resolve(self, specifications: Sequence[Any]) -> tuple[Regularizer, ...]:
        """Turn names, calls, combinations, ``"all"`` and Regularizer objects into regularizers.

        Raises
        ------
        OptionError
            For an unknown name, a parameter that does not fit, or a label that occurs twice.
        """
        found: list[Regularizer] = []
        for item in specifications:
            if isinstance(item, Regularizer):
                found.append(item)
            elif isinstance(item, str):
                found.extend(self._parse(item))
            else:
                called = isinstance(item, type) and issubclass(item, Regularizer)
                hint = f" Call the class: {item.name}()" if called else ""
                raise OptionError(
                    f"got {shown(item)} as a regularizer; expected a name, or an object such as "
                    f"weight_decay(1e-3).{hint}"
                )
        if not found:
            raise OptionError("no regularizer is named; expected at least one, such as 'none'")
        labels = [regularizer.label for regularizer in found]
        for label in labels:
            if labels.count(label) > 1:
                raise OptionError(f"the regularizer {label!r} is listed twice; name each one once")
        return tuple(found)

    def label(self, specification: str) -> str:
        """The label that a specification of one regularizer is reported under."""
        found = self.resolve([specification])
        if len(found) > 1:
            raise OptionError(
                f"{shown(specification)} names {len(found)} regularizers; expected one. Write an entry for "
                "each, or one number for all"
            )
        return found[0].label

    def _parse(self, text: str) -> list[Regularizer]:
        if text.strip() in self._offered:
            return [self._offered[text.strip()]]
        try:
            if len(text) > _LONGEST:
                raise SyntaxError
            tree = ast.parse(text.strip(), mode="eval").body
            ast.unparse(tree)  # what is nested too deeply ends here, too
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # a null byte; brackets
            raise OptionError(
                f"can't read the regularizers {shown(text)}; expected names such as "
                f"'none,weight_decay(1e-3),batch_norm+dropout'.{did_you_mean(text, self.names)}"
            ) from None
        parts = tree.elts if isinstance(tree, ast.Tuple) else [tree]
        found: list[Regularizer] = []
        for part in parts:
            if isinstance(part, ast.Name) and part.id == "all":
                found.extend(self._build(name, {}, ()) for name in self.names)
            else:
                found.append(self._combination(part, text))
        return found

    def _combination(self, node: ast.expr, text: str) -> Regularizer:
        parts: list[Regularizer] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts.insert(0, self._single(node.right, text))
            node = node.left
        parts.insert(0, self._single(node, text))
        if len(parts) == 1:
            return parts[0]
        combined: Regularizer = load(COMBINED)(tuple(parts))
        return combined

    def _single(self, node: ast.expr, text: str) -> Regularizer:
        if (label := ast.unparse(node)) in self._offered:
            return self._offered[label]
        if isinstance(node, ast.Name):
            return self._build(node.id, {}, ())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            try:
                arguments = [ast.literal_eval(argument) for argument in node.args]
                keywords = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
            except (ValueError, TypeError, RecursionError, MemoryError):
                raise OptionError(
                    f"can't read the parameters of {node.func.id!r} in {shown(text)}; expected numbers, such "
                    "as weight_decay(1e-3)"
                ) from None
            return self._build(node.func.id, keywords, arguments)
        raise OptionError(
            f"can't read the regularizers {shown(text)}; expected names such as "
            f"'none,weight_decay(1e-3),batch_norm+dropout'.{did_you_mean(text, self.names)}"
        )

    def _build(
        self, name: str, keywords: Mapping[str, Any], arguments: Sequence[Any]
    ) -> Regularizer:
        factory = self.get(name)
        try:
            return factory(*arguments, **keywords)
        except OptionError:
            raise
        except (TypeError, ValueError, ArithmeticError) as error:
            raise OptionError(f"the regularizer {name!r} can't be built: {error}") from None
