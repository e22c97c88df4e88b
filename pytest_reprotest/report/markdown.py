"""The summary in Markdown: ``--repro-markdown``, and GitHub's summary of a step.

Names of tests and regularizers come from anywhere. What is said of them is text whatever they hold: no
markup, no other cell, no other line.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_reprotest.flags import STEP_SUMMARY
from pytest_reprotest.joined import title
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.held import GATE_LEGEND, gated, layouts_of, sentences
from pytest_reprotest.report.rows import Audited, rows
from pytest_reprotest.report.table import one_line
from pytest_reprotest.report.terminal import MARKED, OVER_RUNS
from pytest_reprotest.result import RegularizerResult
from pytest_reprotest.results_file import whole_file
from pytest_reprotest.statistics import in_words
from pytest_reprotest.tasks import Names

_MOST_BYTES = 2**20
"""Of a step's summary; GitHub shows nothing of a larger one."""

_MARKUP = re.compile(
    r"[\\`*\[<>#|~&@$]|(?<!:):(?=[\w/+-])|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.", re.IGNORECASE
)


def plain(text: str) -> str:
    r"""Text that Markdown and HTML show as it is, in one line; what can't be seen is spelled out.

    >>> print(plain("a|b <i> _c_ test_d\u202e"))
    a&#124;b &#60;i&#62; &#95;c&#95; test_d&#92;u202e
    """
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line(text))


def write_markdown(path: Path, finished: Finished) -> tuple[str, ...]:
    """Write the summary; where the path is that of a step's summary, that is appended to and this is done."""
    step_summary = os.environ.get(STEP_SUMMARY)
    if not step_summary or path.resolve() != Path(step_summary).resolve():
        with whole_file(path) as file:
            file.write(render(finished))
    return ()


def append_step_summary(path: Path, finished: Finished) -> None:
    """Append the summary to what other steps wrote, or as much of it as there is room for."""
    already = path.stat().st_size if path.exists() else 0
    lines = [*_head(finished), "", "The file of this step's summary has no room for the table."]
    texts = (render(finished), render(finished, why=False), "\n".join(lines) + "\n")
    separated = (("\n" * bool(already) + text).encode() for text in texts)
    fitting = [data for data in separated if already + len(data) <= _MOST_BYTES]
    try:
        with path.open("ab") as file:
            file.write(fitting[0] if fitting else b"")
    except OSError:  # such as a disk that is full
        with contextlib.suppress(OSError):
            os.truncate(path, already)
        raise


def render(finished: Finished, why: bool = True) -> str:
    """The summary: its verdict, a sentence, a table for each task, and why regularizers fail.

    Parameters
    ----------
    why : bool
        With the reasons, and what else was found.
    """
    lines = [*_head(finished), *_tables(finished.audits)]
    if why:
        lines += _details("Why", list(_reasons(finished.audits)))
        lines += _details("Found beside", list(_remarks(finished.audits)))
    return "\n".join(lines) + "\n"


def _head(finished: Finished) -> Iterator[str]:
    found = [(audited, each) for audited in finished.audits for each in _results(audited)]
    failing = list(_failing(finished.audits))
    yield f"## Reproducibility: {_verdict(found, failing)}"
    yield ""
    n_tests = len({title(audited.result) for audited, _ in found})
    among = f"{_count(len(found), 'regularizer')} in {_count(n_tests, 'test')}"
    if not found:
        told = "Nothing was audited."
    elif failing:
        verb = "does" if len(failing) == 1 else "do"
        told = f"{len(failing)} of {among} {verb} not pass."
    elif not any(each.questioned for _, each in found):
        told = f"{among}: no limit was set."
    else:
        told = f"{among}: none is beyond its limits."
    yield told if finished.complete else f"{told} The session was interrupted: this is not all."


def _results(audited: Audited) -> tuple[RegularizerResult, ...]:
    return tuple(audited.result.by_regularizer.values())


def _failing(audits: Sequence[Audited]) -> Iterator[tuple[Audited, RegularizerResult]]:
    for audited in audits:
        if audited.outcome != "xfail":
            yield from ((audited, each) for each in audited.result.failed)


def _verdict(
    found: Sequence[tuple[Audited, RegularizerResult]],
    failing: Sequence[tuple[Audited, RegularizerResult]],
) -> str:
    if any(each.verdict.broken for _, each in failing):
        return "broken"
    if failing:
        undecided = all(each.verdict.status == "inconclusive" for _, each in failing)
        return "inconclusive" if undecided else "fail"
    return "pass" if any(each.questioned for _, each in found) else "no limit"


def _tables(audits: Sequence[Audited]) -> Iterator[str]:
    by_task: dict[Names, list[Audited]] = {}
    for audited in audits:
        by_task.setdefault(audited.result.task.names, []).append(audited)
    for names, members in by_task.items():
        shown = [row for audited in members for row in rows(audited)]
        if not shown:
            continue
        layout = layouts_of(shown)[0]
        _, *headings = layout.headings
        yield ""
        yield _row(["test", "regularizer", *headings])
        yield _row(["---", "---", "---:", *["---"] * (len(headings) - 1)])
        for row in shown:
            label, *cells = (" ".join(cell).strip() for cell in layout.cells(row, None))
            failed = row.found is not None and row.found in row.audited.result.failed
            texts = [plain(text) for text in (title(row.audited.result), label, *cells)]
            yield _row([*texts[:-1], f"**{texts[-1]}**" if failed else texts[-1]])
        yield ""
        yield plain(GATE_LEGEND if gated(members) else f"{names.legend} {OVER_RUNS}")
        if any(audited.result.comparisons for audited in members):
            yield plain(MARKED)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _reasons(audits: Sequence[Audited]) -> Iterator[str]:
    for audited, found in _failing(audits):
        start = f"in {audited.result.name or 'the audit'}, {found.regularizer}"
        for reason in found.verdict.reasons:
            yield f"{start} ({_count(found.n_runs, 'run')}): {reason}"


def _remarks(audits: Sequence[Audited]) -> Iterator[str]:
    for audited in audits:
        result = audited.result
        names = result.task.names
        for label, compared in result.comparisons.items():
            if compared.status != "undecided":
                told = in_words(label, compared, names.score_short, result.task.in_points)
                yield f"in {result.name or 'the audit'}, {told}"
        for told in (*sentences(result, verbosity=0), *result.notes):
            yield f"in {result.name or 'the audit'}: {told}"


def _details(summary: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    items = [f"- {plain(sentence)}" for sentence in sentences]
    return ["", f"<details><summary>{summary}</summary>", "", *items, "", "</details>"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
