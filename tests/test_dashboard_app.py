"""The dashboard as a browser talks to it, without one: what it answers, and whom."""

import json

import pytest
from folders import put, result
from pages import TEST, audited, runs

pytest.importorskip("dash", reason="the extra dashboard is not installed")

from pytest_reprotest.dashboard import overview
from pytest_reprotest.dashboard.app import made
from pytest_reprotest.dashboard.elements import elements, text
from pytest_reprotest.dashboard.index import Index
from pytest_reprotest.report.html.markup import Markup

NOTHING = {"test": [], "regularizer": [], "verdict": [], "period": ""}


class Asked:
    """A dashboard, and the calls that its page makes."""

    def __init__(self, folder, host="127.0.0.1"):
        self.index = Index(folder)
        self.client = made(self.index, host).test_client()
        self.callbacks = self.client.get("/_dash-dependencies").json
        self.values = {"filters.data": NOTHING, "scheme.data": {"dark": False, "narrow": False}}
        self.look()

    def call(self, output, **values):
        """Property → what a callback gives for it; names of values have ``_`` in place of the dot."""
        given = {**self.values, **{key.replace("_", "."): value for key, value in values.items()}}
        (found,) = [each for each in self.callbacks if output in each["output"]]
        names = found["output"].strip(".").split("...")
        outputs = [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names]  # fmt: skip

        def filled(parts):
            return [{**p, "value": given.get(f"{p['id']}.{p['property']}")} for p in parts]

        answer = self.client.post(
            "/_dash-update-component",
            json={
                "output": found["output"],
                "outputs": outputs,
                "inputs": filled(found["inputs"]),
                "state": filled(found["state"]),
                "changedPropIds": [],
            },
        )
        if answer.status_code == 204:  # nothing is to change
            return {}
        assert answer.status_code == 200, answer.text
        told = answer.json["response"]
        return {f"{name}.{prop}": value for name, each in told.items() for prop, value in each.items()}  # fmt: skip

    def look(self):
        told = self.call("state.data")
        self.values.update(told)
        return told

    def key(self, number=0):
        return self.index.snapshot.entries[number].key


@pytest.fixture
def asked(tmp_path):
    for day in range(3):
        put(tmp_path, f"{day}.json", result(seed=day), day=day)
    return Asked(tmp_path)


def test_the_page_says_what_it_holds(asked):
    folder = asked.index.folder
    assert asked.values["status.children"].startswith(f"{folder}: 6 results in 3 files, the newest")
    assert asked.values["empty.children"] == []
    assert asked.values["refused-files.hidden"] is True


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    empty = Asked(tmp_path)
    assert empty.values["status.children"] == f"{tmp_path}: no results yet."
    assert f"pytest --repro-json={tmp_path}/today.json" in json.dumps(empty.values)
    assert empty.call("effective.figure")["overview.hidden"] is True


def test_nothing_is_sent_where_nothing_changed(asked):
    answer = asked.client.post("/_dash-update-component", json={})
    assert answer.status_code != 200
    assert asked.call("state.data") == {}
    put(asked.index.folder, "new.json", day=9)
    (asked.index.folder / "bad.json").write_text("{")
    told = asked.look()
    assert told["refused-title.children"] == "1 file is no result"
    assert "bad.json is not a result" in json.dumps(told)
    assert "8 results in 4 files" in told["status.children"]


def test_while_files_are_read_only_their_number_is_told(asked, monkeypatch):
    refresh = asked.index.refresh
    monkeypatch.setattr(asked.index, "refresh", lambda _: refresh(0))
    for number in range(3):
        put(asked.index.folder, f"new{number}.json", day=9)
    first = asked.look()
    assert list(first) == ["status.children"]
    assert first["status.children"].endswith("2 files are still to be read.")
    assert asked.look()["status.children"].endswith("1 file is still to be read.")
    assert "state.data" in asked.look()
    assert asked.look() == {}


