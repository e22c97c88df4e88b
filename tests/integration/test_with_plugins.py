"""Beside other plugins, audits are what they are without: the same runs, one row each, no verdict retried away."""

import importlib.util
import json

import pytest
from conftest import OTHERS

TESTS = """
@reproducibility(runs=10, regularizers="none,dropout", max_prediction_difference={"dropout": 0.19})
def test_items(retrain, regularizer):
    retrain(FunctionTrainer(shaky, y_true=y_true))

@reproducibility(runs=6)
def test_drawn(retrain):
    retrain(FunctionTrainer(drawn, y_true=y_true))

@reproducibility(runs=2, min_accuracy=0.5)
def test_trained(retrain):
    retrain(make_solved, **data)

def test_plain():
    pass
"""

MODULES = {
    "benchmark": "pytest_benchmark",
    "html": "pytest_html",
    "pytest_cov": "pytest_cov",
    "randomly": "pytest_randomly",
    "rerunfailures": "pytest_rerunfailures",
    "timeout": "pytest_timeout",
}


@pytest.fixture
def beside(monkeypatch):
    """Let runs inside a test load one of the plugins that others do without."""

    def load(*names):
        for name in names:
            if importlib.util.find_spec(MODULES[name]) is None:
                pytest.skip(f"{MODULES[name]} is not installed")
        more = ("html_fixtures", "metadata") if "html" in names else ()
        others = [name for name in OTHERS if name not in (*names, *more)]
        monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in others))

    return load


def timeless(value):
    """A JSON document without its timings."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key != "seconds"}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def document(project, path="out.json"):
    return timeless(json.loads((project.path / path).read_text(encoding="utf-8")))


def table(result):
    """Our section, without the lines between paragraphs."""
    lines = result.stdout.str().splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip("= ") == "reproducibility")
    end = next(
        n
        for n, line in enumerate(lines)
        if n > start and (line.startswith("===") or " Generated " in line)
    )
    return [line for line in lines[start:end] if line]


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        ("benchmark", ["--benchmark-storage=file://kept"]),
        ("html", ["--html=report.html", "--self-contained-html"]),
        ("randomly", ["--randomly-seed=1"]),
        ("randomly", ["--randomly-seed=4"]),
        ("rerunfailures", ["--reruns=0"]),
        ("timeout", ["--timeout=600"]),
    ],
)
def test_audits_are_the_same_beside(project, beside, plugin, options):
    project.write(TESTS)
    alone = project.run("--repro-json=alone.json")
    beside(plugin)
    result = project.run("--repro-json=out.json", *options)
    result.assert_outcomes(passed=4, failed=1)
    assert MODULES[plugin].removeprefix("pytest_") in result.stdout.str()
    assert table(result)[1:] == table(alone)[1:]
    assert document(project) == document(project, "alone.json")


def test_all_of_them_together_in_two_processes_too(project, beside):
    project.write(TESTS)
    alone = project.run("--repro-json=alone.json")
    beside("benchmark", "html", "rerunfailures", "timeout")
    options = ("--reruns=1", "--timeout=600", "--html=report.html", "--benchmark-disable")
    result = project.run("-n2", "--repro-json=out.json", "--junitxml=out.xml", *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=4, failed=1)
    both = document(project)
    reruns = [audit.pop("outcome") for audit in both["audits"] if "outcome" in audit]
    assert reruns == ["rerun"]
    assert both == document(project, "alone.json")
    again = [line for line in table(result) if "(rerun)" in line]
    assert [line.split()[0] for line in again] == ["dropout"]
    assert [line.replace("(rerun)", "").rstrip() for line in table(result)[3:]] == table(alone)[3:]


class TestReruns:
    """pytest-rerunfailures: a verdict that fails can't be retried away, what is no verdict can."""

    def test_a_failed_audit_stands_and_is_not_trained_again(self, project, beside):
        beside("rerunfailures")
        project.write("""
            from pathlib import Path

            def lucky(run):
                with Path("trained.txt").open("a") as file:
                    file.write("x")
                return exact(run) if len(Path("trained.txt").read_text()) > 3 else shaky(run)

            @reproducibility(runs=3, max_prediction_difference=0.1)
            def test_unlucky(retrain):
                retrain(FunctionTrainer(lucky, y_true=y_true))
            """)
        result = project.run("--reruns=2", "--repro-json=out.json")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            ["*1 failed, 2 rerun in*", "  none (baseline) * fail (rerun)"][::-1]
        )
        said = project.said(result)
        assert (
            said.count(
                "the test was run again: its first verdict stands, and nothing was trained again. Take audited "
                "tests out of reruns, or set limits that hold"
            )
            == 1
        )
        assert (project.path / "trained.txt").read_text() == "xxx"
        assert [each["passed"] for each in project.audits().values()] == [False]
        assert len(document(project)["audits"]) == 1

    def test_the_second_audit_of_a_test_stands_too(self, project, beside):
        beside("rerunfailures")
        project.write("""
            attempts = []

            @reproducibility(runs=3, max_prediction_difference=0.1)
            def test_two(retrain):
                attempts.append(1)
                retrain(FunctionTrainer(exact, y_true=y_true))
                retrain(FunctionTrainer(exact if len(attempts) > 1 else shaky, y_true=y_true))
            """)
        result = project.run("--reruns=1", "--repro-json=out.json")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        passed = {name: each["passed"] for name, each in project.audits().items()}
        assert passed == {"test_two": True, "test_two #2": False}

    def test_what_failed_before_or_beside_its_audits_may_pass_when_it_is_run_again(
        self, project, beside
    ):
        beside("rerunfailures")
        project.write("""
            attempts = {"before": 0, "after": 0}

            @reproducibility(runs=3)
            def test_before(retrain):
                attempts["before"] += 1
                if attempts["before"] == 1:
                    raise ConnectionError("the data set did not load")
                retrain(FunctionTrainer(exact, y_true=y_true))

            @reproducibility(runs=3)
            def test_after(retrain):
                attempts["after"] += 1
                retrain(FunctionTrainer(exact if attempts["after"] == 1 else shaky, y_true=y_true))
                assert attempts["after"] == 2
            """)
        result = project.run("--reruns=1", "--repro-json=out.json")
        assert result.ret == pytest.ExitCode.OK
        found = [line.split() for line in table(result) if line.startswith("  none")]
        assert [(line[3], line[5], line[-1]) for line in found] == [
            ("1.000", "0.000", "limit"),
            ("0.900", "0.200", "(rerun)"),
        ]
        assert list(project.audits()) == ["test_after", "test_before"]


