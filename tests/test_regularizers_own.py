"""Regularizers that a third party writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from small_training import blobs, make_mlp
from torch import nn

from pytest_reprotest import audit
from pytest_reprotest.errors import RegularizerRefused
from pytest_reprotest.interfaces import Regularizer
from pytest_reprotest.registry import Registry


@dataclass(frozen=True)
class Lasso(Regularizer):
    """A penalty of one's own."""

    coefficient: float = 0.01
    name: ClassVar[str] = "lasso"
    summary: ClassVar[str] = "sum of absolute weights"

    def penalty(self, model, parameters):
        return self.coefficient * sum(value.abs().sum() for value in parameters.values())


@dataclass(frozen=True)
class Smoothing(Regularizer):
    """A loss of one's own."""

    amount: float = 0.1
    name: ClassVar[str] = "smoothing"
    summary: ClassVar[str] = "label smoothing"

    def modify_recipe(self, recipe):
        amount = self.amount
        return replace(
            recipe,
            loss=lambda outputs, targets: nn.functional.cross_entropy(
                outputs, targets, label_smoothing=amount
            ),
        )


@dataclass(frozen=True)
class Smooth(Regularizer):
    """A surgery of one's own."""

    name: ClassVar[str] = "smooth"
    summary: ClassVar[str] = "SiLU in place of ReLU"

    def modify_model(self, model):
        found = [name for name, module in model.named_children() if type(module) is nn.ReLU]
        if not found:
            raise RegularizerRefused("'smooth' needs an nn.ReLU; this model has none")
        for name in found:
            setattr(model, name, nn.SiLU())


@dataclass(frozen=True)
class Slow(Regularizer):
    """An optimizer setting of one's own."""

    name: ClassVar[str] = "slow"
    summary: ClassVar[str] = "half the learning rate"

    def modify_optimizer(self, optimizer):
        for group in optimizer.param_groups:
            group["lr"] /= 2


SETTINGS = {"epochs": 4, "batch_size": 8, "runs": 3, "device": "cpu"}


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_own_regularizers_train_by_name_by_object_and_in_combination(engine):
    result = audit(
        make_mlp,
        train=blobs(),
        test=blobs(30, seed=1),
        regularizers=["none", "lasso", Smoothing(0.2), Smooth(), "lasso(0.1)+dropout"],
        registry=Registry([Lasso]),
        engine=engine,
        lr=0.2,
        **SETTINGS,
    )
    losses = {label: result[label].losses[0][-1] for label in result.regularizers}
    assert list(losses) == ["none", "lasso", "smoothing(0.2)", "smooth", "lasso(0.1)+dropout"]
    assert len(set(losses.values())) == 5
    assert losses["lasso"] > losses["none"]


def test_an_own_regularizer_may_change_a_callable_optimizer():
    def losses(regularizers):
        made = []

        def sgd(parameters):
            made.append(torch.optim.SGD(parameters, lr=0.2))
            return made[-1]

        audit(
            make_mlp,
            train=blobs(),
            test=blobs(30, seed=1),
            optimizer=sgd,
            regularizers=regularizers,
            engine="sequential",
            **SETTINGS,
        )
        return {optimizer.param_groups[0]["lr"] for optimizer in made}

    assert losses([Slow()]) == {0.1}
    assert losses(["none"]) == {0.2}


def test_an_own_regularizer_may_refuse():
    with pytest.raises(
        RegularizerRefused, match=r"^'smooth' needs an nn\.ReLU; this model has none$"
    ):
        audit(
            lambda: nn.Sequential(nn.Linear(6, 3)),
            train=blobs(),
            test=blobs(30, seed=1),
            regularizers=[Smooth()],
            **SETTINGS,
        )


def test_labels_are_made_from_the_fields():
    assert Lasso().label == "lasso"
    assert Lasso(0.5).label == "lasso(0.5)"
    assert Smooth().label == "smooth"
