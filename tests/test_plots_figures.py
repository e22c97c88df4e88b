"""Figures as data: what they take, what they refuse, and the marks they come down to."""

import math
from itertools import pairwise

import numpy as np
import pytest

from pytest_reprotest.errors import DataError, OptionError
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
)
from pytest_reprotest.report.plots.drawing import Band, BoxRow, Cells, Curve, Dots, Line
from pytest_reprotest.report.plots.lettering import clean, fold, n_lines, widest, width
from pytest_reprotest.report.plots.palette import MOST, signs
from pytest_reprotest.statistics import Estimate

PD = Axis("PD", "percent")
NAN = math.nan
DIAGONAL = ReferenceLine("PD = error", (0, 0), (1, 1))


def marks(figure, kind):
    return [mark for mark in figure.drawing(clean).marks if isinstance(mark, kind)]


def points(*values):
    return [Point(Estimate(x), Estimate(y)) for x, y in values]


class TestBoxes:
    def test_quartiles_whiskers_and_all_values(self):
        figure = Boxes("", Axis("n"), {"none": [1, 2, 3, 4, 100]})
        (box,) = marks(figure, BoxRow)[0].boxes
        assert (box.low, box.q1, box.median, box.q3, box.high) == (1, 2, 3, 4, 4)
        dots = marks(figure, Dots)[0].dots
        assert [dot.y for dot in dots] == [1, 2, 3, 4, 100]
        assert dots[4].hover == "none: 100"

    def test_all_that_holds_numbers_holds_values(self):
        figure = Boxes("", PD, {"a": np.array([0.5], np.float32), "b": (1, 0)})
        assert figure.groups == {"a": (0.5,), "b": (1.0, 0.0)}

    def test_values_are_copied(self):
        values = [0.5]
        figure = Boxes("", PD, {"a": values})
        values.append(0.7)
        assert figure == Boxes("", PD, {"a": [0.5]})

    def test_series_lie_side_by_side_in_the_order_they_are_first_seen(self):
        groups = {"none": {"MLP": [0.1]}, "dropout": {"CNN": [0.2], "MLP": [0.3]}}
        figure = Boxes("", PD, groups)
        assert figure.series == ["MLP", "CNN"]
        assert figure.groups == {"none": {"MLP": (0.1,)}, "dropout": {"CNN": (0.2,), "MLP": (0.3,)}}
        mlp, cnn = marks(figure, BoxRow)
        assert [round(box.x) for box in mlp.boxes] == [0, 1]
        assert [round(box.x) for box in cnn.boxes] == [1]
        box, beside = mlp.boxes[1], cnn.boxes[0]
        assert box.x + box.width / 2 < beside.x - beside.width / 2
        assert marks(figure, Dots)[1].dots[0].hover == "dropout, CNN: 20%"

    def test_points_keep_to_their_box(self):
        figure = Boxes("", PD, {"none": list(range(200))})
        (box,) = marks(figure, BoxRow)[0].boxes
        places = [dot.x for dot in marks(figure, Dots)[0].dots]
        assert max(map(abs, places)) < box.width / 2
        assert len(set(places)) == 200

    def test_it_grows_with_the_number_of_groups(self):
        few = Boxes("", PD, {str(number): [0.1] for number in range(3)}).drawing(clean)
        many = Boxes("", PD, {str(number): [0.1] for number in range(30)}).drawing(clean)
        assert many.width > 5 * few.width
        assert many.height == few.height

    def test_nan_is_left_out_and_the_figure_says_so(self):
        figure = Boxes("", PD, {"none": [0.1, NAN], "dropout": [NAN]})
        assert [dot.y for dot in marks(figure, Dots)[0].dots] == [0.1]
        drawing = figure.drawing(clean)
        assert drawing.note == "2 of 3 values are NaN and left out"
        assert [text for _, text in drawing.x.ticks] == ["none"]

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ({}, "there is nothing to draw in the figure 'T': it has no values"),
            ({"none": []}, "there is nothing to draw in the figure 'T': it has no values"),
            (
                {"none": [NAN, NAN]},
                "there is nothing to draw in the figure 'T': all of its values (2) are NaN",
            ),
            (
                {"none": [math.inf]},
                "one of the values of 'none' is inf, which cannot be drawn; pass NaN to leave it out",
            ),
            ({"a": {"b": [-1e300]}}, "one of the values of 'a b' is -1e+300, which cannot be drawn; pass NaN to leave it out"),
            ({"none": ["0.1"]}, "the values of 'none' are ['0.1']; expected a sequence of numbers"),
            ({"none": [True]}, "the values of 'none' are [True]; expected a sequence of numbers"),
            ({"none": 0.1}, "the values of 'none' are 0.1; expected a sequence of numbers"),
            ({"none": [[1], [1, 2]]}, "the values of 'none' are [[1], [1, 2]]; expected a sequence of numbers"),
            ({3: [0.1]}, "the name of a group is 3; expected a str"),
            ({" ": [0.1]}, "the name of a group is empty; give it a name"),
            ({"a": {"": [0.1]}}, "the name of a series of 'a' is empty; give it a name"),
            ({"x" * 2000: [1]}, f"the name of a group has 2000 characters, '{'x' * 40}'...; expected at most 1000"),
            ([0.1], "the groups are [0.1]; expected a mapping of names to values"),
            (
                {"none": [0.1], "dropout": {"MLP": [0.1]}},
                "some groups of the figure 'T' have series and others do not; expected values for each group, or a mapping for each",
            ),
            (
                {"none": {str(n): [0.1] for n in range(MOST + 1)}},
                "64 series cannot be told apart in one figure; expected at most 63. Draw several figures",
            ),
        ],
    )  # fmt: skip
    def test_what_cannot_be_drawn_is_refused(self, groups, message):
        with pytest.raises(DataError) as caught:
            Boxes("T", PD, groups)
        assert str(caught.value) == message


