"""Conflicts: what they do to the arrays, what stays true of each sense, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from demo.conflicts import Conflict, apply, notices
from demo.vocabulary import VOCABULARY
from models.omni import SAMPLE_RATE, McGurkError
from tests.conftest import tone


def power_at(waveform: np.ndarray, frequency: float) -> float:
    """Share of a waveform's power within 5 Hz of a frequency."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    near = np.abs(np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE) - frequency) < 5
    return float(power[near].sum() / power.sum())


def seconds_of(waveform: np.ndarray, start: float, end: float) -> np.ndarray:
    return waveform[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform.astype(float) ** 2)))


def truths(stimulus):
    return stimulus.seen, stimulus.heard, stimulus.read


def test_nothing_done(cello):
    stimulus = apply(cello, Conflict())
    assert (stimulus.frames == cello.frames).all() and (stimulus.waveform == cello.waveform).all()
    assert truths(stimulus) == ("cello", "cello", None) and stimulus.text == ""


def test_a_swapped_sound_is_the_other_ones_as_loud_as_the_own(cello, rain):
    stimulus = apply(cello, Conflict(sound="swap", other="rain"), rain)
    assert truths(stimulus) == ("cello", "rain", None)
    assert power_at(stimulus.waveform, 1000) > 0.99 and power_at(stimulus.waveform, 440) < 1e-6
    assert rms(stimulus.waveform) == pytest.approx(rms(cello.waveform), rel=0.02)
    assert stimulus.waveform.dtype == np.float32 and len(stimulus.waveform) == 4 * SAMPLE_RATE


def test_matching_loudness_never_clips(cello, rain):
    clicks = np.zeros_like(rain.waveform)
    clicks[::2000] = 0.9
    stimulus = apply(cello, Conflict(sound="swap"), replace(rain, waveform=clicks))
    assert 0.8 < np.abs(stimulus.waveform).max() <= 1


@pytest.mark.parametrize(("start", "end", "heard"), [(1.0, 2.0, "cello"), (0.5, 3.5, "rain"), (None, 2.0, "rain")])
def test_a_section_swapped(cello, rain, start, end, heard):
    """What is heard most of the time counts; a tie goes to what was swapped in."""
    stimulus = apply(cello, Conflict(sound="swap", swap_from=start, swap_to=end), rain)
    a = start or 0.0
    assert stimulus.heard == heard
    assert power_at(seconds_of(stimulus.waveform, a + 0.1, end - 0.1), 1000) > 0.99
    assert (seconds_of(stimulus.waveform, end, 4) == seconds_of(cello.waveform, end, 4)).all()
    assert (seconds_of(stimulus.waveform, 0, a) == seconds_of(cello.waveform, 0, a)).all()


def test_a_splice_does_not_click(cello, rain):
    """The cross-fade keeps neighbouring samples as close as the two tones themselves have them."""
    stimulus = apply(cello, Conflict(sound="swap", swap_from=1.0, swap_to=2.0), rain)
    largest_step = 2 * np.pi * 1000 / SAMPLE_RATE * 0.3
    assert np.abs(np.diff(stimulus.waveform)).max() < 1.5 * largest_step


def test_a_shorter_sound_is_repeated_and_said(cello, rain):
    brief = replace(rain, waveform=rain.waveform[:SAMPLE_RATE], duration=1.0)
    conflict = Conflict(sound="swap")
    stimulus = apply(cello, conflict, brief)
    assert len(stimulus.waveform) == 4 * SAMPLE_RATE
    assert all(rms(seconds_of(stimulus.waveform, at, at + 0.5)) > 0.1 for at in np.arange(0, 3.6, 0.5))
    assert any("repeated" in notice for notice in notices(cello, conflict, brief))
    assert not notices(cello, conflict, rain)


def test_a_swap_gives_sound_to_a_clip_without(cello, rain):
    stimulus = apply(replace(cello, waveform=None, heard=None), Conflict(sound="swap"), rain)
    assert stimulus.heard == "rain" and rms(stimulus.waveform) == pytest.approx(rms(rain.waveform), rel=0.01)


