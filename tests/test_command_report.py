"""``python -m pytest_reprotest report``."""

import importlib.util
import re

import pytest
from pages import audited

from pytest_reprotest.commands import main
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
