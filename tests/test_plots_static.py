"""What arrives in files: data, whole text, and the same bytes each time."""

import hashlib
import io
import math
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from PIL import Image

from pytest_reprotest.errors import OptionError
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
    static,
)
from pytest_reprotest.report.plots.drawing import Drawing
from pytest_reprotest.statistics import Estimate

PD = Axis("prediction difference", "percent")
LONG = "examples/test_digits_mlp.py::test_digits_mlp[batch_norm+weight_decay(0.001)] "
HOSTILE = "<b>x</b><script>alert(1)</script> $x^2$ $\\frac{ &amp; --> \n\u202e\u200f 日本 _"
BOXES = Boxes("Digits", PD, {"none": {"MLP": [0.1, 0.2]}, "dropout": {"MLP": [0.3], "CNN": [0.4]}})
POINTS = Points(
    "PD against error",
    Axis("error", "percent"),
    PD,
    {
        "none": [Point(Estimate(0.2, 0.1, 0.3), Estimate(0.1, 0.05, 0.2))],
        "dropout": [Point(Estimate(0.3), Estimate(0.2)), Point(Estimate(math.nan), Estimate(1))],
    },
    ReferenceLine("PD = error", (0, 0), (1, 1)),
)
FOREST = Forest("Change", PD, [Row("adam", Estimate(-0.1, -0.2, 0.1)), Row("_b", Estimate(0.2), "_c")])  # fmt: skip
CURVES = Curves("Loss", Axis("epoch"), Axis("loss"), {"none": [[3, 2, 1], [2, 1.5]], "adam": [[2]]})
HEATMAP = HeatMap("Pairs", "run", "run", ["0", "1"], ["0", "1"], [[math.nan, 0.1], [0.1, 0.3]], PD)
KINDS = pytest.mark.parametrize(
    "figure",
    [BOXES, POINTS, FOREST, CURVES, HEATMAP],
    ids=["boxes", "points", "forest", "curves", "heatmap"],
)


def canvas_of(figure):
    """matplotlib's figure, laid out."""
    with static._styled():
        canvas = static.drawn(figure.drawing(static._shown))
        FigureCanvasAgg(canvas).draw()
    return canvas


def spots(axes):
    return [
        tuple(map(float, spot))
        for found in axes.collections
        if isinstance(found, PathCollection)
        for spot in found.get_offsets()
    ]


def segments(axes):
    return [
        [tuple(map(float, end)) for end in segment]
        for found in axes.collections
        if isinstance(found, LineCollection)
        for segment in found.get_segments()
    ]


