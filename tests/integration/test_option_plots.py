"""--repro-plots and repro_plots: the page's figures as files, without a browser."""

import importlib.util

import pytest

TEST = """
@pytest.mark.parametrize("case", ["plain", "../up/<script>", "PLAIN"])
@reproducibility(runs=3, regularizers=["none", "dropout"], max_prediction_difference=0.5)
def test_shaky(retrain, case):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""
SIGNATURES = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml"}


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["none", "n1"])
def test_each_figure_is_written_in_both_kinds_and_inside_the_folder(project, workers):
    project.write(TEST)
    before = {path for path in project.path.rglob("*") if path.suffix in SIGNATURES}
    project.run("--repro-plots=figures", *workers).assert_outcomes(passed=3)
    files = sorted((project.path / "figures").iterdir())
    assert {path for path in project.path.rglob("*") if path.suffix in SIGNATURES} == {
        *before,
        *files,
    }
    stems = [path.stem for path in files if path.suffix == ".svg"]
    assert stems == [path.stem for path in files if path.suffix == ".png"]
    assert len({stem.lower() for stem in stems}) == len(stems)
    of_runs = [stem for stem in stems if "accuracy-of-each-run" in stem]
    assert len(of_runs) == 3
    for path in files:
        assert path.read_bytes().startswith(SIGNATURES[path.suffix])


def test_the_ini_file_says_where_and_an_old_folder_is_written_into(project):
    project.ini("repro_plots = figures")
    project.write(TEST)
    folder = project.path / "figures"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    project.run("-n0").assert_outcomes(passed=3)
    assert (folder / "mine.txt").read_text() == "mine"
    assert len(list(folder.iterdir())) > 10


def test_a_file_in_its_place_and_a_folder_of_no_folder_are_refused(project):
    project.write(TEST)
    (project.path / "taken").write_text("")
    result = project.run("--repro-plots=taken")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "taken: that is a file; expected a folder to write into" in project.said(result)
    result = project.run("--repro-plots=no/where")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "does not exist; create it, or write elsewhere" in project.said(result)


def test_without_matplotlib_the_session_is_refused(project, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "matplotlib" else real(name),
    )
    project.write(TEST)
    result = project.run("--repro-plots=figures")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "its figures take matplotlib, which is not installed" in project.said(result)


def test_nothing_is_written_that_was_not_asked_for(project):
    project.write(TEST)
    project.run("-n0").assert_outcomes(passed=3)
    assert not list(project.path.rglob("*.svg"))
