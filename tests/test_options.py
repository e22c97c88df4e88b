import numpy as np
import pytest

from pytest_reprotest import options, readers
from pytest_reprotest.errors import OptionError
from pytest_reprotest.options import resolve
from pytest_reprotest.origins import CALL, COMMAND_LINE, INI, MARKER, spelled
from pytest_reprotest.regularizers import by_hand, weight_decay
from pytest_reprotest.seeds import SOURCES
from pytest_reprotest.statistics import CONFIDENCE
from pytest_reprotest.statistics.permutation import MIN_RUNS
from pytest_reprotest.statistics.sequential import Decision

# --- reading values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("runs", 2, 2),
        ("runs", " 10 ", 10),
        ("runs", np.int64(3), 3),
        ("seed", "0", 0),
        ("seed", 2**70, 2**70),
        ("vary", "all", SOURCES),
        ("vary", "none", ()),
        ("vary", "noise, init", ("init", "noise")),
        ("vary", ["data_order"], ("data_order",)),
        ("vary", {"init"}, ("init",)),
        ("vary", ("all",), SOURCES),
        ("device", "cuda:1", "cuda:1"),
        ("engine", "stacked", "stacked"),
        ("workers", "auto", "auto"),
        ("workers", "2", 2),
        ("timeout", 60, 60.0),
        ("timeout", " 90 s", 90.0),
        ("timeout", "5m", 300.0),
        ("timeout", "1.5h", 5400.0),
        ("timeout", "1e3", 1000.0),
        ("timeout", "none", None),
        ("regularizers", "none,dropout", ("none,dropout",)),
        ("regularizers", ["none", "dropout"], ("none", "dropout")),
        ("regularizers", weight_decay(1e-3), (weight_decay(1e-3),)),
        ("baseline", " none ", "none"),
        ("report_only", "Yes", True),
        ("report_only", "off", False),
        ("report_only", True, True),
        ("min_accuracy", {"none": "0.5"}, {"none": 0.5}),
        ("decision", "confidence", "confidence"),
        ("confidence", "0.99", 0.99),
        ("max_runs", "20", 20),
        ("on_inconclusive", "skip", "skip"),
        ("compat", "study", "study"),
        ("deterministic", "yes", True),
    ],
)
def test_values_are_read(key, value, read):
    assert options.read(COMMAND_LINE, {key: value}) == {key: read}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("runs", 1, "got 1; expected at least 2 runs, since a pair is compared"),
        ("runs", "-3", "got '-3'; expected at least 2 runs"),
        ("runs", "ten", "got 'ten'; expected an integer"),
        ("runs", "2.5", "got '2.5'; expected an integer"),
        ("runs", 5.0, "got 5.0 (float); expected an integer"),
        ("runs", True, "got True (bool); expected an integer"),
        ("seed", -1, "got -1; expected a seed of 0 or more"),
        ("seed", "", "got ''; expected an integer"),
        ("vary", "inti", "unknown variance source 'inti'"),
        ("vary", "init,,noise", "unknown variance source ''"),
        ("vary", "all,init", "expected 'all' or 'none' alone"),
        ("vary", [], "got an empty list; expected 'none' or any of init, data_order, noise"),
        ("vary", 3, "got 3; expected 'all', 'none' or any of init, data_order, noise, as text or"),
        ("vary", [1], "got [1]; expected 'all', 'none' or any of"),
        ("device", "gpu", "got 'gpu'; expected auto, cpu, cuda, cuda:N"),
        ("device", "cdua", "Did you mean 'cuda'?"),
        ("device", "cuda:", "got 'cuda:'; expected auto"),
        ("device", 0, "got 0; expected auto, cpu"),
        ("engine", "stack", "got 'stack'; expected auto, stacked, sequential. Did you mean"),
        ("workers", 0, "got 0; expected at least 1 worker, or auto"),
        ("workers", "two", "got 'two'; expected an integer, or auto"),
        ("timeout", 0, "got 0; expected seconds above 0, such as 60, 90s, 5m or 2h, or none"),
        ("timeout", True, "got True (bool); expected seconds above 0"),
        ("timeout", "nan", "got 'nan'; expected seconds above 0"),
        ("timeout", "1e400h", "got '1e400h'; expected seconds above 0"),
        ("timeout", "-3", "got '-3'; expected seconds above 0"),
        ("timeout", "", "got '' (str); expected seconds above 0"),
        ("timeout", "5 days", "got '5 days' (str); expected seconds above 0"),
        ("timeout", [60], "got [60] (list); expected seconds above 0"),
        ("regularizers", " ", "got an empty text; expected names such as 'none,dropout', or 'all'"),
        ("regularizers", [], "got an empty list; expected at least one regularizer"),
        ("baseline", "", "got ''; expected the name of a regularizer, such as 'none'"),
        ("baseline", 3, "got 3; expected the name of a regularizer"),
        ("report_only", "maybe", "got 'maybe'; expected true or false"),
        ("max_prediction_difference", 6, "For 6% write 0.06."),
        ("decision", "sure", "got 'sure'; expected point, confidence."),
        ("decision", "confidnce", "Did you mean 'confidence'?"),
        ("confidence", 0.5, "got 0.5; expected a number above 0.5 and below 1, such as 0.95."),
        ("confidence", "95", "For 95% write 0.95."),
        ("confidence", "nan", "got 'nan'; expected a number above 0.5 and below 1"),
        ("confidence", True, "got True (bool); expected a number above 0.5"),
        ("confidence", "high", "got 'high' (str); expected a number above 0.5"),
        ("max_runs", 2, "got 2; expected at least 3 runs: fewer have no interval"),
        ("max_runs", "many", "got 'many'; expected an integer"),
        ("on_inconclusive", "ignore", "got 'ignore'; expected fail, pass, skip."),
        ("compat", "paper", "got 'paper'; expected study."),
        ("deterministic", "maybe", "got 'maybe'; expected true or false"),
    ],
)
def test_impossible_values_are_refused_as_the_user_wrote_them(key, value, message):
    with pytest.raises(OptionError) as refusal:
        options.read(COMMAND_LINE, {key: value})
    assert message in str(refusal.value)
    assert str(refusal.value).startswith(f"--repro-{key.replace('_', '-')}")


