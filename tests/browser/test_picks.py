"""Patches, stretches of sound and words are picked in the real page and cut off: mouse, keyboard, touch.

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones; screenshots go to .screens/.
"""

import pytest

from tests.browser.test_lab import PHONE, SCREENS, WIDE, address, chromium, visit
from tests.browser.test_workshop import CONFLICT, wait_for

__all__ = ["address", "chromium", "visit"]  # fixtures
pytestmark = pytest.mark.browser
EVIL = "%3Cimg+src%3Dx+onerror%3Dalert(1)%3E"
CELLS = "#frames figure:first-child .patches button"
MOMENTS = "#sound-map .moments button"
CUT = "#dock [data-do=cut]"


def picked(page) -> str:
    return page.locator("#dock output").inner_text()


def pressed(page, where: str) -> int:
    return page.locator(f"{where}[aria-pressed=true]").count()


def test_patches_are_picked_and_cut(visit):
    page = visit(CONFLICT)
    assert not page.locator(CELLS).first.is_visible()
    page.click("#scissors")
    assert page.locator(CUT).is_disabled()
    for cell in (8, 9, 9, 9):  # a second click takes it away, a third picks it again
        page.locator(CELLS).nth(cell).click()
    assert picked(page) == "2 patches of the picture"
    assert pressed(page, "#frames .patches button") == 4  # before and after
    page.locator("#dock label", has_text="in this frame").click()
    page.locator(CELLS).nth(20).click()
    assert pressed(page, CELLS) == 3
    page.locator("#frame input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "cells => document.querySelectorAll(`${cells}[aria-pressed=true]`).length == 2", arg=CELLS
    )  # the third lies in another frame
    page.locator("#layer input").click()
    page.get_by_role("option", name="layer 2").click()
    page.wait_for_function("() => location.search.includes('layer=2')")
    assert pressed(page, CELLS) == 2  # on drawings that are new
    page.click(CUT)
    wait_for(
        page, "#steered .does", "row 2, column 2 and row 2, column 3 in all frames and row 3, column 7 of the frame at"
    )
    assert page.locator("#steered .answer").count() == 2
    assert "row 2, column 3 in all frames" in page.locator("#how").inner_text()
    page.wait_for_function("() => location.search.includes('region')")
    page.get_by_role("tab", name="Frames").click()
    page.click("#dock [data-do=clear]")
    assert pressed(page, CELLS) == 0 and page.locator(CUT).is_disabled()


def test_a_stroke_over_the_sound_and_a_word_are_cut_together(visit):
    page = visit(f"{CONFLICT}&text=free&says={EVIL}")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.get_by_role("tab", name="Sound").click()
    moved = "() => document.querySelector('#player video').currentTime > 1"
    page.locator(".spectrogram").click(position={"x": 900, "y": 60})
    page.wait_for_function(moved)  # without scissors a click moves the player
    page.evaluate("document.querySelector('#player video').currentTime = 0")
    page.click("#scissors")
    first, last = (page.locator(MOMENTS).nth(at).bounding_box() for at in (5, 7))
    page.mouse.move(first["x"] + 3, first["y"] + 60)
    page.mouse.down()
    page.mouse.move(last["x"] + 3, last["y"] + 60)
    page.mouse.up()
    assert picked(page) == "1.0 s of the sound" and pressed(page, MOMENTS) == 3
    assert not page.evaluate(moved)
    page.get_by_role("tab", name="Words").click()
    page.locator("#words-aligned [data-pick]", has_text="onerror").click()
    assert pressed(page, "#words-base [data-pick]") == 1  # the same word of the same prompt
    assert "onerror=alert(1)" in picked(page)
    page.click(CUT)
    wait_for(
        page, "#steered .does", "1.60 to 2.56 s of the sound and the word “onerror=alert(1)>” of the injected text"
    )
    assert page.locator("#dock img, #how img, #steered img").count() == 0


def test_the_keyboard_picks_and_cuts(visit):
    page = visit(CONFLICT)
    page.locator("#scissors").focus()
    page.keyboard.press("Enter")
    for _ in range(12):  # the tabs come first
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.patches button')"):
            break
    for key in ("ArrowDown", "ArrowRight", "Enter", "ArrowRight", " "):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.title") == "row 2, column 3"
    assert picked(page) == "2 patches of the picture"
    page.keyboard.press(" ")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "scissors"
    assert not page.locator("#dock").is_visible()
    page.keyboard.press(" ")
    page.locator(CUT).focus()
    page.keyboard.press("Enter")
    wait_for(page, "#steered .does", "row 2, column 2 in all frames")


def test_a_frame_the_sound_and_the_caption_are_picked_whole(visit):
    page = visit(f"{CONFLICT}&text=caption&says=a+loud+dog")
    whole = "#frames figure:first-child [data-whole]"
    assert not page.locator(whole).is_visible()
    page.click("#scissors")
    page.click(whole)
    cells = page.locator(CELLS).count()
    assert picked(page) == "the whole frame at 0.0 s" and pressed(page, CELLS) == cells
    assert page.locator("#frames [data-whole][aria-pressed=true]").count() == 2  # before and after
    page.locator(CELLS).nth(3).click()  # all but one
    assert picked(page) == f"{cells - 1} patches of the picture" and pressed(page, whole) == 0
    page.click(whole)
    assert picked(page) == "the whole frame at 0.0 s"
    page.locator("#frame input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("cells => !document.querySelector(`${cells}[aria-pressed=true]`)", arg=CELLS)
    assert pressed(page, whole) == 0  # another frame
    page.locator(whole).focus()
    page.keyboard.press("Enter")
    assert picked(page) == "the whole frames at 0.0, 0.5 s"
    page.keyboard.press(" ")
    page.get_by_role("tab", name="Sound").click()
    page.locator("#sound-map [data-whole]").focus()
    page.keyboard.press(" ")
    assert pressed(page, MOMENTS) == page.locator(MOMENTS).count()
    page.get_by_role("tab", name="Words").click()
    page.click("#words-aligned [data-whole]")
    assert picked(page) == "the whole frame at 0.0 s · the whole sound · the whole injected text"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "scissors"
    page.click("#scissors")
    page.click(CUT)
    wait_for(page, "#steered .does", "the whole frame at 0.0 s, the whole sound and the whole injected text")


def test_another_question_forgets_what_was_picked(visit):
    page = visit(CONFLICT)
    page.click("#scissors")
    page.locator(CELLS).first.click()
    assert picked(page) == "1 patch of the picture"
    page.locator("#ask label", has_text="What do you see?").first.click()
    page.wait_for_function("() => document.querySelector('#dock output').innerText.startsWith('Click')")
    assert pressed(page, CELLS) == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "size"), [("wide", WIDE), ("phone", PHONE)])
def test_screenshots(visit, name, size, theme):
    page = visit(f"{CONFLICT}&text=caption&says=a+loud+dog", size=size, theme=theme)
    SCREENS.mkdir(exist_ok=True)
    page.click("#scissors")
    for tab, cells in (("Frames", CELLS), ("Sound", MOMENTS), ("Words", "#words-base [data-pick]")):
        page.get_by_role("tab", name=tab).click()
        for at in (2, 3):
            page.locator(cells).nth(at).click()
        page.locator("#tabs [data-whole]:visible").first.click()
        page.wait_for_timeout(300)  # transitions settle
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.screenshot(path=SCREENS / f"picks-{tab.lower()}-{name}-{theme}.png")
    page.click(CUT)
    wait_for(page, "#steered .does", "the whole sound")
    page.wait_for_timeout(300)
    page.screenshot(path=SCREENS / f"picks-cut-{name}-{theme}.png")
