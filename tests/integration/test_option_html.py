"""--repro-html and repro_html; the page itself is tested in tests/test_html_*.py."""

import importlib.util

import pytest

TEST = """
@reproducibility(runs=3, regularizers=["none", "dropout"], max_prediction_difference=0.5)
def test_shaky(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""
ITEMS = TEST.replace("(retrain)", "(retrain, regularizer)")


def page(project, path="out.html"):
    return (project.path / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("workers", [[], ["-n0"], ["-n2"]], ids=["none", "n0", "n2"])
@pytest.mark.parametrize("source", [TEST, ITEMS], ids=["whole", "items"])
def test_the_page_has_a_test_with_all_its_regularizers(project, source, workers):
    project.write(source)
    project.run("--repro-html=out.html", *workers).assert_outcomes(passed=1 + (source is ITEMS))
    html = page(project)
    assert html.count("<article") == 1
    assert "All 2 regularizers hold what was asked." in html
    assert "--repro-regularizers=none,dropout" in html


def test_the_ini_file_says_where_and_the_command_line_wins(project):
    project.ini("repro_html = ini.html")
    project.write(TEST)
    project.run("-n0").assert_outcomes(passed=1)
    assert "<article" in page(project, "ini.html")
    (project.path / "ini.html").unlink()
    project.run("--repro-html=out.html").assert_outcomes(passed=1)
    assert "<article" in page(project)
    assert not (project.path / "ini.html").exists()


def test_a_failing_test_is_on_the_page_and_an_expected_failure_is_called_so(project):
    project.write("""
        @reproducibility(runs=3, max_prediction_difference=0.1)
        def test_a(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))

        @pytest.mark.xfail
        @reproducibility(runs=3, max_prediction_difference=0.1)
        def test_b(retrain):
            retrain(FunctionTrainer(shaky, y_true=y_true))
        """)
    project.run("--repro-html=out.html").assert_outcomes(failed=1, xfailed=1)
    html = page(project)
    assert "2 audits: 1 failed, 1 failed as expected." in html
    assert "none: prediction_difference 0.2000 " in html


def test_a_session_that_was_stopped_says_so(project):
    project.write(TEST + "\n\ndef test_stops():\n    raise KeyboardInterrupt\n")
    project.run("--repro-html=out.html", no_reraise_ctrlc=True)
    assert "The session was interrupted: tests may be missing." in page(project)


def test_a_session_without_audits_writes_a_page_that_says_so(project):
    project.pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
    project.run("--repro-html=out.html").assert_outcomes(passed=1)
    assert "No test was audited." in page(project)


def test_without_plotly_it_is_refused_before_anything_trains(project, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "plotly" else found(name)
    )
    project.write(TEST)
    result = project.run("--repro-html=out.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.said(result).endswith(
        "ERROR: --repro-html=out.html: its figures take plotly, which is not installed; install it: "
        "pip install 'pytest-reprotest[report]'"
    )
    assert not (project.path / "out.html").exists()


@pytest.mark.parametrize(
    ("option", "library", "renderer"),
    [
        ("--repro-html=out.html", "plotly", "interactive"),
        ("--repro-plots=out", "matplotlib", "static"),
    ],
)
def test_a_library_that_is_broken_is_told_before_anything_trains(
    project, monkeypatch, option, library, renderer
):
    given = importlib.import_module

    def broken(name, package=None):
        if name == f"pytest_reprotest.report.plots.{renderer}":
            raise AttributeError("module 'numpy' has no attribute 'bool8'")
        return given(name, package)

    monkeypatch.setattr(importlib, "import_module", broken)
    project.write(TEST)
    result = project.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.said(result).endswith(
        f"ERROR: {option}: its figures take {library}, which is installed and can't be imported "
        "(AttributeError: module 'numpy' has no attribute 'bool8'); repair it: pip install --force-reinstall "
        f"{library}"
    )


def test_a_path_that_cannot_be_written_is_refused(project):
    project.write(TEST)
    result = project.run("--repro-html=no/out.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the folder" in project.said(result)


def test_a_plan_writes_no_page(project):
    project.write(TEST)
    result = project.run("--repro-plan", "--repro-html=out.html")
    assert "out.html is not written: --repro-plan trains nothing" in project.said(result)
    assert not (project.path / "out.html").exists()


def test_no_half_a_page_is_left_and_an_old_one_is_replaced(project):
    (project.path / "out.html").write_text("old")
    project.write(TEST)
    project.run("--repro-html=out.html").assert_outcomes(passed=1)
    assert page(project).startswith("<!DOCTYPE html>")
    assert [path.name for path in project.path.iterdir() if path.name.startswith(".out")] == []
