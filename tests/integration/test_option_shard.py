"""--repro-shard and the command merge: parts of a session on machines that know nothing of each other."""

import json

import pytest

from pytest_reprotest.commands import main

TEST = """
@reproducibility(runs=3, regularizers=["none", "dropout"], max_prediction_difference=0.5)
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""
ITEMS = TEST.replace("(retrain)", "(retrain, regularizer)")


def audits(path):
    found = json.loads(path.read_text(encoding="utf-8"))["audits"]
    for audit in found:
        for each in audit["regularizers"].values():
            each["seconds"] = 0.0
    return found


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["none", "n2"])
@pytest.mark.parametrize("source", [TEST, ITEMS], ids=["whole", "items"])
def test_merged_parts_are_the_session_of_one_machine(project, source, workers, capsys):
    project.write(source)
    count = 1 + (source is ITEMS)
    for part in "12":
        result = project.run(f"--repro-store=s{part}", f"--repro-shard={part}/2", *workers)
        result.assert_outcomes(skipped=count)
        result.stdout.fnmatch_lines([f"*reproducibility, part {part}/2*", "*runs of this part*"])
        result.stdout.fnmatch_lines(["*The verdict:*"])
    project.run("--repro-json=whole.json").assert_outcomes(passed=count)
    stores = [str(project.path / each) for each in ("s1", "s2")]
    capsys.readouterr()
    assert main(["merge", *stores, "--json", str(project.path / "merged.json")]) == 0
    assert "none" in capsys.readouterr().out
    assert audits(project.path / "merged.json") == audits(project.path / "whole.json")


def test_a_breach_is_told_and_is_the_exit_code(project, tmp_path, capsys):
    project.write(TEST.replace("0.5", "0.1"))
    project.run("--repro-store=s", "--repro-shard=1/1").assert_outcomes(skipped=1)
    capsys.readouterr()
    page = tmp_path / "m.md"
    assert main(["merge", str(project.path / "s"), "--markdown", str(page)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "FAILED test_audit.py::test_shaky: none: prediction_difference 0.2000" in told
    assert "test_shaky" in page.read_text(encoding="utf-8")


def test_a_part_writes_no_result(project):
    project.write(TEST)
    result = project.run("--repro-store=s", "--repro-shard=1/2", "--repro-json=out.json")
    told = " ".join(result.stdout.str().split())
    assert "out.json is not written: --repro-shard=1/2 judges nothing" in told
    assert not (project.path / "out.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--repro-shard=1/2"], "--repro-shard=1/2 leaves its runs in a store; name it with"),
        (["--repro-shard=3/2", "--repro-store=s"], "--repro-shard=3/2: got '3/2'; expected a part"),
        (["--repro-shard=1/2", "--repro-store=s", "--repro-plan"], "*and --repro-plan: a part of"),
        (
            ["--repro-shard=1/2", "--repro-store=s", "--repro-bank=b.json"],
            "*--repro-bank=b.json: a",
        ),
    ],
)
def test_contradictions_end_the_session_at_its_start(project, arguments, told):
    project.write(TEST)
    result = project.run(*arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{told}*"])


def test_a_proof_fails_in_a_sentence(project):
    project.write(TEST)
    result = project.run("--repro-shard=1/2", "--repro-store=s", "--repro-deterministic")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--repro-deterministic and --repro-shard: a proof*"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere holds no store (runs.sqlite3)"),
        (
            ["nowhere", "--html", "no/page.html"],
            "--html=no/page.html: the folder no does not exist",
        ),
    ],
)
def test_what_can_not_be_merged_is_said(tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert main(["merge", *arguments]) == 2
    assert told in capsys.readouterr().err


TWO = """
def steady(run):
    run.regularizer
    return y_true

@reproducibility(runs=4, max_prediction_difference=0.1)
def test_two(retrain):
    retrain(FunctionTrainer(steady, y_true=y_true))
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


def test_each_audit_of_a_test_is_trained_in_parts(project, capsys):
    """Else the second would be nowhere, and the merged verdict pass."""
    project.write(TWO)
    for part in "12":
        result = project.run(f"--repro-store=s{part}", f"--repro-shard={part}/2")
        result.assert_outcomes(skipped=1)
    capsys.readouterr()
    assert main(["merge", *(str(project.path / each) for each in ("s1", "s2"))]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "FAILED test_audit.py::test_two #2: none: prediction_difference" in told


def test_a_test_that_looks_at_a_result_ends_there(project):
    project.write(TEST + "    assert False\n")
    project.run("--repro-store=s", "--repro-shard=1/2").assert_outcomes(failed=1)
    project.write(
        TEST.replace("    retrain", "    result = retrain") + "    assert not result.passed\n"
    )
    project.run("--repro-store=s", "--repro-shard=1/2").assert_outcomes(skipped=1)