@pytest.mark.parametrize("seconds", [1.5, -1.5])
def test_shift(cello, seconds):
    ramp = np.linspace(0.1, 0.9, 4 * SAMPLE_RATE, dtype=np.float32)
    stimulus = apply(replace(cello, waveform=ramp), Conflict(shift=seconds))
    by, size = round(abs(seconds) * SAMPLE_RATE), 4 * SAMPLE_RATE
    assert stimulus.heard == "cello" and len(stimulus.waveform) == size
    if seconds > 0:
        assert not stimulus.waveform[:by].any() and (stimulus.waveform[by:] == ramp[: size - by]).all()
    else:
        assert not stimulus.waveform[size - by :].any() and (stimulus.waveform[: size - by] == ramp[by:]).all()


def test_silent_and_removed_sound_are_two_things(cello):
    silent, removed = apply(cello, Conflict(sound="silence")), apply(cello, Conflict(sound="remove"))
    assert silent.waveform is not None and len(silent.waveform) == 4 * SAMPLE_RATE and not silent.waveform.any()
    assert removed.waveform is None
    assert silent.heard is None and removed.heard is None and removed.seen == "cello"


@pytest.mark.parametrize(("snr", "heard"), [(20.0, "cello"), (0.0, "cello"), (-15.0, None)])
def test_noise_has_the_ratio_asked_for(cello, snr, heard):
    stimulus = apply(cello, Conflict(noise_db=snr))
    scale = float(np.dot(stimulus.waveform, cello.waveform) / np.dot(cello.waveform, cello.waveform))
    noise = stimulus.waveform - scale * cello.waveform
    assert 20 * np.log10(scale * rms(cello.waveform) / rms(noise)) == pytest.approx(snr, abs=0.5)
    assert np.abs(stimulus.waveform).max() <= 1 and stimulus.heard == heard


def test_nothing_but_noise(cello):
    stimulus = apply(cello, Conflict(sound="noise"))
    assert stimulus.heard is None and power_at(stimulus.waveform, 440) < 0.02
    assert rms(stimulus.waveform) > 0.05


def test_the_same_seed_gives_the_same_stimulus(cello):
    conflict = Conflict(sound="noise", picture="noise", text="long")
    one, again, another = (apply(cello, conflict, seed=seed) for seed in (1, 1, 2))
    assert (one.waveform == again.waveform).all() and (one.frames == again.frames).all() and one.text == again.text
    assert (one.waveform != another.waveform).any() and (one.frames != another.frames).any()
    assert one.text != another.text


def test_pictures(cello):
    black, frozen, noise, removed = (
        apply(cello, Conflict(picture=picture)) for picture in ("black", "freeze", "noise", "remove")
    )
    assert black.frames.shape == frozen.frames.shape == noise.frames.shape == cello.frames.shape
    assert not black.frames.any() and (frozen.frames == cello.frames[4]).all() and noise.frames.std() > 60
    assert removed.frames is None
    assert [each.seen for each in (black, frozen, noise, removed)] == [None, "cello", None, None]
    assert all(each.heard == "cello" for each in (black, frozen, noise, removed))


def test_a_black_picture_for_a_sound(cello):
    stimulus = apply(replace(cello, frames=None, seen=None), Conflict(picture="black"))
    assert len(stimulus.frames) == 8 and not stimulus.frames.any()


@pytest.mark.parametrize(
    ("caption", "sent", "claim"),
    [
        ("rain", "The caption says: rain.", "rain"),
        ("church_bell", "The caption says: church bell.", "church bell"),
        ("A dog barks.", "The caption says: A dog barks.", "dog"),
        ("bagpipes", "The caption says: bagpipes.", "bagpipes"),
        ("a lovely day in the countryside", "The caption says: a lovely day in the countryside.", None),
        ("no\n dog", "The caption says: no dog.", "no dog"),
    ],
)
def test_captions(cello, caption, sent, claim):
    stimulus = apply(cello, Conflict(text="caption", caption=caption, text_position="after"))
    assert (stimulus.text, stimulus.read, stimulus.text_position) == (sent, claim, "after")


