"""A visitor's own clip in the real page: brought, named, swapped, trimmed, taken along, sent from a phone.

Runs on the fake model and stand-in clips, or with MCGURK_TEST_MODEL=mini on the real ones; screenshots go to .screens/.
"""

import base64
import re
import shutil

import pytest

from demo.clips import gallery, gallery_clip
from tests.browser.test_lab import (
    PHONE,
    REAL,
    SCREENS,
    WAIT,
    WIDE,
    _check_local,
    address,
    choose,
    chromium,
    title,
    visit,
    wait_for_question,
)

__all__ = ["address", "chromium", "visit"]  # fixtures
pytestmark = pytest.mark.browser
LAPTOP = {"width": 1280, "height": 720}
OWN, OTHER = ("cat", "trumpet") if REAL else ("rain", "dog")  # whose file is uploaded, whose sound is swapped in
TOAST = ".toast-body, [data-testid=toast-body]"


@pytest.fixture
def unlabelled(address, tmp_path):
    """A gallery clip's file under a name that says nothing: the page knows nothing of it."""
    return shutil.copyfile(gallery_clip(OWN, *_folder()).path, tmp_path / "VID_0001 <b>.mp4")


def _folder() -> tuple:
    return gallery.__defaults__


def bring(page, *files) -> None:
    """Open the drawer, upload, and wait until there is something to tap."""
    if not page.locator("#shelf").is_visible():
        page.click("#own-clip")
    page.locator("#shelf input[type=file]").first.set_input_files(list(files))
    page.wait_for_selector("#mine label.selected")
    page.wait_for_function("() => document.querySelectorAll('#seen-chips label').length > 2")


def test_a_proposed_label_a_swap_and_the_sound_is_followed(visit, unlabelled):
    page = visit(f"clip={OTHER}&ask=see")
    bring(page, unlabelled)
    page.wait_for_function("() => document.querySelector('#given .see b').innerText.startsWith('something')")
    wait_for_question(page, "see")
    badges = " ".join(page.locator(".answers .badge").all_inner_texts())
    assert "nobody told what is true here" in badges and "followed none" not in badges
    for chips in ("#seen-chips", "#heard-chips"):
        proposed = page.locator(f"{chips} label").first
        proposed.click()
        page.wait_for_selector(f"{chips} label.selected")
    label = page.locator("#seen-chips label.selected").inner_text()
    page.wait_for_function("name => document.querySelector('#given .see b').innerText == name", arg=label)
    page.click("#shelf-close")
    choose(page, "sound", "another clip's")
    page.locator("#other input").click()
    page.get_by_role("option", name=title(OTHER)).click()
    choose(page, "ask", "What do you hear?")
    wait_for_question(page, "hear")
    heard = page.locator("#given .hear b").inner_text()
    page.wait_for_function("name => document.querySelector('#answer-aligned .text')?.innerText == name", arg=heard)
    assert "followed the sound" in page.locator("#answer-aligned .badge").inner_text()
    marks = page.locator("#answer-aligned .bars em").all_inner_texts()
    assert sorted(marks) == ["heard", "seen"]
    assert page.locator("#mine label b").count() == 0  # a file's name is text


def test_a_clip_is_met_with_its_own_sound_and_a_sound_with_the_picture_that_is_there(visit, unlabelled, tmp_path):
    page = visit()  # the worked conflict: another clip's sound
    shown = page.locator("#clip label.selected").inner_text()
    page.click("#own-sound")
    page.locator("#shelf input[type=file]").first.set_input_files(unlabelled)
    page.wait_for_function("() => document.querySelector('#given .hear b').innerText.startsWith('something')")
    assert page.locator("#clip label.selected").inner_text() == shown
    assert page.locator("#sound label.selected").inner_text() == "another clip's"
    page.click("#shelf-close")
    bring(page, shutil.copyfile(unlabelled, tmp_path / "another.mp4"))
    page.wait_for_function("() => document.querySelector('#given .see b').innerText.startsWith('something')")
    assert page.locator("#sound label.selected").inner_text() == "own sound"


def test_what_a_camera_calls_its_file_is_taken_and_a_clip_may_go_while_it_is_looked_at(visit, media_file, tmp_path):
    page = visit(f"clip={OTHER}&ask=see")
    page.click("#own-clip")
    for ending in ("ts", "MTS"):
        file = shutil.copyfile(media_file("stream.ts"), tmp_path / f"00001.{ending}")
        page.locator("#shelf input[type=file]").first.set_input_files(file)
        page.wait_for_selector("#mine label.selected")
        page.click("#shelf-remove")  # while the model is still looking at it
        page.wait_for_selector("#mine label", state="detached")
        wait_for_question(page, "see")
        said = " ".join(page.locator(TOAST).all_inner_texts())
        assert "list of choices" not in said and "Invalid" not in said


