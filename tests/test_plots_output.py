"""Figures drawn: paths, what is missing, and what is imported when."""

import builtins
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_reprotest.errors import DataError, OptionError, ReprotestError
from pytest_reprotest.report.plots import Axis, Boxes, save, to_plotly

FIGURE = Boxes("T", Axis("PD", "percent"), {"none": [0.1, 0.2]})


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("A.SVG", b"<?xml")]
)
def test_the_suffix_says_what_is_written(tmp_path, name, start):
    save(FIGURE, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_is_replaced_by_the_same_bytes(tmp_path):
    path = tmp_path / "a.svg"
    save(FIGURE, str(path))
    first = path.read_bytes()
    save(FIGURE, str(path))
    assert path.read_bytes() == first


def test_paths_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "folder.png").mkdir()
    missing = tmp_path / "none"
    wanted = "expected a path that ends in .png or .svg"
    for path, message in [
        (tmp_path / "a.pdf", f"{tmp_path / 'a.pdf'} cannot be written as '.pdf'; {wanted}"),
        (tmp_path / "a", f"{tmp_path / 'a'} cannot be written as ''; {wanted}"),
        (
            tmp_path / "folder.png",
            f"{tmp_path / 'folder.png'} is a folder; expected the path of a file to write",
        ),
        (
            missing / "a.png",
            f"{missing / 'a.png'}: the folder {missing} does not exist; create it, or write elsewhere",
        ),
    ]:
        with pytest.raises(OptionError) as caught:
            save(FIGURE, path)
        assert str(caught.value) == message


def test_a_disk_that_does_not_take_it_is_told_and_nothing_stays(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(OptionError) as caught:
        save(FIGURE, tmp_path / "a.svg")
    assert str(caught.value) == (
        f"{tmp_path / 'a.svg'} can't be written: No space left on device; write elsewhere"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("draw", [to_plotly, lambda figure: save(figure, "a.png")])
def test_what_is_no_figure_is_refused(draw):
    with pytest.raises(DataError) as caught:
        draw([0.1])
    assert (
        str(caught.value) == "[0.1] is no figure; expected Boxes, Curves, Forest, HeatMap or Points"
    )


@pytest.mark.parametrize(
    ("library", "renderer", "draw"),
    [
        ("plotly", "interactive", lambda path: to_plotly(FIGURE)),
        ("matplotlib", "static", lambda path: save(FIGURE, path)),
    ],
)
def test_a_library_that_is_missing_is_named_with_the_command(
    library, renderer, draw, tmp_path, monkeypatch
):
    usual = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == library:
            raise ModuleNotFoundError(f"No module named {library!r}")
        return usual(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, f"pytest_reprotest.report.plots.{renderer}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ReprotestError) as caught:
        draw(tmp_path / "a.png")
    assert str(caught.value) == (
        f"drawing this takes {library}, which can't be imported (No module named '{library}'); "
        "install it: pip install 'pytest-reprotest[report]'"
    )
    assert list(tmp_path.iterdir()) == []


def imported(program):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()} & {"plotly", "matplotlib"}


def test_figures_are_made_without_any_plotting_library():
    made = "Boxes('T', Axis(), {'none': [1]}).drawing(str)"
    program = f"from pytest_reprotest.report.plots import *\n{made}"
    assert imported(program) == set()


def test_each_way_out_imports_its_own_library_alone():
    program = "from pytest_reprotest.report.plots import *\nfigure = Boxes('T', Axis(), {'a': [1]})"
    assert imported(f"{program}\nto_plotly(figure)") == {"plotly"}


def test_the_page_on_figures_draws_what_it_says(tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "plots.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)

    exec(code, {})

    assert "<svg" in (tmp_path / "pairs.svg").read_text(encoding="utf-8")
    assert "Plotly.newPlot" in (tmp_path / "eta.html").read_text(encoding="utf-8")
