"""--repro-list."""

import pytest

NAMES = [
    "none",
    "momentum",
    "adam",
    "weight_decay",
    "orthogonal",
    "dropout",
    "stochastic_depth",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "residual",
    "ema",
]


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n2"]], ids=["none", "n0", "n2"])
def test_each_regularizer_is_printed_with_a_line_and_nothing_is_run(project, workers):
    project.write("raise SystemExit('collected')")
    result = project.run("--repro-list", *workers)
    assert result.ret == pytest.ExitCode.OK
    assert [line.split()[0] for line in result.outlines] == NAMES
    assert all(len(line.split()) > 3 for line in result.outlines)
    assert all(len(line) <= 100 for line in result.outlines)


def test_the_regularizers_of_a_conftest_are_among_them(project):
    project.conftest("""
        from dataclasses import dataclass
        from typing import ClassVar
        from pytest_reprotest import Regularizer

        @dataclass(frozen=True)
        class Mixup(Regularizer):
            name: ClassVar[str] = "mixup"
            summary: ClassVar[str] = "convex combinations of pairs of samples"

        def pytest_reprotest_regularizers():
            return [Mixup]
        """)
    result = project.run("--repro-list")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["mixup * convex combinations of pairs of samples"])


def test_it_has_no_ini_twin(project):
    project.ini("repro_list = true")
    result = project.run("--strict-config")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: Unknown config option: repro_list"])
