"""A bank of an MLP on digits: unchanged code passes, whatever makes the training worse does not."""

import importlib

import pytest

SOURCE = """
import pytest
from sklearn.datasets import load_digits
from torch import nn
from pytest_reprotest import reproducibility


def make_mlp():
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    for parameter in net.parameters():
        parameter.data *= SCALE
    return net


@reproducibility(runs=8, regularizers=["none", "layer_norm"], max_prediction_difference=0.2)
def test_digits(retrain):
    x, y = load_digits(return_X_y=True)
    train, test = (x[:1400] / 16, y[:1400]), (x[1400:] / 16, y[1400:])
    retrain(make_mlp, train=train, test=test, epochs=EPOCHS, batch_size=50, lr=LR)
"""
AS_IT_WAS = {"SCALE": "1.0", "EPOCHS": "8", "LR": "0.1"}


def write(path, **changed):
    text = SOURCE
    for name, value in {**AS_IT_WAS, **changed}.items():
        text = text.replace(name, value)
    (path / "test_net.py").write_text(text)


@pytest.fixture
def banked(pytester, monkeypatch, _loaded):
    """A folder with the test and a bank of eight runs."""
    monkeypatch.setenv("COLUMNS", "100")
    importlib.import_module("sklearn.datasets")  # pytester forgets modules that are new
    write(pytester.path)
    pytester.runpytest_inprocess("--repro-save-bank=bank.json").assert_outcomes(passed=1)
    return pytester


def test_unchanged_code_passes_and_worse_code_fails(banked):
    for workers in ([], ["-n2"]):
        result = banked.runpytest_inprocess("--repro-bank=bank.json", *workers)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["  none *1 + 8 * pass", "  layer_norm *1 + 8 * pass"])

    write(banked.path, SCALE="0.01")  # nets that have not learned yet when the training ends
    result = banked.runpytest_inprocess("--repro-bank=bank.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "reproducibility: * disagree with the bank more than it does with itself",
            "  none (1 run): 1 new run differs from the 8 runs of the bank by 0.*",
            "  none *1 + 8 * fail",
        ]
    )

    for changed, told in (
        ({"LR": "1.0"}, "training.lr: 0.1 → 1.0"),
        ({"EPOCHS": "4"}, "training.epochs: 8 → 4"),
    ):
        write(banked.path, **changed)
        result = banked.runpytest_inprocess("--repro-bank=bank.json")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"*the bank's runs are not of this training: {told}. Make *"])


def test_a_worse_recipe_fails_the_comparison(banked):
    banked.runpytest_inprocess("--repro-compare=bank.json").assert_outcomes(passed=1)
    write(banked.path, EPOCHS="4")
    result = banked.runpytest_inprocess("--repro-compare=bank.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "  none (8 runs): against bank.json: accuracy went from 0.* to 0.*",
            "*settings that differ from bank.json: training.epochs: 8 → 4*",
        ]
    )