@pytest.mark.parametrize(
    ("origin", "start"),
    [
        (COMMAND_LINE, "--repro-runs=1: got 1"),
        (INI, "ini option repro_runs = 1: got 1"),
        (MARKER, "reproducibility(runs=1): got 1"),
        (CALL, "runs=1: got 1"),
    ],
)
def test_a_refusal_begins_with_the_option_as_it_is_spelled_there(origin, start):
    with pytest.raises(OptionError) as refusal:
        options.read(origin, {"runs": 1})
    assert str(refusal.value).startswith(start)


def test_a_switch_is_spelled_without_a_value():
    assert spelled(COMMAND_LINE, "report_only", True) == "--repro-report-only"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("run", " Did you mean 'runs'?"),
        ("max_predicton_difference", " Did you mean 'max_prediction_difference'?"),
        ("epochs", ""),
    ],
)
def test_a_keyword_that_a_marker_does_not_have_is_refused(key, hint):
    with pytest.raises(OptionError) as refusal:
        resolve(marker={key: "cpu"})
    message = str(refusal.value)
    assert message.startswith(
        f"reproducibility() got an unknown keyword '{key}'; expected any of runs"
    )
    assert message.endswith("." + hint)


def test_a_keyword_of_the_session_is_refused_on_a_marker_with_the_place_to_set_it():
    for key, flag in (("device", "--repro-device"), ("report_only", "--repro-report-only")):
        with pytest.raises(OptionError) as refusal:
            resolve(marker={key: "cpu"})
        assert str(refusal.value) == (
            f"reproducibility({key}=...) can't be set on the marker; use {flag}, or repro_{key} in the "
            "ini file"
        )


def test_a_value_of_none_is_not_given():
    assert resolve({"runs": None}, {"runs": 3, "seed": None}) == resolve(marker={"runs": 3})


# --- precedence ---------------------------------------------------------------------------------

GIVEN = {INI: {"seed": "1"}, MARKER: {"seed": 2}, COMMAND_LINE: {"seed": "3"}}


