"""The tables of attribution."""

import math
from dataclasses import replace

import numpy as np

from pytest_reprotest import audit_predictions
from pytest_reprotest.attribution import Attribution, Climbed
from pytest_reprotest.report.rows import Audited
from pytest_reprotest.report.terminal import render
from pytest_reprotest.statistics import Estimate

FOUND = Attribution(
    (
        Climbed("identical", 10, Estimate(0.0, 0.0, 0.0), Estimate(0.0), same_bits=True),
        Climbed("one_ulp", left_out="Forest has no initial weights that could be moved by one ulp"),
        Climbed("init", 10, Estimate(0.0004, 0.0001, 0.0007), Estimate(0.008)),
        Climbed("data_order", 10, Estimate(0.048, 0.04, 0.056), Estimate(0.96, 0.8, 1.152)),
        Climbed("noise", 2, Estimate(0.02), Estimate(math.nan)),
        Climbed("all", 10, Estimate(0.05, 0.04, 0.06), Estimate(1.0)),
    )
)


def audited(name="test_a.py::test_a", attribution=FOUND):
    labels = np.array([[0, 1, 1], [0, 1, 0]])
    result = audit_predictions({"none": labels, "adam": labels}, y_true=[0, 1, 1], name=name)
    none = replace(result["none"], attribution=attribution)
    return Audited(replace(result, by_regularizer={"none": none, "adam": result["adam"]}))


def told(*audits, width=80, verbosity=0):
    return [line.text for line in render(audits, width, verbosity)]


def test_a_table_of_rungs_stands_below_the_summary_with_one_legend():
    lines = told(audited())
    at = lines.index("what varies   runs  PD            share of all")
    assert lines[at - 1] == ""
    assert lines[at + 1 :] == [
        "------------  ----  ------------  ---------------",
        "test_a.py::test_a: none",
        "  identical     10  0.000         0%",
        "  one_ulp        0  left out      -",
        "  init          10  0.000 ±0.000  0.8%",
        "  data_order    10  0.048 ±0.008  96% [80%, 115%]",
        "  noise          2  0.020         -",
        "  all           10  0.050 ±0.010  100%",
        "share: PD where one thing alone varies over PD where all does, [95% over runs].",
        "  Sources saturate: each alone may give nearly all, so shares never add up to",
        "  100%.",
        "test_a.py::test_a: none: varying only the data order gives 96% of the full",
        "  prediction difference: fixing the seed of the initial weights alone will not",
        "  help, and fixing that of the data order leaves the 0.8% of the initial weights",
        "test_a.py::test_a: none: one_ulp left out: Forest has no initial weights that",
        "  could be moved by one ulp",
    ]
    assert max(map(len, lines)) <= 80


def test_several_tests_share_the_table():
    lines = told(audited(), audited("test_a.py::test_b"))
    assert lines.count("what varies   runs  PD            share of all") == 1
    assert "test_a.py::test_b: none" in lines
    assert sum(line.startswith("share: ") for line in lines) == 1


def test_without_attribution_nothing_is_said_and_at_q_nothing_either():
    assert not any("what varies" in line for line in told(audited(attribution=None)))
    assert not any("what varies" in line for line in told(audited(), verbosity=-1))


def test_an_audit_without_a_name_is_told_by_its_regularizer():
    assert "none" in told(audited(name=""))
