"""Options, markers and ini values of every kind, alone and together: an audit or a sentence, and never anything else.

Trainings are of a function that returns labels, and no option that starts processes is given a value that would.
"""

import math
import re

import numpy as np
import pytest
import torch
from damage import fuzz
from hypothesis import event, given
from hypothesis import strategies as st
from torch import nn

from pytest_reprotest.errors import OptionError
from pytest_reprotest.flags import FLAGS
from pytest_reprotest.options import MARKER_KEYS, READERS, resolve
from pytest_reprotest.readers import MOST_RUNS
from pytest_reprotest.registry import Registry
from pytest_reprotest.regularizers import dropout, weight_decay
from pytest_reprotest.selection import select

CODES = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.INTERRUPTED,  # errors while collecting
    pytest.ExitCode.USAGE_ERROR,
    pytest.ExitCode.NO_TESTS_COLLECTED,
)
ITEMS = 12
"""Markers that one session tries."""

# --- values -------------------------------------------------------------------------------------

NUMBERS = [
    *(
        "0",
        "1",
        "2",
        "3",
        "4",
        "-1",
        "0.5",
        "0.05",
        "0.95",
        "1.0",
        "1e-3",
        "-0.0",
        "1e400",
        "nan",
        "inf",
    ),
    *("007", "1_000", "\u0663", "0x10", "10001", "1000000000", str(2**63), str(2**128), "9" * 5000),
]
WORDS = [
    *(
        "",
        " ",
        ",",
        "none",
        "all",
        "auto",
        "None",
        "True",
        "yes",
        "no",
        "init",
        "init,noise",
        "stacked",
    ),
    *(
        "sequential",
        "cpu",
        "cuda:99",
        "point",
        "confidence",
        "fail",
        "pass",
        "skip",
        "study",
        "none,none",
    ),
    *(
        "dropout",
        "weight_decay(1e-3)",
        "dropout(p=2)",
        "batch_norm+dropout",
        "dropout()",
        "lambda: 0",
    ),
    *(
        "none if none else none",
        "dropout(*[1])",
        "dropout(**{})",
        "weight_decay(1e999)",
        "dropout(0x1)",
    ),
    *(
        "(" * 300,
        "-" * 3000 + "1",
        "none" + "+none" * 3000,
        "[" * 90 + "]" * 90,
        "x" * 300,
        "../" * 20,
    ),
    *(
        "\x1b[2J",
        "\x1b]0;title\x07",
        "a\tb",
        "\x85",
        "\u202e",
        "'",
        '"',
        "%s",
        "{}",
        "\\",
        "#",
        ";",
        "-x",
    ),
]
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
texts = st.sampled_from(NUMBERS) | st.sampled_from(WORDS) | anything
paths = st.sampled_from(
    [
        "",
        ".",
        "..",
        "/",
        "out",
        "absent/out",
        "x" * 300,
        "a\0b",
        "test_audit.py",
        "bank.json",
        "~",
        "/dev/null",
    ]
) | st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), max_size=8).map(
    "out{}".format
)
SLOW = {"html", "plots"}
"""Written by libraries that take a second; of them only paths that are refused, or that no test ever gets to."""
SWITCHES = tuple(flag for flag in FLAGS if flag.metavar is None and flag.key != "deterministic")
PATHS = tuple(flag for flag in FLAGS if flag.metavar in ("PATH", "DIR", "RESULT.json"))
VALUES = tuple(flag for flag in FLAGS if flag.metavar is not None and flag not in PATHS)
FINE = {
    "runs": st.sampled_from(["2", "3", " 4 "]),
    "max_runs": st.sampled_from(["4", "6"]),
    "regularizers": st.sampled_from(["none", "none,dropout", "dropout(0.1)+ema", "all"]),
    "decision": st.sampled_from(["point", "confidence"]),
    "confidence": st.just("0.9"),
    "vary": st.sampled_from(["init", "all", "none"]),
    "engine": st.sampled_from(["auto", "stacked", "sequential"]),
    "on_inconclusive": st.sampled_from(["pass", "skip", "fail"]),
    "max_prediction_difference": st.just("0.1"),
}


def starts_processes(key, text):
    """Whether a value makes an audit of this file start another process."""
    return key == "workers" and (
        text.strip() == "auto" or text.strip().lstrip("+0_") not in ("", "1")
    )


@st.composite
def option(draw):
    """A flag and a value for it: a sensible one, or whatever."""
    flag = draw(st.sampled_from([*SWITCHES, *PATHS, *VALUES, *VALUES]))
    if flag in SWITCHES:
        return flag, None
    if flag in PATHS:
        found = draw(st.sampled_from(["", "/", "absent/out"]) if flag.key in SLOW else paths)
        return flag, found
    found = draw(FINE.get(flag.key, st.just("1")) | texts)
    if starts_processes(flag.key, found):
        found = f"{found}?"
    return flag, found


# --- what a session may say ---------------------------------------------------------------------


def said_by(project, result):
    """What a session said, once it is certain that it ended as it may."""
    out = f"{result.stdout}\n{result.stderr}"
    assert result.ret in CODES, out
    for forbidden in ("INTERNALERROR", "Traceback", "During handling", "direct cause"):
        assert forbidden not in out, out
    assert not re.search(r"pytest_reprotest/\w+\.py:\d", out), out
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e]", out), out
    assert out.strip()
    return out


PLAIN = """
@reproducibility(runs=2)
def test_plain(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))


def test_of_none():
    pass
"""


ALONE = ("-p", "pytest_reprotest.plugin", "-p", "no:cacheprovider")
"""Without other plugins a session takes half the time."""


