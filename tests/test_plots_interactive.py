"""What arrives in Plotly's figures."""

import json
import math

import plotly.graph_objects as go
import plotly.io
import pytest

from pytest_reprotest.report.plots import (
    Axis,
    Boxes,
    Curves,
    Forest,
    HeatMap,
    Point,
    Points,
    ReferenceLine,
    Row,
    to_plotly,
)
from pytest_reprotest.report.plots.drawing import Drawing
from pytest_reprotest.report.plots.interactive import plain
from pytest_reprotest.statistics import Estimate

PD = Axis("PD", "percent")


def traces(figure, **wanted):
    found = to_plotly(figure).to_dict()["data"]
    return [
        trace for trace in found if all(trace.get(key) == value for key, value in wanted.items())
    ]


def layout(figure):
    return to_plotly(figure).to_dict()["layout"]


def test_boxes_arrive_with_all_their_points():
    figure = Boxes("Digits", PD, {"none": [1, 2, 3, 4, 100], "dropout": [5]}, x="regularizer")
    (box,) = traces(figure, type="box")
    assert (box["lowerfence"], box["q1"], box["median"]) == ([1, 5], [2, 5], [3, 5])
    assert (box["q3"], box["upperfence"]) == ([4, 5], [4, 5])
    (dots,) = traces(figure, mode="markers")
    assert list(dots["y"]) == [1, 2, 3, 4, 100, 5]
    assert [round(x) for x in dots["x"]] == [0] * 5 + [1]
    assert dots["hovertext"][-1] == "dropout: 500%"
    assert layout(figure)["xaxis"]["ticktext"] == ["none", "dropout"]
    assert layout(figure)["xaxis"]["title"]["text"] == "regularizer"
    assert layout(figure)["yaxis"]["title"]["text"] == "PD"
    assert layout(figure)["yaxis"]["tickformat"] == ".6~%"
    assert layout(figure)["title"]["text"] == "Digits"
    assert not layout(figure)["showlegend"]


def test_a_series_is_named_once_and_hidden_with_its_boxes():
    figure = Boxes("", PD, {"none": {"MLP": [1, 2], "CNN": [3]}})
    named = traces(figure, showlegend=True)
    assert [trace["name"] for trace in named] == ["MLP", "CNN"]
    assert [trace["marker"]["symbol"] for trace in named] == ["circle", "square"]
    assert [trace["marker"]["color"] for trace in named] == ["#0072B2", "#D55E00"]
    assert {trace["legendgroup"] for trace in traces(figure, type="box")} == {"MLP", "CNN"}
    assert layout(figure)["showlegend"]


def test_points_arrive_with_their_intervals_and_the_line():
    given = [
        Point(Estimate(1, 0.5, 2), Estimate(3), "ten runs"),
        Point(Estimate(4), Estimate(5, 4, 6)),
    ]
    line = ReferenceLine("PD = error", (0, 0), (1, 1))
    figure = Points("T", Axis("error"), Axis("PD"), {"none": given}, line)
    drawn, along_x, along_y = traces(figure, mode="lines")
    assert drawn["name"] == "PD = error"
    assert drawn["line"]["dash"] == "dash"
    assert list(drawn["x"]) == list(drawn["y"])
    assert (list(along_x["x"]), list(along_x["y"])) == ([0.5, 2, None], [3, 3, None])
    assert (list(along_y["x"]), list(along_y["y"])) == ([4, 4, None], [4, 6, None])
    (dots,) = traces(figure, mode="markers")
    assert (list(dots["x"]), list(dots["y"])) == ([1, 4], [3, 5])
    assert dots["hovertext"][0] == "none<br>error: 1 [0.5, 2]<br>PD: 3<br>ten runs"
    assert layout(figure)["xaxis"].get("tickformat") is None


def test_a_forest_arrives():
    rows = [Row("none", Estimate(0.1, 0.05, 0.2)), Row("dropout", Estimate(-0.1), "CNN")]
    figure = Forest("T", PD, rows)
    assert [list(trace["x"]) for trace in traces(figure, mode="markers")] == [[0.1], [-0.1]]
    zero, interval = traces(figure, mode="lines")
    assert list(zero["x"]) == [0, 0]
    assert list(interval["x"]) == [0.05, 0.2, None]
    assert layout(figure)["yaxis"]["ticktext"] == ["none", "dropout"]


