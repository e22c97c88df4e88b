"""What the plugin costs those who have it installed and do not use it: next to nothing.

Each case is a fresh interpreter, since what is imported is the point.
"""

import json
import os
import subprocess
import sys

import pytest

PROJECT = """
import json, sys

def test_what_is_imported():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


def run(tmp_path, *command):
    """Run Python in an empty folder; what it wrote is what it was asked for."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done


def ours(modules):
    return {name for name in modules if name.split(".")[0] == "pytest_reprotest"}


def heavy(modules):
    wanted = ("torch", "numpy", "scipy", "tabulate", "tqdm", "cloudpickle")
    return {name.split(".")[0] for name in modules} & set(wanted)


def test_a_project_without_audits_imports_nothing_heavy_and_no_file_is_made(tmp_path):
    (tmp_path / "test_plain.py").write_text(PROJECT)
    done = run(tmp_path, "-m", "pytest", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reprotest-" in done.stdout  # it is installed
    modules = json.loads((tmp_path / "modules.json").read_text())
    assert heavy(modules) == set()
    assert ours(modules) == {
        "pytest_reprotest",
        "pytest_reprotest.flags",
        "pytest_reprotest.hookspecs",
        "pytest_reprotest.plugin",
        "pytest_reprotest.session",
        "pytest_reprotest.settings",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["modules.json", "test_plain.py"]


@pytest.mark.parametrize("option", ["--collect-only", "--markers", "--fixtures", "--help"])
def test_nothing_is_made_where_no_test_runs(tmp_path, option):
    (tmp_path / "test_plain.py").write_text(PROJECT)
    done = run(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", option)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["test_plain.py"]


def test_the_plugin_imports_the_standard_library_and_pytest_only(tmp_path):
    script = """
import json, sys
import pytest
before = set(sys.modules)
import pytest_reprotest
import pytest_reprotest.plugin
from pytest_reprotest import hookspecs
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = run(tmp_path, "-c", script)
    assert done.returncode == 0, done.stderr
    added = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert added - set(sys.stdlib_module_names) == {"pytest_reprotest"}


def test_the_package_alone_imports_itself_alone(tmp_path):
    script = "import sys; before = set(sys.modules); import pytest_reprotest; print(sorted("
    script += "name for name in set(sys.modules) - before if 'reprotest' in name))"
    done = run(tmp_path, "-c", script)
    assert done.stdout.strip() == "['pytest_reprotest']", done.stderr


def test_every_public_name_loads_from_where_the_package_says():
    import pytest_reprotest

    for name in pytest_reprotest.__all__:
        found = getattr(pytest_reprotest, name)
        assert found.__name__ == name
    assert dir(pytest_reprotest) == sorted(pytest_reprotest.__all__)
    with pytest.raises(AttributeError, match="module 'pytest_reprotest' has no attribute 'audt'"):
        _ = pytest_reprotest.audt


AUDIT = """
import json, sys
import atexit
from pytest_reprotest import FunctionTrainer

def kept():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)

def right(run):
    run.regularizer
    return [0, 1]

def test_audit(retrain):
    atexit.register(kept)
    retrain(FunctionTrainer(right, y_true=[0, 1]))
"""
REPORTS = {
    "json": "pytest_reprotest.report.results",
    "csv": "pytest_reprotest.report.results_csv",
    "markdown": "pytest_reprotest.report.markdown",
}


@pytest.mark.parametrize("asked", [None, *REPORTS])
def test_a_report_that_nobody_asked_for_is_not_even_imported(tmp_path, asked, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (tmp_path / "test_audit.py").write_text(AUDIT)
    options = [] if asked is None else [f"--repro-{asked}=report"]
    done = run(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    modules = json.loads((tmp_path / "modules.json").read_text())
    assert set(modules) & set(REPORTS.values()) == ({REPORTS[asked]} if asked else set())
    assert ("pytest_reprotest.outputs" in modules) == (asked is not None)
    assert (tmp_path / "report").exists() == (asked is not None)
