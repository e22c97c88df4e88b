"""Figures as data, and two renderers that draw them: Plotly for pages, matplotlib for files.

Neither library is imported before a figure is drawn: ``pip install 'pytest-reprotest[report]'``.
"""

from pytest_reprotest.report.plots.boxes import Boxes
from pytest_reprotest.report.plots.curves import Curves
from pytest_reprotest.report.plots.figure import Axis, Figure
from pytest_reprotest.report.plots.forest import Forest, Row
from pytest_reprotest.report.plots.heatmap import HeatMap
from pytest_reprotest.report.plots.output import check_installed, plotly_js, save, to_plotly
from pytest_reprotest.report.plots.points import Point, Points, ReferenceLine

__all__ = [
    "Axis",
    "Boxes",
    "Curves",
    "Figure",
    "Forest",
    "HeatMap",
    "Point",
    "Points",
    "ReferenceLine",
    "Row",
    "check_installed",
    "plotly_js",
    "save",
    "to_plotly",
]
