"""``python -m pytest_reprotest``: as a process of its own where exit codes and imports are the point."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pytest_reprotest.api import audit_predictions
from pytest_reprotest.bank import save_bank
from pytest_reprotest.commands import COMMANDS, main
from pytest_reprotest.results_file import write_results
from pytest_reprotest.thresholds import DEFAULT_TOLERANCES, TOLERANCES
from pytest_reprotest.verdict import broken

TRUTH = np.array([0, 1] * 100)


def runs(wrong, n_runs=4, start=0):
    """Run k is wrong on ``wrong`` samples of its own: accuracy 1 - w/200, PD 2w/200."""
    labels = np.tile(TRUTH, (n_runs, 1))
    for run in range(n_runs):
        labels[run, start + run * wrong : start + (run + 1) * wrong] += 2
    return labels


def audited(name="test_a.py::test_mlp", truth=TRUTH, settings=None, **labels):
    result = audit_predictions(labels or {"none": runs(2)}, truth, name=name)
    return replace(result, settings={**result.settings, **(settings or {})})


GOOD, BAD = runs(2), runs(6, start=100)


@dataclass
class Done:
    """What a call left behind."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def said(self):
        """What was printed, whatever the line breaks."""
        return " ".join(self.stdout.split())


class Files:
    """Two files of results in a folder of their own, and the command to compare them."""

    def __init__(self, path, capsys):
        self.path = path
        self.capsys = capsys

    def write(self, name, *audits, **arguments):
        write_results(self.path / name, [audit.to_dict() for audit in audits], **arguments)

    def process(self, *arguments, **environment):
        """Call Python."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def call(self, *arguments):
        """Call the program in this process."""
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
        return Done(code, *self.capsys.readouterr())

    def compare(self, *arguments):
        return self.call("compare", "old.json", "new.json", *arguments)

    def compare_in_a_process(self, *arguments):
        return self.process("-m", "pytest_reprotest", "compare", "old.json", "new.json", *arguments)


@pytest.fixture
def files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return Files(tmp_path, capsys)


# --- the commands -------------------------------------------------------------------------------


def test_without_a_command_the_help_is_printed(files):
    done = files.process("-m", "pytest_reprotest")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m pytest_reprotest [-h] COMMAND ...")
    for name, command in COMMANDS.items():
        assert re.search(rf"^ +{name}\s+{command.summary[:20]}", done.stdout, re.MULTILINE)


def test_an_unknown_command_is_refused(files):
    done = files.call("comprae")
    assert done.returncode == 2
    assert "invalid choice: 'comprae'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_of_a_command_says_what_it_holds_and_how_it_ends(files):
    done = files.call("compare", "--help")
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    for name, kind in TOLERANCES.items():
        assert f"--{name.replace('_', '-')} X" in said
        default = DEFAULT_TOLERANCES.get(name, "the regression's tolerance")
        assert f"(default {default})" in said
        assert kind.upper
    for code in (
        "0 nothing is worse",
        "1 something is worse",
        "2 the files can't",
        "3 nothing is wo",
    ):
        assert code in said


@pytest.mark.parametrize("arguments", [[], ["--help"], ["compare", "--help"]])
def test_help_loads_nothing_heavy(files, arguments):
    script = f"""
import sys
from pytest_reprotest.commands import main
try:
    main({arguments!r})
except SystemExit:
    pass
print(sorted({{"numpy", "scipy", "torch", "pytest", "tabulate"}} & set(sys.modules)), file=sys.stderr)
"""
    done = files.process("-c", script)
    assert done.stderr.strip() == "[]"


def test_comparing_loads_neither_torch_nor_pytest(files):
    files.write("old.json", audited())
    script = """
