"""A full queue in the real page: it says so, and asks again by itself until it is answered."""

import threading

import pytest

from demo.pages import site
from demo.session import Lab
from tests.browser.test_lab import WAIT, WIDE, answer, choose, chromium
from tests.perceiving import PerceivingModel
from tests.serving import served, stand_in_gallery, use_gallery

__all__ = ["chromium"]  # fixture
pytestmark = pytest.mark.browser
AGAIN, ANSWERED = "#status [data-again]", "#answer-aligned .answer:not(.empty, .busy)"


@pytest.fixture
def full(tmp_path, tmp_path_factory, monkeypatch):
    """(address, free): an application with room for one question, which somebody has until free.set()."""
    use_gallery(stand_in_gallery(tmp_path_factory.mktemp("gallery")), monkeypatch)
    labs, free, busy = [], threading.Event(), threading.Event()
    monkeypatch.setattr(site, "Lab", lambda *given: labs.append(Lab(*given)) or labs[-1])

    def keep(_stop):
        busy.set()
        yield free.wait(120)

    with served(PerceivingModel(), tmp_path, monkeypatch) as address:
        [lab] = labs
        lab.turns.most = 1
        others = [threading.Thread(target=lambda n=n: list(lab.run(f"other {n}", keep))) for n in range(2)]
        others[0].start()
        assert busy.wait(30)
        others[1].start()
        while not lab.turns.waiting:
            others[1].join(0.01)
        yield address.rstrip("/"), free
        free.set()
        for other in others:
            other.join(30)


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport=WIDE)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    yield page
    context.close()


def test_the_page_asks_again_until_there_is_room(full, page):
    address, free = full
    page.goto(f"{address}/?clip=dog&sound=swap&other=cat&ask=hear")
    page.wait_for_selector(AGAIN)
    said = page.locator("#status").inner_text()
    assert "Too many questions are waiting" in said and "The page asks again by itself in 2 s" in said
    for _ in range(2):  # it asks again, and is refused again
        before = page.locator(AGAIN).get_attribute("data-refusal")
        page.wait_for_selector(f"{AGAIN}:not([data-refusal='{before}'])")
    assert page.locator(ANSWERED).count() == 0
    free.set()
    page.wait_for_selector(ANSWERED)
    assert (answer(page, "base"), answer(page, "aligned")) == ("dog", "cat")
    page.wait_for_function("() => document.querySelector('#status').innerText.startsWith('Answered')")


def test_what_was_asked_meanwhile_is_answered_instead(full, page):
    address, free = full
    page.goto(f"{address}/?clip=dog&sound=swap&other=cat&ask=hear")
    page.wait_for_selector(AGAIN)
    free.set()
    choose(page, "ask", "What do you see?")
    page.wait_for_function("() => document.querySelector('#question')?.innerText.includes('see')")
    page.wait_for_selector(ANSWERED)
    assert answer(page, "aligned") == "dog"
    page.wait_for_timeout(4000)  # longer than the page would have waited: it doesn't ask the old question
    assert "see" in page.locator("#question").inner_text() and answer(page, "aligned") == "dog"
