"""Heat lies where the map is strong, on one scale, and films and strips have the promised form."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from demo.draw.film import overlay_video
from demo.draw.frames import common_scale, overlay, step_of_frames, strip
from models.omni import McGurkError

GREY = np.full((4, 70, 98, 3), 90, np.uint8)


def corner(times=4) -> np.ndarray:
    heat = np.zeros((times, 7, 7))
    heat[:, :2, :2] = 1.0
    return heat


def test_heat_is_blue_and_lies_on_its_place():
    painted = overlay(GREY, corner(), scale=1.0).astype(int)
    assert painted.shape == GREY.shape
    hot, cold = painted[0, 8, 12], painted[0, 60, 90]
    assert hot[2] > hot[0] + 40 and hot[2] > 150  # sight is blue
    assert len(set(cold.tolist())) == 1 and 0 < cold[0] < 90  # grey stays grey, a little dimmer


def test_scale_makes_maps_comparable():
    strong, weak = overlay(GREY, corner(), scale=1.0), overlay(GREY, corner() * 0.2, scale=1.0)
    assert int(strong[0, 8, 12, 2]) > int(weak[0, 8, 12, 2]) + 20
    np.testing.assert_array_equal(overlay(GREY, corner() * 0.2), overlay(GREY, corner()))  # each on its own scale
    assert common_scale(corner(), corner() * 3) == pytest.approx(3)
    assert common_scale() > 0 and common_scale(np.zeros((2, 2))) > 0


def test_scale_is_common_to_the_whole_clip():
    heat = corner()
    heat[1] *= 0.25
    painted = overlay(GREY, heat).astype(int)
    assert painted[0, 8, 12, 2] > painted[1, 8, 12, 2]


def test_steps_put_each_frame_to_its_time():
    np.testing.assert_array_equal(step_of_frames(6, 2.0, np.array([0.0, 1.0, 2.0])), [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(step_of_frames(3, 1.0, np.array([0.5, 1.5])), [0, 0, 1])
    heat = np.stack([corner(1)[0], np.zeros((7, 7))])
    painted = overlay(GREY, heat, scale=1.0, steps=[1, 1, 1, 0])
    assert (painted[0] == painted[2]).all() and not (painted[0] == painted[3]).all()


def test_input_is_left_alone():
    before = GREY.copy()
    overlay(GREY, corner())
    np.testing.assert_array_equal(GREY, before)


@pytest.mark.parametrize(("frames", "heat"), [(None, corner()), (GREY[:0], corner()), (GREY, np.zeros((0, 0, 0)))])
def test_nothing_to_draw_on_is_refused(frames, heat):
    with pytest.raises(McGurkError, match="no picture"):
        overlay(frames, heat)


def test_strip_has_a_row_for_each_adapter():
    red, blue = GREY.copy(), GREY.copy()
    red[..., 0], blue[..., 2] = 255, 255
    sheet = strip({"before": red, "after": blue}, np.arange(4) / 2, tile=98)
    assert sheet.shape[2] == 4 and sheet.shape[1] == 4 * 98 + 3 * 8
    solid = sheet[..., 3] == 255
    reds = np.flatnonzero((solid & (sheet[..., 0] == 255)).any(1))
    blues = np.flatnonzero((solid & (sheet[..., 2] == 255)).any(1))
    assert len(reds) == len(blues) == 70 and reds.max() < blues.min()
    assert sheet[0, -1, 3] == 0  # clear ground
    assert strip({"one": np.repeat(GREY, 10, 0)}, np.arange(40), tile=50, columns=5).shape[1] == 5 * 50 + 4 * 8


@pytest.mark.parametrize("waveform", [None, np.zeros(32_000, np.float32)])
def test_film_is_playable(tmp_path, waveform):
    frames = GREY[:, :69, :97]  # odd sides
    maps = {"before": corner(), "after": corner() * 0.5}
    out = overlay_video(frames, 2.0, waveform, maps, tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == [out]
    said = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(out)], capture_output=True, text=True).stderr
    assert "Duration: 00:00:02.0" in said and "h264" in said and "yuv420p" in said
    assert ("Audio: aac" in said) == (waveform is not None)
    assert "194x90" in said  # two panels of 97 under a bar of 20: 89 rows, made even
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart


def test_film_without_picture_or_folder_is_refused(tmp_path):
    with pytest.raises(McGurkError, match="existing folder"):
        overlay_video(GREY, 2.0, None, {"a": corner()}, tmp_path / "no" / "film.mp4")
    with pytest.raises(McGurkError, match="nothing to make a film of"):
        overlay_video(GREY, 2.0, None, {}, tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())