class TestPoints:
    def test_points_have_intervals_and_tell_of_themselves(self):
        point = Point(Estimate(0.05, 0.04, 0.06), Estimate(0.02), "10 runs")
        figure = Points("", Axis("error", "percent"), PD, {"none": [point]})
        (dot,) = marks(figure, Dots)[0].dots
        assert (dot.x, dot.y, dot.x_interval, dot.y_interval) == (0.05, 0.02, (0.04, 0.06), None)
        assert dot.hover == "none\nerror: 5% [4%, 6%]\nPD: 2%\n10 runs"

    def test_an_unknown_end_is_the_point_itself(self):
        figure = Points("", PD, PD, {"a": [Point(Estimate(0.5, NAN, 0.6), Estimate(1, 0.9))]})
        (dot,) = marks(figure, Dots)[0].dots
        assert (dot.x_interval, dot.y_interval) == ((0.5, 0.6), (0.9, 1))

    def test_the_frame_holds_all_intervals(self):
        figure = Points("", Axis(), Axis(), {"a": [Point(Estimate(5, -2, 9), Estimate(0, 1, 2))]})
        drawing = figure.drawing(clean)
        assert drawing.x.span[0] < -2 < 9 < drawing.x.span[1]
        assert drawing.y.span[0] <= 0 < 2 < drawing.y.span[1]

    def test_the_line_reaches_from_edge_to_edge(self):
        figure = Points("", Axis(), Axis(), {"a": points((2, 1), (4, 5))}, DIAGONAL)
        (line,) = marks(figure, Line)
        x, y = figure.drawing(clean).x.span, figure.drawing(clean).y.span
        assert line.name == "PD = error"
        assert line.start == pytest.approx((max(x[0], y[0]),) * 2)
        assert line.end == pytest.approx((min(x[1], y[1]),) * 2)

    @pytest.mark.parametrize(
        ("start", "end"),
        [((0, 0), (1, 1)), ((0, 20), (1, 20)), ((-5, 0), (-5, 1))],
        ids=["aslant", "level", "upright"],
    )
    def test_the_frame_reaches_a_line_that_would_pass_by(self, start, end):
        line = ReferenceLine("far away", start, end)
        assert line.within((1, 2), (10, 11)) is None
        figure = Points("", Axis(), Axis(), {"a": points((1, 10), (2, 11))}, line)
        assert len(marks(figure, Line)) == 1

    def test_points_without_a_place_are_left_out(self):
        figure = Points("", PD, PD, {"a": points((NAN, 1), (1, 1)), "b": points((1, NAN))})
        assert [mark.name for mark in marks(figure, Dots)] == ["a"]
        assert figure.drawing(clean).note == "2 of 3 values are NaN and left out"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Points("T", PD, PD, {}), "there is nothing to draw in the figure 'T': it has no values"),
            (lambda: Points("T", PD, PD, [1]), "the series are [1]; expected a mapping of str to points"),
            (lambda: Points("T", PD, PD, {"a": [(1, 2)]}), "(1, 2) in series 'a' is no Point(x, y)"),
            (lambda: Points("T", PD, PD, {"": points((1, 2))}), "the name of a series is empty; give it a name"),
            (lambda: Point(0.5, Estimate(1)), "x of a point is 0.5; expected an Estimate(value, low, high)"),
            (lambda: Point(Estimate(0), Estimate(1, 2, 0)), "the interval of y of a point ends at 0.0, below its start at 2.0"),
            (lambda: Point(Estimate(0), Estimate(1, 0, math.inf)), "one of the ends of y of a point is inf, which cannot be drawn; pass NaN to leave it out"),
            (lambda: ReferenceLine("L", (1, 1), (1, 1)), "the line 'L' goes through (1, 1) and (1, 1); expected two different points (x, y)"),
            (lambda: ReferenceLine("L", (1, 1), (NAN, 1)), "the line 'L' goes through (1, 1) and (nan, 1); expected two different points (x, y)"),
            (lambda: ReferenceLine("L", (1,), (2,)), "the line 'L' goes through (1,) and (2,); expected two different points (x, y)"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_drawn_is_refused(self, make, message):
        with pytest.raises(DataError) as caught:
            make()
        assert str(caught.value) == message


class TestForest:
    def test_rows_go_from_the_top_down_in_their_groups_colours(self):
        rows = [Row("a", Estimate(1, 0, 2), "MLP"), Row("b", Estimate(3), "CNN"), Row("c", Estimate(4), "MLP")]  # fmt: skip
        figure = Forest("", Axis("change"), rows)
        places = {text: place for place, text in figure.drawing(clean).y.ticks}
        assert 0 > places["a"] > places["b"] > places["c"]
        mlp, cnn = marks(figure, Dots)
        assert [(dot.x, dot.y) for dot in mlp.dots] == [(1, places["a"]), (4, places["c"])]
        assert [(dot.x, dot.y, dot.hover) for dot in cnn.dots] == [(3, places["b"], "b, CNN: 3")]
        assert mlp.dots[0].x_interval == (0, 2)
        assert mlp.sign != cnn.sign

    def test_the_line_at_zero_is_in_the_frame_unless_there_is_none(self):
        rows = [Row("a", Estimate(5)), Row("b", Estimate(6))]
        assert marks(Forest("", Axis(), rows), Line)[0].start[0] == 0
        assert Forest("", Axis(), rows).drawing(clean).x.span[0] <= 0
        assert marks(Forest("", Axis(), rows, zero=None), Line) == []
        assert Forest("", Axis(), rows, zero=None).drawing(clean).x.span[0] > 4

    def test_it_grows_with_rows_and_with_their_labels(self):
        def height(labels):
            return (
                Forest("", PD, [Row(label, Estimate(1)) for label in labels]).drawing(clean).height
            )

        assert height(["a"] * 40) - height(["a"] * 20) == 20 * 26
        assert height(["a"] * 19 + ["long " * 50]) > height(["a"] * 20) + 100

    def test_rows_of_nan_are_left_out(self):
        figure = Forest("", PD, iter([Row("a", Estimate(NAN)), Row("b", Estimate(1))]))
        assert [text for _, text in figure.drawing(clean).y.ticks] == ["b"]
        assert figure.drawing(clean).note == "1 of 2 values is NaN and left out"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Forest("T", PD, []), "there is nothing to draw in the figure 'T': it has no values"),
            (lambda: Forest("T", PD, [3]), "3 is no Row(label, estimate)"),
            (lambda: Row("", Estimate(1)), "the label of a row is empty; give it a name"),
            (lambda: Row("a", 1), "the estimate of 'a' is 1; expected an Estimate(value, low, high)"),
            (lambda: Row("a", Estimate(1), None), "the group of 'a' is None; expected a str"),
            (
                lambda: Forest("T", PD, [Row("a", Estimate(1))], zero=NAN),
                "the line of a forest is at NaN; expected a number, or None for no line",
            ),
        ],
    )  # fmt: skip
    def test_what_cannot_be_drawn_is_refused(self, make, message):
        with pytest.raises(DataError) as caught:
            make()
        assert str(caught.value) == message