@pytest.fixture
def alone(project, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return project


@pytest.fixture
def plain(alone):
    alone.write(PLAIN)
    alone.run(*ALONE, "--repro-save-bank=bank.json", "--repro-runs=3", "-q")
    return alone


@fuzz(40, shrinks=False)
@given(options=st.lists(option(), max_size=3), ini=st.lists(option(), max_size=2))
def test_any_command_line_and_ini_file_ends_with_a_sentence(plain, options, ini):
    lines = [
        f"{flag.dest} = {'true' if value is None else value}"
        for flag, value in ini
        if flag.ini and "\n" not in f"{value}" and "\r" not in f"{value}"
    ]
    plain.ini(*lines)
    arguments = [
        flag.option if value is None else f"{flag.option}={value}" for flag, value in options
    ]
    result = plain.run(*ALONE, *arguments)
    out = said_by(plain, result)
    if result.ret == pytest.ExitCode.USAGE_ERROR:
        assert re.search(
            r"ERROR: .{10}|error: .{10}|could not be written|: a training|no bank", out
        ), out
    elif result.ret != pytest.ExitCode.OK and not {"list"} & {flag.key for flag, _ in options}:
        assert "test_audit.py" in out


# --- markers ------------------------------------------------------------------------------------

EXPRESSIONS = [
    *(
        "None",
        "True",
        "False",
        "0",
        "1",
        "2",
        "-1",
        "3",
        "0.1",
        "0.9",
        "1e400",
        "float('nan')",
        "10**40",
        "10**5000",
    ),
    *(
        "-(10**5000)",
        "1j",
        "b'3'",
        "()",
        "[]",
        "{}",
        "{1}",
        "[None]",
        "[[]]",
        "['none', 3]",
        "{'none': 0.1}",
    ),
    *(
        "{'none': None}",
        "{'none': 'x'}",
        "{1: 2}",
        "{'dropuot': 0.1}",
        "object()",
        "print",
        "int",
        "dropout",
    ),
    *(
        "dropout(0.5)",
        "[dropout(0.5), 'none']",
        "weight_decay",
        "np.array([1, 2])",
        "np.array(['none'])",
    ),
    *(
        "np.int64(3)",
        "np.float32(0.1)",
        "np.nan",
        "np.array(3)",
        "torch.tensor(2)",
        "torch.tensor([1., 2.])",
        "nn",
    ),
    *(
        "iter(())",
        "range(3)",
        "lambda: 0",
        "Nameless()",
        "Odd()",
        "'x' * 10**6",
        "'9' * 5000",
        "('init', 'init')",
    ),
]
HELPERS = '''
class Nameless:
    """Says nothing of itself."""

    def __repr__(self):
        raise RuntimeError("no name")


class Odd:
    """Is like nothing, not even when asked."""

    def __eq__(self, other):
        raise RuntimeError("who knows")

    __hash__ = None
'''
values = st.sampled_from(EXPRESSIONS) | texts.map(repr) | st.lists(texts, max_size=2).map(repr)
SENSIBLE = {key: values.map(repr) for key, values in FINE.items()}
KEYS = tuple(key for key in MARKER_KEYS if key != "deterministic")


@st.composite
def marker(draw):
    """The keywords of a marker as source text."""
    found = {}
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from([*KEYS, *KEYS, "runz", "device", "x"]))
        found[key] = draw(SENSIBLE.get(key, st.just("0.1")) | values)
    positional = draw(st.sampled_from(["", "", "", "3, "]))
    return f"{positional}{', '.join(f'{key}={value}' for key, value in found.items())}"


@fuzz(8, shrinks=False, each=ITEMS)
@given(
    markers=st.lists(marker(), min_size=ITEMS, max_size=ITEMS),
    how=st.sampled_from(["", "regularizer, "]),
)
def test_any_marker_ends_with_a_sentence(alone, markers, how):
    for number, keywords in enumerate(markers):
        audited = (
            f"@pytest.mark.reproducibility({keywords})\n"
            f"def test_marked({how}retrain):\n    retrain(FunctionTrainer(shaky, y_true=y_true))\n"
        )
        alone.write(HELPERS + audited, name=f"test_m{number}")
    result = alone.run(*ALONE, "--continue-on-collection-errors", "--repro-json=out.json")
    out = said_by(alone, result)
    for number in range(len(markers)):
        assert f"test_m{number}.py" in out


# --- without a session --------------------------------------------------------------------------

NAMES = {"np": np, "torch": torch, "nn": nn, "dropout": dropout, "weight_decay": weight_decay}
exec(HELPERS, NAMES)


@pytest.mark.filterwarnings("error")
@fuzz(400)
@given(
    command_line=st.lists(option(), max_size=3),
    ini=st.lists(option(), max_size=2),
    keywords=marker(),
    call=st.sampled_from([{}, {"attribute": True}, {"attribute": "perhaps"}]),
)
def test_any_options_are_read_or_refused(command_line, ini, keywords, call):
    given = [
        {
            flag.key: True if value is None else value
            for flag, value in options
            if flag.key in READERS
        }
        for options in (command_line, ini)
    ]
    marked = eval(f"dict({keywords.removeprefix('3, ')})", NAMES)
    try:
        options = resolve(given[0], marked, given[1], call)
        found = select(options, Registry())
    except OptionError as error:
        refusal = str(error)
        event("refused")
    else:
        refusal = None
        event("read")
    if refusal is not None:
        assert 10 < len(refusal) < 50_000
        return
    assert 2 <= options.runs <= options.looks[-1] <= MOST_RUNS
    assert found.baseline in found.regularizers
    assert all(math.isfinite(limit.value) for limit in options.bounds.limits(found.baseline))
    assert 0 <= options.seed < 2**128