class TestTimeouts:
    """pytest-timeout: what hangs is told, and nothing is made up for it."""

    TESTS = """
    import time

    @reproducibility(runs=2)
    def test_finished(retrain):
        retrain(FunctionTrainer(drawn, y_true=y_true))

    @reproducibility(runs=2)
    @pytest.mark.timeout(0.5)
    def test_hangs(retrain):
        retrain(FunctionTrainer(lambda run: time.sleep(600), y_true=y_true, threads=3))

    @reproducibility(runs=2)
    def test_after(retrain):
        print("threads", torch.get_num_threads())
        retrain(FunctionTrainer(drawn, y_true=y_true))
    """

    def test_by_signal_the_test_fails_and_the_others_go_on(self, project, beside):
        import torch

        beside("timeout")
        project.write(self.TESTS)
        result = project.run("-s", "--timeout-method=signal", "--repro-json=out.json")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(
            ["*Timeout*0.5*s*", "FAILED test_audit.py::test_hangs - Failed: Timeout*"]
        )
        assert f"threads {torch.get_num_threads()}" in project.said(result)
        assert list(project.audits()) == ["test_after", "test_finished"]
        assert "test_hangs" not in "".join(table(result))

    def test_by_a_thread_the_process_of_xdist_dies_and_the_controller_tells(self, project, beside):
        beside("timeout")
        project.write(self.TESTS)
        result = project.run("-n1", "--timeout-method=thread", "--repro-json=out.json")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(passed=2, failed=1)
        assert "test_audit.py::test_hangs began and never ended" in project.said(result)
        assert list(project.audits()) == ["test_after", "test_finished"]
        assert not document(project)["complete"]

    def test_by_a_thread_one_process_dies_and_leaves_no_half_of_a_file(self, project, beside):
        beside("timeout")
        project.write(self.TESTS)
        options = ("--timeout-method=thread", "--repro-json=out.json", "--repro-markdown=out.md")
        result = project.pytester.runpytest_subprocess(*options)
        assert result.ret not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        assert "Timeout" in project.said(result)
        assert not list(project.path.glob("*out.*"))


def test_coverage_is_measured_and_changes_nothing(project, beside, monkeypatch):
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE"):
        monkeypatch.delenv(name, raising=False)  # of the tests' own measurement
    project.write(TESTS)
    alone = project.run("--repro-json=alone.json")
    beside("pytest_cov")
    options = ("--cov=helpers", "--cov-branch", "--repro-json=out.json")
    result = project.pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["helpers.py * 31 *%"])
    assert table(result)[1:] == table(alone)[1:]
    assert document(project) == document(project, "alone.json")
