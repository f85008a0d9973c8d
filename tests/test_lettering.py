"""Text on frames: readable, inside the frame, or refused."""

import numpy as np
import pytest

from demo import lettering
from demo.lettering import banner, burned
from models.omni import McGurkError


@pytest.mark.parametrize("size", [(448, 252), (252, 448), (1280, 720), (64, 48)])
def test_a_short_text_fits_any_frame(size):
    width, height = size
    picture = banner("dog", width, height)
    assert picture.shape == (height, width, 4)
    assert not picture[: height // 2].any()
    white = (picture[..., :3].min(axis=2) > 200) & (picture[..., 3] > 200)
    rows, columns = np.nonzero(white)
    assert len(rows) and np.ptp(rows) > height / 20
    assert columns.min() > 0 and columns.max() < width - 1


def test_a_longer_text_is_broken_into_lines():
    one, two = (int((banner(text, 448, 252)[..., 3] > 0).any(axis=1).sum()) for text in ("dog", "a dog barks " * 5))
    assert one < two <= 126


def test_the_background_shines_through_and_the_rest_is_untouched():
    frames = np.full((2, 120, 200, 3), 200, np.uint8)
    out = burned(frames, "rain")
    assert (out[:, :60] == 200).all() and (frames == 200).all()
    assert 20 < out[0, -1, 0, 0] < 120


@pytest.mark.parametrize("text", ["word " * 40, "x" * 200, "雨"])
def test_what_cannot_be_drawn(text):
    with pytest.raises(McGurkError, match=r"fit|letters"):
        banner(text, 160, 90)


@pytest.mark.skipif(not lettering._font("DejaVuSans.ttf", 20), reason="this machine has no font with accents")
def test_accents_can_be_drawn():
    assert banner("Müde Hündin, café", 448, 252).any()


def test_without_another_font_accents_are_refused(monkeypatch):
    monkeypatch.setattr(lettering, "FONTS", ("", "NoSuchFont.ttf"))
    with pytest.raises(McGurkError, match="üé"):
        banner("Müde café", 448, 252)
