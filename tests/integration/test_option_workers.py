"""--repro-workers and repro_workers: processes that train side by side, with the same result."""

import json

import pytest

TEST = """
import torch
from torch import nn

width = 8

def make_mlp():
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))

inputs = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
targets = (inputs[:, 0] > 0).long()

@reproducibility(runs=4, regularizers="none,dropout")
def test_audit(retrain):
    retrain(make_mlp, train=(inputs, targets), test=(inputs, targets), epochs=15, batch_size=4)

@reproducibility(runs=2)
def test_lambda(retrain):
    retrain(lambda: nn.Linear(4, 2), train=(inputs, targets), test=(inputs, targets), epochs=15, batch_size=4)
"""


def audits(project, *arguments):
    project.run(*arguments, "--repro-json=out.json", "-n0").assert_outcomes(passed=2)
    return json.loads((project.path / "out.json").read_text())["audits"]


def test_two_workers_give_what_one_gives(project):
    project.write(TEST)
    alone, together = audits(project), audits(project, "--repro-workers=2")
    for one, two in zip(alone, together, strict=True):
        assert (one["settings"]["workers"], two["settings"]["workers"]) == (1, 2)
        for label, found in one["regularizers"].items():
            assert two["regularizers"][label]["predictions"] == found["predictions"]
            assert two["regularizers"][label]["losses"] == found["losses"]


def test_the_ini_file_sets_it(project):
    project.ini("repro_workers = 2")
    project.write(TEST)
    assert {audit["settings"]["workers"] for audit in audits(project)} == {2}


@pytest.mark.parametrize("value", ["0", "two", "1.5"])
def test_impossible_numbers_are_refused(project, value):
    project.write(TEST)
    result = project.run(f"--repro-workers={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--repro-workers={value}: got '{value}'*"])
