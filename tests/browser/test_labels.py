"""What a visitor says of a clip, changed again and again in the real page: options, marks and judge go with it.

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones.
"""

import pytest

from tests.browser.test_lab import REAL, address, chromium, visit
from tests.browser.test_shelf import OTHER, bring, unlabelled

__all__ = ["address", "chromium", "unlabelled", "visit"]  # fixtures
pytestmark = pytest.mark.browser
ASKED = """([sense, name]) => document.querySelector(`#given .${sense} b`).innerText == name
&& document.querySelectorAll(".answers .answer[aria-busy=false] .bars").length == 2
&& document.querySelector("#status").innerText.startsWith("Answered")"""


def tell(page, sense: str, said: str) -> None:
    page.locator(f"#{sense}-words input, #{sense}-words textarea").first.fill(said)
    page.keyboard.press("Enter")


def wait_for_label(page, sense: str, name: str) -> None:
    """sense: "see" or "hear"; name: what is said to be given there, once both models have answered."""
    page.wait_for_function(ASKED, arg=[sense, name])


def marked(page) -> dict[str, str]:
    """Option -> "seen", "heard", of the right card."""
    rows = page.locator("#answer-aligned .bars li:has(em)").all()
    return {row.locator(".name > span").inner_text(): row.locator("em").first.inner_text() for row in rows}


def badges(page) -> str:
    return " ".join(page.locator(".answers .badge").all_inner_texts())


def test_a_label_is_changed_taken_back_and_said_to_be_nothing(visit, unlabelled):
    page = visit(f"clip={OTHER}&ask=see")
    bring(page, unlabelled)
    wait_for_label(page, "see", "something: nobody told what")
    before = page.locator("#seen-chips label").all_inner_texts()
    assert marked(page) == {} and badges(page).count("nobody told") == 2
    tell(page, "seen", "A Brass Kettle")  # among no proposals, in no table
    wait_for_label(page, "see", "brass kettle")
    assert marked(page) == {"brass kettle": "seen"}
    assert page.locator("#seen-chips label.selected").inner_text() == "brass kettle"
    tell(page, "heard", "Explosions")
    wait_for_label(page, "hear", "explosions")
    assert marked(page) == {"brass kettle": "seen", "explosions": "heard"}
    page.locator("#seen-chips label", has_text="nothing").click()
    wait_for_label(page, "see", "nothing that has a name")
    assert marked(page) == {"explosions": "heard"}
    assert "nobody told" not in badges(page) and "followed the picture" not in badges(page)
    page.locator("#seen-chips label", has_text="I don't know").click()
    wait_for_label(page, "see", "something: nobody told what")
    assert marked(page) == {"explosions": "heard"} and "nobody told" in badges(page)
    assert page.locator("#seen-chips label").all_inner_texts() == before
    page.locator("#seen-chips label").nth(1).click()
    wait_for_label(page, "see", before[1])
    assert page.locator("#seen-chips label").all_inner_texts() == before  # what is tapped stays where it is
    assert marked(page) == {before[1]: "seen", "explosions": "heard"}
    if not REAL:
        assert "followed the picture" in page.locator("#answer-aligned .badge").inner_text()
