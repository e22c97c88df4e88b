"""``python -m pytest_reprotest report``."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from pages import TEST, audited, runs

from pytest_reprotest import AuditResult, audit_predictions
from pytest_reprotest.commands import main
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.results import write_json
from pytest_reprotest.results_file import write_results


@pytest.fixture
def file(tmp_path):
    """Write audits into a file of results, and return its path."""

    def write(name, *audits, **arguments):
        path = tmp_path / name
        write_results(path, [each.to_dict() for each in audits], **arguments)
        return str(path)

    return write


def test_old_results_are_shown_and_written_as_a_page(file, tmp_path, capsys):
    path = tmp_path / "page.html"
    old = file("old.json", audited(name="test_a.py::test_a"), audited(name="test_a.py::test_b"))
    assert main(["report", old, "--html", str(path)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"none +4 ", out)
    assert "test_a.py::test_b" in out
    assert path.read_text(encoding="utf-8").count("<article") == 2


def test_without_a_page_there_is_the_table(file, capsys):
    assert main(["report", file("old.json", audited())]) == 0
    assert "PD: fraction of test samples" in capsys.readouterr().out


def test_of_several_files_each_is_named(file, tmp_path, capsys):
    path = tmp_path / "page.html"
    files = [file("a.json", audited()), file("b.json", audited(), complete=False)]
    assert main(["report", *files, "--html", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"{files[0]}:\n" in out
    assert "is of a session that was interrupted: tests may be missing." in " ".join(out.split())
    html = re.sub("<wbr>", "", path.read_text(encoding="utf-8"))
    assert f"({files[1]})</bdi></h2>" in html
    assert f"{files[1]} is of a session that was interrupted" in html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.json"], "missing.json can't be read: No such file or directory"),
        (["old.json", "--html", "no/page.html"], "--html=no/page.html: the folder no does not"),
        (["old.json", "--html", "."], "--html=.: that is a folder"),
    ],
)
def test_what_cannot_be_read_or_written_is_said(arguments, message, file, tmp_path, monkeypatch, capsys):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    file("old.json", audited())
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_page_that_cannot_be_written_in_the_end_is_said(file, tmp_path, monkeypatch, capsys):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_reprotest.report.html.output.whole_file", full)
    path = tmp_path / "page.html"
    assert main(["report", file("old.json", audited()), "--html", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"--html={path} could not be written: No space left on device\n"
    )


def test_the_table_needs_no_plotly_and_the_page_says_what_to_install(file, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    old = file("old.json", audited())
    assert main(["report", old]) == 0
    assert main(["report", old, "--html", "page.html"]) == 2
    assert "pip install 'pytest-reprotest[report]'" in capsys.readouterr().err


def test_names_in_a_file_cannot_steer_the_terminal(file, capsys):
    assert main(["report", file("old.json", audited(name="test_a.py::test\x1b[2J"))]) == 0
    assert "\x1b" not in capsys.readouterr().out


# --- several files of one test ------------------------------------------------------------------


def nights(file):
    """Three files of one test: PD falls, then rises; one has another regularizer."""
    return [
        file("mon.json", audited(labels={"none": runs(0.2)})),
        file("tue.json", audited(labels={"none": runs(0.1), "dropout": runs(0.3)})),
        file("wed.json", audited(labels={"none": runs(0.3)})),
    ]


def test_of_a_test_in_several_files_it_is_told_what_became_of_it(file, capsys):
    paths = nights(file)
    found = [AuditResult.from_json(path)["none"] for path in paths]
    assert main(["report", "--history", *paths]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["over", "time", "runs", "accuracy", "PD", "change", "ETA", "change", "verdict"]  # fmt: skip
    assert lines[2:4] == [TEST, "  none"]
    assert not any("dropout" in line for line in lines)
    cells = [line.split() for line in lines if re.search(r" 4 +0\.\d", line)]
    assert [cell[0] for cell in cells] == ["mon.json", "tue.json", "wed.json"]
    pd = [each.prediction_difference.value for each in found]
    eta = [each.effective_accuracy.value for each in found]
    for number, row in enumerate(cells):
        said = " ".join(row)
        assert f"{pd[number]:.3f} ±" in said
        if number:
            assert f" {pd[number] - pd[number - 1]:+.3f} " in said
            assert f" {eta[number]:.3f} {eta[number] - eta[number - 1]:+.3f} no limit" in said
    assert "python -m pytest_reprotest compare OLD NEW" in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80


def test_the_history_follows_the_files_where_those_are_shown(file, capsys):
    paths = nights(file)
    assert main(["report", *paths]) == 0
    out = capsys.readouterr().out
    places = [out.index(f"{path}:\n") for path in paths]
    assert [*places, out.index("over time")] == sorted([*places, out.index("over time")])
    assert main(["report", paths[0]]) == 0
    assert "over time" not in capsys.readouterr().out


def test_a_history_of_nothing_is_refused(file, capsys):
    paths = [file("a.json", audited(name="test_a.py::test_a")), file("b.json", audited())]
    assert main(["report", "--history", *paths]) == 2
    assert capsys.readouterr().err == (
        "--history: no test with a regularizer is in two files or more; name several files of one test\n"
    )


def test_numbers_of_regressions_have_a_table_of_their_own(file, capsys):
    truth = np.linspace(0, 1, 20)
    numbers = audit_predictions(
        {"none": truth + 0.1 * np.arange(3)[:, None] * np.linspace(0, 1, 20)},
        truth,
        name="test_b.py::test_b",
        task="regression",
        tolerance=0.05,
        score="mae",
    )
    paths = [file(name, audited(), numbers) for name in ("a.json", "b.json")]
    assert main(["report", "--history", *paths]) == 0
    out = capsys.readouterr().out
    assert len(re.findall("^over time ", out, re.MULTILINE)) == 2
    assert re.search(r"^over time +runs +MAE +PD +change +verdict$", out, re.MULTILINE)


def test_what_became_of_a_test_is_in_the_file_and_on_the_page(tmp_path, capsys):
    failing = audited(labels={"none": runs(0.2)}, max_prediction_difference=0.01)
    path, html = tmp_path / "out.json", tmp_path / "page.html"
    write_json(path, Finished([failing.to_dict()], ["xfail"]))
    assert main(["report", str(path), "--html", str(html)]) == 0
    assert "fail (xfail)" in capsys.readouterr().out
    assert "failed as expected" in html.read_text(encoding="utf-8")


def test_details_outlive_a_file_without_predictions(tmp_path, capsys):
    path, html = tmp_path / "out.json", tmp_path / "page.html"
    whole = audited()
    write_json(path, Finished([whole.to_dict()], [""], predictions=False))
    assert main(["report", str(path), "--html", str(html)]) == 0
    text = html.read_text(encoding="utf-8")
    assert "Samples that flip most" in text
    assert "Flips by class" in text
    assert "predictions of the runs" not in text


def test_what_a_stream_cannot_show_is_spelled(file):
    path = file("old.json", audited())
    ran = subprocess.run(
        [sys.executable, "-m", "pytest_reprotest", "report", path],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b" +/-0." in ran.stdout
    assert ran.stdout.isascii()
    assert b"?" not in ran.stdout