class TestCurves:
    def test_runs_are_thin_their_mean_is_thick_and_the_band_holds_them(self):
        figure = Curves("", Axis("epoch"), Axis("loss"), {"none": [[4, 2, 1], [2, 1], [3, NAN]]})
        *thin, mean = marks(figure, Curve)
        assert [(curve.x, curve.faint, curve.name) for curve in thin[:2]] == [
            ([1, 2, 3], True, ""),
            ([1, 2], True, ""),
        ]
        assert (mean.y, mean.faint, mean.name) == ([3, 1.5, 1], False, "none")
        (band,) = marks(figure, Band)
        assert (list(band.x), band.low, band.high) == ([1, 2], [2, 1], [4, 2])
        assert figure.drawing(clean).note == "1 of 7 values is NaN and left out"
        assert figure.drawing(clean).x.span == (1, 3)

    def test_a_curve_of_one_step_is_a_point(self):
        figure = Curves("", Axis("epoch"), PD, {"none": [[0.5]], "adam": [[NAN]]})
        (dots,) = marks(figure, Dots)
        assert [(dot.x, dot.y, dot.hover) for dot in dots.dots] == [(1, 0.5, "none: 50%")]
        assert marks(figure, Band) == []
        assert figure.drawing(clean).x.span == (0.5, 1.5)

    @pytest.mark.parametrize(
        ("series", "message"),
        [
            ([], "the series are []; expected a mapping of str to runs"),
            ({"": [[1]]}, "the name of a series is empty; give it a name"),
            ({"a": [[NAN]]}, "there is nothing to draw in the figure 'T': all of its values (1) are NaN"),
            ({"a": [["x"]]}, "the values of 'a' are ['x']; expected a sequence of numbers"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_drawn_is_refused(self, series, message):
        with pytest.raises(DataError) as caught:
            Curves("T", Axis(), Axis(), series)
        assert str(caught.value) == message


class TestHeatMap:
    def test_rows_go_down_and_every_cell_tells_of_itself(self):
        figure = HeatMap("", "run", "net", ["0", "1"], ["a", "b"], [[NAN, 0.1], [0.2, 0.3]], PD)
        drawn = figure.drawing(clean)
        assert drawn.x.ticks == [(0, "0"), (1, "1")]
        assert drawn.y.ticks == [(0, "a"), (-1, "b")]
        (cells,) = marks(figure, Cells)
        assert cells.hovers[1] == ["b, 0: 20%", "b, 1: 30%"]
        assert cells.span == (0.1, 0.3)
        assert not drawn.named

    def test_names_across_that_have_no_room_are_left_out(self):
        names = [f"class {number}" for number in range(40)]
        figure = HeatMap("", "", "", names, ["a"], [list(range(40))], Axis())
        ticks = figure.drawing(clean).x.ticks
        assert 5 < len(ticks) < 20
        assert ticks[0] == (0, "class 0")

    def test_values_that_are_all_alike_have_a_scale(self):
        figure = HeatMap("", "", "", ["0"], ["a"], [[0.5]], PD)
        assert marks(figure, Cells)[0].span == (0.5, 0.51)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (
                lambda: HeatMap("T", "", "", ["0"], ["a"], [[1, 2]], PD),
                "the figure 'T' has 1 rows and 1 columns by name; expected as many values, got [2]",
            ),
            (
                lambda: HeatMap("T", "", "", [""], ["a"], [[1]], PD),
                "the name of a column or row is empty; give it a name",
            ),
            (
                lambda: HeatMap("T", "", "", ["0"], ["a"], [[NAN]], PD),
                "there is nothing to draw in the figure 'T': all of its values (1) are NaN",
            ),
        ],
    )
    def test_what_cannot_be_drawn_is_refused(self, make, message):
        with pytest.raises(DataError) as caught:
            make()
        assert str(caught.value) == message


class TestAxis:
    def test_an_unknown_format_is_refused(self):
        with pytest.raises(OptionError) as caught:
            Axis("PD", "percents")
        assert str(caught.value) == (
            "the format of an axis is 'percents'; expected 'plain' or 'percent'"
        )

    @pytest.mark.parametrize(
        ("axis", "values", "low", "high"),
        [
            (Axis(), [0, 1], -0.02, 1.06),
            (Axis("", "percent"), [0, 1], -0.02, 1.02),
            (Axis(), [-1, 1], -1.12, 1.12),
            (Axis(), [5, 5], 4.97, 5.03),
            (Axis(), [0], -0.0002, 0.0006),
        ],
        ids=["from zero", "a fraction", "about zero", "one value", "zero alone"],
    )
    def test_it_spans_the_values_with_a_little_room(self, axis, values, low, high):
        assert axis.scale(values, clean).span == pytest.approx((low, high))


class TestLettering:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("two\nlines\tand  more ", "two lines and more"),
            ("a\u202eb\u200f", "a\\u202eb\\u200f"),
            ("\x00\x7f\x85b", "\\x00\\x7f b"),
            ("\ud800", "\\ud800"),
            ("<b>$x^2$</b>", "<b>$x^2$</b>"),
        ],
    )
    def test_what_is_not_seen_is_spelled(self, text, shown):
        assert clean(text) == shown

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("weight_decay", ["weight_", "decay"]),
            ("a b", ["a b"]),
            ("", [""]),
            ("MMMMMMMMMMMM", ["MMMMM", "MMMMM", "MM"]),
            ("MMMM MMMM", ["MMMM", "MMMM"]),
        ],
    )
    def test_lines_are_as_wide_as_there_is_room(self, text, lines):
        assert fold(text, 5).split("\n") == lines
        assert widest(fold(text, 5)) <= 5

    def test_marks_on_letters_take_no_room(self):
        assert width("e\u0301") == width("e")
        assert width("日") > width("e")

    def test_no_text_takes_no_line(self):
        assert [n_lines(text) for text in ("", "a", "a\nb")] == [0, 1, 2]


