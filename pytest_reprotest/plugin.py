"""The pytest glue: options, marker, fixtures, and the way of results to the session's end.

Loaded at every start of pytest, so it imports the standard library and pytest only; what audits need is
imported where an audited test first asks for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_reprotest.flags import FLAGS
from pytest_reprotest.session import SessionAudits
from pytest_reprotest.settings import (
    MARKER,
    SESSION,
    about_session,
    given,
    options_of,
    paths,
    planning_of,
    registry_of,
    shard_of,
)

if TYPE_CHECKING:
    from pytest_reprotest.forecast import Forecast
    from pytest_reprotest.result import AuditResult
    from pytest_reprotest.retraining import Executors
    from pytest_reprotest.shards.shard import PartTrained

_AUDITS = pytest.StashKey[list["AuditResult | Forecast | PartTrained"]]()
_UNJUDGED = pytest.StashKey[str]()
"""Why a test that ran to its end has not passed: parts of its audits were trained."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add every flag, with its ini twin."""
    options = parser.getgroup("reprotest", "reproducibility of training (pytest-reprotest)")
    for flag in FLAGS:
        if flag.metavar is None:
            options.addoption(flag.option, action="store_const", const=True, help=flag.help)
        else:
            options.addoption(flag.option, metavar=flag.metavar, help=flag.help)
        if flag.ini:
            parser.addini(flag.dest, f"as {flag.option}", default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that third parties implement."""
    from pytest_reprotest import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Answer ``--repro-list``."""
    if not config.option.repro_list:
        return None
    from pytest_reprotest.errors import ReprotestError

    try:
        summaries = registry_of(config.hook).summaries()
    except ReprotestError as error:
        raise pytest.UsageError(str(error)) from None
    width = max(len(name) for name, _ in summaries)
    for name, summary in summaries:
        print(f"{name:<{width}}  {summary}")
    return 0


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and refuse impossible options before anything is collected."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(*, runs, regularizers, baseline, seed, vary, engine, timeout, decision, confidence, max_runs, "
        "on_inconclusive, compat, deterministic, attribute, max_prediction_difference, "
        "min_effective_accuracy, min_accuracy, max_accuracy_std, min_r2, min_effective_r2, max_mae, max_accuracy_drop, max_effective_accuracy_drop, "
        "max_prediction_difference_increase, max_negative_flip_excess, max_r2_drop, max_effective_r2_drop, "
        "max_mae_increase): retrain the test's model under each regularizer and hold the runs against the "
        "thresholds",
    )
    command_line, ini = given(config)
    audits = SessionAudits(config)
    if command_line or ini or paths(config) or about_session(config):
        from pytest_reprotest.errors import ReprotestError
        from pytest_reprotest.files import check_files
        from pytest_reprotest.options import resolve

        try:
            resolve(command_line, None, ini)
            audits.planning = planning_of(config)
            audits.shard = shard_of(config)
            if not hasattr(config, "workerinput"):  # the controller has done it
                check_files(config)
                audits.check()
            on_ray = {**ini, **command_line}.get("executor") == "ray"
            if on_ray:
                from pytest_reprotest.execution.ray_connection import check_installed

                check_installed()
            elif command_line.get("device") not in (None, "auto", "cpu"):
                from pytest_reprotest.training.device import resolve_devices

                resolve_devices(command_line["device"])
        except ReprotestError as error:
            raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(audits, SESSION)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check an audited test's marker, and make one item a regularizer where it asks for the fixture."""
    names = metafunc.fixturenames
    marked = any(metafunc.definition.iter_markers(MARKER))
    if not marked and "retrain" not in names and "regularizer" not in names:
        return
    if marked and "retrain" not in names:
        pytest.fail(_UNUSED.format(metafunc.definition.nodeid), pytrace=False)
    from pytest_reprotest.errors import ReprotestError
    from pytest_reprotest.selection import select

    try:
        options = options_of(metafunc.config, metafunc.definition)
        labels = tuple(select(options, registry_of(metafunc.definition.ihook)).regularizers)
    except ReprotestError as error:
        raise _failure(f"{metafunc.definition.nodeid}: {error}") from None
    if "regularizer" in names and "retrain" in names:  # else it is a fixture of the user's
        for mark in metafunc.definition.iter_markers("parametrize"):
            if mark.args and "regularizer" in re.findall(r"\w+", str(mark.args[0])):
                from pytest_reprotest.retraining import TAKEN

                raise _failure(f"{metafunc.definition.nodeid}: {TAKEN}")
        metafunc.parametrize("regularizer", labels, indirect=True, ids=labels)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a marked test that cannot take fixtures, such as a unittest method."""
    if item.get_closest_marker(MARKER) and "retrain" not in getattr(item, "fixturenames", ()):
        pytest.fail(_UNUSED.format(item.nodeid), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a marked test that ran to its end and audited nothing."""
    yield
    if item.get_closest_marker(MARKER) and not item.stash.get(_AUDITS, []):
        pytest.fail(
            f"{item.nodeid} is marked {MARKER!r} and never called retrain(...), so nothing was audited. "
            "Call it, or take the marker off",
            pytrace=False,
        )
    if _UNJUDGED in item.stash:
        pytest.skip(item.stash[_UNJUDGED])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Let the item's audits ride its report, as text and as properties: reports cross processes."""
    audited = "retrain" in getattr(item, "fixturenames", ())
    audits = item.stash.get(_AUDITS, []) if call.when == "call" else []
    if audits:
        from pytest_reprotest.report.properties import tell_item

        tell_item(item.user_properties, audits)
    report: Any = yield
    if audited:
        report.reprotest_place = _session_audits(item.config).place_of(item).number
    if audits:
        report.reprotest = [json.dumps(result.to_dict()) for result in audits]
        report.reprotest_failed = not all(getattr(result, "passed", True) for result in audits)
        _name_failure(report)
    return report


