"""The page in the frame of a Hugging Face Space, in Chromium: links lead to the Space, whose address follows."""

import pytest

from tests.browser.test_lab import ANSWERED, PHONE, SCREENS, WAIT, WIDE, chromium
from tests.serving import model, served

__all__ = ["chromium"]  # fixture
pytestmark = pytest.mark.browser
SPACE, PAGE = "somebody/mcgurk", "https://huggingface.co/spaces/somebody/mcgurk"
AROUND = """<!doctype html><title>Spaces</title><iframe src="{address}" width="1200" height="800"
  allow="clipboard-read; clipboard-write"></iframe>
<script>addEventListener("message", (e) => {{ document.title = e.origin + " " + e.data.queryString; }});</script>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory, stand_ins):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPACE_ID", SPACE)
        with served(model(), tmp_path_factory.mktemp("cache"), patch) as url:
            yield url.rstrip("/")


def opened(chromium, size=WIDE):
    context = chromium.new_context(viewport=size)
    context.grant_permissions(["clipboard-read", "clipboard-write", "local-network-access"])
    page = context.new_page()
    page.set_default_timeout(WAIT)
    return page


def test_a_copied_link_opens_the_space_and_its_address_follows_the_page(chromium, address):
    page = opened(chromium)
    page.route("https://huggingface.co/**", lambda route: route.fulfill(
        content_type="text/html", body=AROUND.format(address=f"{address}/?clip=rain&ask=hear")))  # fmt: skip
    page.goto(PAGE)
    frame = page.frame_locator("iframe")
    frame.locator(ANSWERED).first.wait_for()
    page.wait_for_function("() => document.title.includes('clip=rain')")
    assert page.title().startswith(address + " ") and "ask=hear" in page.title()
    frame.locator("#copy-link").click()
    frame.locator("#copy-link[data-said]").wait_for()
    inner = next(one for one in page.frames if one.url.startswith(address))
    link = inner.evaluate("() => navigator.clipboard.readText()")
    assert link.startswith(PAGE + "?") and "clip=rain" in link
    page.context.close()


@pytest.mark.parametrize("size", (WIDE, PHONE), ids=("wide", "phone"))
def test_what_is_picked_stays_in_view_in_a_frame_that_is_as_high_as_the_page(chromium, address, size):
    page = opened(chromium, size)
    around = f'<meta name="viewport" content="width=device-width"><iframe src="{address}/?clip=rain" width="100%">'
    page.route("https://huggingface.co/**", lambda route: route.fulfill(content_type="text/html", body=around))
    page.goto(PAGE)
    frame = page.frame_locator("iframe")
    frame.locator("#frames .film img.on").first.wait_for(state="attached")
    inner = next(one for one in page.frames if one.url.startswith(address))
    page.evaluate("() => { document.querySelector('iframe').height = 5000; }")
    frame.locator("#scissors").click()
    for tab in ("Frames", "Sound", "Words"):
        frame.get_by_role("tab", name=tab).click()
        for _ in range(4):
            page.evaluate("y => scrollBy(0, y - 200)", frame.locator("#tabs").bounding_box()["y"])
            page.wait_for_timeout(400)  # more than the time between two looks
        dock, drawn = frame.locator("#dock").bounding_box(), frame.locator("#tabs").bounding_box()
        assert inner.evaluate("() => innerHeight") == 5000
        assert dock["y"] > drawn["y"] and dock["y"] + dock["height"] <= size["height"], tab
        SCREENS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENS / f"frame-{tab.lower()}-{size['width']}.png")
    page.context.close()


@pytest.mark.parametrize("size", (WIDE, PHONE), ids=("wide", "phone"))
def test_the_space_can_be_duplicated_from_the_about_page(chromium, address, size):
    page = opened(chromium, size)
    hub = {"content_type": "text/html", "body": "the Hub"}
    page.context.route("https://huggingface.co/**", lambda route: route.fulfill(**hub))
    page.goto(f"{address}/about")
    with page.expect_popup() as popup:
        page.click("#duplicate")
    popup.value.wait_for_url(PAGE + "?duplicate=true")
    page.context.close()


def test_the_installed_page_has_the_icon_of_the_application(chromium, address):
    page = opened(chromium)
    page.goto(f"{address}/about")
    manifest = page.evaluate("() => fetch('/manifest.json').then((answer) => answer.json())")
    assert manifest["name"] == "McGurk" and [icon["sizes"] for icon in manifest["icons"]] == ["any"]
    for source in (manifest["icons"][0]["src"], "/favicon.ico"):
        drawn = page.evaluate(
            """(source) => new Promise((done, failed) => {
                 const image = new Image();
                 Object.assign(image, { onload: () => done(image.naturalWidth), onerror: failed, src: source });
               })""",
            source,
        )
        assert drawn > 0
        assert "<title>McGurk" in page.evaluate("(source) => fetch(source).then((answer) => answer.text())", source)
    page.context.close()
