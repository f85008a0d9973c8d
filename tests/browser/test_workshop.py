"""What a visitor does to the models in the real page: an intervention, a curve, heads.

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones; screenshots go to .screens/.
"""

import json
import threading
import time
from pathlib import Path

import pytest

from models.omni import unless
from tests.browser.test_lab import PHONE, SCREENS, WAIT, WIDE, address, choose, chromium, visit, wait_for_question
from tests.perceiving import PerceivingModel
from tests.serving import served

__all__ = ["address", "chromium", "visit"]  # fixtures
pytestmark = pytest.mark.browser
CONFLICT = "clip=dog&sound=swap&other=cat&ask=hear"


def wait_for(page, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.innerText.includes(text)", arg=[selector, text]
    )


def test_the_workshop(visit):
    page = visit(f"{CONFLICT}&do=listen~kind~sound~gain~0")
    assert page.get_by_role("tab", name="What if").get_attribute("aria-selected") == "true"
    page.wait_for_selector("#steered .does")
    assert page.locator("#method label.selected").inner_text() == "Listen less"
    assert page.locator("#how input[data-name=gain]").input_value() == "0"
    page.locator("#how input[data-name=gain]").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('#steered .does')?.innerText.includes('2 times')")
    page.wait_for_function("() => location.search.includes('gain~2')")
    page.locator("#how .chips label", has_text="picture").click()
    page.wait_for_function("() => document.querySelector('#steered .does')?.innerText.includes('picture')")
    choose(page, "method", "Throw it away")
    page.wait_for_function("() => document.querySelector('#steered .does')?.innerText.includes('is gone')")
    with page.expect_download() as download:
        page.click("#export-json")
    written = json.loads(Path(download.value.path()).read_bytes())
    assert written["intervention"]["id"] == "exit" and written["intervention"]["base"]["options"]


def checked(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('#how input:checked')].map(one => one.value)")


def test_a_form_holds_its_own_values_not_what_was_done_to_the_one_before(visit):
    page = visit(f"{CONFLICT}&text=caption&says=a+loud+dog&do=exit~kind~sound~after~2")
    page.wait_for_selector("#steered .does")
    page.locator("#how .chips label", has_text="text").click()
    wait_for(page, "#steered .does", "the text is gone")
    page.locator("#how input[data-name=after]").focus()
    page.keyboard.press("Home")
    wait_for(page, "#steered .does", "Before the first layer")
    choose(page, "method", "Listen less")
    wait_for(page, "#steered .does", "The picture's tokens say 0.5 times")
    assert checked(page) == ["picture"]
    choose(page, "method", "Throw it away")
    wait_for(page, "#steered .does", "the picture is gone")
    assert checked(page) == ["picture"]
    assert page.locator("#how input[data-name=after]").input_value() != "-1"


def test_nothing_old_stands_beside_what_is_new(visit):
    page = visit(f"{CONFLICT}&do=look~sound~2")
    page.wait_for_selector("#steered .does")
    assert page.locator("#axis input").input_value() == "attention on the sound ×"
    page.click("#draw-curve")
    page.wait_for_selector("#curve .main-svg")
    page.wait_for_function("() => !document.querySelector('#curve-status').innerText.trim()")
    faded = "() => getComputedStyle(document.querySelector('#steered .pair')).opacity"
    assert page.evaluate(faded) == "1"
    choose(page, "method", "Throw it away")
    wait_for(page, "#steered .does", "is gone")
    page.wait_for_function("() => !document.querySelector('#curve .main-svg')")
    choose(page, "method", "As if it had looked elsewhere")
    page.locator("#how .chips label", has_text="off").click()
    wait_for(page, "#steer-status", "Nothing is changed yet")
    page.wait_for_function(f"() => ({faded})() === '0.4'")  # they are not the answers to what is set
    page.locator("#how .chips label", has_text="as the answer").click()
    wait_for(page, "#steered .does", "what it would say then")
    page.wait_for_function(f"() => ({faded})() === '1'")
    choose(page, "method", "Look again, closer")
    wait_for(page, "#steered .does", "asked again with both")
    page.click("#draw-curve")
    wait_for(page, "#curve-status", "There is nothing in “Look again, closer”")


def test_a_curve_and_its_end(visit):
    page = visit(f"{CONFLICT}&do=exit~after~2")
    page.get_by_role("tab", name="What if").click()
    page.wait_for_selector("#steered .does")
    page.click("#draw-curve")
    page.wait_for_selector("#curve .main-svg")
    page.wait_for_function("() => !document.querySelector('#curve-status').innerText.trim()")
    with page.expect_download() as download:
        page.click("#export-json")
    curve = json.loads(Path(download.value.path()).read_bytes())["curve"]
    assert curve["axis"] == "after" and len(curve["x"]) == len(curve["points"]["base"])
    choose(page, "ask", "What do you see?")
    page.wait_for_function("() => !document.querySelector('#curve .main-svg')")


class Endless(PerceivingModel):
    """Finds five points of a curve and then no more, until nobody waits for them."""

    def __init__(self):
        super().__init__()
        self.left = threading.Event()

    def sweep(self, *given, stop, **how):
        try:
            for at, found in enumerate(super().sweep(*given, stop=stop, **how)):
                time.sleep(0.2)
                while at == 5:
                    unless(stop)
                    time.sleep(0.02)
                yield found
        finally:
            self.left.set()


