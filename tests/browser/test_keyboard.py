"""A visitor's own clip by the keyboard alone, as somebody without a mouse or without sight goes there; and "back".

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones.
"""

import pytest

from tests.browser.test_lab import PHONE, address, chromium, title, visit, wait_for_question
from tests.browser.test_shelf import OTHER, bring, unlabelled

__all__ = ["address", "chromium", "unlabelled", "visit"]  # fixtures
pytestmark = pytest.mark.browser
FARTHEST = 60  # presses of Tab
STOP = """() => {
  const at = document.activeElement, shown = at.closest("label") ?? at, box = shown.getBoundingClientRect();
  const name = at.ariaLabel || at.title || at.labels?.[0]?.innerText || at.innerText;
  const ring = [at, shown].some(one => getComputedStyle(one).outlineStyle != "none");
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const above = document.elementFromPoint(x, y);
  const seen = y < 0 || y > innerHeight || shown.contains(above) || above?.contains(shown);
  return [at.outerHTML.slice(0, 120), Boolean(name?.trim()), ring, seen];
}"""


def tab_to(page, where: str, key: str = "Tab") -> None:
    """Press Tab until the focus is there; on the way everything has a name and a ring, and nothing lies above it."""
    for _ in range(FARTHEST):
        page.keyboard.press(key)
        if page.evaluate("document.activeElement == document.body"):
            continue  # once around
        what, *fine = page.evaluate(STOP)
        player = page.evaluate("document.activeElement.closest('#player') != null")  # Gradio's own buttons
        assert all(fine) or player, f"{what}: name, ring and nothing above are {fine}"
        if page.evaluate("where => document.activeElement.matches(where)", where):
            return
    pytest.fail(f"Tab does not come to {where}")


def test_the_own_clip_path(visit, unlabelled):
    page = visit("clip=cat&ask=see")
    page.on("filechooser", lambda _chooser: None)  # Chromium learns that none is to be opened, which takes it a while
    tab_to(page, "#own-sound")
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog", name="Your clips").is_visible()
    assert page.evaluate("document.activeElement.id") == "upload"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(unlabelled)
    page.wait_for_function("() => document.querySelectorAll('#heard-chips label').length > 2")
    page.wait_for_function("() => document.querySelector('#given .hear b').innerText.startsWith('something')")
    tab_to(page, "#shelf-see")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#given .see b').innerText.startsWith('something')")
    for chips, given in (("#seen-chips", ".see"), ("#heard-chips", ".hear")):
        tab_to(page, f"{chips} input")
        page.keyboard.press(" ")
        label = page.locator(f"{chips} label").first.inner_text()
        page.wait_for_function(
            "([where, name]) => document.querySelector(`#given ${where} b`).innerText == name", arg=[given, label]
        )
        assert page.evaluate("document.activeElement.labels[0].innerText") == label  # where it was tapped
    assert page.get_by_role("group", name="What does it show?").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "own-sound"
    tab_to(page, "#other input", "Shift+Tab")
    for _ in range(page.locator("#clip label").count()):
        if page.locator("[role=option].active").all_inner_texts() == [title(OTHER)]:
            break
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(50)
    page.keyboard.press("Enter")
    page.wait_for_function("name => document.querySelector('#given .hear b').innerText == name", arg=OTHER)
    tab_to(page, "#ask input[value=hear]")
    page.keyboard.press(" ")
    wait_for_question(page, "hear")
    tab_to(page, "#go")
    page.keyboard.press("Enter")
    wait_for_question(page, "hear")
    assert "followed the sound" in page.locator("#answer-aligned .badge").inner_text()
    assert f"After alignment tuning: {OTHER}, followed the sound." in page.locator("#status").text_content()


def test_the_focus_stays_in_the_drawer_when_the_last_clip_goes(visit, unlabelled):
    page = visit(f"clip={OTHER}&ask=see")
    bring(page, unlabelled)
    page.focus("#shelf-remove")
    page.keyboard.press("Enter")
    page.wait_for_selector("#mine label", state="detached")
    page.wait_for_function("() => document.activeElement.id == 'upload'")


@pytest.mark.parametrize("size", [None, PHONE], ids=["wide", "phone"])
def test_back_closes_the_drawer_and_keeps_the_clip(visit, unlabelled, size):
    page = visit(f"clip={OTHER}&ask=see", **({"size": size} if size else {}))
    bring(page, unlabelled)
    page.wait_for_function("() => document.querySelector('#given .see b').innerText.startsWith('something')")
    entries, address = page.evaluate("history.length"), page.url
    page.evaluate("history.back()")
    page.wait_for_selector("#shelf", state="hidden")
    assert page.url == address and page.locator("#mine label").count() == 1
    page.click("#own-clip")
    page.click("#shelf-close")
    page.click("#own-clip")  # before the browser has gone back
    page.wait_for_timeout(500)
    assert page.locator("#shelf").is_visible()
    assert page.evaluate("history.length") == entries
    if size:  # there is nothing between the heading and the first button of an empty drawer
        page.click("#shelf-remove")
        page.wait_for_selector("#mine label", state="detached")
        head, upload = (page.locator(part).bounding_box() for part in (".shelf-head", "#upload"))
        assert upload["y"] - (head["y"] + head["height"]) < 40
