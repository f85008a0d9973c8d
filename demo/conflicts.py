"""What a visitor does to a clip so that sight, sound and text disagree; turns a clip into a stimulus.

Knows which conflicts there are and what stays true of each sense. Does not know files, players or models.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from demo import lettering, prose, splice
from demo import vocabulary as words
from demo.clips import MAX_SECONDS, NOTHING, Clip, fit_length
from demo.sentences import check_letters, quoted
from models.omni import SAMPLE_RATE, McGurkError, Stimulus

SOUNDS = ("own", "swap", "silence", "remove", "noise")
PICTURES = ("own", "black", "freeze", "noise", "remove")
TEXTS = ("none", "caption", "long", "free", "onscreen")
POSITIONS = ("before", "after")
CAPTION = "The caption says: {}."
MAX_CAPTION = 200  # characters of a caption or of on-screen text
MAX_FREE = 10_000  # characters of free text
MAX_TOKENS = 8_000  # of long text
MAX_NAME = 60  # characters of a name: longer ones can't be offered as an option
MAX_NAME_WORDS = 3  # a caption outside the vocabulary claims something if it is a name, not a sentence
NOISE_RANGE = (-30.0, 60.0)  # dB, signal-to-noise ratio
AUDIBLE_SNR = -10.0  # dB; in louder noise the sound no longer counts as heard
BLANK_SIZE = (252, 448)  # height, width of the screen of a clip without a picture


@dataclass(frozen=True)
class Conflict:
    """What is done to a clip. The default does nothing. Values are checked when it is made (McGurkError)."""

    sound: str = "own"  # one of SOUNDS; "remove": no sound track at all, "silence": a silent one
    other: str = ""  # for "swap": id of the clip whose sound is taken; "": handed over by the caller
    swap_from: float | None = None  # s; None: from the start
    swap_to: float | None = None  # s; None: to the end
    shift: float = 0.0  # s; positive: the sound comes later than the picture
    noise_db: float | None = None  # dB SNR of noise added to the sound; with sound="noise" and None: nothing but noise
    picture: str = "own"  # one of PICTURES; "remove": no frames at all, "black": black ones
    text: str = "none"  # one of TEXTS
    caption: str = ""  # what the caption, the on-screen text or the free text says
    text_position: str = "before"  # injected text stands "before" or "after" the question
    long_tokens: int = 2000  # for text="long": about how many tokens

    def __post_init__(self) -> None:
        _check_choice("sound", self.sound, SOUNDS)
        _check_choice("picture", self.picture, PICTURES)
        _check_choice("text", self.text, TEXTS)
        _check_choice("text position", self.text_position, POSITIONS)
        _check_times(self)
        if self.noise_db is not None and not NOISE_RANGE[0] <= self.noise_db <= NOISE_RANGE[1]:
            raise McGurkError(
                f"Noise must be between {NOISE_RANGE[0]:g} and {NOISE_RANGE[1]:g} dB, not {self.noise_db:g}."
            )
        if self.noise_db is not None and self.sound in ("silence", "remove"):
            raise McGurkError("Noise is added to a sound: keep or swap the sound, or replace it by noise.")
        if self.shift and self.sound not in ("own", "swap"):
            raise McGurkError("Only the clip's own sound or a swapped one can be shifted.")
        _check_text(self)

    @property
    def alters_sound(self) -> bool:
        """Whether the sound is anything but the clip's own."""
        return self.sound != "own" or bool(self.shift) or self.noise_db is not None


def apply(clip: Clip, conflict: Conflict, other: Clip | None = None, *, seed: int = 0) -> Stimulus:
    """Do to a clip what the conflict says. Touches no file; the same seed gives the same stimulus.

    other: the clip whose sound is taken, needed for a swap. Sound is worked on in this order: swap, shift, noise.

    What counts as true afterwards: the picture shows nothing if it is black, noise or gone. Nothing is heard in a
    sound that is silent, gone, nothing but noise, or under noise at less than -10 dB. A sound swapped in part is
    heard as whatever fills more of the clip. A caption and on-screen text claim what they say; free text claims the
    one concept it names, if there is exactly one; long text claims nothing.

    Raises McGurkError if the clip lacks what the conflict works on, or times lie beyond its end.
    """
    check(clip, conflict, other)
    rng = np.random.default_rng(seed)
    frames, seen = _picture(clip, conflict, rng)
    waveform, heard, source = _sound(clip, conflict, other, rng)
    text, read = _text(conflict, seed)
    if conflict.text == "onscreen":
        frames = lettering.burned(frames, on_screen(conflict))
    return Stimulus(
        frames=frames,
        fps=clip.fps,
        waveform=waveform,
        text=text,
        text_position=conflict.text_position,
        seen=seen,
        heard=heard,
        read=read,
        seen_also=clip.seen_also if seen else (),
        heard_also=source.heard_also if heard else (),
    )


