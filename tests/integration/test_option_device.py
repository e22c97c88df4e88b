"""--repro-device and repro_device."""

import pytest
import torch

TEST = """
@reproducibility(runs=2)
def test_open(retrain):
    retrain(FunctionTrainer(exact, y_true=y_true))
"""

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")


def device(project):
    settings = project.audits()["test_open"]["settings"]
    return settings["device"], settings["origins"].get("device", "default")


@pytest.mark.parametrize("workers", [[], ["-n0"]], ids=["none", "n0"])
def test_cpu_by_name(project, workers):
    project.write(TEST)
    project.run("--repro-device=cpu", "--repro-json=out.json", *workers).assert_outcomes(passed=1)
    assert device(project) == ("cpu", "command line")


def test_cpu_by_the_ini_file(project):
    project.ini("repro_device = cpu")
    project.write(TEST)
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert device(project) == ("cpu", "ini")


@no_gpu
def test_auto_is_the_cpu_where_there_is_no_gpu(project):
    project.write(TEST)
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert device(project) == ("cpu", "default")


@no_gpu
@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n2"]], ids=["none", "n0", "n2"])
def test_a_device_that_is_not_there_ends_the_session_before_it_starts(project, workers):
    project.write(TEST)
    result = project.run("--repro-device=cuda:1", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: device 'cuda:1' is not available: torch * sees 0 CUDA*"])
    assert result.stderr.str().count("\n") <= 2


@no_gpu
def test_an_ini_files_device_that_is_not_there_fails_audited_tests_only(project):
    project.ini("repro_device = cuda")
    project.write(TEST + "\ndef test_other():\n    pass\n")
    result = project.run()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*test_open: device 'cuda:0' is not available: torch*"])
