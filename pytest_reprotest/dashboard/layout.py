"""What the page is made of, before anything is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from pytest_reprotest.dashboard.chosen import PERIODS, VERDICTS
from pytest_reprotest.dashboard.elements import GRAPH, aria

SECONDS = 2
"""How often the folder is looked at."""

_EMPTY = {"data": [], "layout": {"height": 320}}


def layout() -> Component:
    """The page; callbacks fill it."""
    return html.Div(
        [
            dcc.Location(id="address", refresh=False),
            dcc.Interval(id="clock", interval=1000 * SECONDS),
            *(dcc.Store(id=name) for name in ("state", "scheme", "filters", "opened", "shown")),
            html.A("To the results", href="#newest", className="skip"),
            html.Header(
                [
                    html.H1("Reproducibility over time"),
                    html.P(id="status", role="status", className="caption"),
                ]
            ),
            html.Main([html.Div(id="empty"), _filters(), *_overview(), _opened(), _refused()]),
            html.Div(id="nowhere", hidden=True),
        ]
    )


def _filters() -> Component:
    return html.Form(
        [
            _pick("test", "Tests", "all tests"),
            _pick("regularizer", "Regularizers", "all regularizers"),
            _pick("verdict", "Verdicts", "all verdicts", VERDICTS),
            _field(
                "period",
                "Written in",
                dcc.Dropdown(
                    id="period",
                    options=[{"label": name, "value": key} for key, (name, _) in PERIODS.items()],
                    placeholder="any time",
                    searchable=False,
                ),
            ),
        ],
        id="filters-of-results",
        className="filters",
        **aria(label="Filters"),
    )


def _pick(name: str, title: str, everything: str, options: Sequence[str] = ()) -> Component:
    return _field(
        name,
        title,
        dcc.Dropdown(id=name, options=list(options), multi=True, placeholder=everything),
    )


def _field(name: str, title: str, control: Component) -> Component:
    # the control is named by its value: what it is about is the name of the group
    return html.Div(
        [html.Label(title, htmlFor=name, id=f"{name}-label"), control],
        role="group",
        **aria(labelledby=f"{name}-label"),
    )


def _overview() -> list[Component]:
    return [
        html.Div(
            [
                html.Section(
                    [
                        html.H2("Over time"),
                        html.P(
                            [
                                "Each point is the result of one file at the time the file was written, "
                                "with its 95% interval over runs. A ring marks a verdict that is no pass. "
                                "Click a point to open its result. Drag over a part to see it larger, and "
                                "click twice to see all again."
                            ],
                            className="caption",
                        ),
                        html.P(id="note", className="caption"),
                        html.Div(id="legend", className="legend"),
                        html.Div(
                            [
                                _figure(
                                    "effective",
                                    "Effective Test Accuracy",
                                    "accuracy - PD; higher is better",
                                ),
                                _figure(
                                    "difference",
                                    "Prediction difference",
                                    "test samples on which two runs differ; lower is better",
                                ),
                            ],
                            className="beside",
                        ),
                    ]
                ),
                html.Section(
                    [
                        html.H2("Newest verdicts"),
                        html.P(
                            "The newest result of each test and regularizer that the filters admit. "
                            "Change is that of PD since the result before, whatever changed with it.",
                            className="caption",
                        ),
                        html.Div(id="newest", tabIndex=-1),
                    ]
                ),
            ],
            id="overview",
        )
    ]


def _figure(name: str, title: str, caption: str) -> Component:
    return html.Figure(
        [
            html.Figcaption([html.Strong(title), f": {caption}"]),
            html.Div(
                dcc.Graph(id=name, figure=_EMPTY, config=GRAPH, style={"height": "320px"}),
                role="img",
                **aria(label=f"{title} over time; its numbers are in the table below"),
            ),
        ]
    )


def _opened() -> Component:
    return html.Section(
        [
            html.H2("One result", id="opened-title", tabIndex=-1),
            html.Div(
                [
                    _field(
                        "open",
                        "Result",
                        dcc.Dropdown(id="open", placeholder="none", clearable=True),
                    ),
                    _field(
                        "beside",
                        "Side by side with",
                        dcc.Dropdown(id="beside", placeholder="none", clearable=True),
                    ),
                ],
                className="filters",
            ),
            html.Div(id="opened-body"),
        ],
        id="opened-result",
        hidden=True,
    )


def _refused() -> Component:
    return html.Details(
        [html.Summary(id="refused-title"), html.Div(id="refused")],
        id="refused-files",
        hidden=True,
    )


def options(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The options of a control: what each is called, and its value."""
    return [{"label": name, "value": value, "search": name} for name, value in pairs]