def test_curves_arrive_with_their_band():
    figure = Curves("T", Axis("epoch"), Axis("loss"), {"none": [[4, 2], [2, math.nan]]})
    band, first, second, mean = traces(figure)
    assert band["fill"] == "toself"
    assert (list(band["x"]), list(band["y"])) == ([1, 1], [4, 2])
    assert (list(first["y"]), list(second["y"])) == ([4, 2], [2, None])
    assert (list(mean["y"]), mean["name"], mean["showlegend"]) == ([3, 2], "none", True)
    assert not band["showlegend"]


def test_a_heat_map_arrives():
    figure = HeatMap("T", "run", "run", ["0", "1"], ["a"], [[math.nan, 0.25]], PD)
    (cells,) = traces(figure, type="heatmap")
    assert [list(row) for row in cells["z"]] == [[None, 0.25]]
    assert [list(row) for row in cells["hovertext"]] == [["a, 0: nan%", "a, 1: 25%"]]
    assert cells["hoverongaps"] is False
    assert cells["colorbar"]["title"]["text"] == "PD"
    assert layout(figure)["xaxis"]["ticktext"] == ["0", "1"]


def test_the_note_is_below_the_title():
    title = layout(Boxes("T", PD, {"none": [1, math.nan]}))["title"]["text"]
    assert title == ('T<br><span style="font-size:11px">1 of 2 values is NaN and left out</span>')


def test_the_default_template_of_the_session_does_not_matter(monkeypatch):
    figure = Boxes("T", PD, {"none": [1]})
    usual = to_plotly(figure).to_json()
    monkeypatch.setattr(plotly.io.templates, "default", "plotly_dark")
    assert to_plotly(figure).to_json() == usual


HOSTILE = "<b>x</b><script>alert(1)</script> $x^2$ &amp; %{x}\n\u202e"
PLAIN = (
    "&lt;b&gt;x&lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt; &#36;x^2&#36; "
    "&amp;amp; &#37;{x} \\u202e"
)


@pytest.mark.parametrize(
    "figure",
    [
        Boxes(HOSTILE, Axis(HOSTILE), {HOSTILE: {HOSTILE: [1, 2]}}, x=HOSTILE),
        Points(
            HOSTILE,
            Axis(HOSTILE),
            Axis(HOSTILE),
            {HOSTILE: [Point(Estimate(1), Estimate(2), HOSTILE)]},
            ReferenceLine(HOSTILE, (0, 0), (1, 1)),
        ),
        Forest(HOSTILE, Axis(HOSTILE), [Row(HOSTILE, Estimate(1), HOSTILE)]),
        Curves(HOSTILE, Axis(HOSTILE), Axis(HOSTILE), {HOSTILE: [[1, 2]], f"{HOSTILE}2": [[1]]}),
        HeatMap(HOSTILE, HOSTILE, HOSTILE, [HOSTILE], [HOSTILE], [[1]], Axis(HOSTILE)),
    ],
    ids=lambda figure: type(figure).__name__,
)
def test_hostile_text_is_text(figure):
    def texts(node):
        if isinstance(node, str):
            yield node
        elif isinstance(node, (dict, list, tuple)):
            for child in node.values() if isinstance(node, dict) else node:
                yield from texts(child)

    drawn = json.loads(to_plotly(figure).to_json())
    hostile = [text for text in texts(drawn) if "alert" in text]
    assert len(hostile) >= 5
    for text in hostile:
        joined = text.replace("<br>", "")
        assert "<" not in joined
        assert "$" not in joined
        assert "%{" not in joined
        assert "\u202e" not in joined
        assert "&lt;script&gt;" in joined
    assert "<script>alert" not in to_plotly(figure).to_html(include_plotlyjs=False)


def test_lines_stay_and_all_else_is_escaped():
    assert plain(HOSTILE.replace("\n\u202e", "\n")) == PLAIN.replace(" \\u202e", "<br>")


def test_it_is_plotlys_own_figure():
    assert isinstance(to_plotly(Boxes("T", PD, {"none": [1]})), go.Figure)


def test_a_mark_that_is_not_known_is_an_error_of_ours(monkeypatch):
    figure = Boxes("T", PD, {"none": [1]})
    drawing = figure.drawing(str)
    odd = Drawing("", "", drawing.x, drawing.y, ("odd",), 100, 100)
    monkeypatch.setattr(Boxes, "drawing", lambda self, spell: odd)
    with pytest.raises(NotImplementedError, match="odd"):
        to_plotly(figure)