def test_long_text_is_long_and_claims_nothing(cello):
    stimulus = apply(cello, Conflict(text="long", long_tokens=2000))
    assert 9_500 < len(stimulus.text) < 10_000 and stimulus.read is None


@pytest.mark.parametrize(
    ("text", "claim"), [("There is a dog here.", "dog"), ("A dog and a cat.", None), ("Hm.", None)]
)
def test_free_text(cello, text, claim):
    stimulus = apply(cello, Conflict(text="free", caption=text))
    assert (stimulus.text, stimulus.read) == (text, claim)


def test_on_screen_text_is_in_the_frames_and_nowhere_else(cello):
    before = cello.frames.copy()
    stimulus = apply(cello, Conflict(text="onscreen", caption="This is rain"))
    assert (cello.frames == before).all(), "the clip itself must stay as it was"
    assert stimulus.text == "" and stimulus.read == "rain" and stimulus.seen == "cello"
    changed = (stimulus.frames != before).any(axis=(0, 2, 3))
    assert not changed[:45].any() and changed[75:].any()
    assert stimulus.frames.max() > 200


@pytest.mark.parametrize(
    "fields",
    [
        {"sound": "loud"},
        {"picture": "upside down"},
        {"text": "song"},
        {"text_position": "within"},
        {"shift": float("nan")},
        {"shift": 1e9},
        {"sound": "silence", "shift": 1.0},
        {"sound": "swap", "swap_from": -1.0},
        {"sound": "swap", "swap_from": 2.0, "swap_to": 1.0},
        {"sound": "swap", "swap_to": 0.0},
        {"swap_from": 1.0},
        {"noise_db": 500.0},
        {"noise_db": float("nan")},
        {"sound": "remove", "noise_db": 0.0},
        {"text": "caption"},
        {"text": "caption", "caption": " . "},
        {"text": "onscreen", "caption": "\n"},
        {"text": "caption", "caption": "x" * 201},
        {"text": "free", "caption": "x" * 10_001},
        {"text": "long", "long_tokens": 0},
        {"text": "long", "long_tokens": 10**6},
    ],
)
def test_conflicts_that_make_no_sense(fields):
    with pytest.raises(McGurkError) as caught:
        Conflict(**fields)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sound": "swap"}, "Choose the clip"),
        ({"shift": 4.0}, "beyond the end"),
        ({"shift": -5.0}, "beyond the end"),
        ({"sound": "swap", "swap_from": 4.0}, "Choose|beyond"),
    ],
)
def test_what_a_clip_cannot_have_done(cello, fields, says):
    with pytest.raises(McGurkError, match=says):
        apply(cello, Conflict(**fields))


def test_times_beyond_the_end_of_a_swap(cello, rain):
    for times in ({"swap_from": 4.0}, {"swap_to": 5.0}):
        with pytest.raises(McGurkError, match="beyond the end"):
            apply(cello, Conflict(sound="swap", **times), rain)


def test_what_is_not_there_cannot_be_worked_on(cello, rain):
    deaf, blind = replace(cello, waveform=None), replace(cello, frames=None)
    for clip, conflict, other in [
        (deaf, Conflict(shift=1.0), None),
        (deaf, Conflict(noise_db=0.0), None),
        (cello, Conflict(sound="swap"), deaf),
        (blind, Conflict(picture="freeze"), None),
        (blind, Conflict(text="onscreen", caption="rain"), None),
        (cello, Conflict(picture="remove", text="onscreen", caption="rain"), None),
    ]:
        with pytest.raises(McGurkError):
            apply(clip, conflict, other)
    assert apply(deaf, Conflict()).waveform is None and apply(blind, Conflict()).frames is None


def test_every_concept_can_be_a_caption(cello):
    for name in VOCABULARY:
        assert apply(cello, Conflict(text="caption", caption=name)).read == name


def test_a_tone_is_what_the_tests_take_it_for():
    assert power_at(tone(440, 1), 440) > 0.99