def check(clip: Clip, conflict: Conflict, other: Clip | None = None) -> None:
    """Raise McGurkError if the conflict can't be done to this clip (with this other clip)."""
    if conflict.sound == "swap":
        if other is None:
            raise McGurkError("Choose the clip whose sound is to be swapped in.")
        if other.waveform is None:
            raise McGurkError(f"The clip {other.name!r} has no sound to swap in: choose another.")
    elif clip.waveform is None and (conflict.shift or conflict.noise_db is not None):
        raise McGurkError(f"The clip {clip.name!r} has no sound to work on: swap in another clip's.")
    for what, seconds in (("swap's start", conflict.swap_from), ("shift", abs(conflict.shift))):
        if seconds and seconds >= clip.duration:
            raise McGurkError(f"The {what} ({seconds:g} s) lies beyond the end of the clip ({clip.duration:.1f} s).")
    if conflict.swap_to is not None and conflict.swap_to > clip.duration + 0.05:
        raise McGurkError(
            f"The swap's end ({conflict.swap_to:g} s) lies beyond the end of the clip ({clip.duration:.1f} s)."
        )
    if clip.frames is None and conflict.picture == "freeze":
        raise McGurkError(f"The clip {clip.name!r} has no picture to freeze.")
    if conflict.text == "onscreen" and (
        conflict.picture == "remove" or (clip.frames is None and conflict.picture == "own")
    ):
        raise McGurkError("On-screen text needs a picture to stand on: keep the picture or make it black.")


def notices(clip: Clip, conflict: Conflict, other: Clip | None = None) -> tuple[str, ...]:
    """What a visitor should know about the clip and about what the conflict made of it, one sentence each."""
    said = list(clip.notices)
    if conflict.sound == "swap" and other is not None and other.waveform is not None:
        if other.duration < clip.duration - 0.05:
            said.append(
                f"The sound of {other.name!r} lasts {other.duration:.1f} s: "
                f"it is repeated to fill the clip's {clip.duration:.1f} s."
            )
        if not np.isfinite(splice.loudness(other.waveform)):
            said.append(f"The sound of {other.name!r} is silent.")
    return tuple(said)


def untold(clip: Clip, conflict: Conflict, other: Clip | None = None) -> frozenset[str]:
    """The senses, "picture" and "sound", in which there is something of which nobody told what it is."""
    found = set()
    if conflict.picture in ("own", "freeze") and clip.frames is not None and clip.seen is None:
        found.add("picture")
    audible = conflict.sound in ("own", "swap") or conflict.noise_db is not None
    if audible and (conflict.noise_db is None or conflict.noise_db >= AUDIBLE_SNR):
        source = other if conflict.sound == "swap" and other is not None and _mostly(clip, conflict) else clip
        if source.waveform is not None and source.heard is None:
            found.add("sound")
    return frozenset(found)


def frozen_frame(clip: Clip) -> int:
    """Index of the frame a frozen picture shows: the middle one, as first frames are often black."""
    return len(clip.frames) // 2


def on_screen(conflict: Conflict) -> str:
    """The text to be drawn on the picture: one line."""
    return _clean(conflict.caption)


def swapped_section(clip: Clip, conflict: Conflict) -> tuple[float, float]:
    """Start and end in seconds of the part of the sound that a swap replaces."""
    start = conflict.swap_from or 0.0
    end = clip.duration if conflict.swap_to is None else min(conflict.swap_to, clip.duration)
    return start, end


def _picture(clip: Clip, conflict: Conflict, rng: np.random.Generator) -> tuple[np.ndarray | None, str | None]:
    if conflict.picture == "remove":
        return None, None
    if conflict.picture == "own":
        return clip.frames, _named(clip.seen) if clip.frames is not None else None
    count = max(1, round(clip.duration * clip.fps)) if clip.frames is None else len(clip.frames)
    if conflict.picture == "freeze":
        return np.repeat(clip.frames[frozen_frame(clip)][None], count, axis=0), _named(clip.seen)
    shape = (count, *(BLANK_SIZE if clip.frames is None else clip.frames.shape[1:3]), 3)
    if conflict.picture == "black":
        return np.zeros(shape, np.uint8), None
    return rng.integers(0, 256, shape, np.uint8), None


