"""Words, strips and tokens of "Look inside" as HTML: nothing is lost, and nothing becomes markup."""

import base64
import io
import re
from dataclasses import replace
from html import escape, unescape

import numpy as np
import pytest
from PIL import Image

from demo import inside
from demo.conflicts import Conflict
from demo.inside import View
from demo.pages import inside_markup, workshop_markup
from demo.probing import regions, workshop
from demo.session import Lab
from demo.visitors.state import State
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, Kind

EVIL = "<img src=x onerror=alert(1)>"
SWAP = State(clip="dog", conflict=Conflict(sound="swap", other="cat", text="free", caption=EVIL), question="hear")


@pytest.fixture
def asked(tmp_path, stand_ins):
    lab = Lab(FakeModel(), tmp_path / "files")
    *_, asked = lab.ask("me", SWAP)
    return asked


def test_media_are_strips_among_the_words(asked):
    strips = inside.strips(asked, View())
    video, audio = strips[Kind.VIDEO], strips[Kind.AUDIO]
    assert len(video.jpegs) == len(video.spans) == len(video.shares[BASE]) > 1
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in video.jpegs) and audio.jpegs == ()
    assert max(max(shares) for shares in video.shares.values()) == 1
    assert video.spans[0][0] == 0 and video.spans[-1][1] == pytest.approx(3, abs=0.2)
    shades = inside.read(asked, View())[ALIGNED]
    html = inside_markup.words(shades, ALIGNED, strips)
    assert html.count("<img ") == len(video.jpegs) and html.count('class="media') == 2
    assert "onerror=alert" in html and EVIL not in html


def test_what_can_be_picked_leads_to_its_positions(asked):
    tokens, mark = inside.prompt(asked), "abc"
    seen = inside.seen(asked, View())
    frames = inside_markup.frames(seen, 0, mark)
    cells = re.findall(r'data-pick="([^"]*)"', frames)
    assert len(cells) == 2 * seen.patches[0] * seen.patches[1] and len({*cells}) == len(cells) / 2
    moments = regions.moments(tokens)
    sound = inside_markup.sound(inside.heard(asked, View()), moments, mark)
    stretches = re.findall(r'data-pick="([^"]*)"', sound)
    assert len(stretches) == len(moments) > 5
    html = inside_markup.words(inside.read(asked, View())[ALIGNED], ALIGNED, {}, mark)
    found = {}
    for pick, said in re.findall(r'<span[^>]*data-pick="([^"]*)"[^>]*>([^<]*)</span>', html):
        found[pick] = unescape(said).strip()
    for pick, said in found.items():
        at = regions.positions(tokens, f"pick~{pick}")
        assert "".join(tokens.pieces[one] for one in at).strip() == said
    assert {"<img", "src=x", "onerror=alert(1)>"} <= {*found.values()} and "<img" not in html
    everything = [*cells, *stretches, *found]
    every = {*regions.positions(tokens, "~".join(["pick", *everything]))}
    assert {tokens.kinds[at] for at in {*range(len(tokens))} - every} == {Kind.MARKER}
    assert all(f'data-prompt="{mark}"' in drawn for drawn in (frames, sound, html))


def test_words_of_another_prompt_can_not_be_picked(asked):
    html = inside_markup.words(inside.read(asked, View())[ALIGNED], ALIGNED, {})
    assert "data-pick" not in html and "data-prompt" not in html


def test_a_picked_word_is_never_markup(asked):
    it = regions.cut(inside.prompt(asked), "pick~text~onerror=alert(1)>")
    told = workshop.region(asked, it)
    assert told == "the word “onerror=alert(1)>” of the injected text"
    form = workshop_markup.form(it, 6, region=f"{told} {EVIL}")
    assert escape(EVIL) in form and EVIL not in form and 'data-name="region"' in form
    changed = workshop_markup.changed(replace(asked, changed=(it, asked.comparison)))
    assert escape(told) in changed and told not in changed


def test_no_pixel_of_a_sound_is_lost(asked):
    picture = inside.heard(asked, View())
    written = re.search(r"data:image/webp;base64,([^\"]+)", inside_markup.sound(picture))[1]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(written))))
    np.testing.assert_array_equal(shown, picture.image)


def test_a_silent_film_has_no_strip_of_sound(asked, tmp_path):
    lab = Lab(FakeModel(), tmp_path / "others")
    *_, silent = lab.ask("me", replace(SWAP, conflict=Conflict(sound="remove")))
    assert {*inside.strips(silent, View())} == {Kind.VIDEO}


def test_each_answer_offers_its_own_tokens(asked):
    written = inside.written(asked)
    assert {name: "".join(tokens).strip() for name, tokens in written.items()} == {BASE: "dog", ALIGNED: "cat"}
    html = inside_markup.steps({BASE: (" a", "<b>"), ALIGNED: (" no", "ne", " of")}, 2)
    assert html.count("data-step=") == 5 and "<b>" not in html
    assert html.count('aria-pressed="true"') == 2  # the shorter answer's last
    assert 'data-step="1" aria-pressed="true"' in html and 'data-step="2" aria-pressed="true"' in html


def test_maps_belong_to_the_chosen_token(asked):
    first, later = (inside.video_maps(asked, View(step=step))[BASE] for step in (0, 1))
    assert (first == later).all()  # one token: nothing stands behind it
    attention = asked.comparison.answers[BASE].attention
    assert attention.steps == 1 and View(step=7).at(attention)["rows"] == 0