def texts(canvas):
    axes = canvas.axes[0]
    shown = [canvas._suptitle, axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        shown += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    shown += [text for legend in canvas.legends for text in legend.get_texts()]
    return [text for text in shown if text is not None and text.get_text()]


def test_boxes_arrive_with_all_their_points():
    canvas = canvas_of(BOXES)
    (axes,) = canvas.axes
    assert [y for _, y in spots(axes)] == [0.1, 0.2, 0.3, 0.4]
    medians = [line[0][1] for line in segments(axes)[1::6]]
    assert medians == pytest.approx([0.15, 0.3, 0.4])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["none", "dropout"]
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == ["MLP", "CNN"]


def test_points_arrive_with_their_intervals_and_the_line():
    canvas = canvas_of(POINTS)
    (axes,) = canvas.axes
    assert spots(axes) == [(0.2, 0.1), (0.3, 0.2)]
    assert segments(axes) == [[(0.1, 0.1), (0.3, 0.1)], [(0.2, 0.05), (0.2, 0.2)]]
    (line,) = axes.lines
    assert list(line.get_xdata()) == list(line.get_ydata())
    named = [text.get_text() for text in canvas.legends[0].get_texts()]
    assert named == ["PD = error", "none", "dropout"]
    assert axes.get_title(loc="left") == "1 of 3 values is NaN and left out"


def test_a_forest_arrives_and_names_may_start_with_an_underscore():
    canvas = canvas_of(FOREST)
    (axes,) = canvas.axes
    assert [x for x, _ in spots(axes)] == [-0.1, 0.2]
    assert [[x for x, _ in segment] for segment in segments(axes)] == [[-0.2, 0.1]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["adam", "_b"]
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == ["_c"]
    assert "−20%" in [text.get_text() for text in axes.get_xticklabels()]


@KINDS
def test_both_formats_have_the_size_of_the_drawing(figure):
    drawing = figure.drawing(str)
    image = Image.open(io.BytesIO(static.rendered(figure, "png")))
    assert image.size == (2 * drawing.width, 2 * drawing.height)
    root = ElementTree.fromstring(static.rendered(figure, "svg"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert float(root.get("width").removesuffix("pt")) == pytest.approx(0.72 * drawing.width)


PROGRAM = """
import hashlib
from pytest_reprotest.report.plots import Axis, Boxes, Forest, Point, Points, Row, static
from pytest_reprotest.statistics import Estimate
figures = [
    Boxes("B", Axis("PD", "percent"), {"none": {"MLP": [0.1, 0.2]}, "adam": {"CNN": [0.3]}}),
    Points("P", Axis("x"), Axis("y"), {"a": [Point(Estimate(1, 0, 2), Estimate(3))]}),
    Forest("F", Axis("x"), [Row("a", Estimate(1, 0, 2))]),
]
for figure in figures:
    for kind in ("svg", "png"):
        print(hashlib.sha256(static.rendered(figure, kind)).hexdigest())
import sys
assert "matplotlib.pyplot" not in sys.modules
"""


def test_two_processes_write_the_same_bytes():
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        environment.pop("DISPLAY", None)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) == 6


def test_the_users_style_does_not_matter_and_stays():
    usual = hashlib.sha256(static.rendered(FOREST, "svg")).hexdigest()
    own = {"font.size": 30, "svg.fonttype": "none", "axes.facecolor": "black", "figure.dpi": 40}
    with matplotlib.rc_context(own):
        assert hashlib.sha256(static.rendered(FOREST, "svg")).hexdigest() == usual
        assert {key: matplotlib.rcParams[key] for key in own} == own
    before = dict(dict.items(matplotlib.rcParams))
    static.rendered(BOXES, "png")
    assert dict(dict.items(matplotlib.rcParams)) == before


@pytest.mark.parametrize(
    "figure",
    [
        BOXES,
        POINTS,
        FOREST,
        Boxes(LONG * 3, Axis(LONG * 3), {LONG + str(n): {LONG: [n], "W" * 80: [n]} for n in range(4)}, x=LONG * 5),
        Boxes("", Axis(), {"W" * 40: [1], "i" * 200: [2], "x_y" * 30: [3]}),
        Points(LONG * 6, Axis(LONG * 4), Axis(LONG * 4), {LONG + str(n): [Point(Estimate(n), Estimate(n))] for n in range(25)}),
        Forest(LONG * 2, Axis(LONG * 4), [Row(LONG * n, Estimate(n), str(n)) for n in range(1, 12)]),
        Forest(HOSTILE, Axis(HOSTILE), [Row(HOSTILE, Estimate(1), HOSTILE), Row("M" * 900, Estimate(0))]),
        Boxes(HOSTILE, Axis(HOSTILE), {HOSTILE: {HOSTILE: [1]}}, x=HOSTILE),
    ],
    ids=["boxes", "points", "forest", "long boxes", "wide names", "many points", "long rows", "hostile forest", "hostile boxes"],
)  # fmt: skip
def test_no_text_is_cut_off_or_lies_on_another(figure):
    canvas = canvas_of(figure)
    whole = canvas.bbox
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(canvas)]
    for text, box in boxes:
        assert box.x0 >= whole.x0 - 0.5, text
        assert box.x1 <= whole.x1 + 0.5, text
        assert box.y0 >= whole.y0 - 0.5, text
        assert box.y1 <= whole.y1 + 0.5, text
    for number, (text, box) in enumerate(boxes):
        for other_text, other in boxes[:number]:
            over_x = min(box.x1, other.x1) - max(box.x0, other.x0)
            over_y = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(over_x, over_y) < 1, (text, other_text)
    area = canvas.axes[0].bbox
    assert area.width > 200
    assert area.height > 60


def test_hostile_text_is_text():
    figure = Forest(HOSTILE, Axis(HOSTILE), [Row(HOSTILE, Estimate(1), HOSTILE)])
    shown = (
        "<b>x</b><script>alert(1)</script> $x^2$ $\\frac{ &amp; --> \\u202e\\u200f \\u65e5\\u672c _"
    )
    found = [
        text.get_text().replace("\n", "").replace(" ", "")
        for text in texts(canvas_of(figure))
        if "alert" in text.get_text()
    ]
    assert found == [shown.replace(" ", "")] * 4
    root = ElementTree.fromstring(static.rendered(figure, "svg"))
    assert not [node for node in root.iter() if node.tag.endswith("script")]


def test_a_picture_that_is_too_long_is_refused():
    figure = Boxes("T", PD, {str(number): [1] for number in range(400)})
    with pytest.raises(OptionError) as caught:
        static.rendered(figure, "png")
    assert str(caught.value) == (
        f"the figure would be {2 * figure.drawing(str).width} pixels long, a PNG takes less than "
        "65536; save it as .svg, or draw several figures"
    )


def test_a_mark_that_is_not_known_is_an_error_of_ours():
    drawing = BOXES.drawing(str)
    with pytest.raises(NotImplementedError, match="odd"):
        static.drawn(Drawing("", "", drawing.x, drawing.y, ("odd",), 100, 100))
