"""Audit an MLP on scikit-learn's digits under every regularizer of the study."""

import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from pytest_reprotest import reproducibility


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype("float32")
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=0.2, random_state=0, stratify=labels
    )
    return {"train": (x_train, y_train), "test": (x_test, y_test)}


def make_mlp():
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )


@reproducibility(regularizers="all")
def test_digits_mlp(retrain, digits):
    retrain(make_mlp, **digits, epochs=20, batch_size=64, optimizer="sgd", lr=0.1)
