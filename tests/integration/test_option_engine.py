"""--repro-engine and repro_engine: how runs are trained, and the sentence where it is not as one stack."""

import json

import pytest

TEST = """
import torch
from torch import nn

def make_mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.scores = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, inputs):
        return self.scores(self.cells(inputs.unsqueeze(1))[0][:, 0])

inputs = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
targets = (inputs[:, 0] > 0).long()
data = {"train": (inputs, targets), "test": (inputs, targets), "epochs": 15, "batch_size": 4}

@reproducibility(runs=3)
def test_audit(retrain):
    retrain(FACTORY, **data)
"""
MLP, RECURRENT = TEST.replace("FACTORY", "make_mlp"), TEST.replace("FACTORY", "Recurrent")


def audited(project, *arguments):
    """The audit of a run of pytest, from its JSON."""
    project.run(*arguments, "--repro-json=out.json", "-n0").assert_outcomes(passed=1)
    (audit,) = json.loads((project.path / "out.json").read_text())["audits"]
    return audit


@pytest.mark.parametrize(
    ("given", "used"), [("auto", "stacked"), ("stacked", "stacked"), ("sequential", "sequential")]
)
def test_the_engine_is_as_asked_and_recorded(project, given, used):
    project.write(MLP)
    assert audited(project, f"--repro-engine={given}")["settings"]["engine"] == used


def test_the_ini_file_sets_it_and_the_marker_wins(project):
    project.ini("repro_engine = sequential")
    project.write(MLP)
    assert audited(project)["settings"]["engine"] == "sequential"
    project.write(MLP.replace("runs=3", "runs=3, engine='stacked'"))
    assert audited(project)["settings"]["engine"] == "stacked"


def test_a_model_that_cannot_be_stacked_says_so_once_and_trains(project):
    project.write(RECURRENT)
    project.run("-n0").stdout.fnmatch_lines(
        ["*test_audit: engine sequential: 'none' can't be stacked: GRU 'cells' has no batching*"]
    )
    audit = audited(project)
    assert audit["settings"]["engine"] == "sequential"


def test_asking_for_the_stack_turns_the_sentence_into_a_failure(project):
    project.write(RECURRENT)
    result = project.run("--repro-engine=stacked", "-n0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*engine 'stacked' was asked for; 'none' can't be stacked: GRU 'cells'*"]
    )


def test_an_unknown_engine_is_refused_with_the_closest(project):
    project.write(MLP)
    result = project.run("--repro-engine=staked")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--repro-engine=staked: got 'staked'*Did you mean 'stacked'?*"])
