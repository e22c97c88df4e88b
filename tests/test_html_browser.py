"""The page in a real browser: what is drawn, what is asked of the network, what keys do."""

import re
from dataclasses import replace

import numpy as np
import pytest
from pages import TEST, audited, browser, page_of, runs

from pytest_reprotest.pictures import Pictures
from pytest_reprotest.report.plots import Axis

HOSTILE = (
    "</script><script>window.hit=1</script><img src=x onerror='window.hit=1'>\"'&\u202e\x07$x$"
)
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1100, "height": 900}


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


class Opened:
    """A page in a browser, with what it said and asked for."""

    def __init__(self, chromium, path, text, **context):
        path.write_text(text, encoding="utf-8")
        self.said, self.asked = [], []
        self.page = chromium.new_page(**{"viewport": DESK, **context})
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.uri = path.as_uri()

    def draw(self):
        """Scroll past every figure, under every regularizer."""
        for select in self.page.query_selector_all(".picker select"):
            for option in select.query_selector_all("option"):
                select.select_option(value=option.get_attribute("value"))
        for plot in self.page.query_selector_all(".plot"):
            if plot.is_visible():
                plot.scroll_into_view_if_needed()
        self.until(
            "[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))"
        )

    def until(self, condition):
        """Wait; playwright's own way evaluates text in the page, which the page forbids."""
        for _ in range(100):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"never came true: {condition}")

    def column(self, number):
        return self.page.eval_on_selector_all(
            ".sortable tbody tr", f"rows => rows.map(row => row.cells[{number}].textContent)"
        )

    def sorted_by(self):
        return self.page.eval_on_selector_all(
            ".sortable th[aria-sort]", "cells => cells.map(cell => cell.ariaSort)"
        )


@pytest.fixture
def opened(chromium, tmp_path):
    made = []

    def open_(text, **context):
        made.append(Opened(chromium, tmp_path / "page.html", text, **context))
        return made[-1]

    yield open_
    for each in made:
        each.page.close()


MARKS = ".scatterlayer .trace, .boxlayer .trace, .heatmaplayer image, .heatmaplayer path"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_every_figure_is_drawn_offline_without_a_complaint(opened, scheme, viewport):
    seen = opened(page_of(audited()), color_scheme=scheme, viewport=viewport)
    seen.draw()
    marks = seen.page.eval_on_selector_all(
        ".plot", f"plots => plots.map(plot => plot.querySelectorAll('{MARKS}').length)"
    )
    assert len(marks) >= 10
    assert min(marks) >= 1
    assert seen.said == []
    assert seen.asked == [seen.uri]
    width = seen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= viewport["width"]


def test_letters_stand_out_from_the_paper_in_the_dark(opened):
    seen = opened(page_of(audited()), color_scheme="dark")
    seen.draw()
    fills = seen.page.eval_on_selector_all(
        ".plot .xtick text", "texts => [...new Set(texts.map(text => getComputedStyle(text).fill))]"
    )
    assert fills == ["rgb(230, 233, 236)"]


def test_figures_follow_a_change_of_scheme(opened):
    seen = opened(page_of(audited()))
    seen.draw()
    seen.page.emulate_media(color_scheme="dark")
    seen.until(
        "getComputedStyle(document.querySelector('.plot .xtick text')).fill === 'rgb(230, 233, 236)'"
    )


def test_no_letter_of_a_figure_is_cut_off(opened):
    labels = {f"batch_norm+weight_decay(0.00{number})": runs(0.1, seed=number) for number in range(1, 8)}  # fmt: skip
    for viewport in (DESK, PHONE):
        seen = opened(page_of(audited(labels=labels)), viewport=viewport)
        seen.draw()
        cut = seen.page.evaluate(
            """() => [...document.querySelectorAll('.plot')].flatMap(plot => {
                if (!plot.checkVisibility()) return [];
                const frame = plot.querySelector('.main-svg').getBoundingClientRect();
                return [...plot.querySelectorAll('text')].filter(text => {
                    const box = text.getBoundingClientRect();
                    return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1 ||
                        box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
                }).map(text => `${plot.ariaLabel}: ${text.textContent}`);
            })"""
        )
        assert cut == []


def test_the_table_is_sorted_by_mouse(opened):
    labels = {"none": runs(0.2), "b": runs(0.05, seed=1), "a": runs(0.4, seed=2)}
    seen = opened(page_of(audited(labels=labels)))
    assert set(seen.sorted_by()) == {"none"}
    seen.page.click(".sortable th:nth-child(3) button")
    up = seen.column(2)
    assert up == sorted(up, key=lambda text: float(text.split()[0]))
    assert seen.sorted_by()[2] == "ascending"
    seen.page.click(".sortable th:nth-child(3) button")
    assert seen.column(2) == up[::-1]
    assert seen.sorted_by()[2] == "descending"
    assert seen.sorted_by().count("none") == len(seen.sorted_by()) - 1