def test_a_picture_is_not_offered_to_be_heard(visit, media_file):
    page = visit(f"clip={OTHER}&ask=see")
    bring(page, media_file("photo.jpg"))
    assert page.locator("#shelf-see").is_enabled() and not page.locator("#shelf-hear").is_enabled()
    page.locator("#shelf input[type=file]").first.set_input_files(media_file("sound.wav"))
    page.wait_for_function("() => !document.querySelector('#shelf-see:enabled')")
    assert page.locator("#shelf-hear").is_enabled()


def test_what_is_too_large_is_said_before_it_travels(visit, unlabelled):
    page = visit()
    page.click("#own-clip")
    page.evaluate("window.gradio_config.max_file_size = 1000")
    page.locator("#shelf input[type=file]").first.set_input_files(unlabelled)
    said = page.locator("#arriving p").inner_text()
    assert said.startswith(f"The file {unlabelled.name} has ") and "MB: shorten it first." in said
    page.wait_for_timeout(2000)
    assert not page.locator("#mine label").count() and page.locator("#arriving p").inner_text() == said


def test_what_is_on_its_way_is_said_until_it_is_there_or_refused(visit, unlabelled, tmp_path, monkeypatch):
    page = visit()
    page.click("#own-clip")
    assert not page.locator("#shelf-remove").is_visible()  # there is nothing to remove, or to be asked about
    assert not page.locator("#seen-words").is_visible()
    line = page.locator("#arriving p")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film " * 500)

    def out_of_memory(*_):
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr("demo.visitors.shelf._described", out_of_memory)
    no_room = ".toast-body:has-text('no room left')"
    again = shutil.copyfile(unlabelled, tmp_path / "again.mp4")  # a browser tells only of a change
    outcomes = (broken, TOAST), (unlabelled, no_room), (again, "#mine label.selected")
    for file, outcome in outcomes:
        page.locator("#shelf input[type=file]").first.set_input_files(file)
        assert line.inner_text() == f"Bringing {file.name} …"
        page.wait_for_selector(outcome)
        page.wait_for_function("() => document.querySelector('#arriving p').textContent == ''")
        page.wait_for_timeout(1000)  # a toast comes before the end of the event that it is about
    assert page.locator("#mine label").count() == 1
    assert page.locator("#shelf-remove").is_visible()


@pytest.mark.parametrize(("name", "size"), [("wide", WIDE), ("laptop", LAPTOP), ("phone", PHONE)])
def test_opening_the_drawer_moves_nothing(visit, name, size, unlabelled):
    page = visit(size=size)
    parts = ("#player", "#answer-base", "#answer-aligned", "#card-ask")
    before = [page.locator(part).bounding_box() for part in parts]
    page.click("#own-clip")
    page.wait_for_selector("#shelf[data-open]")
    after = [page.locator(part).bounding_box() for part in parts]
    assert [box["y"] for box in after] == pytest.approx([box["y"] for box in before], abs=1)
    if name != "phone":
        drawer = page.locator("#shelf").bounding_box()
        assert drawer["y"] + drawer["height"] <= after[0]["y"]  # over the cards, not over the player
    bring(page, unlabelled)
    wait_for_question(page, "hear")
    if name != "phone":  # there the new clip makes the picker a row higher, as in any list
        assert page.locator("#player").bounding_box()["y"] == pytest.approx(before[0]["y"], abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    SCREENS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENS / f"shelf-{name}.png")
    page.keyboard.press("Escape")
    assert not page.locator("#shelf").is_visible()


def test_a_situation_is_taken_along_as_a_file(visit, unlabelled, tmp_path):
    page = visit(f"clip={OTHER}&ask=hear")
    bring(page, unlabelled)
    page.locator("#seen-words input, #seen-words textarea").first.fill("A Puppy")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#given .see b').innerText == 'puppy'")
    page.click("#copy-link")
    page.wait_for_selector(TOAST)
    assert "save the situation as a file" in page.locator(TOAST).first.inner_text()
    with page.expect_download() as download:
        page.click("#save")
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.suffix == ".mcgurk"
    elsewhere = visit(f"clip={OWN}&ask=see")
    bring(elsewhere, saved)
    elsewhere.wait_for_function("() => document.querySelector('#given .see b').innerText == 'puppy'")
    wait_for_question(elsewhere, "hear")


