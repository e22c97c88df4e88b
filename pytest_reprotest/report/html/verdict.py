"""The verdict of an audit and of a page, in a word and in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pytest_reprotest.report.failure import failure_in_words
from pytest_reprotest.report.html.united import Shown

_EXPECTED = "failed as expected"
PASS, FAIL, UNDECIDED, OPEN = "pass", "fail", "undecided", "open"
"""How a verdict looks: green, red, yellow, or of no colour, since nothing was asked."""


class Told(NamedTuple):
    """A verdict: how it looks, in a word, and in a sentence."""

    look: str
    word: str
    sentence: str


def verdict_of(shown: Shown) -> Told:
    """The verdict of one audit."""
    result = shown.result
    n_all, failed = len(result.by_regularizer), shown.failed
    if failed:
        why = failure_in_words([result[label] for label in failed])
        names = "" if n_all == 1 else f": {', '.join(failed)}"
        return Told(FAIL, "failed", f"{len(failed)} of {n_all} regularizers {why}{names}.")
    expected = [label for label in result.by_regularizer if shown.outcomes.get(label) == "xfail"]
    if expected and result.failed:
        return Told(UNDECIDED, _EXPECTED, "This test is marked as an expected failure.")
    statuses = {found.verdict.status for found in result.by_regularizer.values()}
    if "fail" in statuses:
        return Told(
            UNDECIDED, "reported", "Limits are breached, which is reported and fails no test."
        )
    if "inconclusive" in statuses:
        return Told(UNDECIDED, "undecided", "With so few runs not every limit can be decided.")
    if not any(found.questioned for found in result.by_regularizer.values()):
        return Told(OPEN, "no limit", f"{_regularizers(n_all)} audited, and no limit was set.")
    every = "The regularizer holds" if n_all == 1 else f"All {n_all} regularizers hold"
    return Told(PASS, "passed", f"{every} what was asked.")


def verdict_of_all(audits: Sequence[Shown]) -> Told:
    """The verdict of a page."""
    told = [verdict_of(shown) for shown in audits]
    if not told:
        return Told(OPEN, "no audits", "No test was audited.")
    if len(told) == 1:
        return told[0]
    counts = Counter(each.word for each in told)
    parts = ", ".join(f"{number} {word}" for word, number in counts.items())
    sentence = f"{len(told)} audits: {parts}."
    looks = {each.look for each in told if each.word != _EXPECTED}
    for look, word in ((FAIL, "failed"), (UNDECIDED, "undecided"), (PASS, "passed")):
        if look in looks:
            return Told(look, word, sentence)
    return Told(OPEN, "no limit" if looks else _EXPECTED, sentence)


def _regularizers(number: int) -> str:
    return f"{number} regularizer{'s' * (number != 1)}"
