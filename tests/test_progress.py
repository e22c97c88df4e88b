import io
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pytest_reprotest.attribution.rungs import IDENTICAL
from pytest_reprotest.attribution.rungs import plan_of as rungs_of
from pytest_reprotest.interfaces import RunOutcome
from pytest_reprotest.options import Options
from pytest_reprotest.plan import make_plan
from pytest_reprotest.report import progress


class Reporter:
    """As much of pytest's terminal reporter as is used, with what it was told."""

    def __init__(self, isatty=True):
        self.isatty = isatty
        self.file = io.StringIO()
        self.capturing = []
        self.capture = Capture()

    def write(self, text, flush=False):
        self.capturing.append(self.capture.on)
        self.file.write(text)

    def write_line(self, text):
        self.write(text + "\n")

    def ensure_newline(self):
        self.write("\n")


class Capture:
    on = True

    @contextmanager
    def global_and_fixture_disabled(self):
        self.on = False
        yield
        self.on = True


def config_of(reporter, verbosity=0, **attributes):
    plugins = {"terminalreporter": reporter, "capturemanager": getattr(reporter, "capture", None)}
    return SimpleNamespace(
        pluginmanager=SimpleNamespace(getplugin=plugins.get),
        get_verbosity=lambda: verbosity,
        **attributes,
    )


def plan_of(runs=3, labels=("none", "dropout")):
    return make_plan(Options(runs=runs), labels)


def finish(plan, advance, failing=()):
    """Report every run as the executor would: a regularizer is left at its first failed run."""
    left = set()
    for run in plan.runs:
        if run.regularizer in left:
            continue
        failed = (run.regularizer, run.index) in failing
        advance(RunOutcome(run, failure="it diverged" if failed else None))
        if failed:
            left.add(run.regularizer)


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made, with what they would show."""
    made = []

    class Bar:
        def __init__(self, **settings):
            self.settings, self.n, self.closed, self.labels = settings, 0, 0, []
            made.append(self)

        def set_postfix_str(self, text, refresh):
            self.labels.append(text)

        def update(self, step):
            self.n += step

        def close(self):
            self.closed += 1

    monkeypatch.setattr(progress, "tqdm", Bar)
    return made


# --- which kind ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        config_of(None),
        config_of(Reporter(), verbosity=-1),
        config_of(Reporter(), workerinput={}),
    ],
    ids=["no terminal reporter", "quiet", "xdist worker"],
)
def test_there_is_no_progress_where_none_is_wanted(config):
    assert progress.progress_of(config, "test_mlp") is None


def test_a_terminal_gets_a_bar(bars):
    reporter = Reporter(isatty=True)
    start = progress.progress_of(config_of(reporter), "test_mlp")
    start(plan_of())
    (bar,) = bars
    assert (bar.settings["total"], bar.settings["desc"]) == (6, "test_mlp")
    assert reporter.file.getvalue() == "\n"  # pytest's own line is left


def test_no_terminal_gets_no_bar(bars):
    start = progress.progress_of(config_of(Reporter(isatty=False)), "test_mlp")
    finish(plan_of(), start(plan_of()))
    assert bars == []


# --- the bar ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failing", [(), [("none", 0)], [("dropout", 0)], [("none", 2), ("dropout", 1)]]
)
def test_the_bar_reaches_its_end_and_is_closed_also_where_runs_failed(bars, failing):
    plan = plan_of()
    finish(plan, progress.bar(plan, progress.Terminal(Reporter(), None), "test_mlp"), failing)
    (bar,) = bars
    assert (bar.n, bar.closed) == (6, 1)
    assert bar.labels[-1] == "dropout"


def test_the_bar_counts_a_run_at_a_time(bars):
    plan = plan_of()
    advance = progress.bar(plan, progress.Terminal(Reporter(), None), "test_mlp")
    advance(RunOutcome(plan.runs[4]))
    advance(RunOutcome(plan.runs[0]))
    assert (bars[0].n, bars[0].closed, bars[0].labels) == (2, 0, ["dropout", "none"])


def test_runs_that_come_after_a_failed_one_are_not_counted_twice(bars):
    plan = plan_of(labels=("none",))
    advance = progress.bar(plan, progress.Terminal(Reporter(), None), "test_mlp")
    advance(RunOutcome(plan.runs[0], failure="it diverged"))
    advance(RunOutcome(plan.runs[1]))
    assert bars[0].n == 3


def test_the_real_bar_is_written_past_capture_and_removed_at_the_end(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    reporter = Reporter()
    terminal = progress.Terminal(reporter, reporter.capture)
    plan = plan_of()
    finish(plan, progress.bar(plan, terminal, "test_mlp"))
    shown = reporter.file.getvalue().split("\r")
    assert any("test_mlp:   0%" in text and "0/6" in text for text in shown)
    assert max(map(len, shown)) <= 60
    assert shown[-1].strip() == ""
    assert reporter.capturing
    assert not any(reporter.capturing)
    assert reporter.capture.on


# --- lines --------------------------------------------------------------------------------------


def test_a_line_comes_at_most_every_30_seconds(monkeypatch):
    clock = iter([0.0, 10.0, 31.0, 40.0, 62.0, 70.0, 80.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    written = []
    plan = plan_of()
    finish(plan, progress.lines(plan, written.append, "test_mlp"))
    assert written == [
        "test_mlp: 2 of 6 runs, 31 s, now none",
        "test_mlp: 4 of 6 runs, 62 s, now dropout",
    ]


def test_a_line_names_the_rung_of_an_attribution(monkeypatch):
    clock = iter([0.0, 31.0, 32.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    plan, written = rungs_of(IDENTICAL, ["adam"], Options(runs=2)), []
    finish(plan, progress.lines(plan, written.append, "test_mlp"))
    assert written == ["test_mlp: 1 of 2 runs, 31 s, now adam, identical"]


def test_a_line_stands_on_its_own_past_capture():
    reporter = Reporter(isatty=False)
    progress.Terminal(reporter, reporter.capture).line("1 of 6 runs")
    assert reporter.file.getvalue() == "\n1 of 6 runs\n"
    assert reporter.capturing == [False, False]


def test_without_capture_the_terminal_is_written_to_as_it_is():
    reporter = Reporter()
    progress.Terminal(reporter, None).write("text")
    assert reporter.file.getvalue() == "text"
    assert progress.Terminal(reporter, None).flush() is None


def test_the_terminal_s_width_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    assert progress.Terminal(Reporter(), None).columns == 72