@pytest.mark.parametrize(
    ("sources", "seed", "origin"),
    [
        ((), 0, "default"),
        ((INI,), 1, INI),
        ((INI, MARKER), 2, MARKER),
        ((INI, COMMAND_LINE), 3, COMMAND_LINE),
        ((MARKER, COMMAND_LINE), 3, COMMAND_LINE),
        ((INI, MARKER, COMMAND_LINE), 3, COMMAND_LINE),
    ],
)
def test_command_line_over_marker_over_ini_over_default(sources, seed, origin):
    given = {key.replace(" ", "_"): GIVEN[key] for key in sources}
    found = resolve(**given)
    assert (found.seed, found.origin("seed")) == (seed, origin)


def test_the_defaults():
    found = resolve()
    assert (found.runs, found.regularizers, found.baseline, found.seed) == (5, ("none",), None, 0)
    assert (found.vary, found.device, found.engine) == (SOURCES, "auto", "auto")
    assert (found.report_only, found.bounds.limits("none")) == (False, ())
    assert found.origin("anything") == "default"


def test_each_value_keeps_its_own_origin():
    found = resolve({"runs": 3}, {"vary": "init"}, {"device": "cpu"})
    assert [found.origin(key) for key in ("runs", "vary", "device", "seed")] == [
        COMMAND_LINE,
        MARKER,
        INI,
        "default",
    ]


def test_the_arguments_of_a_call_may_say_all_that_a_command_line_may():
    found = resolve(call={"device": "cpu", "report_only": True, "runs": 3, "min_accuracy": 0.5})
    assert (found.device, found.report_only, found.runs) == ("cpu", True, 3)
    assert [limit.value for limit in found.bounds.limits("none")] == [0.5]
    assert {found.origin(key) for key in ("device", "report_only", "runs")} == {CALL}


# --- precedence of thresholds -------------------------------------------------------------------

NAME = "max_prediction_difference"


@pytest.mark.parametrize(
    ("command_line", "marker", "ini", "limit", "origin"),
    [
        (None, None, 0.1, 0.1, INI),
        (None, 0.2, 0.1, 0.2, MARKER),  # a marker may loosen the ini file's
        (0.2, None, 0.1, 0.2, COMMAND_LINE),  # and so may a command line
        (0.05, None, 0.1, 0.05, COMMAND_LINE),
        (0.05, 0.2, None, 0.05, COMMAND_LINE),
        (0.3, 0.2, None, 0.2, MARKER),  # but not a marker's
        (0.3, 0.2, 0.1, 0.2, MARKER),
        (0.2, 0.2, None, 0.2, COMMAND_LINE),
    ],
)
def test_a_command_line_loosens_an_ini_file_s_threshold_and_no_marker_s(
    command_line, marker, ini, limit, origin
):
    found = resolve({NAME: command_line}, {NAME: marker}, {NAME: ini})
    assert [limit.value for limit in found.bounds.limits("none")] == [limit]
    assert found.origin(NAME) == origin


@pytest.mark.parametrize("switch", [{"command_line": True}, {"ini": "true"}])
def test_report_only_lets_the_command_line_loosen_and_says_nothing(switch):
    sources = {"command_line": {NAME: "0.3"}, "marker": {NAME: 0.2}}
    for source, value in switch.items():
        sources.setdefault(source, {})["report_only"] = value
    found = resolve(**sources)
    assert [limit.value for limit in found.bounds.limits("none")] == [0.3]
    assert found.origin(NAME) == COMMAND_LINE
    assert found.bounds.not_loosened() == ()


def test_a_command_line_takes_report_only_back():
    found = resolve({"report_only": "false", NAME: 0.3}, {NAME: 0.2}, {"report_only": "true"})
    assert not found.report_only
    assert [limit.value for limit in found.bounds.limits("none")] == [0.2]


# --- regularizers -------------------------------------------------------------------------------


def test_a_marker_s_objects_stay_known_whatever_the_command_line_picks():
    found = resolve({"regularizers": "mixup"}, {"regularizers": ["none", by_hand("mixup")]})
    assert found.regularizers == ("mixup",)
    assert found.offered == (by_hand("mixup"),)


# --- decisions ----------------------------------------------------------------------------------


