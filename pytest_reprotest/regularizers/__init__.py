"""Regularizers: one family a file. Each is a frozen dataclass; call it to set its parameters.

>>> weight_decay(1e-3).label, dropout().label
('weight_decay(0.001)', 'dropout')
"""

from __future__ import annotations

from pytest_reprotest.regularizers.averaging import Ema
from pytest_reprotest.regularizers.baseline import ByHand, NoRegularizer
from pytest_reprotest.regularizers.noise import Dropout, StochasticDepth
from pytest_reprotest.regularizers.normalization import BatchNorm, GroupNorm, LayerNorm
from pytest_reprotest.regularizers.optimizer import Adam, Momentum
from pytest_reprotest.regularizers.penalty import Orthogonal, WeightDecay
from pytest_reprotest.regularizers.residual import Residual

none = NoRegularizer
by_hand = ByHand
momentum = Momentum
adam = Adam
weight_decay = WeightDecay
orthogonal = Orthogonal
dropout = Dropout
stochastic_depth = StochasticDepth
batch_norm = BatchNorm
layer_norm = LayerNorm
group_norm = GroupNorm
residual = Residual
ema = Ema

__all__ = [
    "adam",
    "batch_norm",
    "by_hand",
    "dropout",
    "ema",
    "group_norm",
    "layer_norm",
    "momentum",
    "none",
    "orthogonal",
    "residual",
    "stochastic_depth",
    "weight_decay",
]