@pytest.fixture
def regularizer(request: pytest.FixtureRequest) -> str:
    """The regularizer of this test item, as its label: the test runs once for each one."""
    return str(request.param)


@pytest.fixture(scope="session")
def _reprotest_executors() -> Iterator[Executors]:
    """The session's executors: worker processes outlive a test, and end with the session."""
    opened: Executors = {}
    yield opened
    for executor in opened.values():
        executor.close()


@pytest.fixture
def retrain(
    request: pytest.FixtureRequest, _reprotest_executors: Executors
) -> Callable[..., AuditResult]:
    """Retrain a model factory under each regularizer and hold the runs against the marker's thresholds.

    ``retrain(model_factory, train=(inputs, targets), test=(inputs, targets), epochs=10, batch_size=128,
    optimizer="sgd", lr=None, loss="cross_entropy", weight_decay=0.0, schedule="constant", ...)``,
    or ``retrain(FunctionTrainer(train_fn, y_true=...))``; ``attribute=True`` stands for the marker's. Returns the AuditResult; fails the test where
    a threshold is breached or a run cannot be trusted.
    """
    from pytest_reprotest.errors import ReprotestError
    from pytest_reprotest.execution.signals import Ended
    from pytest_reprotest.retraining import (
        DoesNotFit,
        PartOnly,
        Planned,
        Retraining,
        Undecided,
        Unjudged,
    )

    item = request.node
    own = "regularizer" in request.fixturenames
    label = request.getfixturevalue("regularizer") if own else None
    earlier = item.stash.get(_AUDITS, [])  # where a plugin runs the test again
    try:
        retraining = Retraining(item, label, _reprotest_executors, earlier)
    except ReprotestError as error:
        raise _failure(f"{item.nodeid}: {error}") from None
    item.stash[_AUDITS] = retraining.results

    def run(model_factory: Any, **settings: Any) -> AuditResult:
        try:
            return retraining.run(model_factory, settings)
        except PartOnly as reason:
            # the test may hold further audits, of which this part has runs, too
            item.stash[_UNJUDGED] = str(reason)
            return cast("AuditResult", Unjudged(partial(pytest.skip, str(reason))))
        except (DoesNotFit, Planned, Undecided) as reason:
            pytest.skip(str(reason))
        except ReprotestError as error:
            raise _failure(str(error)) from None
        except Ended as signal:
            raise pytest.exit.Exception(f"{signal} while an audit trained") from None

    run.__qualname__ = "retrain"  # as messages name it
    return run


def _name_failure(report: Any) -> None:
    """Let a breach be named by its first line where pytest lists failures: at -vv, and in continuous
    integration, it would tell all again, tables too.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    first, _, others = getattr(crash, "message", "").partition("\n")
    if crash is not None and others and "reproducibility: " in first:
        crash.message = first


def _session_audits(config: pytest.Config) -> SessionAudits:
    found: SessionAudits | None = config.pluginmanager.getplugin(SESSION)
    assert found is not None
    return found


def _failure(message: str) -> BaseException:
    """A test's failure that shows a message and no traceback; raise it ``from None``."""
    failure: BaseException = pytest.fail.Exception(message, pytrace=False)
    return failure


_UNUSED = (
    f"{{}} is marked {MARKER!r} and does not ask for the fixture retrain, so it would audit nothing. "
    "Add the argument retrain and call it (unittest methods can't: write a function), or take the "
    "marker off; on a class or module it is meant for every test there"
)