def test_the_table_is_sorted_by_key(opened):
    labels = {"none": runs(0.2), "b": runs(0.05, seed=1), "a": runs(0.4, seed=2)}
    seen = opened(page_of(audited(labels=labels)))
    seen.page.keyboard.press("Tab")  # the link past the head
    while "button" not in seen.page.evaluate("document.activeElement.tagName").lower():
        seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Enter")
    assert [name.split(" ")[0] for name in seen.column(0)] == ["a", "b", "none"]
    assert seen.sorted_by()[0] == "ascending"
    seen.page.keyboard.press("Space")
    assert seen.sorted_by()[0] == "descending"


def test_a_regularizer_is_chosen_by_key(opened):
    seen = opened(page_of(audited()))
    seen.page.focus(".picker select")
    seen.page.keyboard.press("ArrowDown")
    shown = seen.page.eval_on_selector_all(
        ".choice:first-of-type .panel.shown h4", "found => found.map(each => each.textContent)"
    )
    assert shown[0] == "dropout"


def test_what_the_mouse_is_told_of_a_figure_keys_reach_as_well(opened):
    result = audited()
    seen = opened(page_of(result))
    summaries = seen.page.locator("summary", has_text="Numbers")
    assert summaries.count() == seen.page.locator(".plot").count()
    told = seen.page.locator("details", has_text="lower quartile").first
    assert not told.locator("table").is_visible()
    told.locator("summary").focus()
    seen.page.keyboard.press("Enter")
    assert told.locator("table").is_visible()
    pairs = result["none"].pairwise[np.triu_indices(4, 1)]
    row = told.locator("tbody tr").first.locator("th, td").all_inner_texts()
    assert row[:3] == ["none", "6", Axis("", "percent").text(pairs.min())]
    width = seen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= DESK["width"]


def test_what_names_hold_stays_text(opened):
    labels = {HOSTILE: runs(0.2), "none": runs(0.1, seed=1)}
    settings = {"training": {HOSTILE: HOSTILE}, "versions": {"torch": HOSTILE}}
    result = audited(name=f"test_a.py::{HOSTILE}", labels=labels, settings=settings)
    seen = opened(page_of(result, notes=[HOSTILE]))
    seen.draw()
    assert seen.page.evaluate("window.hit") is None
    assert seen.page.query_selector("img, main script") is None
    assert seen.said == []
    assert seen.asked == [seen.uri]
    body = seen.page.inner_text("body")
    assert "\\u202e" in body
    assert "\u202e" not in body
    ticks = seen.page.eval_on_selector_all(
        ".plot .xtick text", "all => all.map(t => t.textContent)"
    )
    assert any("<script>" in tick.replace("\n", "") for tick in ticks)


def test_pictures_of_samples_are_decoded_and_named(opened):
    result = audited()
    samples = tuple(sample for sample, _ in result.details("none").most_flip_prone)
    pixels = np.arange(len(samples) * 60, dtype=np.uint8).reshape(-1, 4, 5, 3)
    seen = opened(page_of(replace(result, pictures=Pictures(samples, pixels))))
    widths = seen.page.eval_on_selector_all(
        "img.sample", "all => all.map(each => each.complete && each.naturalWidth)"
    )
    assert len(widths) >= len(samples)
    assert set(widths) == {5}
    first = seen.page.locator("img.sample").first
    assert first.get_attribute("alt").startswith(f"test sample {samples[0]}, in truth ")
    assert (seen.said, seen.asked) == ([], [seen.uri])


def test_a_script_that_got_in_would_not_run(opened):
    text = page_of(audited()).replace("</main>", "<script>window.hit = 1</script></main>")
    seen = opened(text)
    assert seen.page.evaluate("window.hit") is None
    assert re.search("Content Security Policy", " ".join(seen.said))


def test_a_large_page_is_small_enough_and_whole(opened):
    truth = np.arange(10_000) % 10
    labels = {
        f"regularizer_{number}": runs(0.1, n_runs=20, truth=truth, seed=number)
        for number in range(11)
    }
    text = page_of(audited(name=TEST, labels=labels, truth=truth))
    assert len(text.encode()) < 8_000_000
    seen = opened(text)
    seen.page.click(".sortable th:nth-child(3) button")
    assert len(seen.column(0)) == 11
    assert seen.said == []
