"""The Markdown summary: what names hold is text and nothing else, and a step's summary has a limit."""

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from pytest_reprotest import audit_predictions
from pytest_reprotest.report import markdown
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.markdown import append_step_summary, plain, render
from pytest_reprotest.verdict import Verdict

TRUTH = np.array([0, 1, 1, 0])
SHAKY = np.array([[0, 1, 1, 1], [0, 1, 0, 0], [1, 1, 1, 0]])
HOSTILE = [
    "a|b",
    "`code`",
    "<script>alert(1)</script>",
    "a\nb\r\n\n# heading",
    "| --- |\n| x |",
    "\x1b[31mred\x00",
    "\u202egnp.exe\u2066\u200b",
    "](https://evil.example) [x](y) ![z](q)",
    "https://evil.example www.evil.example WWW.evil.example",
    "**bold** _thin_ __x__ ~~gone~~ $x$ &lt;b&gt; \\| \\",
    ":smile: @someone #1",
    "</details><img src=x onerror=y>",
    "- x",
    "1. x",
    "\ud800",
    "",
]


def finished(name="test_a.py::test_b", label="none", complete=True, reason=None):
    result = audit_predictions(
        {label: SHAKY, "other": SHAKY}, TRUTH, name=name, max_prediction_difference=0.25
    )
    if reason is not None:
        found = replace(result[label], verdict=Verdict("fail", (reason,)))
        result = replace(result, by_regularizer={**result.by_regularizer, label: found})
    return Finished([result.to_dict()], [""], complete)


def shape(text):
    """What is no text: the structure of the document."""
    pieces = re.findall(
        r"^#+|^\||(?<=[ ])\|(?=[ \n])|^- |</?\w+>|\*\*|\n", text, flags=re.MULTILINE
    )
    return pieces


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_and_reasons_change_nothing_but_text(name):
    tame = render(finished(name="x", reason="y"))
    found = render(finished(name=name or "x", reason=name))
    assert shape(found) == shape(tame)
    assert found.isprintable() or set(found) - {"\n"} == {
        each for each in found if each.isprintable()
    }
    assert not re.search(r"<(?!/?(details|summary)>)", found)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_reader_of_markdown_sees_the_name_and_no_markup(name):
    markdown_it = pytest.importorskip("markdown_it")
    reader = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    (inline,) = [each for each in reader.parse(f"x {plain(name)} x") if each.type == "inline"]
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    table = f"| a | b |\n| --- | --- |\n| {plain(name)} | {plain(name)} |\n"
    cells = [each for each in reader.parse(table) if each.type == "td_open"]
    assert len(cells) == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tests/test_a.py::test_b[dropout]", "tests/test_a.py::test_b[dropout]"),
        ("a\n b", "a b"),
        ("\u202e", "\\u202e"),
        ("\x1b", "\\x1b"),
        ("übung 学", "übung 学"),
        ("::x:y", "::x:y"),
    ],
)
def test_what_is_shown_is_the_text_with_invisible_characters_spelled_out(text, shown):
    assert html.unescape(plain(text)) == shown


def test_names_of_tests_stay_readable_in_the_file():
    assert plain("tests/test_a.py::test_b[x]") == "tests/test_a.py::test_b&#91;x]"


def test_an_interrupt_is_told():
    assert "The session was interrupted: this is not all." in render(finished(complete=False))


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        ([Verdict("fail", ("a",)), Verdict("fail", ("b",), broken=True)], "broken"),
        ([Verdict("fail", ("a",)), Verdict("inconclusive", ("b",))], "fail"),
        ([Verdict("inconclusive", ("a",)), Verdict("pass")], "inconclusive"),
        ([Verdict("pass"), Verdict("pass")], "pass"),
    ],
)
def test_the_heading_has_the_worst_verdict(statuses, word):
    result = audit_predictions({"a": SHAKY, "b": SHAKY}, TRUTH, max_prediction_difference=0.25)
    found = {
        label: replace(result[label], verdict=verdict)
        for label, verdict in zip("ab", statuses, strict=True)
    }
    stored = replace(result, by_regularizer=found).to_dict()
    assert render(Finished([stored], [""])).startswith(f"## Reproducibility: {word}\n")


def test_each_task_has_a_table_and_what_its_columns_mean():
    numbers = audit_predictions(
        {"none": TRUTH + np.ones((3, 4))}, TRUTH + 0.5, name="n", task="regression", tolerance=0.1
    )
    stored = [*finished().stored, numbers.to_dict()]
    text = render(Finished(stored, ["", ""]))
    assert text.count("| --- | --- | ---: |") == 2
    assert "ETA: accuracy - PD." in text
    assert "eff. R²: R² - PD." in text


def test_a_step_s_summary_takes_what_there_is_room_for(tmp_path, monkeypatch):
    whole, short = (len(render(finished(), why).encode()) for why in (True, False))
    sizes = []
    for most in (whole + 6, whole + 5, short + 5, 200, 10):
        path = tmp_path / f"{most}.md"
        path.write_text("first")
        monkeypatch.setattr(markdown, "_MOST_BYTES", most)
        append_step_summary(path, finished())
        text = path.read_text()
        assert text.startswith("first")
        assert len(text.encode()) <= most
        sizes.append(("Why" in text, "| test |" in text, "no room for the table" in text))
    assert sizes == [
        (True, True, False),
        (False, True, False),
        (False, False, True),
        (False, False, True),
        (False, False, False),
    ]


def test_a_new_step_s_summary_begins_with_its_heading(tmp_path):
    append_step_summary(tmp_path / "new.md", finished())
    assert (tmp_path / "new.md").read_text().startswith("## Reproducibility: fail\n")
