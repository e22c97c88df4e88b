"""Results over time as figures, without a browser."""

import json
import math
from dataclasses import replace

import pytest
from folders import put, result, single
from pages import TEST

from pytest_reprotest.dashboard import figures
from pytest_reprotest.dashboard.entries import Series
from pytest_reprotest.dashboard.figures import (
    coloured,
    difference_over_time,
    drawn,
    effective_over_time,
    reported,
    when,
)
from pytest_reprotest.dashboard.index import Index
from pytest_reprotest.report.plots import Axis, Boxes
from pytest_reprotest.statistics import Estimate


@pytest.fixture
def entries(tmp_path):
    for day in range(3):
        put(tmp_path, f"{day}.json", result(seed=day), day=day)
    return Index(tmp_path).refresh().entries


def points(figure):
    return [trace for trace in figure["data"] if "customdata" in trace]


def test_each_series_has_its_points_from_old_to_new_with_their_intervals(entries):
    figure = difference_over_time(drawn(entries, entries))
    first, second = points(figure)
    of_none = [entry for entry in entries if entry.series.regularizer == "none"]
    none = first if first["customdata"][0] == of_none[0].key else second
    assert none["customdata"] == [entry.key for entry in of_none]
    assert none["y"] == [entry.prediction_difference.value for entry in of_none]
    assert none["x"] == sorted(none["x"])
    intervals = figure["data"][figure["data"].index(none) - 1]
    assert intervals["y"][:3] == [*_ends(of_none[0].prediction_difference), None]
    assert figure["layout"]["yaxis"]["tickformat"] == ".6~%"
    json.dumps(figure, allow_nan=False)


def _ends(estimate):
    return estimate.low, estimate.high


def test_effective_accuracy_is_a_figure_of_its_own(entries):
    figure = effective_over_time(drawn(entries, entries))
    assert points(figure)[0]["y"] != points(difference_over_time(drawn(entries, entries)))[0]["y"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "ETA"


def test_a_score_that_is_no_fraction_is_no_percentage(entries):
    mixed = [replace(entries[0], effective_name="eff. R²"), *entries[1:]]
    axis = effective_over_time(drawn(mixed, mixed))["layout"]["yaxis"]
    assert (axis["title"]["text"], axis["tickformat"]) == ("ETA, eff. R²", None)


def test_a_series_keeps_its_sign_whatever_else_is_shown(entries):
    one = [entry for entry in entries if entry.series.regularizer == "dropout"]
    series = Series(TEST, "dropout")
    assert drawn(one, entries).signs[series] == drawn(entries, entries).signs[series]


def test_a_verdict_that_is_no_pass_is_ringed(entries):
    failing = [replace(entries[0], style="red"), *entries[1:]]
    (ring,) = [t for t in difference_over_time(drawn(failing, failing))["data"] if t["mode"] == "markers"]  # fmt: skip
    assert ring["y"] == [entries[0].prediction_difference.value]
    assert len(difference_over_time(drawn(entries, entries))["data"]) == 4


def test_what_has_no_value_is_not_drawn(entries):
    unknown = [replace(entry, prediction_difference=Estimate(math.nan)) for entry in entries]
    figure = difference_over_time(drawn(unknown, unknown))
    assert figure["data"] == []
    assert figure["layout"]["annotations"][0]["text"] == "no values to draw"
    assert not figure["layout"]["xaxis"]["visible"]
    two_runs = [replace(e, prediction_difference=Estimate(0.1)) for e in entries]
    intervals = difference_over_time(drawn(two_runs, two_runs))["data"][0]
    assert set(intervals["y"]) == {None}


def test_what_is_left_out_is_said(entries, monkeypatch):
    assert drawn(entries, entries).note == ""
    single = [replace(entries[0], spreads=False), *entries[1:]]
    assert drawn(single, single).note.startswith("Proofs of determinism and single runs")
    monkeypatch.setattr(figures, "MOST_SERIES", 1)
    monkeypatch.setattr(figures, "MOST_POINTS", 2)
    shown = drawn(entries, entries)
    assert [len(each) for each in shown.series.values()] == [2]
    assert shown.note == (
        "1 of 2 series are drawn, those written last: choose a test or a regularizer to see others. "
        "The newest 2 results are drawn: choose fewer series for all."
    )


def test_more_series_than_signs_are_drawn_all_the_same(entries):
    many = [
        replace(entries[0], series=Series(TEST, str(number)), key=str(number))
        for number in range(100)
    ]
    shown = drawn(many, many)
    assert len(shown.series) == figures.MOST_SERIES
    assert len(set(shown.signs.values())) == figures.MOST_SERIES


def test_nothing_in_a_name_means_anything_to_plotly(entries):
    hostile = "<b>%{y}$x$</b>\u202e"
    named = [replace(entries[0], series=Series(hostile, hostile), file=hostile)]
    (trace,) = points(difference_over_time(drawn(named, named)))
    for text in (trace["text"][0], trace["hovertemplate"].replace("%{text}<extra></extra>", "")):
        assert "<b>" not in text
        assert "%{" not in text
        assert "$" not in text
        assert "\u202e" not in text


def test_times_that_no_calendar_has_are_drawn():
    assert when(-1e30) == when(0.0)
    assert when(1e30)[:4] in ("9998", "9999")


def test_figures_are_in_the_colours_of_the_page():
    figure = reported(Boxes("T", Axis("PD", "percent"), {"none": [0.1, 0.2]}, "regularizer"))
    dark, light = coloured(figure, dark=True), coloured(figure)
    assert dark["layout"]["font"]["color"] == "#e6e9ec"
    assert dark["layout"]["xaxis"]["linecolor"] == "#e6e9ec"
    assert light["layout"]["xaxis"]["linecolor"] == "#1f2328"
    assert "#333333" not in json.dumps([dark, light])
    assert coloured(figure, narrow=True)["layout"]["dragmode"] is False


def test_what_runs_cannot_show_is_no_series(tmp_path):
    put(tmp_path, "a.json", single())
    found = Index(tmp_path).refresh().entries
    assert drawn(found, found).series == {}
