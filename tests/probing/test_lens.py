"""What the tokens say: where the truth stands, by layer and place; the fake model, and mini's own words."""

from dataclasses import replace

import numpy as np
import pytest

from demo.conflicts import Conflict
from demo.pages.lens import words
from demo.probing import lens
from demo.session import Lab
from demo.visitors import exports
from demo.visitors.state import State
from models.fake import FakeModel
from models.lens import Said, places_of
from models.omni import ALIGNED, BASE, Kind, McGurkError, Stimulus

SWAP = State(clip="dog", conflict=Conflict(sound="swap", other="cat"), question="hear")


@pytest.fixture
def lab(tmp_path, stand_ins):
    lab = Lab(FakeModel(), tmp_path / "files")
    [*_] = lab.ask("me", SWAP)
    return lab


def test_where_the_truth_stands(lab):
    *_, found = lens.read(lab, "me")
    assert found is lab.last("me").lens and found.roles == {"dog": "seen", "cat": "heard"}
    assert found.curve("picture")[BASE]["dog"][1:] == [1] * 5
    assert found.curve("sound")[ALIGNED]["cat"][1:] == [1] * 5
    begins = found.curve("answer")
    assert begins[BASE]["dog"][-1] > 0.5 > begins[BASE]["cat"][-1]
    assert begins[ALIGNED]["cat"][-1] > 0.5 > begins[ALIGNED]["dog"][-1]
    assert '"lens"' in exports.to_json_text(lab.last("me"))


def test_words_of_a_layer_are_text(lab):
    *_, found = lens.read(lab, "me")
    html = words(found, "sound", 3)
    assert html.count("<figure>") == 2 and ">cat</span>" in html
    kind = Kind.AUDIO
    said = found.said[BASE]
    evil = replace(
        said,
        best={kind: tuple(("<b>",) * len(layer) for layer in said.best[kind])},
        soft={kind: ((('"<i>', 0.5),),)},
    )
    html = words(lens.Lens({BASE: evil}, found.roles), "sound", 99)
    assert "<b>" not in html and "<i>" not in html and "&lt;b&gt;" in html


def test_what_can_not_be_read(lab, monkeypatch):
    with pytest.raises(McGurkError, match="ask first"):
        next(lens.read(lab, "nobody"))
    [*_] = lab.ask("me", replace(SWAP, question="see", answers="free", conflict=Conflict(sound="remove")))
    with pytest.raises(McGurkError, match="answer from a list"):
        next(lens.read(lab, "me"))
    [*_] = lab.ask("me", SWAP)
    monkeypatch.setattr(FakeModel, "lens", super(FakeModel, FakeModel).lens)
    with pytest.raises(McGurkError, match="choose a model that runs here"):
        [*_] = lens.read(lab, "me")


def test_shares_of_tokens():
    tokens = FakeModel().ask(Stimulus(None, 1.0, np.ones(16_000, np.float32)), "Hear?")[BASE].attention.tokens
    places = places_of(tokens)
    shares = np.zeros((2, len(places), 3), np.float32)
    shares[0, :, 1], shares[1, :3, 0], shares[1, 3:, 2] = 1.0, 0.9, 0.8
    said = Said(("a", "b", "c"), tokens, places, shares)
    assert said.telling(Kind.AUDIO)[0].tolist() == [0, 1, 0]
    assert said.telling(Kind.AUDIO)[1, 0] == pytest.approx(3 / (len(places) - 1))
    assert said.telling(Kind.VIDEO).sum() == 0
    assert said.telling(None)[1].tolist() == pytest.approx([0, 0, 0.8])


@pytest.mark.mini
def test_mini_reads_its_own_tokens_out(mini):
    frames = np.random.default_rng(3).integers(0, 255, (3, 90, 120, 3), np.uint8)
    encoded = mini.encode(Stimulus(frames, 1.0, np.sin(np.arange(32_000) / 9).astype(np.float32)))
    said = mini.lens(encoded, "What do you hear?", ("dog", "rain", "cello"), BASE)
    audio, video = (said.tokens.kinds.count(kind) for kind in (Kind.AUDIO, Kind.VIDEO))
    assert said.shares.shape == (mini.layers, audio + video + 1, 3)
    assert np.allclose(said.shares.sum(-1), 1, atol=1e-3)
    assert len(said.soft[Kind.AUDIO]) == audio == len(said.best[Kind.AUDIO][0])
    assert len(said.soft[Kind.VIDEO]) == video and len(said.best[Kind.VIDEO]) == mini.layers
    firsts = [blend[0] for blend in said.soft[Kind.VIDEO]]
    assert all(0 < share <= 1 for _, share in firsts)
