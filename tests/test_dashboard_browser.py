"""The dashboard in a real browser: what is drawn, what clicks and keys do, what names can't do."""

import threading

import pytest
from folders import put, three_days
from pages import TEST, audited, browser, runs

pytest.importorskip("dash", reason="the extra dashboard is not installed")

from werkzeug.serving import WSGIRequestHandler, make_server

from pytest_reprotest.dashboard.app import made
from pytest_reprotest.dashboard.index import Index

HOSTILE = "</script><script>window.hit=1</script><img src=x onerror='window.hit=1'>\"'&\u202e\x07"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 900}
ERRORS = ("error", "warning")


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def served():
    """Serve folders; each with its address."""
    servers = []

    def serve(folder):
        server = make_server(
            "127.0.0.1", 0, made(Index(folder), "127.0.0.1"), threaded=True, request_handler=Quiet
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.port}/"

    yield serve
    for server in servers:
        server.shutdown()


@pytest.fixture
def folder(tmp_path):
    three_days(tmp_path)
    return tmp_path


@pytest.fixture
def opened(chromium, served):
    """Open a folder; at the end no page has complained, or asked for anything from elsewhere."""
    pages = []

    def open_(folder, query="", **context):
        page = chromium.new_page(**{"viewport": DESK, **context})
        address = served(folder)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.said.append(f"error: {error}"))
        page.on("request", lambda request: page.asked.append(request.url))
        page.set_default_timeout(60_000)
        page.goto(address + query)
        pages.append((page, address))
        return page

    yield open_
    for page, address in pages:
        assert [told for told in page.said if told.startswith(ERRORS)] == []
        local = (address, "data:", f"blob:{address}", "about:")
        assert [url for url in page.asked if not url.startswith(local)] == []
        page.close()


def until(page, condition):
    """Wait; playwright's own way evaluates text in the page, which the page forbids."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {condition}")


def points(page, number, figure="difference"):
    """Wait for so many points."""
    until(page, f"document.querySelectorAll('#{figure} .points path').length === {number}")


def pick(page, control, *names):
    page.click(f"#{control}")
    for name in names:
        page.click(f".dash-dropdown-option:has-text({name!r})")
    page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESK), ("dark", PHONE)], ids=["light-desk", "dark-phone"]
)
def test_results_are_drawn_in_any_light_and_width(opened, folder, scheme, viewport):
    page = opened(folder, color_scheme=scheme, viewport=viewport)
    points(page, 15)  # and 3 rings
    points(page, 15, "effective")
    ink = "rgb(230, 233, 236)" if scheme == "dark" else "rgb(31, 35, 40)"
    fill = "getComputedStyle(document.querySelector('#difference .xtick text')).fill"
    assert page.evaluate(fill) == ink
    page.click("#newest a >> nth=0")
    page.wait_for_selector("#opened-body .votes")
    page.wait_for_selector("#opened-body .main-svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert len(page.query_selector_all("#newest tbody tr")) == 4


def test_filters_narrow_what_is_shown_and_stand_in_the_address(opened, folder):
    page = opened(folder)
    points(page, 15)
    pick(page, "regularizer", "dropout")
    points(page, 6)
    assert "regularizer=dropout" in page.url
    pick(page, "test", "test_b.py::test_b")
    points(page, 3)
    assert page.inner_text("#newest tbody").count("test_b.py::test_b") == 1
    page.go_back()
    points(page, 6)
    assert "test=" not in page.url


def test_a_point_leads_to_its_samples(opened, folder):
    page = opened(folder, "?regularizer=none&test=test_b.py%3A%3Atest_b")
    points(page, 3)
    page.click("#difference .points path >> nth=1", force=True)
    page.wait_for_selector("#opened-body .votes")
    assert "1.json" in page.inner_text("#opened-body")
    assert "Samples that flip most" in page.inner_text("#opened-body")
    assert "open=" in page.url
    until(page, "document.activeElement.id === 'opened-title'")
    page.click("text=newer →")
    until(page, "document.querySelector('#opened-body').innerText.includes('2.json')")


def test_two_results_stand_side_by_side(opened, folder):
    page = opened(folder, "?regularizer=none&test=test_b.py%3A%3Atest_b")
    page.click("#newest a >> nth=0")
    page.click("text=side by side with the one before")
    page.wait_for_selector("#sides .main-svg")
    told = page.inner_text("#sides")
    assert "1.json" in told
    assert "2.json" in told
    assert "prediction difference" in told
    assert "seed" in told
    pick(page, "beside", "0.json")
    until(page, "document.querySelector('#sides').innerText.includes('0.json')")
    address = page.url
    page.goto("about:blank")
    page.goto(address)  # a link to what was seen
    page.wait_for_selector("#sides .main-svg")
    assert "0.json" in page.inner_text("#sides")


def test_a_file_is_shown_as_soon_as_it_is_written(opened, tmp_path):
    page = opened(tmp_path)
    page.wait_for_selector(".nothing")
    assert f"--repro-json={tmp_path}/today.json" in page.inner_text(".nothing")
    path = put(tmp_path, "deep/a.json")
    points(page, 2)
    until(page, "!document.querySelector('.nothing')")
    (tmp_path / "bad.json").write_text("{")
    page.wait_for_selector("#refused-files:not([hidden])")
    page.click("#refused-title")
    assert "bad.json is not a result" in page.inner_text("#refused")
    path.unlink()
    page.wait_for_selector(".nothing")


def test_all_of_it_is_reached_by_key(opened, folder):
    page = opened(folder)
    points(page, 15)
    while page.evaluate("document.activeElement.id") != "verdict":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".dash-dropdown-option")
    page.keyboard.type("fail")
    until(page, "document.querySelectorAll('.dash-dropdown-option').length === 1")
    for _ in range(20):  # a list that is drawn again meanwhile takes a key for nothing
        if page.evaluate("document.activeElement.type") == "checkbox":
            break
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(100)
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    until(page, "location.search === '?verdict=fail'")
    page.wait_for_selector("#newest tbody tr")
    until(page, "document.querySelectorAll('#newest tbody tr').length === 1")
    page.focus("#newest a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#opened-body .votes")


def test_what_names_hold_stays_text(opened, tmp_path):
    settings = {"training": {HOSTILE: HOSTILE}}
    labels = {HOSTILE: runs(0.2), "none": runs(0.1, seed=1)}
    for day in range(2):
        made_ = audited(name=f"test_a.py::{HOSTILE}", labels=labels, settings={**settings, "seed": day})  # fmt: skip
        put(tmp_path, f"<img src=x onerror=hit()>{day}.json", made_, day=day)
    page = opened(tmp_path)
    points(page, 4)
    page.click("#newest a >> nth=0")
    page.click("text=side by side with the one before")
    page.wait_for_selector("#sides")
    page.hover("#difference .points path >> nth=0", force=True)
    page.click("#open")
    page.wait_for_selector(".dash-dropdown-option")
    page.keyboard.press("Escape")
    assert page.evaluate("window.hit") is None
    assert page.query_selector("#opened-body img, #newest img, #legend img") is None
    body = page.inner_text("body")
    assert "\\u202e" in body
    assert "\u202e" not in body
    assert TEST not in body
