import csv

import pytest

from pytest_reprotest import audit_predictions
from pytest_reprotest.report.finished import Finished
from pytest_reprotest.report.results_csv import COLUMNS, write_csv


@pytest.mark.parametrize(
    "name",
    ["a,b", 'a"b', "a\nb", "a\rb", "a;b\tc", "=1+1", "\u202ea", "\x00", "\ud800", "übung 学", ""],
)
def test_hostile_names_stay_in_their_cell(tmp_path, name):
    result = audit_predictions({"none": [[0, 1, 1], [0, 1, 0]]}, [0, 1, 1], name=name)
    write_csv(tmp_path / "out.csv", Finished([result.to_dict()] * 2, ["", ""]))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        heading, *found = csv.reader(file)
    assert tuple(heading) == COLUMNS
    assert [len(row) for row in found] == [len(COLUMNS)] * 2
    row = dict(zip(heading, found[0], strict=True))
    assert row["test"].isprintable()
    assert not row["test"].startswith(("=", "+", "-", "@"))
    assert (row["regularizer"], row["verdict"]) == ("none", "no limit")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝"])
def test_no_name_is_a_formula_and_numbers_are_numbers(tmp_path, sign):
    labels = {f"{sign}1+cmd|' /C calc'!A0": [[0, 1, 1], [1, 0, 0]]}
    result = audit_predictions(labels, [0, 1, 1], name=f"{sign}HYPERLINK(1)")
    write_csv(tmp_path / "out.csv", Finished([result.to_dict()], [""]))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["regularizer"] == f"'{sign}1+cmd|' /C calc'!A0"
    assert row["test"] == row["dataset"] == f"'{sign}HYPERLINK(1)"
    assert float(row["effective_score"]) == -0.5


def test_what_became_of_a_test_stands_with_its_verdict(tmp_path):
    result = audit_predictions(
        {"none": [[0, 1, 1], [0, 1, 0]]}, [0, 1, 1], max_prediction_difference=0.1, name="a"
    )
    write_csv(tmp_path / "out.csv", Finished([result.to_dict()], ["xfail"]))
    assert (tmp_path / "out.csv").read_text().endswith(",fail (xfail)\n")


def test_a_session_without_audits_gives_the_heading_alone(tmp_path):
    write_csv(tmp_path / "out.csv", Finished([], []))
    assert (tmp_path / "out.csv").read_text() == ",".join(COLUMNS) + "\n"