def _sound(
    clip: Clip, conflict: Conflict, other: Clip | None, rng: np.random.Generator
) -> tuple[np.ndarray | None, str | None, Clip]:
    """The sound, what is heard in it, and the clip that this comes from."""
    samples = round(clip.duration * SAMPLE_RATE)
    own = None if clip.waveform is None else fit_length(clip.waveform, clip.duration)
    if conflict.sound == "remove" or (conflict.sound == "own" and own is None):
        return None, None, clip
    if conflict.sound == "silence":
        return np.zeros(samples, np.float32), None, clip
    level = -math.inf if own is None else splice.loudness(own)
    if conflict.sound == "noise" and conflict.noise_db is None:
        return splice.white_noise(samples, level, rng), None, clip
    waveform, source = own, clip
    if conflict.sound == "swap":
        waveform, source = _swap(clip, conflict, other, own)
    if conflict.shift:
        waveform = splice.shifted(waveform, conflict.shift)
    if conflict.noise_db is not None:
        waveform = splice.with_noise(waveform, conflict.noise_db, rng)
        if conflict.noise_db < AUDIBLE_SNR:
            return waveform, None, source
    return waveform, _named(source.heard), source


def _named(label: str | None) -> str | None:
    return None if label == NOTHING else label


def _mostly(clip: Clip, conflict: Conflict) -> bool:
    """Whether a swap fills more than half of the clip."""
    start, end = swapped_section(clip, conflict)
    return (end - start) * 2 >= clip.duration


def _swap(clip: Clip, conflict: Conflict, other: Clip, own: np.ndarray | None) -> tuple[np.ndarray, Clip]:
    """The sound with other's in it, as loud as the section that it replaces, and whose is heard most of the time."""
    samples = round(clip.duration * SAMPLE_RATE)
    start, end = swapped_section(clip, conflict)
    own = np.zeros(samples, np.float32) if own is None else own
    a, b = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    level = splice.loudness(own[a:b])
    if not np.isfinite(level):
        level = splice.loudness(own)  # what it replaces is silent: as loud as the rest, else as it was
    filling = splice.matched(splice.looped(other.waveform, samples), level)
    return splice.spliced(own, filling, start, end), other if _mostly(clip, conflict) else clip


def _text(conflict: Conflict, seed: int) -> tuple[str, str | None]:
    """(injected text, what it claims)."""
    if conflict.text == "caption":
        claim = _clean(conflict.caption).replace("_", " ").rstrip(".")
        return CAPTION.format(claim), _claimed(claim)
    if conflict.text == "onscreen":
        return "", _claimed(_clean(conflict.caption))
    if conflict.text == "long":
        return prose.long_text(prose.characters_of(conflict.long_tokens), seed), None
    if conflict.text == "free":
        return conflict.caption.strip(), _only_concept(conflict.caption)
    return "", None


def _claimed(caption: str) -> str | None:
    """The concept a caption names, or the caption itself where it is a name outside the vocabulary."""
    named = _only_concept(caption)
    if named:
        return named
    claim = words.without_article(words.plain(caption).strip(" ."))
    name = len(claim) <= MAX_NAME and len(claim.split()) <= MAX_NAME_WORDS and "," not in claim
    return claim if name else None


def _only_concept(text: str) -> str | None:
    named = words.names_in(text)
    return next(iter(named)) if len(named) == 1 else None


def _clean(caption: str) -> str:
    """One line without control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", caption).split())


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise McGurkError(f"There is no {what} {quoted(value)}: choose one of {', '.join(choices)}.")


def _check_times(conflict: Conflict) -> None:
    for what, seconds in (
        ("shift", conflict.shift),
        ("swap's start", conflict.swap_from),
        ("swap's end", conflict.swap_to),
    ):
        if seconds is not None and not (math.isfinite(seconds) and abs(seconds) <= MAX_SECONDS):
            raise McGurkError(f"The {what} must be a number of seconds up to {MAX_SECONDS:.0f}, not {seconds}.")
    start, end = conflict.swap_from, conflict.swap_to
    if (start is not None or end is not None) and conflict.sound != "swap":
        raise McGurkError("A start or end of the swap is given, but the sound is not swapped.")
    if (start or 0.0) < 0 or (end is not None and end <= (start or 0.0)):
        raise McGurkError(
            f"The swap must start at 0 s or later and end after it starts, not {start or 0:g} to {end or 0:g} s."
        )


def _check_text(conflict: Conflict) -> None:
    check_letters("The text", conflict.caption)
    limit = MAX_FREE if conflict.text == "free" else MAX_CAPTION
    if conflict.text in ("caption", "free", "onscreen"):
        if not _clean(conflict.caption).strip(" ."):
            raise McGurkError("Write what the text should say, or choose no text.")
        if len(conflict.caption) > limit:
            raise McGurkError(f"The text has {len(conflict.caption)} characters: keep it to {limit}.")
    if not 1 <= conflict.long_tokens <= MAX_TOKENS:
        raise McGurkError(f"Long text can have 1 to {MAX_TOKENS} tokens, not {conflict.long_tokens}.")