def test_the_constants_of_the_statistics_stand_here_too():
    assert (readers.CONFIDENCE, readers.MIN_RUNS) == (CONFIDENCE, MIN_RUNS)


def test_a_point_decision_looks_once():
    found = resolve(marker={"runs": 4})
    assert (found.looks, found.rule) == ((4,), Decision())


def test_a_decision_with_confidence_looks_as_planned():
    found = resolve(marker={"runs": 3, "decision": "confidence", "confidence": 0.9, "max_runs": 10})
    assert found.looks == (3, 5, 8, 10)
    assert found.rule == Decision("confidence", 0.9, (3, 5, 8, 10))


def test_a_command_line_is_for_those_tests_that_decide_with_confidence_and_says_so_to_others():
    command_line = {"max_runs": "20"}
    assert resolve(command_line, {"decision": "confidence"}).without_effect() == ()
    found = resolve(command_line, {"runs": 4})
    assert found.looks == (4,)
    assert found.without_effect() == (
        "--repro-max-runs=20 has no effect here: runs are added, and bounds held, where the decision is "
        "made with confidence; set decision='confidence' (--repro-decision=confidence) too",
    )


def test_without_max_runs_there_is_one_look():
    found = resolve(marker={"runs": 7, "decision": "confidence"})
    assert found.rule == Decision("confidence", 0.95, (7,))


def test_an_ini_file_may_say_max_runs_for_those_tests_that_decide_with_confidence():
    assert resolve(marker={"runs": 4}, ini={"max_runs": "20"}).looks == (4,)
    sure = resolve(marker={"runs": 4, "decision": "confidence"}, ini={"max_runs": "20"})
    assert sure.looks == (4, 5, 8, 12, 20)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {"marker": {"max_runs": 10}},
            "reproducibility(max_runs=10): runs are added, and bounds held, where the decision is made with "
            "confidence; set decision='confidence' (--repro-decision=confidence) too",
        ),
        (
            {"command_line": {"confidence": "0.9", "decision": "point"}},
            "--repro-confidence=0.9: runs are added, and bounds held, where the decision is made with confidence; "
            "set decision='confidence' (--repro-decision=confidence) too",
        ),
        (
            {"command_line": {"runs": "2"}, "marker": {"decision": "confidence"}},
            "reproducibility(decision='confidence'): --repro-runs=2 gives no interval; expected at least 3 runs",
        ),
        (
            {"call": {"decision": "confidence", "runs": 12, "max_runs": 10}},
            "max_runs=10 is below runs=12; expected at least as many. Raise it, or leave it out to train a fixed "
            "number of runs",
        ),
        (
            {"marker": {"decision": "confidence", "max_accuracy_std": 0.1}},
            "reproducibility(decision='confidence'): max_accuracy_std has no bound whose error rate is known, so it "
            "can't be decided with confidence. Leave it out, or decide by the estimate: decision='point'",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(sources, message):
    with pytest.raises(OptionError) as refusal:
        resolve(**sources)
    assert str(refusal.value) == message


def test_runs_on_the_command_line_win_over_a_marker_s_max_runs():
    marker = {"decision": "confidence", "max_runs": 8}
    assert resolve({"runs": "9"}, marker).looks == (9,)
    assert resolve({"runs": "6"}, marker).looks == (6, 8)


def test_a_point_decision_on_the_command_line_sets_aside_what_a_marker_says_of_bounds():
    found = resolve(
        {"decision": "point"}, {"decision": "confidence", "max_runs": 8, "confidence": 0.9}
    )
    assert (found.looks, found.rule) == ((5,), Decision())
    assert found.without_effect() == ()


def test_runs_are_added_only_where_several_looks_are_planned():
    sure = {"decision": "confidence", "runs": 5}
    assert resolve(marker={**sure, "max_runs": 20}).adaptive
    assert not resolve(marker={**sure, "max_runs": 5}).adaptive
    assert not resolve(marker={"runs": 5}, ini={"max_runs": "20"}).adaptive


# --- a proof of determinism ---------------------------------------------------------------------


def test_a_proof_varies_nothing_and_stacks_nothing():
    found = resolve({"deterministic": True})
    assert (found.vary, found.engine, found.runs) == ((), "sequential", 5)
    assert found.origin("vary") == found.origin("engine") == COMMAND_LINE
    assert not resolve().deterministic


@pytest.mark.parametrize("origin", [INI, MARKER, CALL, COMMAND_LINE])
def test_what_a_proof_takes_may_be_said_beside_it(origin):
    given = {"deterministic": True, "vary": "none", "engine": "sequential"}
    assert resolve(**{origin.replace(" ", "_"): given}).vary == ()
    assert resolve(**{origin.replace(" ", "_"): {**given, "engine": "auto"}}).engine == "sequential"


def test_what_a_farther_source_says_is_set_aside():
    found = resolve({"deterministic": True}, {"vary": "init", "engine": "stacked"})
    assert (found.vary, found.engine) == ((), "sequential")
    found = resolve(marker={"deterministic": True}, ini={"vary": "init", "engine": "stacked"})
    assert (found.vary, found.engine) == ((), "sequential")


def test_a_marker_takes_an_ini_file_s_proof_back():
    found = resolve(marker={"deterministic": False, "vary": "init"}, ini={"deterministic": "true"})
    assert (found.deterministic, found.vary, found.engine) == (False, ("init",), "auto")


VARIES = (
    "a proof of determinism trains one seed again, so nothing may vary; leave one of the two out"
)
STACKS = (
    "a proof of determinism trains each run by itself, never in a stack; leave one of the two out"
)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {"command_line": {"deterministic": True, "vary": "noise,init"}},
            f"--repro-vary=init,noise and --repro-deterministic: {VARIES}",
        ),
        (
            {"marker": {"deterministic": True, "vary": ["init"]}},
            f"reproducibility(vary=('init',)) and reproducibility(deterministic=True): {VARIES}",
        ),
        (
            {"command_line": {"vary": "all"}, "marker": {"deterministic": True}},
            f"--repro-vary=init,data_order,noise and reproducibility(deterministic=True): {VARIES}",
        ),
        (
            {"command_line": {"engine": "stacked"}, "ini": {"deterministic": "true"}},
            f"--repro-engine=stacked and ini option repro_deterministic = True: {STACKS}",
        ),
        (
            {"call": {"deterministic": True, "engine": "stacked"}},
            f"engine='stacked' and deterministic=True: {STACKS}",
        ),
    ],
)
def test_what_contradicts_a_proof_is_refused(sources, message):
    with pytest.raises(OptionError) as refusal:
        resolve(**sources)
    assert str(refusal.value) == message


