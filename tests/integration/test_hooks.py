"""The hook ``pytest_reprotest_regularizers``: regularizers of a conftest.py or of another plugin."""

import re

import pytest

# Freezes the first layer: its weights stay where they started.
FROZEN = """
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from pytest_reprotest import OptionError, Regularizer, RegularizerRefused


@dataclass(frozen=True)
class Frozen(Regularizer):
    layers: int = 1
    name: ClassVar[str] = "frozen"
    summary: ClassVar[str] = "the first layers keep the weights they start with"

    def __post_init__(self):
        if self.layers < 1:
            raise OptionError(f"frozen(layers={self.layers!r}); expected an integer of at least 1")

    def modify_model(self, model):
        linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
        if len(linear) <= self.layers:
            raise RegularizerRefused(
                f"'frozen' freezes {self.layers} of {len(linear)} layers; one has to learn"
            )
        for module in linear[: self.layers]:
            module.requires_grad_(False)
"""

CONFTEST = (
    FROZEN
    + """

def pytest_reprotest_regularizers():
    return [Frozen]
"""
)

AUDIT = """
@reproducibility(runs=2, regularizers="none,frozen")
def test_frozen(retrain):
    retrain(make_solved, **data)
"""


def test_a_conftest_registers_a_regularizer_of_its_own(project):
    project.conftest(CONFTEST)
    project.write("""
        @reproducibility(runs=2, regularizers=["none", "frozen", "frozen+dropout"])
        def test_frozen(retrain):
            result = retrain(make_solved, **data)
            assert result.regularizers == ("none", "frozen", "frozen+dropout")
            assert result.passed
        """)
    result = project.run("--repro-json=out.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["  none (baseline) *", "  frozen *", "  frozen+dropout *"])


def test_what_it_changes_is_what_is_trained(project):
    project.conftest(CONFTEST)
    project.write("""
        @reproducibility(runs=2, regularizers="none,frozen")
        def test_losses(retrain):
            result = retrain(make_solved, **data)
            assert result["none"].losses != result["frozen"].losses
        """)
    project.run().assert_outcomes(passed=1)


def test_it_is_listed_named_on_the_command_line_and_takes_parameters(project):
    project.conftest(CONFTEST)
    project.write(AUDIT)
    project.run("--repro-list").stdout.fnmatch_lines(
        ["frozen * the first layers keep the weights*"]
    )
    project.run("--repro-regularizers=frozen", "--repro-json=out.json").assert_outcomes(passed=1)
    assert list(project.audits()["test_frozen"]["regularizers"]) == ["frozen"]
    result = project.run("--repro-regularizers=frozen(2)")
    result.assert_outcomes(failed=1)
    assert "test_frozen: 'frozen' freezes 2 of 2 layers; one has to learn" in project.said(result)
    result = project.run("--repro-regularizers=frozen(0)")
    assert "frozen(layers=0); expected an integer of at least 1" in project.said(result)


def test_all_includes_it(project):
    project.conftest(CONFTEST)
    project.write("""
        @reproducibility(runs=2, regularizers="all")
        def test_all(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    project.run("--repro-json=out.json").assert_outcomes(passed=1)
    assert list(project.audits()["test_all"]["regularizers"])[-1] == "frozen"


def test_an_installed_plugin_registers_one_too(project):
    (project.path / "frozen_plugin.py").write_text(CONFTEST, encoding="utf-8")
    project.write(AUDIT)
    project.pytester.syspathinsert()
    project.run("-p", "frozen_plugin").assert_outcomes(passed=1)


def test_a_conftest_below_registers_for_its_folder_only(project):
    project.pytester.syspathinsert()
    for folder in ("a", "b", "c"):
        (project.path / folder).mkdir()
        project.write(AUDIT, f"{folder}/test_{folder}")
    for folder in ("a", "b"):  # each with a class of its own, of the same name
        (project.path / folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    result = project.run("--continue-on-collection-errors")
    result.assert_outcomes(passed=2, errors=1)
    assert (
        "test_c.py::test_frozen: reproducibility(regularizers='none,frozen'): unknown regulari"
        in (project.said(result))
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "return Frozen",
            "pytest_reprotest_regularizers returned <class 'conftest.Frozen'>; expected a",
        ),
        (
            "return 'frozen'",
            "pytest_reprotest_regularizers returned 'frozen'; expected a list of Regul",
        ),
        (
            "return [Frozen()]",
            "returned Frozen(layers=1); expected subclasses of pytest_reprotest.Reg",
        ),
        (
            "return [int]",
            "returned <class 'int'>; expected subclasses of pytest_reprotest.Regularizer",
        ),
        (
            "return 1 / 0",
            "pytest_reprotest_regularizers raised ZeroDivisionError: division by zero at",
        ),
        (
            "yield 1 / 0",
            "pytest_reprotest_regularizers raised ZeroDivisionError: division by zero at",
        ),
        (
            "Frozen.name = 'weight_decay'; return [Frozen]",
            "the regularizer name 'weight_decay' is taken; give Frozen another",
        ),
        (
            "Frozen.name = 'not a name'; return [Frozen]",
            "the regularizer Frozen has name='not a name'; expected an identifier such as 'mixup'",
        ),
        (
            "del Frozen.summary; return [Frozen]",
            "the regularizer 'frozen' has no summary; give it one line for --repro-list",
        ),
    ],
)
def test_a_bad_answer_is_refused_and_nothing_of_ours_is_shown(project, body, message):
    project.conftest(f"{FROZEN}\ndef pytest_reprotest_regularizers():\n    {body}\n")
    project.write(AUDIT)
    result = project.run()
    result.assert_outcomes(errors=1)
    listed = project.run("--repro-list")
    assert listed.ret == pytest.ExitCode.USAGE_ERROR
    for said in (project.said(result), project.said(listed)):
        assert message in said
        assert "INTERNALERROR" not in said
        assert "Traceback" not in said


def test_a_misspelled_hook_is_refused_by_pytest(project):
    project.conftest("def pytest_reprotest_regulariser():\n    return []\n")
    result = project.run()
    assert result.ret != pytest.ExitCode.OK
    assert "unknown hook 'pytest_reprotest_regulariser'" in project.said(result)


def test_a_regularizer_that_raises_is_told_with_its_own_line(project):
    project.conftest(CONFTEST.replace("linear = [", "1 / 0; linear = ["))
    project.write(AUDIT)
    result = project.run()
    result.assert_outcomes(failed=1)
    said = project.said(result)
    assert "'frozen': " in said
    assert "ZeroDivisionError: division by zero at" in said
    assert re.search(r"conftest.py:\d+ in modify_model: 1 / 0; linear", said)
    assert "Traceback" not in said
