"""Fine-grained questions about clips made for them: in which quarter, which first, how many times, which is louder.

What is true is known exactly, because the clip is made from arrays to be so; the same seed makes the same clip.
Beside every answer stands what the encoder alone would say, so that a small encoder's limit is not taken for the
model's. After EMMA (arXiv 2309.04041), which asks of objects, relations and counts. Knows clips and arrays. Does not
know models.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from demo.bench.cases import alone
from demo.clips import Clip
from demo.questions import PICTURE, SOUND
from demo.splice import looped
from models.omni import SAMPLE_RATE, McGurkError, Stimulus

QUARTERS = ("top left", "top right", "bottom left", "bottom right")  # of a picture, as its pixels are read
COUNTS = ("one", "two", "three", "four")
FRAME, GREY = 448, 128  # pixels, both sides of the frame; its grey
PART, PAUSE = 2.0, 0.5  # s of each of two sounds that follow each other, and between them
SLOTS, BURST = 8, 0.7  # one-second slots that a sound may come in; s of it
LOUD, SOFTER = 0.08, 12.0  # root mean square of a sound; dB by which the other is below it
FADE = 0.02  # s in and out of every piece, so that no cut is heard
HOP = 0.1  # s between two stretches that are compared for loudness

Heard = Callable[[Stimulus], Mapping[str, alone.Perceived]]  # what the encoders recognise, "picture" and "sound"


@dataclass(frozen=True, eq=False)
class Made:
    """A clip with its question; the parts that an encoder alone is shown, and how what it recognises is read."""

    stimulus: Stimulus
    question: str  # "": the ordinary question of what is seen or heard, with its ordinary options
    options: tuple[str, ...]
    truth: str
    parts: tuple[Stimulus, ...]
    read: Callable[[list[Mapping[str, alone.Perceived]], Mapping[str, frozenset[str]]], str | None]

    def encoder_alone(self, perceive: Heard, classes: Mapping[str, frozenset[str]]) -> str | None:
        """The option that an encoder alone would choose; None if it can't tell."""
        return self.read([perceive(part) for part in self.parts], classes)


def quarter(clip: Clip, other: Clip | None, seed: int) -> Made:
    """The clip in one quarter of a grey picture, its sound as it is: where is it?"""
    frames, label = _frames(clip), _label(clip)
    place = random.Random(f"quarter {seed}").randrange(len(QUARTERS))
    stimulus = Stimulus(in_quarter(frames, place), clip.fps, clip.waveform, seen=label, heard=clip.heard)
    parts = tuple(Stimulus(_cut(stimulus.frames, at), clip.fps, None) for at in range(len(QUARTERS)))

    def read(seen, classes):
        scores = [alone.score(one.get(PICTURE, ()), label, classes) for one in seen]
        best = max(scores)
        return QUARTERS[scores.index(best)] if best and scores.count(best) == 1 else None

    question = f"In which quarter of the picture is the {label}?"
    return Made(stimulus, question, QUARTERS, QUARTERS[place], parts, read)


def corner(clip: Clip, other: Clip | None, seed: int) -> Made:
    """The same picture, asked what it shows: whoever can say this and not where sees, and does not place."""
    made = quarter(clip, other, seed)
    return replace(made, question="", options=(), truth="", parts=(), read=lambda seen, classes: None)


def first(clip: Clip, other: Clip | None, seed: int) -> Made:
    """Two sounds after each other, without a picture: which comes first?"""
    pair = _pair(clip, other, f"first {seed}")
    pieces = [leveled(loudest(one.waveform, PART), LOUD) for one in pair]
    waveform = np.concatenate([pieces[0], np.zeros(round(PAUSE * SAMPLE_RATE), np.float32), pieces[1]])
    labels = tuple(_heard(one) for one in pair)
    options = _shuffled(labels, seed)
    parts = tuple(Stimulus(None, 1.0, piece) for piece in pieces)

    def read(heard, classes):
        # each sound goes to the label that it speaks for more than the other does
        scores = [[alone.score(one.get(SOUND, ()), label, classes) for label in labels] for one in heard]
        lead = scores[0][0] - scores[0][1] - scores[1][0] + scores[1][1]
        return labels[0] if lead > 0 else labels[1] if lead < 0 else None

    return Made(_sounding(waveform, labels), "Which do you hear first?", options, labels[0], parts, read)


def count(clip: Clip, other: Clip | None, seed: int) -> Made:
    """One sound, one to four times, silence between, without a picture: how many times?"""
    rng, label = random.Random(f"count {seed}"), _heard(clip)
    times = rng.randrange(len(COUNTS)) + 1
    slots = apart(times, SLOTS, rng)
    burst = leveled(loudest(clip.waveform, BURST), LOUD)
    waveform = np.zeros(SLOTS * SAMPLE_RATE, np.float32)
    for slot in slots:
        waveform[slot * SAMPLE_RATE : slot * SAMPLE_RATE + len(burst)] = burst
    parts = tuple(Stimulus(None, 1.0, one) for one in np.split(waveform, SLOTS))

    def read(heard, classes):
        found = sum(bool(alone.score(one.get(SOUND, ()), label, classes)) for one in heard)
        return COUNTS[found - 1] if 0 < found <= len(COUNTS) else None

    question = "How many times does the sound come?"
    return Made(_sounding(waveform, (label,)), question, COUNTS, COUNTS[times - 1], parts, read)