def test_filters_change_figures_and_table(asked):
    everything = asked.call("effective.figure")
    some = asked.call("effective.figure", filters_data={**NOTHING, "regularizer": ["dropout"]})
    names = [len(told["difference.figure"]["data"]) for told in (everything, some)]
    assert names == [4, 2]
    assert '"none"' not in json.dumps(some["newest.children"])
    nothing = asked.call("effective.figure", filters_data={**NOTHING, "verdict": ["broken"]})
    assert "No result fits the filters." in json.dumps(nothing)


def test_what_an_address_asks_for_is_offered_before_it_is_read(asked):
    told = asked.call("test.options", filters_data={**NOTHING, "test": ["later"], "period": "7d"})
    assert [each["value"] for each in told["test.options"]] == [TEST, "later"]
    assert told["test.value"] == ["later"]
    assert told["period.value"] == "7d"


def test_a_result_is_shown_whole_and_side_by_side(asked):
    alone = asked.call("opened-body.children", opened_data={"open": asked.key(4), "beside": ""})
    shown = json.dumps(alone)
    assert "Samples that flip most" in shown
    assert '"className": "votes"' in shown
    assert "side by side with the one before" in shown
    assert '"id": "sides"' not in shown
    both = asked.call(
        "opened-body.children", opened_data={"open": asked.key(4), "beside": asked.key(2)}
    )
    shown = json.dumps(both)
    assert '"id": "sides"' in shown
    assert "prediction difference" in shown
    assert "Samples whose flip rate changed most" in shown
    assert "seed" in shown
    other = {"open": asked.key(4), "beside": asked.key(3)}
    assert "Not compared: " in json.dumps(asked.call("opened-body.children", opened_data=other))


def test_what_is_open_stays_as_it_is_while_the_folder_changes(asked):
    wanted = {"open": asked.key(), "beside": ""}
    told = asked.call("opened-body.children", opened_data=wanted)
    again = {"opened_data": wanted, "shown_data": told["shown.data"]}
    put(asked.index.folder, "other.json", result(name="test_b.py::test_b"))
    asked.look()
    assert asked.call("opened-body.children", **again) == {}
    put(asked.index.folder, "new.json", result(seed=7), day=9)
    asked.look()
    assert "newer" in json.dumps(asked.call("opened-body.children", **again))


def test_results_are_offered_by_what_sets_them_apart(asked):
    put(asked.index.folder, "b.json", result(name="test_b.py::test_b"), day=5)
    asked.look()
    told = asked.call("open.options", opened_data={"open": asked.key(0), "beside": asked.key(2)})
    labels = [each["label"] for each in told["open.options"]]
    assert [label.split(", ")[1:] for label in labels] == [["no limit", f"{n}.json"] for n in (2, 1, 0)]  # fmt: skip
    assert told["beside.value"] == asked.key(2)
    assert len(told["beside.options"]) == 7
    assert "dropout" in told["beside.options"][2]["label"]
    assert "test_b.py::test_b" in told["beside.options"][-1]["label"]
    gone = asked.call("open.options", opened_data={"open": "gone", "beside": ""})
    assert (gone["open.value"], gone["opened-result.hidden"]) == (None, False)
    assert asked.call("open.options", opened_data=None)["opened-result.hidden"] is True


def test_what_is_not_there_or_damaged_is_a_sentence(asked):
    gone = asked.call("opened-body.children", opened_data={"open": "../../etc/passwd", "beside": 3})
    assert gone["opened-body.children"] == ["This result is not in the folder, or not any more."]
    entry = asked.index.snapshot.entries[0]
    asked.index.path(entry).unlink()
    told = asked.call("opened-body.children", opened_data={"open": entry.key, "beside": ""})
    assert "This result can't be shown: 0.json can't be read" in json.dumps(told)


def test_results_without_predictions_say_so(tmp_path):
    path = put(tmp_path, "a.json")
    document = json.loads(path.read_text())
    for found in document["audits"][0]["regularizers"].values():
        del found["predictions"]
    path.write_text(json.dumps(document))
    asked = Asked(tmp_path)
    told = asked.call("opened-body.children", opened_data={"open": asked.key(), "beside": ""})
    assert "The file holds no predictions of this result" in json.dumps(told)


