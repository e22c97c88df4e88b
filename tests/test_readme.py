"""What README.md says: its code runs, and its tables name what there is."""

import importlib
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from test_architecture import ROOMS

from pytest_reprotest import audit_predictions
from pytest_reprotest.flags import FLAGS
from pytest_reprotest.options import MARKER_KEYS
from pytest_reprotest.recipe import Recipe
from pytest_reprotest.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"))
]


def section(heading):
    """The text under a heading, to the next heading of its level or above."""
    level = heading.split(" ")[0]
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    text = prose.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", text, maxsplit=1)[0]


def code_blocks(page):
    """Name (the comment of the first line) → Python code."""
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    return {block.partition("\n")[0].removeprefix("# "): block for block in blocks}


def column(text, number):
    """What stands in backticks in a column of the first table of a text, row by row."""
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    return [re.findall(r"`([^`]+)`", row[number]) for row in rows[1:]]


@pytest.fixture
def readme_project(pytester, monkeypatch, _loaded):
    """The blocks of README that are files, in a folder of their own."""
    monkeypatch.setenv("COLUMNS", "100")
    for module in ("sklearn.datasets", "sklearn.ensemble"):
        importlib.import_module(
            module
        )  # pytester forgets modules that are new; these load only once
    for name, code in code_blocks(README).items():
        if name.endswith(".py"):
            (pytester.path / name).write_text(code, encoding="utf-8")
    return pytester


def test_the_first_test_passes_as_it_stands(readme_project):
    result = readme_project.runpytest_inprocess("test_digits.py")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*none*5*pass*", "*dropout*5*pass*"])


def test_the_first_test_has_ten_lines_of_code():
    lines = code_blocks(README)["test_digits.py"].splitlines()[1:]

    assert len([line for line in lines if line]) <= 10


def test_the_result_is_there_for_assertions(readme_project):
    result = readme_project.runpytest_inprocess("test_more.py", "-s")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*Estimate(value=0.*, low=*, high=*)"])


def test_the_training_loop_of_ones_own_runs(readme_project):
    readme_project.runpytest_inprocess("test_forest.py").assert_outcomes(passed=1)


def test_the_regularizer_of_ones_own_is_listed_and_audited(readme_project):
    listed = readme_project.runpytest_inprocess("--repro-list")
    listed.stdout.fnmatch_lines(["label_smoothing *cross-entropy with smoothed labels"])

    result = readme_project.runpytest_inprocess(
        "test_digits.py", "--repro-regularizers=none,label_smoothing(0.2)", "--repro-runs=2"
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*label_smoothing(0.2)*2*pass*"])


def test_the_regression_runs(readme_project):
    readme_project.runpytest_inprocess("test_numbers.py").assert_outcomes(passed=1)


def test_the_page_on_tasks_prints_what_it_says(capsys):
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    exec(code_blocks(page)["a script"], {})

    assert f"This prints `{capsys.readouterr().out.strip()}`" in page


def test_the_script_runs_and_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    exec(code_blocks(README)["a script"], {})

    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("True Verdict(status='pass'")
    assert out[1] == "0.25 fail"
    assert (tmp_path / "result.json").is_file()


def test_the_options_table_names_every_flag_with_its_ini_twin():
    table = section("## Options")
    flags = [names[0].partition("=")[0] for names in column(table, 0) if names]
    twins = [names[0] for names in column(table, 1) if names]

    assert sorted(flags) == sorted(flag.option for flag in FLAGS)
    assert sorted(twins) == sorted(flag.dest for flag in FLAGS if flag.ini)


def test_the_options_table_names_every_keyword_of_the_marker():
    keywords = [names[0] for names in column(section("## Options"), 2) if names]

    assert sorted(keywords) == sorted(MARKER_KEYS)


def test_the_regularizers_table_names_the_built_in_ones_in_their_order():
    names = [found[0] for found in column(section("## Regularizers"), 0)]

    assert names == list(BUILT_IN)


def test_every_setting_of_a_training_is_named():
    text = section("## The first test")

    assert [name for name in vars(Recipe()) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_that_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)

    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize(
    "comment", ["the command that sets up and audits", "the command that passes the tests"]
)
def test_each_of_the_two_commands_is_one_line_in_a_block_of_its_own(comment):
    found = re.findall(rf"<!-- {comment} -->\n```bash\n(.*?)\n```\n", README, flags=re.DOTALL)

    assert len(found) == 1
    assert "\n" not in found[0]


def test_the_architecture_names_every_room_in_its_order():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")

    assert [names[0] for names in column(text, 0)] == ROOMS


def test_limits_are_found_from_a_pilot_as_the_examples_say(tmp_path, monkeypatch, capsys):
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    snippet = textwrap.dedent(re.search(r"( +)```python\n(.*?)\1```\n", page, flags=re.DOTALL)[2])
    labels = np.array([[0, 1, 1, 0]] * 5 + [[0, 1, 1, 0], [1, 1, 1, 0], *[[0, 1, 1, 0]] * 3])
    audit_predictions({"none": labels}, y_true=[0, 1, 1, 0]).to_json(tmp_path / "pilot.json")
    monkeypatch.chdir(tmp_path)

    exec(snippet, {})

    # Five alike give PD 0 and ETA 1; one of five wrong on one sample of four gives PD 0.1, ETA 0.85.
    pd, eta = 0.05 + 3 * 0.1 / 2**0.5, 0.925 - 3 * 0.15 / 2**0.5
    assert capsys.readouterr().out == f"none: PD at most {pd:.3f}, ETA at least {eta:.3f}\n"