def test_a_timeout_is_taken_off_on_the_command_line():
    assert resolve({}, {"timeout": 60}).timeout == 60.0
    assert resolve({"timeout": "none"}, {"timeout": 60}, {"timeout": "5m"}).timeout is None


# --- values that mean harm ----------------------------------------------------------------------


class Odd:
    """Is like nothing, not even when asked, and says nothing of itself."""

    def __eq__(self, other):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError

    __hash__ = None


@pytest.mark.parametrize("key", [key for key in options.READERS if key != "regularizers"])
@pytest.mark.parametrize(
    "value", [Odd(), 10**5000, np.array([1, 2]), b"three"], ids=lambda v: type(v).__name__
)
def test_values_of_any_kind_are_refused_with_a_sentence(key, value):
    with pytest.raises(OptionError, match=r"^\w+=.*(; expected|: got).* ") as refusal:
        resolve(call={key: value})
    assert len(str(refusal.value)) < 700


@pytest.mark.parametrize("key", ["runs", "max_runs", "bank_runs"])
def test_more_runs_than_a_result_may_have_are_refused(key):
    decided = {"decision": "confidence"} if key == "max_runs" else {}
    assert getattr(resolve(call={key: 10_000, **decided}), key) == 10_000
    with pytest.raises(
        OptionError, match=f"^{key}=10001: got 10001; expected at most 10,000 runs$"
    ):
        resolve(call={key: 10_001, **decided})


def test_a_seed_has_at_most_128_bits():
    assert resolve(call={"seed": 2**128 - 1}).seed == 2**128 - 1
    with pytest.raises(OptionError, match=r"expected a seed below 2\^128$"):
        resolve(call={"seed": 2**128})