def test_a_curve_is_stopped(chromium, address, tmp_path):
    model = Endless()
    with pytest.MonkeyPatch.context() as patch, served(model, tmp_path, patch) as url:
        page = chromium.new_page(viewport=WIDE)
        page.set_default_timeout(WAIT)
        page.goto(f"{url}?{CONFLICT}&do=exit~after~2")
        page.wait_for_selector("#frames .film img.on", state="attached")  # the link opens another tab
        page.wait_for_selector("#steered .does")
        page.click("#draw-curve")
        wait_for(page, "#curve-status", " of 14")
        page.wait_for_selector("#curve .scatterlayer .point", state="attached")
        drawn = page.locator("#curve .scatterlayer .point").count()
        assert not model.left.is_set()
        page.click("#stop-curve")
        wait_for(page, "#curve-status", "Stopped: what was found stays.")
        assert model.left.wait(10)  # the model is free
        assert page.locator("#curve .scatterlayer .point").count() >= drawn
        with page.expect_download() as download:
            page.click("#export-json")
        assert json.loads(Path(download.value.path()).read_bytes())["curve"]["stopped"]
        choose(page, "method", "Listen less")
        page.wait_for_function("() => !document.querySelector('#curve-status').innerText.includes('Stopped')")
        choose(page, "ask", "What do you see?")
        wait_for_question(page, "see")  # it would never come while the curve is drawn
        page.close()


def test_heads_are_looked_at_and_cut(visit):
    page = visit(CONFLICT)
    page.get_by_role("tab", name="Heads").click()
    choose(page, "heads-kind", "that hear")
    page.wait_for_selector('.heads[data-kind="sound"] [data-head="2h1"]')
    cell = page.locator('.heads figure:first-child [data-head="2h1"]')
    cell.click()
    assert page.locator('.heads [data-head="2h1"][aria-pressed=true]').count() == 3
    page.locator('.acts [data-act="map"]').click()
    page.wait_for_function("() => location.search.includes('layer=2') && location.search.includes('head=1')")
    assert page.locator("#head input").input_value() == "head 1"
    page.get_by_role("tab", name="Heads").click()
    page.keyboard.press("Tab")
    cell.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_for(page, ".heads output", "2.1 3.1")
    page.locator('.acts [data-act="cut"]').click()
    wait_for(page, "#steered .does", "2.1")
    page.wait_for_function("() => location.search.includes('chosen~2h1.3h1')")


def test_what_the_tokens_say(visit):
    page = visit(CONFLICT)
    page.get_by_role("tab", name="What they say").click()
    page.wait_for_selector("#lens-words .cells span")
    page.wait_for_selector("#lens-curve .main-svg")
    choose(page, "lens-where", "in the picture's tokens")
    page.wait_for_selector(".says.see .cells span")
    choose(page, "lens-where", "where the answer begins")
    page.wait_for_function("() => !document.querySelector('#lens-words .cells')")


def test_a_token_of_the_answer_is_chosen_and_a_border_dragged(visit):
    page = visit("clip=dog&sound=swap&other=cat&ask=free&own=What+do+you+see+and+hear%3F&answers=free")
    page.wait_for_selector("#written [data-step='3']")
    page.locator("#written [data-step='3']").first.click()
    page.wait_for_function("() => location.search.includes('token=3')")
    page.wait_for_selector("#written [data-step='3'][aria-pressed=true]")
    page.locator("#over").click()
    page.wait_for_function("() => document.querySelectorAll('#border img').length >= 2")
    page.get_by_role("tab", name="Words").click()
    page.wait_for_selector("#words-aligned .media img")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "size"), [("wide", WIDE), ("phone", PHONE)])
def test_screenshots(visit, name, size, theme):
    page = visit(f"{CONFLICT}&do=exit~kind~sound~after~2", size=size, theme=theme)
    SCREENS.mkdir(exist_ok=True)
    page.get_by_role("tab", name="What if").click()
    page.wait_for_selector("#steered .does")
    page.click("#draw-curve")
    page.wait_for_selector("#curve .main-svg")
    page.wait_for_function("() => !document.querySelector('#curve-status').innerText.trim()")
    page.wait_for_timeout(600)  # transitions settle
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.screenshot(path=SCREENS / f"workshop-{name}-{theme}.png", full_page=True)
    page.get_by_role("tab", name="Heads").click()
    page.wait_for_selector(".heads figure")
    page.wait_for_timeout(600)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.screenshot(path=SCREENS / f"heads-{name}-{theme}.png", full_page=True)
    page.get_by_role("tab", name="What they say").click()
    page.wait_for_selector("#lens-words .cells span")
    page.wait_for_timeout(600)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.screenshot(path=SCREENS / f"lens-{name}-{theme}.png", full_page=True)


def test_on_a_phone_the_chosen_method_stays_in_sight(visit):
    page = visit(f"{CONFLICT}&do=listen~kind~sound~gain~0", size=PHONE)
    page.wait_for_selector("#steered .does")
    choose(page, "method", "Take from the sinks")
    page.wait_for_selector("#how input[data-name=keep]")
    box = page.locator("#method label.selected").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    assert page.locator("#method").evaluate("row => row.scrollLeft") == 0