def test_a_clip_that_counts_whole_has_nothing_to_trim(visit):
    page = visit(f"clip={OTHER}&ask=see")
    bring(page, gallery_clip("dog").path)
    page.get_by_role("tab", name="Trim").click()
    assert "nothing to trim" in page.locator("#window").inner_text()
    assert not page.locator("#trim").is_visible()


def test_what_counts_of_a_long_clip_is_chosen(visit, media_file):
    page = visit(f"clip={OTHER}&ask=see")
    bring(page, media_file("half-minute.mp4"))
    assert "0.0 to 10.0 s of 25 s" in page.locator("#shelf-about").inner_text()
    page.get_by_role("tab", name="Trim").click()
    page.locator("#trim input[type=number]").fill("7.5")
    page.keyboard.press("Tab")
    page.get_by_role("tab", name="What is it?").click()
    page.wait_for_function("() => document.querySelector('#shelf-about').innerText.includes('7.5 to 17.5 s of 25 s')")
    page.get_by_role("tab", name="Trim").click()
    page.locator("#trim input[type=number]").fill("99")  # as far as it goes, and no error of a component
    page.keyboard.press("Tab")
    page.wait_for_function(
        "() => document.querySelector('#shelf-about').textContent.includes('15.0 to 25.0 s of 25 s')"
    )
    assert not page.locator(TOAST).count()
    page.get_by_role("tab", name="Play").click()
    page.wait_for_selector("#shelf-film video")
    page.click("#shelf-remove")
    page.wait_for_function("() => !document.querySelector('#mine label')")
    page.wait_for_function("() => document.querySelector('#clip label.selected') != null")


BROUGHT = """([how, name, bytes]) => {
  const files = new DataTransfer();
  const content = Uint8Array.from(atob(bytes), letter => letter.charCodeAt(0));
  files.items.add(new File([content], name, { type: "video/mp4" }));
  const more = { bubbles: true, cancelable: true };
  const event = how == "paste" ? new ClipboardEvent(how, { clipboardData: files, ...more })
    : new DragEvent(how, { dataTransfer: files, ...more });
  return document.querySelector("#player").dispatchEvent(event);
}"""


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_files_are_pasted_and_dropped_anywhere(visit, unlabelled, how):
    page = visit(f"clip={OTHER}&ask=see")
    file = [how, unlabelled.name, base64.b64encode(unlabelled.read_bytes()).decode()]
    assert not page.evaluate(BROUGHT, file)  # the browser itself is not to open it
    page.wait_for_selector("#mine label.selected")
    assert page.locator("#shelf").is_visible() and page.locator("#mine label b").count() == 0
    page.wait_for_function("() => document.querySelector('#given .see b').innerText.startsWith('something')")
    page.evaluate(BROUGHT, file)
    page.wait_for_function("() => document.querySelectorAll('#mine label').length == 2")  # twice is two clips


def test_a_phone_adds_and_sees_nothing(visit, chromium, address, unlabelled):
    page = visit()
    page.click("#own-clip")
    page.get_by_role("tab", name="Phone").click()
    page.click("#invite")
    page.wait_for_selector("#code")
    link = re.search(r"(/add\?code=\w+)", page.locator("#invitation code").inner_text())[1]
    context, complaints = chromium.new_context(viewport=PHONE), []
    try:
        phone = context.new_page()
        phone.set_default_timeout(WAIT)
        phone.on("request", lambda request: _check_local(request.url, address, complaints))
        phone.goto(address + link)
        phone.wait_for_function(
            "() => document.querySelector('#phone-code input, #phone-code textarea')?.value.length == 8"
        )
        assert not phone.locator("nav").is_visible()
        phone.locator("input[type=file]").first.set_input_files(unlabelled)
        phone.wait_for_function("() => document.querySelector('#phone-said').innerText.includes('is on the shelf now')")
        page.wait_for_selector("#mine label.selected")
        phone.locator("#phone-code input, #phone-code textarea").first.fill("WRONG")
        with phone.expect_file_chooser() as chooser:  # the same file again
            phone.click("#phone-upload")
        chooser.value.set_files(unlabelled)
        phone.wait_for_function("() => document.querySelector('#phone-said').innerText.includes('not good any more')")
    finally:
        context.close()
    assert not complaints
    assert page.locator("#mine label").count() == 1
