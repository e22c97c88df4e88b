"""The pytest glue: options, marker, fixtures, and the way of results to the session's end.

Loaded at every start of pytest, so it imports the standard library and pytest only; what audits need is
imported where an audited test first asks for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_reprotest.flags import FLAGS
from pytest_reprotest.session import SessionAudits
from pytest_reprotest.settings import MARKER, given, json_path, options_of, registry_of

if TYPE_CHECKING:
    from typing_extensions import Never

    from pytest_reprotest.interfaces import Regularizer
    from pytest_reprotest.result import AuditResult
    from pytest_reprotest.retraining import Executors

_AUDITS = pytest.StashKey[list["AuditResult"]]()
_PLACE = pytest.StashKey[int]()


def reproducibility(
    *positional: Never,
    runs: int | None = None,
    regularizers: str | Sequence[str | Regularizer] | None = None,
    baseline: str | None = None,
    seed: int | None = None,
    vary: str | Sequence[str] | None = None,
    engine: str | None = None,
    decision: str | None = None,
    confidence: float | None = None,
    max_runs: int | None = None,
    on_inconclusive: str | None = None,
    compat: str | None = None,
    max_prediction_difference: float | Mapping[str, float] | None = None,
    min_effective_accuracy: float | Mapping[str, float] | None = None,
    min_accuracy: float | Mapping[str, float] | None = None,
    max_accuracy_std: float | Mapping[str, float] | None = None,
    **unknown: Never,
) -> pytest.MarkDecorator:
    """Mark a test as an audit: ``pytest.mark.reproducibility`` with a typed signature, keywords only.

    Parameters
    ----------
    runs : int
        Trainings per regularizer, at least 2.
    regularizers : str or sequence
        Names, combinations (``"batch_norm+dropout"``), Regularizer objects (``weight_decay(1e-3)``), or
        ``"all"``.
    baseline : str
        The regularizer that others are held against.
    seed : int
        Base seed, 0 or more.
    vary : str or sequence
        Any of ``init``, ``data_order``, ``noise``; ``"all"`` or ``"none"``.
    engine : str
        ``"auto"``, ``"stacked"`` or ``"sequential"``.
    decision : str
        ``"point"``: estimates are held against thresholds; ``"confidence"``: their one-sided bounds are.
    confidence : float
        Of ``decision="confidence"``, 0.5 to 1.
    max_runs : int
        With ``decision="confidence"``: add runs until the thresholds are decided, up to so many.
    on_inconclusive : str
        What becomes of a test whose audit decides nothing: ``"fail"``, ``"pass"`` or ``"skip"``.
    compat : str
        ``"study"`` shows the study's own p-value, labelled as what it is worth.
    max_prediction_difference, min_effective_accuracy, min_accuracy, max_accuracy_std : float or mapping
        Thresholds, fractions of test samples; one for all, or a mapping from regularizer to number.

    Unknown names and impossible values are refused when the test is collected.
    """
    keywords = {
        "runs": runs,
        "regularizers": regularizers,
        "baseline": baseline,
        "seed": seed,
        "vary": vary,
        "engine": engine,
        "decision": decision,
        "confidence": confidence,
        "max_runs": max_runs,
        "on_inconclusive": on_inconclusive,
        "compat": compat,
        "max_prediction_difference": max_prediction_difference,
        "min_effective_accuracy": min_effective_accuracy,
        "min_accuracy": min_accuracy,
        "max_accuracy_std": max_accuracy_std,
        **unknown,
    }
    given = {key: value for key, value in keywords.items() if value is not None}
    marker: pytest.MarkDecorator = getattr(pytest.mark, MARKER)
    return marker(*positional, **given)


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
        f"{MARKER}(*, runs, regularizers, baseline, seed, vary, engine, decision, confidence, max_runs, "
        "on_inconclusive, compat, max_prediction_difference, min_effective_accuracy, min_accuracy, "
        "max_accuracy_std): retrain the test's model under each regularizer and hold the runs against the "
        "thresholds",
    )
    command_line, ini = given(config)
    path = json_path(config)
    if command_line or ini or path:
        from pytest_reprotest.errors import ReprotestError
        from pytest_reprotest.options import resolve
        from pytest_reprotest.results_file import check_writable

        try:
            if path is not None:
                check_writable(path)
            resolve(command_line, None, ini)
            if command_line.get("device") not in (None, "auto", "cpu"):
                from pytest_reprotest.training.device import resolve_devices

                resolve_devices(command_line["device"])
        except ReprotestError as error:
            raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(SessionAudits(config), "reprotest-session")


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Let the item's audits ride its report, as text: reports cross processes under pytest-xdist."""
    report: Any = yield
    if call.when == "call" and (audits := item.stash.get(_AUDITS, [])):
        report.reprotest = [json.dumps(result.to_dict()) for result in audits]
        report.reprotest_place = item.stash.get(_PLACE, 0)
    return report


def pytest_collection_finish(session: pytest.Session) -> None:
    """Number the items, so that the summary keeps their order whoever runs them."""
    for place, item in enumerate(session.items):
        if "retrain" in getattr(item, "fixturenames", ()):
            item.stash[_PLACE] = place


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
    or ``retrain(FunctionTrainer(train_fn, y_true=...))``. Returns the AuditResult; fails the test where
    a threshold is breached or a run cannot be trusted.
    """
    from pytest_reprotest.errors import ReprotestError
    from pytest_reprotest.retraining import DoesNotFit, Retraining, Undecided

    item = request.node
    own = "regularizer" in request.fixturenames
    label = request.getfixturevalue("regularizer") if own else None
    try:
        retraining = Retraining(item, label, _reprotest_executors)
    except ReprotestError as error:
        raise _failure(f"{item.nodeid}: {error}") from None
    item.stash[_AUDITS] = retraining.results

    def run(model_factory: Any, **settings: Any) -> AuditResult:
        try:
            return retraining.run(model_factory, settings)
        except (DoesNotFit, Undecided) as reason:
            pytest.skip(str(reason))
        except ReprotestError as error:
            raise _failure(str(error)) from None

    run.__qualname__ = "retrain"  # as messages name it
    return run


def _failure(message: str) -> BaseException:
    """A test's failure that shows a message and no traceback; raise it ``from None``."""
    failure: BaseException = pytest.fail.Exception(message, pytrace=False)
    return failure


_UNUSED = (
    f"{{}} is marked {MARKER!r} and does not ask for the fixture retrain, so it would audit nothing. "
    "Add the argument retrain and call it (unittest methods can't: write a function), or take the "
    "marker off; on a class or module it is meant for every test there"
)
