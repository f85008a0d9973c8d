"""The spectrogram shows the right pitch at the right second, and attention lies under it on the same clock."""

import numpy as np
import pytest

from demo.draw.colours import SOUND, rgb
from demo.draw.sound import BAND, LANE, LANE_GAP, SPECTROGRAM, log_mel, sound_picture
from models.omni import SAMPLE_RATE, McGurkError

TONE = np.sin(2 * np.pi * 1000 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
SPANS = np.array([[0.0, 1.0], [1.0, 2.0]])


def test_log_mel_finds_a_tone():
    mel = log_mel(TONE)
    assert mel.shape == (96, 201) and mel.max() == 0
    edges = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 7600 / 700), 98)
    peak = 700 * (10 ** (edges[1:-1][mel[:, 100].argmax()] / 2595) - 1)
    assert peak == pytest.approx(1000, rel=0.04)
    assert np.median(mel[:, 100]) < -40


def test_half_silence_stays_dark():
    half = TONE.copy()
    half[SAMPLE_RATE:] = 0
    picture = sound_picture(half)
    left, _, right, _ = (round(share * picture.image.shape[1]) for share in picture.plot)
    light = picture.image[:SPECTROGRAM, left:right, :3].sum(2)
    middle = light.shape[1] // 2
    assert light[:, : middle - 60].max() > 500 > 100 > light[:, middle + 60 :].max()


def test_lanes_lie_on_the_same_clock_and_scale():
    lanes = {"before": (np.array([0.0, 0.02]), SPANS), "after": (np.array([0.08, 0.04]), SPANS)}
    picture = sound_picture(TONE, lanes, scale=0.08)
    height, width, channels = picture.image.shape
    assert channels == 4 and height > SPECTROGRAM + 2 * (LANE + LANE_GAP)

    def tall(row: int, second: float) -> int:
        x = round(picture.position(second) * width)
        top = SPECTROGRAM + LANE_GAP + row * (LANE + LANE_GAP)
        return int((picture.image[top : top + LANE, x, :3] == rgb(SOUND)).all(1).sum())

    assert [tall(0, 0.5), tall(1, 0.5)] == [0, LANE]
    assert tall(0, 1.3) == pytest.approx(LANE / 4, abs=1) and tall(1, 1.3) == pytest.approx(LANE / 2, abs=1)


def test_playhead_runs_from_edge_to_edge():
    picture = sound_picture(TONE)
    assert (picture.position(0), picture.position(2)) == (picture.plot[0], picture.plot[2])
    assert picture.position(99) == picture.plot[2] and picture.seconds == 2


@pytest.mark.parametrize("waveform", [np.zeros(SAMPLE_RATE, np.float32), None, np.full(100, 0.5, np.float32)])
def test_silence_no_sound_and_very_short_sound(waveform):
    picture = sound_picture(waveform, seconds=3.0)
    assert picture.seconds == 3 and picture.image.shape[0] > SPECTROGRAM


def test_nothing_at_all_is_refused():
    with pytest.raises(McGurkError, match="no sound"):
        sound_picture(None)


def test_a_minute_is_drawn_no_larger_than_a_second():
    long = np.tile(TONE, 30)
    assert sound_picture(long).image.shape == sound_picture(TONE).image.shape


def test_bands_lie_beneath_their_lane_the_highest_on_top():
    lanes = {"after": (np.array([0.08, 0.04]), SPANS)}
    bands = {"after": np.array([[0.0, 0.02], [0.08, 0.0]])}
    plain, banded = sound_picture(TONE, lanes), sound_picture(TONE, lanes, bands=bands)
    assert banded.image.shape[0] == plain.image.shape[0] + 2 * BAND
    top, left = SPECTROGRAM + LANE_GAP + LANE, round(banded.plot[0] * banded.image.shape[1])
    right = round(banded.plot[2] * banded.image.shape[1])
    high, low = (banded.image[top + BAND * n + 4, left:right, 3].astype(int) for n in (0, 1))
    middle = len(high) // 4
    assert high[middle] > 200 > low[middle] and low[-middle] > high[-middle]
