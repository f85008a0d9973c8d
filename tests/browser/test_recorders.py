"""Camera and microphone in the real page, with Chromium's made-up ones: a moving picture and a beep.

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones.
"""

import pytest

from tests.browser.test_lab import CHROMIUM, WAIT, WIDE, address, sync_api
from tests.browser.test_shelf import TOAST

__all__ = ["address"]  # fixture
pytestmark = pytest.mark.browser
MADE_UP = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
SECONDS = 2.5  # of a recording


@pytest.fixture
def page(address):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *MADE_UP])
        page = browser.new_page(viewport=WIDE)
        page.set_default_timeout(WAIT)
        page.goto(f"{address}/?clip=dog&ask=see&__theme=light")
        page.wait_for_selector("#frames .film img.on", state="attached")
        yield page
        browser.close()


def test_the_camera_records_with_sound_and_the_microphone_alone(page):
    if not page.evaluate("MediaRecorder.isTypeSupported('video/webm') && MediaRecorder.isTypeSupported('audio/webm')"):
        pytest.skip("this Chromium can't encode what it records")
    page.click("#own-clip")
    page.get_by_role("tab", name="Camera").click()
    page.get_by_role("button", name="Click to Access Webcam").click()
    record = page.get_by_role("button", name="start recording")  # and to stop it
    record.click()
    page.wait_for_timeout(1000 * SECONDS)
    record.click()
    page.wait_for_selector("#mine label.selected:has-text('Camera 1')")
    page.wait_for_function("() => document.querySelector('#given .see b').innerText.startsWith('something')")
    assert page.locator("#given .hear b").inner_text().startswith("something")  # the camera's sound came along
    assert "damaged" not in page.locator("#given .notices").first.inner_text()
    assert page.locator("#shelf-see").is_enabled() and page.locator("#shelf-hear").is_enabled()
    page.get_by_role("tab", name="Mic").click()
    page.locator("#microphone").get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1000 * SECONDS)
    page.locator("#microphone").get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector("#mine label.selected:has-text('Microphone 1')")
    assert not page.locator("#shelf-see").is_enabled() and page.locator("#shelf-hear").is_enabled()
    page.wait_for_function("() => document.querySelector('#sound label.selected').innerText == 'another clip\\'s'")
    page.wait_for_function("() => document.querySelector('#given .see b').innerText.startsWith('something')")
    assert not page.locator(TOAST).count()
