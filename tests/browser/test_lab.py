"""The real page in Chromium: what a visitor does first, on a large screen and on a phone, in light and dark.

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones; screenshots go to .screens/.
"""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from demo.clips import gallery
from tests.perceiving import moved
from tests.serving import served, stand_in_gallery, use_gallery

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: see tests/requirements.txt")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENS = Path(__file__).parents[2] / ".screens"
REAL = os.environ.get("MCGURK_TEST_MODEL") == "mini"
WAIT = 120_000 if REAL else 60_000  # ms, on two busy cores
ANSWERED = ".answer[aria-busy=false] .badge"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def address(tmp_path_factory, answering):
    with pytest.MonkeyPatch.context() as patch:
        if not REAL:
            use_gallery(stand_in_gallery(tmp_path_factory.mktemp("gallery")), patch)
            patch.setattr("models.interventions.heads.moved", moved)
        with served(answering, tmp_path_factory.mktemp("cache"), patch) as url:
            yield url.rstrip("/")


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    """visit(query, size, theme) opens the page and waits until it has answered; nothing may fail or go elsewhere."""
    opened, complaints = [], []

    def open_page(query: str = "", size=WIDE, theme: str = "light", answered: bool = True):
        context = chromium.new_context(viewport=size, color_scheme=theme, accept_downloads=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: _check_local(request.url, address, complaints))
        page.goto(f"{address}/?{query}&__theme={theme}" if query else f"{address}/?__theme={theme}")
        if answered:
            page.wait_for_selector("#frames .film img.on", state="attached")  # a link may open another tab
        return page

    yield open_page
    for context in opened:
        context.close()
    assert not complaints


def _check_local(url: str, address: str, complaints: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        complaints.append(f"fetched from elsewhere: {url}")


def answer(page, adapter: str) -> str:
    return page.locator(f"#answer-{adapter} .text").inner_text()


def choose(page, radio: str, label: str) -> None:
    page.locator(f"#{radio} label", has_text=label).first.click()


def wait_for_question(page, text: str) -> None:
    page.wait_for_function(
        """text => document.querySelector("#question")?.innerText.includes(text)
        && document.querySelectorAll("#answer-base .badge, #answer-aligned .badge").length == 2
        && document.querySelectorAll(".answer[aria-busy=true]").length == 0
        && document.querySelector("#status")?.innerText.startsWith("Answered")""",
        arg=text,
    )


def test_a_worked_conflict_is_there_at_once(visit):
    page = visit()
    assert page.locator("#player video").get_attribute("src")
    assert answer(page, "base") and answer(page, "aligned")
    for card in ("#answer-base", "#answer-aligned"):
        box = page.locator(card).bounding_box()
        assert box["y"] + box["height"] <= WIDE["height"]  # above the fold
    assert page.locator("#frames figure").count() == 2
    assert page.locator("#given li b").count() == 3


def test_what_is_opened_late_holds_what_it_was_given(visit):
    page = visit("clip=dog&sound=swap&other=cat&ask=hear")
    wait_for_question(page, "hear")
    page.wait_for_timeout(500)  # what follows the drawings is there
    page.get_by_role("tab", name="Layers").click()
    page.wait_for_selector("#layers .main-svg")
    page.get_by_text("Receipt: what the models really received").click()
    page.wait_for_function("() => document.querySelector('#heard')?.innerText.match(/0:0[1-9]/)")  # it is not empty


def test_what_is_not_yet_written_is_asked_for_and_what_is_answered_stays(visit):
    page = visit("clip=cat&ask=hear")
    choose(page, "ask", "In my words")
    page.wait_for_function("() => document.querySelector('#status').innerText.startsWith('Write your question')")
    page.locator("#own textarea, #own input").first.fill("What animal is this?")
    page.keyboard.press("Enter")
    wait_for_question(page, "What animal is this?")
    choose(page, "text", "free text")
    page.wait_for_function("() => document.querySelector('#status').innerText.startsWith('Write what the text says')")
    assert not page.locator(".toast-body").count()
    choose(page, "text", "nothing")  # what stands there is the answer to this already
    page.wait_for_timeout(1500)
    assert page.locator("#player video").count() and answer(page, "base") and answer(page, "aligned")
    assert page.locator("#question").inner_text().endswith("What animal is this?")


def test_swap_a_sound_and_ask_both_questions(visit):
    page = visit("clip=cat")
    other = "dog"
    choose(page, "sound", "another clip's")
    page.locator("#other input").click()
    page.get_by_role("option", name=title(other)).click()
    page.wait_for_function("name => document.querySelector('#given .hear b').innerText == name", arg=other)
    choose(page, "ask", "What do you hear?")
    wait_for_question(page, "hear")
    assert page.locator("#answer-aligned .badge").inner_text().strip()
    if not REAL:
        assert (answer(page, "base"), answer(page, "aligned")) == ("cat", "dog")
        assert "followed the picture" in page.locator("#answer-base .badge").inner_text()
        assert "followed the sound" in page.locator("#answer-aligned .badge").inner_text()
    assert page.locator("#answer-aligned .bars li").count() == 9
    choose(page, "ask", "What do you see?")
    wait_for_question(page, "see")
    if not REAL:
        assert answer(page, "aligned") == "cat"
    page.locator("#receipt button").first.click()
    assert "video" in page.locator("#receipt .receipt").inner_text()
    query = parse_qs(urlparse(page.url).query)
    assert (query["clip"], query["sound"], query["other"]) == (["cat"], ["swap"], [other])


def test_a_link_opens_its_situation(visit):
    page = visit("clip=dog&sound=swap&other=cat&ask=hear&text=caption&says=rain&at=after&layer=2&view=difference")
    wait_for_question(page, "hear")
    assert page.locator("#given .read b").inner_text() == "rain"
    assert page.locator("#text label.selected").inner_text() == "a caption"
    assert page.locator("#position label.selected").inner_text() == "after it"
    assert page.locator("#layer input").input_value() == "layer 2"
    assert page.locator("#view label.selected").inner_text() == "minus the other question"
    page.click("#copy-link")
    page.wait_for_selector("#copy-link[data-said]")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlparse(copied).query)["says"] == ["rain"]


