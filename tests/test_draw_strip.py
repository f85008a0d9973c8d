"""Small pictures of a clip: every size of frame becomes one, as narrow or flat as it may be."""

import numpy as np
import pytest

from demo.draw import strip


@pytest.mark.parametrize("other", [1, 2, 49, 448])
def test_frames_of_every_size_fill_their_pictures(other):
    """Sizes for which the cut-out, computed in floats, came to lie a hair outside the frame."""
    for side in (1, 3, *range(7, 480, 9), 49, 651):
        for height, width in ((side, other), (other, side)):
            frames = np.full((2, height, width, 3), 128, np.uint8)
            assert strip.opened(strip.thumbnail(frames)).size == strip.THUMBNAIL
    assert strip.opened(strip.film(frames)).size == (strip.CELLS * strip.CELL[0], strip.CELL[1])


def test_the_middle_is_cut_out():
    frame = np.zeros((90, 320, 3), np.uint8)
    frame[:, 80:240] = 255
    shown = np.asarray(strip.opened(strip.thumbnail(frame[None])))
    assert shown.mean() > 240