def louder(clip: Clip, other: Clip | None, seed: int) -> Made:
    """Two sounds at once, one 12 dB above the other, without a picture: which is louder?"""
    pair = _pair(clip, other, f"louder {seed}")
    levels = (LOUD, LOUD * 10 ** (-SOFTER / 20))
    waveform = sum(leveled(loudest(one.waveform, 2 * PART), level) for one, level in zip(pair, levels, strict=True))
    labels = tuple(_heard(one) for one in pair)
    mixed = _sounding(np.clip(waveform, -1, 1).astype(np.float32), labels)

    def read(heard, classes):
        return alone.recognised(heard[0].get(SOUND, ()), labels, classes)

    return Made(mixed, "Which is louder?", _shuffled(labels, seed), labels[0], (mixed,), read)


MAKERS = {"quarter": quarter, "corner": corner, "first": first, "count": count, "louder": louder}


def chosen(text: str, options: Sequence[str]) -> str | None:
    """The option that an answer names first, as whole words; None if it names none."""
    said = text.lower()
    places = {option: re.search(rf"(?<!\w){re.escape(option.lower())}(?!\w)", said) for option in options}
    found = {option: place.start() for option, place in places.items() if place}
    return min(found, key=lambda option: (found[option], -len(option)), default=None)


def in_quarter(frames: np.ndarray, place: int) -> np.ndarray:
    """uint8 T x H x W x 3 -> uint8 T x 448 x 448 x 3: grey, with the frames in one quarter."""
    side = FRAME // 2
    made = np.full((len(frames), FRAME, FRAME, 3), GREY, np.uint8)
    for frame, into in zip(frames, _cut(made, place), strict=True):
        into[:] = np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.BILINEAR))
    return made


def _cut(frames: np.ndarray, place: int) -> np.ndarray:
    """A view of one quarter."""
    side, (row, column) = FRAME // 2, divmod(place, 2)
    return frames[:, row * side : (row + 1) * side, column * side : (column + 1) * side]


def loudest(waveform: np.ndarray, seconds: float) -> np.ndarray:
    """The stretch of a sound that has most energy; a shorter sound is repeated."""
    wanted = round(seconds * SAMPLE_RATE)
    whole = waveform if len(waveform) >= wanted else looped(waveform, wanted)
    energy = np.concatenate([[0.0], np.cumsum(whole.astype(np.float64) ** 2)])
    starts = np.arange(0, len(whole) - wanted + 1, round(HOP * SAMPLE_RATE))
    start = int(starts[np.argmax(energy[starts + wanted] - energy[starts])])
    return whole[start : start + wanted]


def leveled(waveform: np.ndarray, level: float) -> np.ndarray:
    """float32 with that root mean square before its ends are faded. Raises McGurkError for silence."""
    now = float(np.sqrt(np.mean(waveform.astype(np.float64) ** 2)))
    if now < 1e-5:
        raise McGurkError("The sound is silent: choose a clip that can be heard.")
    ramp = np.minimum(1, np.arange(1, len(waveform) + 1) / (FADE * SAMPLE_RATE))
    return np.clip(waveform * (level / now) * ramp * ramp[::-1], -1, 1).astype(np.float32)


def apart(times: int, slots: int, rng: random.Random) -> list[int]:
    """So many of the slots, in order, no two of them neighbours."""
    return [slot + at for at, slot in enumerate(sorted(rng.sample(range(slots - times + 1), times)))]


def _sounding(waveform: np.ndarray, labels: Sequence[str]) -> Stimulus:
    return Stimulus(None, 1.0, waveform, heard=" and ".join(labels))


def _pair(clip: Clip, other: Clip | None, seed: str) -> list[Clip]:
    if other is None:
        raise McGurkError("Two sounds are needed: choose a folder with clips of at least two kinds.")
    pair = [clip, other]
    random.Random(seed).shuffle(pair)
    return pair


def _shuffled(options: Sequence[str], seed: int) -> tuple[str, ...]:
    return tuple(random.Random(f"options {seed}").sample(options, len(options)))


def _frames(clip: Clip) -> np.ndarray:
    if clip.frames is None or not len(clip.frames):
        raise McGurkError("The clip has no picture to be placed: choose another.")
    return clip.frames


def _label(clip: Clip) -> str:
    if not clip.seen:
        raise McGurkError("Nobody said what the clip shows: label it first.")
    return clip.seen


def _heard(clip: Clip) -> str:
    if not clip.heard or clip.waveform is None or not len(clip.waveform):
        raise McGurkError("The clip has no labelled sound: choose another.")
    return clip.heard