def test_signs_differ_in_colour_and_shape_for_as_many_as_may_be():
    found = list(signs(map(str, range(MOST))).values())
    assert len(set(found)) == MOST
    assert all(one.colour != other.colour for one, other in pairwise(found))
    assert all(one.plotly != other.plotly for one, other in pairwise(found))
    assert len({(sign.plotly, sign.matplotlib) for sign in found}) == 9


# --- as tables ----------------------------------------------------------------------------------


def test_the_numbers_of_boxes():
    told = Boxes("", PD, {"none": [0.01, 0.02, 0.05, math.nan], "adam": [0.5] * 31}, "net").tabulated()  # fmt: skip
    assert told.headings == ("net", "values", "lowest", "lower quartile", "median", "upper quartile", "highest", "each")  # fmt: skip
    assert told.rows == (
        ("none", "3", "1%", "1.5%", "2%", "3.5%", "5%", "1%, 2%, 5%"),
        ("adam", "31", *["50%"] * 5, ""),
    )
    several = Boxes("", PD, {"none": {"MLP": [0.01], "CNN": [0.02]}}).tabulated()
    assert several.headings[:3] == ("group", "series", "values")
    assert [row[:3] for row in several.rows] == [("none", "MLP", "1"), ("none", "CNN", "1")]


