"""--repro-deterministic and repro_deterministic: one seed, trained apart, the same bits."""

import json

import pytest
import torch

from pytest_reprotest.result import AuditResult
from pytest_reprotest.training.switches import SWITCHES

SOUND = """
import os
from pathlib import Path

words = {f"word{number}" for number in range(100)}

def first(words):
    return sorted(words)[0]

class ByAWord(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = make_solved()

    def forward(self, inputs):
        Path(f"process_{os.getpid()}").touch()
        shift = int(first(words)[4:]) / 1000
        return self.layers(inputs + shift)

@reproducibility(runs=2, min_accuracy=0.5)
def test_sound(retrain):
    before = torch.are_deterministic_algorithms_enabled()
    result = retrain(ByAWord, **data)
    assert result.passed
    assert torch.are_deterministic_algorithms_enabled() == before
"""

FAULTY = """
import os

def noisy(run):
    return np.random.default_rng(int.from_bytes(os.urandom(7), "little")).integers(0, 2, 10)

def unpooled(inputs):
    return torch.zeros_like(inputs).put_(torch.arange(inputs.numel()), inputs)

class Unpooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = make_solved()

    def forward(self, inputs):
        return self.layers(unpooled(inputs))

@reproducibility(runs=2, deterministic=True)
def test_noisy(retrain):
    retrain(FunctionTrainer(noisy, y_true=y_true))

@reproducibility(runs=2, deterministic=True)
def test_unpooled(retrain):
    retrain(Unpooled, **data)

@reproducibility(runs=2, deterministic=True)
def test_exact(retrain):
    retrain(FunctionTrainer(exact, y_true=y_true))
"""


def test_a_sound_training_is_proven_in_processes_of_its_own(project):
    before = [switch.get() for switch in SWITCHES]
    project.write(SOUND)
    result = project.run("--repro-deterministic", "--repro-json=out.json", "-vv", "-n0")
    result.assert_outcomes(passed=1)
    said = project.said(result)
    assert (
        "none: 2 runs of one seed agree to the last bit in weights, buffers, losses and predictions, trained "
        "in 2 processes" in said
    )
    assert "deterministic = True (command line)" in said
    assert "vary = none (command line)" in said
    assert "engine = sequential (command line)" in said
    assert [switch.get() for switch in SWITCHES] == before

    stored = project.audits()["test_sound"]
    assert stored["settings"]["switches"]["PYTHONHASHSEED"] == "another in each process"
    proof = stored["regularizers"]["none"]["proof"]
    assert (proof["proven"], proof["processes"]) == (True, 2)
    assert proof["compared"] == ["weights", "buffers", "losses", "predictions"]
    assert proof["runs"][0]["weights"].keys() == {
        f"layers.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")
    }
    assert stored["regularizers"]["none"]["prediction_difference"]["value"] == 0
    read = AuditResult.from_json(project.path / "out.json")
    assert read.to_dict() == stored
    assert len(list(project.path.glob("process_*"))) == 3  # the parent tries one step


def test_the_order_of_a_set_is_found_by_a_third_training(project):
    project.write(SOUND.replace("sorted(words)[0]", "next(iter(words))"))
    result = project.run("--repro-deterministic", "-n0")
    result.assert_outcomes(failed=1)
    said = project.said(result)
    assert "first divergence in step 1: the output of module 'layers.0 (Linear)'" in said
    assert "the order of a set, or hash() of a text" in said


def test_it_holds_in_workers_of_xdist_too(project):
    project.write(SOUND + FAULTY)
    result = project.run("--repro-deterministic", "-n2")
    result.assert_outcomes(passed=2, failed=2)
    said = project.said(result)
    assert "entropy of the operating system: os.urandom" in said
    assert "agree to the last bit in weights, buffers, losses and predictions" in said


def test_what_differs_fails_and_is_named_whatever_is_only_reported(project):
    project.write(FAULTY)
    result = project.run("--repro-report-only", "--repro-json=out.json", "-n0")
    result.assert_outcomes(passed=1, failed=2)
    said = project.said(result)
    assert "1 of 1 regularizers do not give the same bits when one seed is trained again" in said
    assert (
        "none (2 runs): first divergence in step 1: the predictions. Cause that fits: entropy"
        in said
    )
    assert "in noisy: return np.random.default_rng(int.from_bytes(os.urandom(7)" in said
    assert "none (2 runs): predictions differ on " in said
    assert "of 10 samples (run 1 against run 0)" in said
    assert (
        "run 0 of 'none' (--repro-seed=0) failed: the operation put_ has no deterministic implementation in "
        "PyTorch" in said
    )
    assert "in unpooled: return torch.zeros_like(inputs).put_(" in said
    assert (
        "none: 2 runs of one seed agree to the last bit in predictions, trained in 2 processes; only "
        "predictions were compared, since this trainer returns nothing else" in said
    )
    stored = project.audits()
    assert stored["test_noisy"]["regularizers"]["none"]["verdict"]["broken"]
    assert not torch.are_deterministic_algorithms_enabled()


PLAIN = """
@reproducibility(runs=2{more})
def test_plain(retrain):
    retrain(make_solved, **data)
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--repro-vary=init"],
            "--repro-vary=init and --repro-deterministic: a proof of determinism",
        ),
        (
            ["--repro-engine=stacked"],
            "--repro-engine=stacked and --repro-deterministic: a proof of",
        ),
        (["--repro-bank=bank.json"], "--repro-deterministic and --repro-bank=bank.json: "),
        (
            ["--repro-save-bank=b.json"],
            "--repro-deterministic and --repro-save-bank=b.json: runs of one",
        ),
    ],
)
def test_what_contradicts_it_is_refused_at_the_start(project, arguments, message):
    project.write(PLAIN.format(more=""))
    result = project.run("--repro-deterministic", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in project.said(result)


def test_a_marker_that_contradicts_itself_is_refused_at_collection(project):
    project.write(PLAIN.format(more=", deterministic=True, engine='stacked'"))
    result = project.run("--collect-only")
    assert "reproducibility(engine='stacked') and reproducibility(deterministic=True)" in (
        project.said(result)
    )


def test_a_plan_of_a_proof_expects_no_interval(project):
    project.ini("repro_deterministic = true")
    project.write(PLAIN.format(more=""))
    result = project.run("--repro-plan", "-n0")
    result.assert_outcomes(skipped=1)
    said = project.said(result)
    assert "a proof of determinism: runs of one seed, in processes of their own" in said
    assert "no pilot" not in said
    assert "reproducibility: --repro-seed=0 --repro-deterministic (1 audited test)" in said


def test_runs_of_one_seed_are_neither_a_bank_nor_held_against_stored_results(project):
    project.write(
        PLAIN.format(more=", deterministic=True")
        + PLAIN.format(more="").replace("test_plain", "test_other").replace("runs=2", "runs=5")
    )
    result = project.run("--repro-save-bank=bank.json", "--repro-json=out.json", "-n0")
    result.assert_outcomes(passed=2)
    told = "its runs are of one seed, which say nothing of how much others differ"
    assert f"test_audit.py::test_plain: did not go into the bank: {told}" in project.said(result)
    assert list(project.audits("bank.json")) == ["test_other"]

    result = project.run("--repro-compare=out.json", "-n0", "-k", "plain")
    result.assert_outcomes(passed=1)
    assert f"is held against nothing in out.json: {told}" in project.said(result)

    document = json.loads((project.path / "out.json").read_text())
    assert [audit["settings"].get("deterministic") for audit in document["audits"]] == [None, True]
