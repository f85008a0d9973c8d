"""Working on sound: levels, loops, noise."""

import numpy as np
import pytest

from demo import splice
from models.omni import SAMPLE_RATE
from tests.conftest import tone


def test_loudness_of_a_full_sine_is_three_decibel_below_full_scale():
    assert splice.loudness(tone(440, 2, 1.0)) == pytest.approx(-3.01, abs=0.05)
    assert splice.loudness(tone(440, 2, 0.1)) == pytest.approx(-23.01, abs=0.05)


def test_pauses_do_not_count():
    bark = np.concatenate([tone(440, 1), np.zeros(9 * SAMPLE_RATE, np.float32)])
    assert splice.loudness(bark) == pytest.approx(splice.loudness(tone(440, 1)), abs=1)


def test_silence_and_nothing_have_no_loudness():
    assert splice.loudness(np.zeros(100, np.float32)) == splice.loudness(np.zeros(0, np.float32)) == -np.inf
    assert (splice.matched(np.zeros(9, np.float32), -20) == 0).all()
    assert (splice.matched(tone(440, 1), -np.inf) == tone(440, 1)).all()


def test_the_gain_is_limited():
    assert splice.loudness(splice.matched(tone(440, 1, 0.001), -10)) == pytest.approx(-63 + 20, abs=0.2)


def test_a_loop_is_seamless_and_starts_with_the_start():
    piece = tone(200, 1.0)
    out = splice.looped(piece, 50_000)
    assert len(out) == 50_000 and (out[:15_000] == piece[:15_000]).all()
    assert np.abs(np.diff(out)).max() < 1.5 * np.abs(np.diff(piece)).max()
    levels = [splice.loudness(out[at : at + 8000]) for at in range(0, 42_000, 4000)]
    assert max(levels) - min(levels) < 4


@pytest.mark.parametrize("length", [1, 2, 7, 100])
def test_tiny_sounds_loop_too(length):
    assert splice.looped(np.full(length, 0.5, np.float32), 1000).shape == (1000,)


def test_noise_around_silence_can_be_heard():
    noise = splice.with_noise(np.zeros(SAMPLE_RATE, np.float32), 0.0, np.random.default_rng(0))
    assert splice.loudness(noise) == pytest.approx(splice.NOISE_LEVEL, abs=0.5)