def test_a_broken_result_and_one_with_everything_are_shown(tmp_path):
    from pathlib import Path

    data = Path(__file__).parent / "data"
    for name in ("results_v1.json", "results_v2.json"):
        (tmp_path / name).write_bytes((data / name).read_bytes())
    asked = Asked(tmp_path)
    entries = asked.index.snapshot.entries
    assert any(entry.verdict == "broken" for entry in entries)
    asked.call("effective.figure")
    for entry in entries:
        told = asked.call("opened-body.children", opened_data={"open": entry.key, "beside": entries[0].key})  # fmt: skip
        assert "can't be shown" not in json.dumps(told)


def test_what_no_check_foresaw_is_a_line_on_the_terminal(asked, monkeypatch, capfd, caplog):
    def broken(*_):
        raise RuntimeError("nobody knows")

    monkeypatch.setattr(overview, "newest", broken)
    assert asked.call("effective.figure") == {}
    assert caplog.messages == ["RuntimeError: nobody knows"]
    assert "Traceback" not in capfd.readouterr().err


# --- whom it answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "LOCALHOST:8050", "[::1]:8050"])
def test_this_machine_is_answered(asked, host):
    assert asked.client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example:8050", "localhost.evil.example", "[", ""])
def test_another_name_for_this_machine_is_not_answered(asked, host):
    for path in ("/", "/_dash-layout", f"/page/{asked.key()}"):
        assert asked.client.get(path, headers={"Host": host}).status_code in (400, 403)


def test_where_it_is_served_to_others_any_name_is_answered(tmp_path):
    open_ = Asked(tmp_path, host=None)
    assert open_.client.get("/", headers={"Host": "build.example"}).status_code == 200


def test_nothing_is_loaded_from_elsewhere(asked):
    answer = asked.client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert "unsafe-eval" not in policy
    assert "//" not in policy
    assert "https://" not in answer.text


def test_the_page_of_a_test_is_that_of_a_report(asked):
    answer = asked.client.get(f"/page/{asked.key()}")
    assert answer.status_code == 200
    assert "Content-Security-Policy" in answer.text
    assert answer.text.count("<article") == 1
    assert asked.client.get("/page/0000").status_code == 404
    elsewhere = asked.client.get("/page/..%2F0.json")  # the dashboard, as at any path, and no file
    assert "<article" not in elsewhere.text
    assert TEST not in elsewhere.text
    assert "Content-Security-Policy" in elsewhere.headers
    key, path = asked.key(), asked.index.path(asked.index.snapshot.entries[0])
    path.write_text(path.read_text().replace('"zlib": "', '"zlib": "!'))
    asked.look()
    damaged = asked.client.get(f"/page/{key}")
    assert (damaged.status_code, damaged.mimetype) == (404, "text/plain")
    path.unlink()
    asked.look()
    assert asked.client.get(f"/page/{key}").text == "This result is not in the folder, or not any more."  # fmt: skip


# --- names --------------------------------------------------------------------------------------


def test_markup_of_the_page_becomes_components():
    (found,) = elements(Markup('<p class="a" style="flex-grow:1;color:red">x<br>&lt;b&gt; &amp;</p>'))  # fmt: skip
    assert found.to_plotly_json()["props"]["style"] == {"flexGrow": "1", "color": "red"}
    assert found.children[0] == "x"
    assert found.children[2] == "<b> &"
    (button,) = elements(Markup('<button type="button">PD</button>'))
    assert type(button).__name__ == "Span"
    assert text("a\u202eb") == "a\\u202eb"


def test_hostile_names_are_text(tmp_path):
    hostile = "</script><script>hit()</script>\"'\u202e\x07\ud800"
    put(tmp_path, "a.json", audited(name=f"test_a.py::{hostile}", labels={hostile: runs(0.1)}))
    asked = Asked(tmp_path)
    told = [
        asked.call("effective.figure"),
        asked.call("opened-body.children", opened_data={"open": asked.key(), "beside": ""}),
        asked.call("open.options", opened_data={"open": asked.key(), "beside": ""}),
    ]
    shown = json.dumps(told, ensure_ascii=False)
    assert "\\\\u202e" in shown
    assert "dangerously" not in shown
