"""--repro-executor and repro_executor: where runs are trained, with the same result."""

import importlib.util
import json

import pytest

TEST = """
import torch
from torch import nn

def make_own():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

inputs = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
targets = (inputs[:, 0] > 0).long()

@reproducibility(runs=4, regularizers="none,dropout")
def test_audit(retrain):
    retrain(make_own, train=(inputs, targets), test=(inputs, targets), epochs=15, batch_size=4)
"""


def audited(project, *arguments, run=None):
    result = (run or project.run)(*arguments, "--repro-json=out.json", "-n0")
    result.assert_outcomes(passed=1)
    (audit,) = json.loads((project.path / "out.json").read_text())["audits"]
    return audit, result


def same(one, other):
    return all(
        other["regularizers"][label][part] == found[part]
        for label, found in one["regularizers"].items()
        for part in ("predictions", "losses")
    )


def test_ray_and_processes_give_what_this_process_gives(project):
    pytest.importorskip("ray")
    project.write(TEST)
    here, _ = audited(project, "--repro-executor=local")
    processes, _ = audited(project, "--repro-executor=processes")
    ray, told = audited(
        project,
        "--repro-executor=ray",
        "--repro-workers=2",
        run=project.pytester.runpytest_subprocess,
    )
    assert same(here, processes)
    assert same(here, ray)
    assert [each["settings"]["workers"] for each in (here, processes, ray)] == [1, 1, 2]
    assert [each["settings"]["environment"]["OMP_NUM_THREADS"] for each in (processes, ray)] == [
        "1",
        "1",
    ]
    assert not told.stderr.str()
    assert "(raylet)" not in told.stdout.str()


def test_the_ini_file_sets_it_and_the_command_line_goes_before(project):
    project.ini("repro_executor = ray", "repro_ray_address = 127.0.0.1:1")
    project.write(TEST)
    audit, _ = audited(project, "--repro-executor=local")
    assert audit["settings"]["origins"]["executor"] == "command line"
    result = project.run("-n0")
    result.assert_outcomes(failed=1)
    assert "--repro-ray-address=127.0.0.1:1: can't connect to a Ray cluster there" in project.said(
        result
    )


def test_without_ray_the_session_is_refused(project, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "ray" else real(name, *rest),
    )
    project.write(TEST)
    result = project.run("--repro-executor=ray")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        '--repro-executor=ray takes Ray, which is not installed: pip install "pytest-reprotest[ray]"'
        in project.said(result)
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--repro-executor=rya"], "--repro-executor=rya: got 'rya'; expected auto, local, processes, ray."),
        (
            ["--repro-executor=local", "--repro-workers=2"],
            "--repro-executor=local and --repro-workers=2: this process is one; use "
            "--repro-executor=processes, or leave the workers out",
        ),
        (
            ["--repro-executor=local", "--repro-deterministic"],
            "--repro-executor=local and --repro-deterministic: a proof trains runs in processes of their own; "
            "use --repro-executor=processes, or leave the executor out",
        ),
        (
            ["--repro-executor=ray", "--repro-device=cuda:1"],
            "--repro-device=cuda:1 and --repro-executor=ray: Ray gives each worker a GPU of its own. Use "
            "--repro-device=cuda, and set CUDA_VISIBLE_DEVICES where Ray starts to leave some out",
        ),
    ],
)  # fmt: skip
def test_what_an_executor_cannot_do_is_refused(project, arguments, told):
    project.write(TEST)
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert told in project.said(result)
