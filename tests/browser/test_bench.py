"""The Bench page in Chromium: a run that fills its table, is stopped, goes on, and whose samples open in the Lab.

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones; screenshots go to .screens/.
"""

import csv
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from tests.browser.test_lab import PHONE, REAL, SCREENS, WAIT, WIDE, _check_local, address, chromium

__all__ = ["address", "chromium"]  # fixtures
pytestmark = pytest.mark.browser
NUMBER = "#bench-table button[data-cell]"


@pytest.fixture
def bench(chromium, address):
    """bench(size, theme) opens the page and waits for its estimate; nothing may fail or go elsewhere."""
    opened, complaints = [], []

    def open_page(size=WIDE, theme: str = "light"):
        context = chromium.new_context(viewport=size, color_scheme=theme, accept_downloads=True)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: _check_local(request.url, address, complaints))
        page.goto(f"{address}/bench?__theme={theme}")
        page.wait_for_function("() => /questions on/.test(document.querySelector('#bench-plan')?.innerText)")
        return page

    yield open_page
    for context in opened:
        context.close()
    assert not complaints


@pytest.fixture
def swift(answering, monkeypatch):
    """The fake model answers a run to its end without the time in which a page could be looked at."""
    monkeypatch.setattr(answering, "delay", 0.01, raising=False)


def choose(page, *titles: str, questions: int = 4) -> None:
    for box in page.locator("#conditions label.selected").all()[::-1]:
        box.click()
    for title in titles:
        page.locator("#conditions label").filter(has_text=re.compile(rf"^\s*{title}\s*$")).click()
    page.locator("#bench-questions input").fill(str(questions))
    page.locator("#bench-questions input").blur()


def run_to_the_end(page) -> None:
    page.click("#bench-start")
    page.wait_for_function("() => document.querySelector('#bench-status').innerText.includes(': done')")


def test_a_run_fills_the_table_and_its_samples_open_in_the_lab(bench, swift):
    page = bench()
    choose(page, "picture and sound agree", "sound swapped")
    page.wait_for_function("() => document.querySelector('#bench-plan').innerText.includes('about')")
    run_to_the_end(page)
    cells = page.locator('#bench-table button[data-cell="trained|swap|hear"]')
    assert cells.count() == 2
    if not REAL:  # base believes the picture, aligned the sound
        assert [text.split()[0] for text in cells.all_inner_texts()] == ["0", "100"]
    cells.last.click()
    rows = page.locator("#bench-samples tbody tr")
    rows.first.wait_for()
    assert rows.count() == 2
    heard = rows.first.locator(".chip.hear b").inner_text()
    with page.context.expect_page() as lab:
        rows.first.get_by_role("link", name="Open in the Lab").click()
    query = parse_qs(urlparse(lab.value.url).query)
    assert (query["sound"], query["ask"]) == (["swap"], ["hear"])
    lab.value.wait_for_function(
        "heard => document.querySelector('#given .hear b')?.innerText == heard", arg=heard, timeout=WAIT
    )


def test_the_files_and_charts_of_a_run(bench, swift):
    page = bench()
    choose(page, "picture and sound agree", "sound swapped", questions=8)
    run_to_the_end(page)
    found = {}
    for name in ("samples", "table", "report"):
        with page.expect_download() as download:
            page.locator(f"#bench-file-{name}").click()
        found[name] = Path(download.value.path()).read_text()
    lines = [json.loads(line) for line in found["samples"].splitlines()]
    table = list(csv.DictReader(found["table"].splitlines()))
    assert {line["condition"] for line in lines} == {"aligned", "swap"}
    assert sum(int(row["n"]) for row in table if row["adapter"] == "base") == len(lines)
    assert found["report"].startswith("<!doctype html>")
    assert page.locator("#bench-charts svg[aria-label^=Accuracy]").first.is_visible()
    page.get_by_role("tab", name="Layers × heads").click()
    page.locator("#bench-charts svg[aria-label*='largest |d|']").first.wait_for()


def test_stop_keeps_what_is_done_and_start_goes_on(bench):
    page = bench()
    choose(page, "picture and sound agree", "sound swapped", questions=60)
    page.click("#bench-start")
    page.wait_for_selector(NUMBER)
    page.click("#bench-stop")
    page.wait_for_function("() => document.querySelector('#bench-status').innerText.includes('stopped')")
    done, total = map(int, re.findall(r"\d+", page.locator("#bench-status").inner_text())[:2])
    assert 0 < done < total
    with page.expect_download() as download:
        page.locator("#bench-file-samples").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == done
    page.click("#bench-start")
    page.wait_for_function(
        """done => { const found = /^(\\d+) of/.exec(document.querySelector('#bench-status').innerText.trim());
        return found && Number(found[1]) > done; }""",
        arg=done,
    )
    page.click("#bench-stop")


def test_what_cannot_be_run_is_said(bench):
    page = bench()
    choose(page)
    page.wait_for_function("() => document.querySelector('#bench-plan').innerText.includes('at least one condition')")
    page.click("#bench-start")
    page.wait_for_selector(".toast-body, [data-testid=toast-body]")
    assert "at least one condition" in page.locator(".toast-body, [data-testid=toast-body]").first.inner_text()


def test_published_numbers_stand_apart_with_their_source(bench, swift):
    page = bench()
    published = page.locator("#published").inner_text()
    assert "as published" in published and "79.79" in published and "commit 2825334" in published
    choose(page, "picture and sound agree", "sound swapped")
    run_to_the_end(page)
    assert "Gemini" not in page.locator("#bench-table").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "size"), [("wide", WIDE), ("phone", PHONE)])
def test_screenshots(bench, swift, name, size, theme):
    page = bench(size, theme)
    choose(page, "picture and sound agree", "sound swapped", "misleading caption", "sound removed")
    run_to_the_end(page)
    page.locator(NUMBER).nth(5).click()
    page.wait_for_selector("#bench-samples tbody tr")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]  # nothing to scroll sideways
    SCREENS.mkdir(exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(400)
    page.screenshot(path=SCREENS / f"bench-{name}-{theme}.png")
    page.screenshot(path=SCREENS / f"bench-{name}-{theme}-whole.png", full_page=True)


def test_methods_without_training_are_tried_live_and_say_whether_they_reach_tuning(bench, swift):
    page = bench(PHONE)
    page.locator("#methods-tabs").get_by_role("tab", name="A few questions, live").click()
    page.click("#methods-start")
    page.wait_for_function("() => document.querySelector('#methods-status').innerText.includes(': done')")
    verdicts = page.locator("#methods-live .verdicts li")
    assert "all questions" in verdicts.first.inner_text()
    assert page.locator("#methods-live table.methods tbody tr").count() == 4  # plain and three methods
    if not REAL:  # base believes the picture: with the picture cut off it hears
        swapped = verdicts.filter(has_text="sound swapped")
        assert "Cut a line of sight: 100 %" in swapped.inner_text() and "Reached." in swapped.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert (
        "Measured:" in page.locator("#methods-measured").inner_text()
        or "bench keep" in page.locator("#methods-measured").inner_text()
    )