@pytest.mark.parametrize("query", ["clip=unicorn", "sound=louder", "shift=1e9", "nonsense=1", "clip=dog&clip=cat"])
def test_a_damaged_link_is_refused_with_a_message(visit, query):
    page = visit(query, answered=False)
    page.wait_for_selector(".toast-body, [data-testid=toast-body]")
    assert "starts as usual" in page.locator(".toast-body, [data-testid=toast-body]").first.inner_text()
    page.wait_for_selector("#answer-aligned .badge")


def test_text_is_never_markup(visit):
    page = visit("clip=dog&text=free&says=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E+%24%7Balert(2)%7D&ask=see")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.locator("#receipt button").first.click()
    assert "<img src=x" in page.locator("#receipt pre").inner_text()
    assert page.locator("#receipt pre img").count() == 0


def test_look_inside(visit):
    page = visit("clip=dog&sound=swap&other=cat&ask=hear")
    first = page.locator("#frames img.on").first.get_attribute("src")
    page.locator("#frame input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("src => document.querySelector('#frames img.on').src != src", arg=first)
    choose(page, "view", "minus the other question")
    page.wait_for_function("() => location.search.includes('view=difference')")
    page.get_by_role("tab", name="Sound").click()
    page.wait_for_selector(".spectrogram .playhead")
    page.get_by_role("tab", name="Words").click()
    assert "hear" in page.locator("#words-aligned").inner_text()
    page.get_by_role("tab", name="Layers").click()
    page.wait_for_selector("#layers .main-svg")
    page.get_by_role("tab", name="What if").click()
    choose(page, "method", "Look less")
    page.wait_for_selector("#steered .bars s")
    page.get_by_role("button", name="without the sound").click()
    page.wait_for_selector("#steered .does:has-text('Nobody looks at the sound')")
    assert page.locator("#steered .answer").count() == 2


def test_exports(visit):
    page = visit("clip=dog&sound=swap&other=cat&ask=hear")
    found = {}
    for kind in ("json", "csv", "mp4"):
        with page.expect_download() as download:
            page.click(f"#export-{kind}")
        found[kind] = Path(download.value.path()).read_bytes()
    assert {"base", "aligned", "receipt"} <= set(json.loads(found["json"]))
    assert found["csv"].startswith(b"adapter,question,answer")
    assert found["mp4"][4:8] == b"ftyp"


def test_the_keyboard_reaches_everything(visit):
    page = visit()
    page.locator("#ask input:checked").focus()
    page.keyboard.press("ArrowRight")
    wait_for_question(page, "match")
    names = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea")]
        .filter(e => e.offsetParent && !e.getAttribute("aria-label") && !e.labels?.length && !e.innerText.trim()
        && !e.title && !e.closest("label") && !e.getAttribute("aria-labelledby"))
        .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert not names


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "size"), [("wide", WIDE), ("phone", PHONE)])
def test_screenshots(visit, name, size, theme):
    page = visit(size=size, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]  # nothing to scroll sideways
    left, right = (page.locator(f"#answer-{adapter}").bounding_box() for adapter in ("base", "aligned"))
    assert left["x"] + left["width"] <= right["x"] + 1 and abs(left["y"] - right["y"]) < 2  # beside each other
    SCREENS.mkdir(exist_ok=True)
    page.wait_for_timeout(600)  # pictures and transitions settle
    page.screenshot(path=SCREENS / f"lab-{name}-{theme}.png", full_page=name == "phone")
    if name == "wide":
        page.screenshot(path=SCREENS / f"lab-{name}-{theme}-whole.png", full_page=True)
    if name == "wide":
        page.get_by_role("link", name="About").click()
        page.wait_for_selector("text=How the attention is computed")
        page.screenshot(path=SCREENS / f"about-{name}-{theme}.png")


def title(id: str) -> str:
    return next(clip.title for clip in gallery() if clip.id == id)
