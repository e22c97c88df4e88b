"""docs/study.md is what the results in the repository give, and says what it is asked to say of others."""

import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from regularizer_study.factors import published_cells
from regularizer_study.records import read_records, write_records
from regularizer_study.report import HERE, TEMPLATE, main, numbers
from regularizer_study.stored import read_results

ROOT = Path(__file__).parents[1]
RESULTS = HERE / "results"
TEXT = TEMPLATE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    docs = tmp_path_factory.mktemp("docs")
    assert main(["--docs", str(docs)]) == 0
    return docs


def test_the_document_is_what_the_results_give(written):
    assert (written / "study.md").read_text(encoding="utf-8") == (
        ROOT / "docs" / "study.md"
    ).read_text(encoding="utf-8"), "run PYTHONPATH=examples python -m regularizer_study.report"


def test_every_figure_of_the_document_is_there_and_is_drawn(written):
    shown = set(re.findall(r"\]\((study/\w+\.svg)\)", TEXT))
    kept = {f"study/{path.name}" for path in (ROOT / "docs" / "study").iterdir()}
    drawn = {f"study/{path.name}" for path in (written / "study").iterdir()}

    assert shown == kept == drawn
    for name in shown:
        assert ElementTree.parse(ROOT / "docs" / name).getroot().tag.endswith("svg")


def test_every_number_of_the_document_comes_from_the_results():
    """No digit of a measure is typed into the template: what it holds are settings of the study."""
    prose = re.sub(r"```.*?```|\$\w+|\(.*?\)|<!--.*?-->", "", TEXT, flags=re.DOTALL)
    assert not re.findall(r"[0-9]\.[0-9]{3,}", prose)


@pytest.fixture
def results(tmp_path):
    return shutil.copytree(RESULTS, tmp_path / "results")


def test_other_results_give_other_numbers(results):
    before = numbers(read_results(RESULTS))
    grid = list(read_records(results / "grid.json"))
    place = next(i for i, each in enumerate(grid) if each.test == "mnist-mlp2-sgd")
    worse = tuple(count - 500 for count in grid[place].correct)
    grid[place] = replace(grid[place], correct=worse)
    write_records(results / "grid.json", grid)

    after = numbers(read_results(results))

    assert after["largest_shallow"] != before["largest_shallow"]
    assert after["largest_cell"] == "`mnist-mlp2-sgd`"
    assert after["table_effects"] != before["table_effects"]
    assert after["table_lottery"] == before["table_lottery"]


def test_a_run_that_learnt_nothing_sets_its_cell_apart(results):
    before = read_results(RESULTS)
    grid = list(read_records(results / "grid.json"))
    place = next(i for i, each in enumerate(grid) if each.test == "mnist-mlp2-sgd")
    grid[place] = replace(grid[place], correct=(1135, *grid[place].correct[1:]))
    write_records(results / "grid.json", grid)

    after = read_results(results)

    apart = set(after.collapsed) - set(before.collapsed)
    assert {cell.id for cell in apart} == {"mnist-mlp2-sgd"}
    assert not set(after.collapsed) & set(after.trained)


def without_none(record):
    return replace(record, broken={"none": "one class"})


BAD = {
    "no cell": ("grid", lambda found: [replace(found[0], test="mnist-mlp3"), *found], "no cell of the grid"),
    "twice": ("grid", lambda found: [*found, found[0]], "a cell twice"),
    "nothing": ("grid", lambda found: [], "too little to compare"),
    "no lottery": ("lottery", lambda found: [], "something else than one published cell"),
    "mixed": (
        "lottery",
        lambda found: [replace(found[0], test="mnist-mlp20-sgd-tied"), *found],
        "something else than one published cell",
    ),
    "no baseline": ("remedies", lambda found: [without_none(found[0])], "without a sound 'none'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_results_that_make_no_document_are_told(case, results, capsys):
    name, change, told = BAD[case]
    path = results / f"{name}.json"
    write_records(path, change(list(read_records(path))))

    assert main(["--results", str(results), "--docs", str(results)]) == 2
    assert f"{name}.json holds" in (message := capsys.readouterr().err)
    assert told in message


def test_results_that_are_not_there_are_told(tmp_path, capsys):
    assert main(["--results", str(tmp_path), "--docs", str(tmp_path)]) == 2
    assert "grid.json does not exist" in capsys.readouterr().err


def test_the_results_are_of_the_studys_settings():
    grid = read_results(RESULTS).grid
    assert len([cell for cell in grid if cell.depth == 2]) == 36
    for cell, record in grid.items():
        assert (record.runs, record.n_samples) == ((5,), 10_000)
        told = record.settings
        assert (told["epochs"], told["batch_size"], told["n_train"]) == (25, 128, 60_000)
        assert (told["optimizer"], told["lr"]) == (cell.optimizer, cell.learning_rate)
        assert told["weight_decay"] == cell.weight_decay
        assert told["seed"] == cell.seed
    assert set(grid) <= set(published_cells())
