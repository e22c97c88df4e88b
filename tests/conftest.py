"""What the tests of the pytest surface share: a small project, and a pytest to run it in this process."""

import importlib
import json
import os
import signal
import textwrap

import pytest

pytest_plugins = ["pytester"]

os.environ.pop("GITHUB_STEP_SUMMARY", None)  # audits inside tests would append to that of the tests

# A shell has what it starts in the background ignore Ctrl-C; tests of interrupts would wait for ever.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# Plugins that a run inside a test does without unless it names them: some take a second to import, and pytester
# forgets what was imported; others would shuffle it, or write what it does not expect.
OTHERS = (
    *("benchmark", "dash", "html", "html_fixtures", "hypothesispytest", "metadata", "pytest_cov"),
    *("randomly", "rerunfailures", "timeout", "xdist.looponfail"),
)
WITHOUT_OTHERS = " ".join(f"-p no:{name}" for name in OTHERS)

HELPERS = '''
"""Ten test samples and training functions whose numbers are known."""

import numpy as np
import torch
from torch import nn

y_true = np.array([0, 1] * 5)


def exact(run):
    """Every run is right everywhere: accuracy 1, PD 0, ETA 1."""
    run.regularizer
    return y_true


def shaky(run):
    """Run k is wrong on sample k alone: accuracy 0.9, PD 0.2, ETA 0.7, PD/error 2."""
    run.regularizer
    labels = y_true.copy()
    labels[run.index] = 1 - labels[run.index]
    return labels


def drawn(run):
    """Labels that the run's noise stream alone decides."""
    run.regularizer
    labels = run.generator("noise", kind="numpy").integers(0, 2, size=10)
    labels[:2] = 0, 1
    return labels


inputs = np.linspace(-1.0, 1.0, 40, dtype="float32").reshape(20, 2)
targets = (inputs.sum(axis=1) > 0).astype("int64")
data = {"train": (inputs, targets), "test": (inputs, targets), "epochs": 2, "batch_size": 4}


def make_mlp():
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))


def make_solved():
    """An MLP that starts next to the solution, so that no run is a constant predictor."""
    model = make_mlp()
    signs = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 0.1
        model[0].weight += signs
        model[2].weight += torch.cat([-signs, signs], dim=1).T
    return model
'''

TEST_FILE = """
import numpy as np
import pytest
import torch
from torch import nn
from helpers import data, drawn, exact, inputs, make_mlp, make_solved, shaky, targets, y_true
from pytest_reprotest import FunctionTrainer, reproducibility
from pytest_reprotest.regularizers import dropout, weight_decay
"""


class Project:
    """A pytest project in a folder of its own, with the module ``helpers`` to import from."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        pytester.makepyfile(helpers=HELPERS)

    def write(self, source, name="test_audit"):
        """A test file, after the imports that audits need."""
        text = TEST_FILE + textwrap.dedent(source)
        (self.path / f"{name}.py").write_text(text, encoding="utf-8")

    def conftest(self, source):
        """The project's conftest.py."""
        (self.path / "conftest.py").write_text(textwrap.dedent(source), encoding="utf-8")

    def ini(self, *lines):
        """The project's ini file."""
        (self.path / "pytest.ini").write_text("\n".join(["[pytest]", *lines]), encoding="utf-8")

    def run(self, *args, **kwargs):
        """Run pytest on it, in this process."""
        return self.pytester.runpytest_inprocess(*args, **kwargs)

    @staticmethod
    def said(result):
        """What a run wrote, whatever the line breaks."""
        return " ".join([*result.stdout.str().split(), *result.stderr.str().split()])

    def audits(self, path="out.json"):
        """The audits of a results file, by the name of the test."""
        document = json.loads((self.path / path).read_text(encoding="utf-8"))
        return {stored["name"].partition("::")[2]: stored for stored in document["audits"]}


@pytest.fixture(scope="session")
def _loaded():
    """Have imported whatever a run in this process imports: pytester forgets modules that are new."""
    import numpy as np

    for module in (
        "pytest_reprotest.report.progress",
        "pytest_reprotest.report.terminal",
        "pytest_reprotest.training.function_trainer",
    ):
        importlib.import_module(module)
    from torch import nn

    from pytest_reprotest import audit

    inputs = np.linspace(-1.0, 1.0, 8, dtype="float32").reshape(4, 2)
    data = (inputs, np.array([0, 0, 1, 1]))
    for engine in ("sequential", "stacked"):
        audit(
            lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)),
            train=data,
            test=data,
            epochs=1,
            runs=2,
            regularizers="all",
            engine=engine,
        )


@pytest.fixture(scope="session", autouse=True)
def _processes_without_others():
    """For processes that tests start; set here, so that those of pytest-xdist have the plugins of their controller."""
    os.environ["PYTEST_ADDOPTS"] = WITHOUT_OTHERS


@pytest.fixture
def pytester(pytester, monkeypatch):
    """pytest's own, which takes ``PYTEST_ADDOPTS`` away."""
    monkeypatch.setenv("PYTEST_ADDOPTS", WITHOUT_OTHERS)
    return pytester


@pytest.fixture
def project(pytester, monkeypatch, _loaded):
    """A project to write test files into and to run, on a terminal that is wide enough."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("CI", raising=False)  # pytest prints more there
    return Project(pytester)
