"""A stimulus without some of its modalities: their tokens gone, or nothing in their place.

Knows stimuli. Does not know models, nor what one has learnt to take for nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from models.interventions.intervention import BLANK, LEARNED, PICTURE, SOUND, TEXT
from models.omni import McGurkError, Stimulus

UNLEARNED = "This model has not learnt what nothing looks or sounds like: let it be removed, or blank."


def lessened(stimulus: Stimulus, without: Collection[str], stand_in: str) -> Stimulus:
    """REMOVED: no frames, no sound, no injected text. BLANK: black frames, silence; a text can only be removed.

    Raises McGurkError if a modality that is to go is not there, or if nothing can stand in for it.
    """
    if stand_in == LEARNED:
        raise McGurkError(UNLEARNED)
    there = {
        PICTURE: stimulus.frames is not None and len(stimulus.frames) > 0,
        SOUND: stimulus.waveform is not None and len(stimulus.waveform) > 0,
        TEXT: bool(stimulus.text),
    }
    for name in without:
        if not there[name]:
            missing = "injected text" if name == TEXT else name
            raise McGurkError(f"There is no {missing} here to go without: choose what is there.")
    if TEXT in without and stand_in == BLANK:
        raise McGurkError("A text can't be blank: let it be removed.")
    blank = stand_in == BLANK
    changed: dict = {}
    if PICTURE in without:
        changed["frames"] = np.zeros_like(stimulus.frames) if blank else None
    if SOUND in without:
        changed["waveform"] = np.zeros_like(stimulus.waveform) if blank else None
    if TEXT in without:
        changed["text"] = ""
    return replace(stimulus, **changed)