def test_the_numbers_of_points_and_forests():
    point = Point(Estimate(0.1), Estimate(0.2, 0.15, 0.25), "5 runs")
    told = Points("", Axis("error", "percent"), PD, {"none": [point]}).tabulated()
    assert told.rows == (("none", "10%", "20% [15%, 25%]", "5 runs"),)
    rows = [Row("adam", Estimate(0.1, 0.05, 0.15)), Row("none", Estimate(math.nan))]
    assert Forest("", PD, rows).tabulated().rows == (("adam", "10% [5%, 15%]"),)
    grouped = Forest("", PD, [Row("adam", Estimate(0.1), "MLP")]).tabulated()
    assert (grouped.headings[1], grouped.rows) == ("group", (("adam", "MLP", "10%"),))


def test_the_numbers_of_curves_and_heat_maps():
    runs = [[0.9, 0.4, math.nan], [0.7, 0.6]]
    told = Curves("", Axis("epoch"), Axis("loss"), {"none": runs}).tabulated()
    assert told.headings == ("epoch", "loss", "mean", "lowest", "highest")
    assert told.rows == (("1", "none", "0.8", "0.7", "0.9"), ("2", "none", "0.5", "0.4", "0.6"))
    long = Curves("", Axis("epoch"), Axis("loss"), {"none": [list(range(1, 1001))]}).tabulated()
    assert len(long.rows) == 101
    assert [row[0] for row in long.rows[-2:]] == ["991", "1000"]
    cells = HeatMap("", "run", "class", ["0", "1"], ["a"], [[0.5, math.nan]], PD).tabulated()
    assert (cells.headings, cells.rows) == (("class \\ run", "0", "1"), (("a", "50%", ""),))