import sys
from pytest_reprotest.commands import main
code = main(["compare", "old.json", "old.json"])
print(code, sorted({"torch", "pytest"} & set(sys.modules)), file=sys.stderr)
"""
    done = files.process("-c", script)
    assert done.stderr.strip() == "0 []"


def test_every_command_is_a_module_that_describes_itself_and_runs():
    import importlib

    for command in COMMANDS.values():
        module = importlib.import_module(command.module)
        assert callable(module.describe)
        assert callable(module.run)


def test_the_arguments_are_those_of_the_process_by_default(files, monkeypatch, capsys):
    files.write("a.json", audited())
    path = str(files.path / "a.json")
    monkeypatch.setattr(sys, "argv", ["__main__.py", "compare", path, path])
    assert main() == 0
    assert capsys.readouterr().out.endswith("Nothing is worse than tolerated.\n")


# --- exit codes ---------------------------------------------------------------------------------


def test_the_same_ends_with_0(files):
    files.write("old.json", audited(none=GOOD))
    files.write("new.json", audited(none=GOOD))
    done = files.compare_in_a_process()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:6] == [
        "measure            old     new  change                      worse from  status",
        "--------------  ------  ------  --------------------------  ----------  ------",
        "test_a.py::test_mlp",
        "  none",
        "    accuracy    0.9900  0.9900  +0.0000 [+0.0000, +0.0000]      0.0050  same",
        "    ETA         0.9700  0.9700  +0.0000 [+0.0000, +0.0000]      0.0100  same",
    ]
    assert done.stdout.splitlines()[-1] == "Nothing is worse than tolerated."


def test_worse_ends_with_1_and_says_what(files):
    files.write("old.json", audited(none=GOOD, dropout=GOOD))
    files.write("new.json", audited(none=GOOD, dropout=BAD))
    done = files.compare_in_a_process()
    assert (done.returncode, done.stderr) == (1, "")
    assert (
        "test_a.py::test_mlp: dropout: accuracy went from 0.9900 to 0.9700, by -0.0200 [-0.0200, "
        "-0.0200], beyond max_accuracy_drop=0.005" in " ".join(done.stdout.split())
    )
    assert done.stdout.splitlines()[-1] == "Worse than tolerated."


def test_better_ends_with_3_and_says_that_the_baseline_is_stale(files):
    files.write("old.json", audited(none=BAD))
    files.write("new.json", audited(none=GOOD))
    done = files.compare_in_a_process()
    assert (done.returncode, done.stderr) == (3, "")
    assert "better by more than max_accuracy_drop=0.005" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "Better than tolerated: old.json is stale. Store new.json in its place."
    )


def test_worse_in_one_test_counts_before_better_in_another(files):
    files.write("old.json", audited("a", none=GOOD), audited("b", none=BAD))
    files.write("new.json", audited("a", none=BAD), audited("b", none=GOOD))
    assert files.compare().returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [f"--{name.replace('_', '-')}=0.1" for name in TOLERANCES],
        [part for name in TOLERANCES for part in (f"--{name.replace('_', '-')}", "0.1")],
    ],
)
def test_more_is_tolerated_where_that_is_asked_for(files, arguments):
    files.write("old.json", audited(none=GOOD))
    files.write("new.json", audited(none=BAD))
    assert files.compare().returncode == 1
    assert files.compare(*arguments).returncode == 0


def test_how_it_is_decided_may_be_chosen(files):
    labels = np.tile(TRUTH, (5, 1))
    for run in range(5):
        labels[run, 10 * run : 11 * run] = 2
    files.write("old.json", audited(none=labels))
    shifted = labels.copy()
    shifted[:, 100:102] = 2  # accuracy falls by 0.01, give or take 0.013
    files.write("new.json", audited(none=shifted))
    only = ["--max-negative-flip-excess=1"]
    assert files.compare(*only).returncode == 0
    assert files.compare(*only, "--confidence=0.6").returncode == 1
    assert files.compare(*only, "--decision=point").returncode == 1


# --- input that can't be used -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "new.json can't be read: No such file or directory"),
        ("", "new.json is not a result of pytest-reprotest (JSONDecodeError"),
        ("[" * 100_000, "new.json is not a result of pytest-reprotest (it is nested more than"),
        ("{}", "new.json is not a result of pytest-reprotest (KeyError: 'schema_version')"),
        (
            '{"schema_version": 9, "complete": true, "audits": []}',
            "new.json has schema version 9; this version reads 1 and 2. Upgrade pytest-reprotest",
        ),
        (
            '{"schema_version": 2, "complete": true, "audits": []}',
            "old.json and new.json have no test in common; the first holds test_a.py::test_mlp, the "
            "second none",
        ),
        (
            '{"schema_version": 2, "complete": true, "audits": [{"name": "test_a.py::test_mlp"}]}',
            "test_a.py::test_mlp: new.json is not a result of pytest-reprotest (the entry "
            "'regularizers' is missing)",
        ),
    ],
)
def test_files_that_cannot_be_used_end_with_2(files, text, message):
    files.write("old.json", audited())
    if text is not None:
        (files.path / "new.json").write_text(text)
    done = files.compare_in_a_process()
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_another_test_set_ends_with_2(files):
    files.write("old.json", audited())
    files.write("new.json", audited(truth=np.roll(TRUTH, 1)))
    done = files.compare_in_a_process()
    assert done.returncode == 2
    assert done.stderr == (
        "test_a.py::test_mlp: another test set: true labels differ on 200 of 200 samples. Audits of one "
        "test set can be compared, no others\n"
    )
    assert done.stdout.splitlines()[-1] == "Not everything could be compared."


def test_two_runs_end_with_2_and_the_way_out(files):
    files.write("old.json", audited(none=runs(2, n_runs=2)))
    files.write("new.json", audited(none=runs(2, n_runs=2)))
    done = files.compare()
    assert done.returncode == 2
    assert "decide by the estimate (decision 'point')" in done.stderr
    assert files.compare("--decision", "point").returncode == 0


def test_worse_stays_so_where_another_test_cannot_be_compared(files):
    files.write("old.json", audited("a", none=GOOD), audited("b"))
    files.write("new.json", audited("a", none=BAD), audited("b", truth=np.roll(TRUTH, 1)))
    done = files.compare()
    assert done.returncode == 1
    assert done.stderr.startswith("b: another test set")
    assert "a: none: accuracy went from" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--max-accuracy-drop=5"],
            "expected a fraction of test samples between 0 and 1. For 5% wr",
        ),
        (
            ["--max-accuracy-drop=-1"],
            "got '-1'; expected a fraction of test samples between 0 and 1",
        ),
        (["--max-accuracy-dorp=0.1"], "unrecognized arguments: --max-accuracy-dorp=0.1"),
        (["--confidence=95"], "got '95'; expected a number above 0.5 and below 1"),
        (["--confidence=high"], "got 'high'; expected a number above 0.5 and below 1"),
        (["--confidence=nan"], "got 'nan'; expected a number above 0.5 and below 1"),
        (["--decision=coin"], "invalid choice: 'coin'"),
    ],
)
def test_impossible_arguments_end_with_2(files, arguments, message):
    done = files.compare(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


# --- what is said -------------------------------------------------------------------------------


def test_tests_and_regularizers_of_one_file_alone_are_named(files):
    files.write("old.json", audited("a", none=GOOD, adam=GOOD), audited("b"), audited("c"))
    files.write("new.json", audited("a", none=GOOD), audited("d"))
    said = files.compare().stdout.splitlines()
    assert "a: adam is in the old result only" in said
    assert "only in old.json: b, c" in said
    assert "only in new.json: d" in said


def test_settings_that_differ_are_listed_and_warnings_stand_out(files):
    training = {"epochs": 20}
    files.write("old.json", audited(settings={"vary": ["init"], "training": training}))
    files.write("new.json", audited(settings={"vary": [], "training": {"epochs": 10}}))
    said = files.compare().said
    assert (
        "test_a.py::test_mlp: settings that differ, old → new: vary: init → none; training.epochs: 20 → "
        "10" in said
    )
    assert (
        "test_a.py::test_mlp: warning: vary: init → none: what varies between runs is not the same, so "
        "neither is what PD means" in said
    )


def test_what_changed_of_the_fingerprint_is_told_in_groups(files):
    old = {
        "versions": {"torch": "2.12.0", "numpy": "2.1"},
        "machine": {"processor": "AMD EPYC"},
        "threads": {"inter_op": 2},
        "environment": {"MKL_CBWR": None},
        "training": {"threads": 1, "data": {"train": "aa", "test": "bb"}},
        "initial_weights": {"none": "cc"},
    }
    new = {
        "versions": {"torch": "2.13.0", "numpy": "2.1", "cuda": "13.0"},
        "machine": {"processor": "Intel Xeon", "gpu": "H100"},
        "threads": {"inter_op": 2},
        "environment": {"MKL_CBWR": "AVX2"},
        "training": {"threads": 4, "data": {"train": "dd", "test": "bb"}},
        "initial_weights": {"none": "ee"},
    }
    files.write("old.json", audited("test_a", settings=old))
    files.write("new.json", audited("test_a", settings=new))
    done = files.compare()
    assert (
        "test_a: fingerprint, old → new: software: torch 2.12.0 → 2.13.0; machine: CPU AMD EPYC → Intel "
        "Xeon; threads 1 → 4; environment: MKL_CBWR unset → AVX2; data: train changed; initial weights "
        "changed (none). PD between old and new runs holds this change itself" in done.said
    )
    assert "settings that differ" not in done.said
    assert not {"aa", "cc", "dd", "ee"} & set(done.said.split())
    document = json.loads(files.compare("--json").stdout)
    assert document["tests"][0]["fingerprint"]["threads"] == ["1 → 4"]


def test_lines_are_as_long_as_the_terminal_is_wide(files, monkeypatch):
    settings = [{"training": {f"setting_{n}": value for n in range(20)}} for value in (1, 2)]
    labels = {"weight_decay(0.001)+batch_norm": GOOD, "none": GOOD}
    files.write("old.json", audited(settings=settings[0], **labels))
    files.write("new.json", audited(settings=settings[1], **dict.fromkeys(labels, BAD)))
    lines = files.compare().stdout.splitlines()
    assert max(map(len, lines)) <= 80
    monkeypatch.setenv("COLUMNS", "120")
    assert 100 < max(map(len, files.compare().stdout.splitlines())) <= 120
    assert max(map(len, files.call("compare", "--help").stdout.splitlines())) <= 120


def test_what_can_no_longer_be_trusted_is_worse(files):
    result = audited()
    found = replace(result["none"], verdict=broken("run 1 failed: the loss is NaN"))
    files.write("old.json", result)
    files.write("new.json", replace(result, by_regularizer={"none": found}))
    done = files.compare()
    assert done.returncode == 1
    assert "\n  none: worse\n" in done.stdout
    assert "none: can't be trusted, and could before: run 1 failed: the loss is NaN" in done.said


def test_an_interrupted_session_is_told(files):
    files.write("old.json", audited())
    files.write("new.json", audited(), complete=False)
    assert "new.json is of a session that was interrupted" in files.compare().stdout


def test_a_bank_is_compared_like_any_file(files):
    save_bank(files.path / "old.json", [audited()])
    files.write("new.json", audited())
    assert files.compare().returncode == 0


def test_a_test_without_a_name_is_shown(files):
    files.write("old.json", audited(""))
    files.write("new.json", audited(""))
    assert "\n(unnamed)\n" in files.compare().stdout


def test_what_a_file_holds_does_not_steer_the_terminal(files):
    name = "test_\x1b[2J\r"
    files.write("old.json", audited(name, none=GOOD), audited("b\x1b]0;x\x07"))
    files.write("new.json", audited(name, none=BAD))
    done = files.compare()
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert "test_\\x1b[2J\\r: none: accuracy" in done.said


def test_json_takes_the_place_of_the_table(files):
    files.write("old.json", audited("a", none=GOOD), audited("b"), audited("c"))
    files.write(
        "new.json", audited("a", none=BAD), audited("b", truth=np.roll(TRUTH, 1)), audited("d")
    )
    done = files.compare("--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["status"] == "worse"
    assert [test["name"] for test in document["tests"]] == ["a"]
    assert document["tests"][0]["regularizers"]["none"][0]["status"] == "worse"
    assert document["unusable"]["b"].startswith("another test set")
    assert (document["only_old"], document["only_new"]) == (["c"], ["d"])


def test_a_stream_that_knows_no_arrows_is_no_trouble(files):
    files.write("old.json", audited(settings={"seed": 0}))
    files.write("new.json", audited(settings={"seed": 1}))
    done = files.process(
        *("-m", "pytest_reprotest", "compare", "old.json", "new.json"),
        PYTHONIOENCODING="ascii",
        PYTHONUTF8="0",
    )
    assert done.returncode == 0, done.stderr
    assert "seed: 0 -> 1" in done.stdout
