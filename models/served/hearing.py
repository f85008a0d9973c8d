"""Does a model that nobody can look into get the picture and the sound? Two clips that only both senses tell apart.

A server that drops the sound answers all the same, from the picture: the commonest silent fault of this field. Knows
made stimuli and an OmniModel. Does not know servers.
"""

from __future__ import annotations

import numpy as np

from models.omni import BASE, SAMPLE_RATE, McGurkError, OmniModel, Stimulus

SECONDS, FPS, SIDE = 2.0, 2.0, 112  # of a clip; frames a second; pixels
TONE, LOUD = 440.0, 0.5  # Hz; amplitude
COLOURS = {"red": (200, 20, 20), "blue": (20, 20, 200)}
SOUNDS = ("a beep", "silence")
CLIPS = (("red", "a beep"), ("blue", "silence"))
QUESTION = "Which colour do you see, and what do you hear? Choose one: {}."


def clip(colour: str, sound: str) -> Stimulus:
    """One colour all over, and a steady tone or silence."""
    frames = np.full((round(SECONDS * FPS), SIDE, SIDE, 3), COLOURS[colour], np.uint8)
    at = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    tone = LOUD * np.sin(2 * np.pi * TONE * at) if sound == SOUNDS[0] else np.zeros(len(at))
    return Stimulus(frames, FPS, tone.astype(np.float32), seen=colour, heard=sound)


def test(model: OmniModel) -> tuple[str, ...]:
    """Sentences for receipts: what the model does not seem to get. () when it tells both clips apart."""
    options = tuple(f"{colour} and {sound}" for colour in COLOURS for sound in SOUNDS)
    try:
        said = [
            model.ask(clip(*both), QUESTION.format(", ".join(options)), max_new_tokens=12)[BASE].text.lower()
            for both in CLIPS
        ]
    except McGurkError as error:
        return (f"Whether it hears could not be tested: {error}",)
    missed = []
    for sense, which, words in (("picture", 0, COLOURS), ("sound", 1, SOUNDS)):
        named = [[word for word in words if word.removeprefix("a ") in text] for text in said]
        if named != [[both[which]] for both in CLIPS]:
            missed.append(sense)
    if not missed:
        return ()
    told = " and ".join(f"{text!r} about {' with '.join(both)}" for text, both in zip(said, CLIPS, strict=True))
    return (
        f"HEARING TEST FAILED: this model does not seem to get the {' and the '.join(missed)} (it said {told}). Check "
        "what the server does with it before trusting an answer.",
    )
