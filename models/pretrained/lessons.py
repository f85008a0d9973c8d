"""Lessons as a large model is fed them: the curriculum's questions about one clip, packed behind its media.

Knows how several questions share one encoding of picture and sound. Does not know what is asked or why
(models/teaching/curriculum.py), or how files are read (clips.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.omni import SAMPLE_RATE, Kind, Stimulus
from models.pretrained.clips import Shelf, read_picture, read_sound
from models.pretrained.decoding import continued
from models.pretrained.layout import Layout, Media
from models.teaching.curriculum import Course
from models.teaching.lesson import BLANK, Lesson
from models.teaching.packing import padded, visible

IGNORED = -100  # label of a position whose token is not to be learnt
BLANK_SIDE, BLANK_SECONDS = 112, 2.0  # pixels and seconds of a black picture
KEPT = 64  # decoded files kept in memory: 61 MB each for 10 s of 504 x 504 at 8 fps


class PackedLessons(Dataset):
    """A course over clips; item i is lesson i, one packed sequence. place: Decoder.place of the model."""

    def __init__(self, shelf: Shelf, course: Course, layout: Layout, place: Callable[[Tensor, Media], Tensor],
                 fps: float, length: int):  # fmt: skip
        self.shelf, self.course, self.layout, self.place = shelf, course, layout, place
        self.fps, self.length = fps, length
        self._picture = lru_cache(KEPT)(lambda i: layout.sized(read_picture(shelf.paths[i], fps)))
        self._sound = lru_cache(KEPT)(lambda i: read_sound(shelf.paths[i]))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> dict:
        lesson = self.course.lesson(i)
        media = self.layout.media(self.stimulus(lesson))
        return {"media": media, **self._pack(lesson, media)}

    def stimulus(self, lesson: Lesson) -> Stimulus:
        """What the lesson shows: BLANK is black or silence, None is left out; the sound lasts as long as the video."""
        frames = waveform = None
        if lesson.picture is not None:
            blank = np.zeros((round(BLANK_SECONDS * self.fps), BLANK_SIDE, BLANK_SIDE, 3), np.uint8)
            frames = blank if lesson.picture == BLANK else self._picture(lesson.picture)
        if lesson.sound is not None:
            seconds = len(frames) / self.fps if frames is not None else BLANK_SECONDS
            waveform = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
            if lesson.sound != BLANK:
                waveform = self._sound(lesson.sound)
                if frames is not None and len(frames) > 2:  # a photograph takes the sound's length
                    samples = round(seconds * SAMPLE_RATE)
                    waveform = np.pad(waveform[:samples], (0, max(0, samples - len(waveform))))
        return Stimulus(frames, self.fps, waveform)

    def _pack(self, lesson: Lesson, media: Media) -> dict:
        layout = self.layout
        ids = layout.system_ids(layout.system) + layout.control(layout.turns.user) + list(media.ids)
        positions = self.place(torch.tensor([ids]), media)
        asked = [layout.asked(branch.user, lesson.prefix) for branch in lesson.branches]
        ids = ids + [i for i, kind in asked[0] if kind is Kind.INJECTED]  # the same before every question
        positions = continued(positions, len(ids) - positions.shape[1])
        labels, branches, steps = [IGNORED] * len(ids), [0] * len(ids), []
        for number, (branch, words) in enumerate(zip(lesson.branches, asked, strict=True), 1):
            question = [i for i, kind in words if kind is Kind.QUESTION]
            question += layout.control(layout.turns.closing)
            answer = layout.option_ids(branch.answer)
            ids = ids + question + answer
            labels += [IGNORED] * len(question) + answer
            branches += [number] * (len(question) + len(answer))
            asking = continued(positions, len(question))
            steps.append(asking[:, positions.shape[1] :])
            said = asking.max() + torch.arange(1, len(answer) + 1, dtype=asking.dtype)
            steps.append(said.expand(len(asking), -1))
        return {"ids": ids, "labels": labels, "branches": branches, "positions": torch.cat([positions, *steps], 1)}


def collate(items: list[dict]) -> dict:
    """Pad packed sequences into a batch. Questions of one clip see the clip and themselves, not each other."""
    batch, width = len(items), max(len(item["ids"]) for item in items)
    first = items[0]["positions"]
    positions = torch.zeros(len(first), batch, width, dtype=first.dtype)
    for row, item in enumerate(items):
        positions[:, row, : item["positions"].shape[1]] = item["positions"]
    return {
        "input_ids": padded(items, "ids", 0),
        "labels": padded(items, "labels", IGNORED),
        "positions": positions,
        "attention_mask": visible(padded(items, "branches", -1))[:, None],
        "media": [item["media"] for item in items],
    }
