"""Grids of heads: kept beside the answers, ranked, drawn and clicked; what is measured is stood in for."""

import re

import numpy as np
import pytest

from demo.pages.heads import markup
from demo.probing import heads
from demo.probing.heads import Grids
from demo.session import Lab
from demo.visitors.state import State
from demo.visitors.turns import Wait
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, McGurkError
from tests.perceiving import moved


@pytest.fixture
def lab(tmp_path, stand_ins, monkeypatch):
    monkeypatch.setattr("models.interventions.heads.moved", moved)
    lab = Lab(FakeModel(), tmp_path / "files")
    [*_] = lab.ask("me", State(clip="dog", question="hear"))
    return lab


def test_what_is_found_is_kept_until_the_next_question(lab):
    *waits, grids = heads.measure(lab, "me", "sound")
    assert all(isinstance(wait, Wait) for wait in waits)
    assert {*grids.moved} == {BASE, ALIGNED} and grids.moved[BASE].shape == (6, 3)
    [*_] = heads.measure(lab, "me", "picture")
    assert {*lab.last("me").heads} == {"sound", "picture"} and lab.last("me").heads["sound"] is grids
    [*_] = lab.ask("me", State(clip="dog", question="see"))
    assert lab.last("me").heads == {}


def test_what_can_not_be_found(lab, monkeypatch):
    with pytest.raises(McGurkError, match="not for 'smell'"):
        next(heads.measure(lab, "me", "smell"))
    with pytest.raises(McGurkError, match="ask first"):
        next(heads.measure(lab, "nobody", "sound"))
    monkeypatch.setattr(FakeModel, "can_look_inside", False)
    with pytest.raises(McGurkError, match="reach into"):
        next(heads.measure(lab, "me", "sound"))


def test_ranks_and_changes():
    before, after = np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32)
    before[3, 1], before[0, 0], after[2, 1] = 2.0, 0.5, 3.0
    grids = Grids("sound", {BASE: before, ALIGNED: after})
    assert heads.ranked(grids, BASE, 2) == [(3, 1, 2.0), (0, 0, 0.5)]
    assert grids.top == 3.0 and grids.change[3, 1] == -2.0 and grids.change[2, 1] == 3.0
    assert Grids("sound", {BASE: before}).change is None and Grids("sound", {BASE: before * 0}).top > 0


def test_a_grid_has_a_button_for_every_head():
    rng = np.random.default_rng(7)
    grids = Grids("sound", {BASE: rng.random((5, 4)), ALIGNED: rng.random((5, 4))})
    html = markup(grids)
    assert html.count("data-head=") == 3 * 20 and html.count("<figure>") == 3
    strongest = re.findall(r'data-head="(\d+h\d+)"[^>]*--v:1\.000', html)
    layer, head, _ = max((heads.ranked(grids, name, 1)[0] for name in grids.moved), key=lambda one: one[2])
    assert f"{layer}h{head}" in strongest
    assert html.count("class=less") == int((grids.change < 0).sum())
    assert html.count('tabindex="0"') == 1
