"""What happens in the page: one way, from the address and the folder to what is shown."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update
from dash.development.base_component import Component

from pytest_reprotest.dashboard import overview, panes
from pytest_reprotest.dashboard.address import filter_in, pair_in
from pytest_reprotest.dashboard.chosen import by_series, chosen, regularizers_of, titles_of
from pytest_reprotest.dashboard.elements import text
from pytest_reprotest.dashboard.entries import Entry
from pytest_reprotest.dashboard.figures import (
    coloured,
    difference_over_time,
    drawn,
    effective_over_time,
    when,
)
from pytest_reprotest.dashboard.index import Index, Snapshot
from pytest_reprotest.dashboard.layout import SECONDS, options
from pytest_reprotest.dashboard.opened import Opened, beside
from pytest_reprotest.errors import ReprotestError

MOST_OPTIONS = 500
"""Results that a control offers."""


def register(app: Dash, index: Index, opened: Opened) -> None:
    """Connect the page with a folder."""
    _in_the_browser(app)
    _of_the_folder(app, index)
    _of_the_overview(app, index)
    _of_one_result(app, index, opened)


def _in_the_browser(app: Dash) -> None:
    """The address is what is asked for: controls and clicks change it, and it changes the rest."""
    told = [Input(name, "value") for name in ("test", "regularizer", "verdict", "period")]
    told += [Input("open", "value"), Input("beside", "value")]
    app.clientside_callback(
        ClientsideFunction("reprotest", "asked"),
        Output("nowhere", "title"),
        *told,
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("reprotest", "clicked"),
        Output("nowhere", "lang"),
        Input("effective", "clickData"),
        Input("difference", "clickData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("reprotest", "read"),
        Output("filters", "data"),
        Output("opened", "data"),
        Input("address", "search"),
        State("filters", "data"),
        State("opened", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("reprotest", "scheme"),
        Output("scheme", "data"),
        Input("nowhere", "id"),
    )
    app.clientside_callback(
        ClientsideFunction("reprotest", "reveal"),
        Output("nowhere", "className"),
        Input("opened-body", "children"),
        State("opened", "data"),
        prevent_initial_call=True,
    )


def _of_the_folder(app: Dash, index: Index) -> None:
    @app.callback(
        Output("state", "data"),
        Output("status", "children"),
        Output("empty", "children"),
        Output("refused-title", "children"),
        Output("refused", "children"),
        Output("refused-files", "hidden"),
        Input("clock", "n_intervals"),
        State("state", "data"),
    )
    def looked(_: Any, state: Any) -> Any:
        snapshot = index.refresh(SECONDS / 2)
        if state == snapshot.state:
            return (no_update,) * 6
        if snapshot.waiting and state is not None:  # figures are drawn again once all is read
            return (no_update, overview.status(snapshot, index.folder), *(no_update,) * 4)
        title, told = overview.refused(snapshot)
        return (
            snapshot.state,
            overview.status(snapshot, index.folder),
            overview.empty(snapshot, index.folder),
            title,
            told,
            not snapshot.refused,
        )


def _of_the_overview(app: Dash, index: Index) -> None:
    @app.callback(
        Output("test", "options"),
        Output("test", "value"),
        Output("regularizer", "options"),
        Output("regularizer", "value"),
        Output("verdict", "value"),
        Output("period", "value"),
        Input("filters", "data"),
        Input("state", "data"),
        prevent_initial_call=True,
    )
    def controls(asked: Any, _: Any) -> Any:
        wanted, entries = filter_in(asked), index.snapshot.entries
        # what is asked for is offered, though it may not be read yet: a control drops what it does not know
        tests = dict.fromkeys([*titles_of(entries), *wanted.tests])
        labels = dict.fromkeys([*regularizers_of(entries), *wanted.regularizers])
        return (
            options([(text(name), name) for name in tests]),
            list(wanted.tests),
            options([(text(name), name) for name in labels]),
            list(wanted.regularizers),
            list(wanted.verdicts),
            wanted.period or None,
        )

    @app.callback(
        Output("effective", "figure"),
        Output("difference", "figure"),
        Output("note", "children"),
        Output("legend", "children"),
        Output("newest", "children"),
        Output("overview", "hidden"),
        Input("filters", "data"),
        Input("state", "data"),
        Input("scheme", "data"),
        prevent_initial_call=True,
    )
    def shown(asked: Any, _: Any, scheme: Any) -> Any:
        everything, wanted, colours = index.snapshot.entries, filter_in(asked), _scheme(scheme)
        found = chosen(everything, wanted)
        visible = drawn(found, everything)
        return (
            coloured(effective_over_time(visible), **colours),
            coloured(difference_over_time(visible), **colours),
            visible.note,
            overview.legend(visible),
            overview.newest(found, wanted, by_series(everything)),
            not everything,
        )


def _of_one_result(app: Dash, index: Index, opened: Opened) -> None:
    @app.callback(
        Output("open", "options"),
        Output("open", "value"),
        Output("beside", "options"),
        Output("beside", "value"),
        Output("opened-result", "hidden"),
        Input("opened", "data"),
        Input("state", "data"),
        prevent_initial_call=True,
    )
    def picks(asked: Any, _: Any) -> Any:
        pair, snapshot = pair_in(asked), index.snapshot
        entry = snapshot.by_key.get(pair.open)
        if entry is None:
            return [], None, [], None, not pair.open
        same = [each for each in snapshot.entries[::-1] if each.series == entry.series]
        others = [each for each in snapshot.entries[::-1] if each.series != entry.series]
        others.sort(key=lambda each: each.series.test != entry.series.test)
        second = snapshot.by_key.get(pair.beside)
        return (
            _offered(same, entry, entry),
            entry.key,
            _offered([each for each in (*same, *others) if each != entry], second, entry),
            None if second is None else second.key,
            False,
        )

    @app.callback(
        Output("opened-body", "children"),
        Output("shown", "data"),
        Input("opened", "data"),
        Input("scheme", "data"),
        Input("state", "data"),
        State("filters", "data"),
        State("shown", "data"),
        prevent_initial_call=True,
    )
    def body(asked: Any, scheme: Any, _: Any, filters: Any, before: Any) -> Any:
        pair, snapshot, colours = pair_in(asked), index.snapshot, _scheme(scheme)
        first, second = (snapshot.by_key.get(key) for key in pair)
        series = [] if first is None else _series(snapshot, first)
        stamps = [snapshot.stamps.get(each.file) for each in (first, second) if each is not None]
        mark = [list(pair), colours, stamps, [each.key for each in series], str(filters)]
        told = str(mark)  # what was shown stays, where the folder changed elsewhere
        if told == before:
            return no_update, no_update
        if first is None:
            gone = "This result is not in the folder, or not any more." if pair.open else ""
            return ([] if not gone else [gone]), told
        return _body(first, second, series, opened, colours, filters), told


def _body(
    first: Entry,
    second: Entry | None,
    series: list[Entry],
    opened: Opened,
    colours: dict[str, bool],
    filters: Any,
) -> list[Component | str]:
    asked = filter_in(filters)
    found: list[Component | str] = [
        *panes.head(first, series, asked, "" if second is None else second.key)
    ]
    try:
        if second is not None and second.key != first.key:
            old, new = sorted((first, second), key=lambda entry: entry.written)
            sides = beside(opened.alone(old), opened.alone(new))
            found.append(panes.side_by_side(old, new, sides, colours))
        found += panes.whole(opened.test(first), opened.alone(first), colours)
    except ReprotestError as error:
        found.append(f"This result can't be shown: {text(str(error))}")
    return found


def _series(snapshot: Snapshot, entry: Entry) -> list[Entry]:
    return [each for each in snapshot.entries if each.series == entry.series]


def _offered(entries: list[Entry], wanted: Entry | None, open_: Entry) -> list[dict[str, Any]]:
    kept = entries[:MOST_OPTIONS]
    if wanted is not None and wanted not in kept and wanted in entries:
        kept.append(wanted)
    return options([(_named(entry, open_), entry.key) for entry in kept])


def _named(entry: Entry, open_: Entry) -> str:
    """An entry in a control: of test and regularizer what is not that of the result that is open."""
    other = [name for name in entry.series[::-1] if name not in open_.series]
    parts = (when(entry.written), *other, entry.verdict, entry.file)
    return ", ".join(map(text, parts))


def _scheme(asked: Any) -> dict[str, bool]:
    given = asked if isinstance(asked, dict) else {}
    return {name: given.get(name) is True for name in ("dark", "narrow")}
