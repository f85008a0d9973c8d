"""What `mini` is fed: prompts as ids, frames as pixels, sound as patches, and the TokenMap of it all.

Knows the layout of a prompt. Does not know any weights.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import numpy as np
from transformers import ProcessorMixin

from models.mini.encoders import FRAME_GRID, FRAME_SIZE, PATCH_BANDS, PATCH_SECONDS, PATCH_TIMES, sound_patches
from models.omni import Kind, Stimulus, TokenMap
from models.pieces import spelled
from models.wording import SYSTEM

TOKENS_A_FRAME = FRAME_GRID * FRAME_GRID
TOKENS_A_PATCH = PATCH_TIMES * PATCH_BANDS
TURN, END = "<|im_start|>", "<|im_end|>"
switching = threading.Lock()  # whether control tokens are split into letters is a tokenizer's state, not a call's


@dataclass(frozen=True)
class Segment:
    """A stretch of the prompt of one kind: text, or a number of media tokens."""

    kind: Kind
    text: str = ""
    count: int = 0  # media tokens


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt as fed: ids (1-D int64) and what each position is."""

    ids: np.ndarray
    tokens: TokenMap
    text: str  # readable: media tokens written as <video x392>


CLOSING = Segment(Kind.MARKER, f"{END}\n{TURN}assistant\n")


def opening(frames: int, patches: int, system: str | None = None) -> list[Segment]:
    """The prompt up to the user's words: system text, then the media that are there."""
    segments = [
        Segment(Kind.MARKER, f"{TURN}system\n"),
        Segment(Kind.SYSTEM, system or SYSTEM),
        Segment(Kind.MARKER, f"{END}\n{TURN}user\n"),
    ]
    for marker, kind, count in (
        ("Video:", Kind.VIDEO, frames * TOKENS_A_FRAME),
        ("Audio:", Kind.AUDIO, patches * TOKENS_A_PATCH),
    ):
        if count:
            segments += [Segment(Kind.MARKER, marker), Segment(kind, count=count), Segment(Kind.MARKER, "\n")]
    return segments


def reply(text: str) -> list[Segment]:
    """What the assistant's turn holds when `text` is the answer.

    The space makes a name the same tokens here as in a list of options and in a soft word, so that naming
    is copying: without it " frog" would have to be spelt "f", "rog", and a new name would be misspelt.
    """
    return [Segment(Kind.QUESTION, f" {text}"), Segment(Kind.MARKER, END)]


class MiniProcessor(ProcessorMixin):
    """Stimulus and question -> ids, pixels, patches, TokenMap. Prompts may be laid out in several threads at once."""

    def __init__(self, tokenizer, max_frames: int = 8, **kwargs):
        self.max_frames = max_frames
        super().__init__(tokenizer, **kwargs)

    @property
    def video_token_id(self) -> int:
        return self.tokenizer.vocab_size

    @property
    def audio_token_id(self) -> int:
        return self.tokenizer.vocab_size + 1

    def pixels(self, stimulus: Stimulus) -> tuple[np.ndarray | None, np.ndarray]:
        """At most max_frames frames, evenly spread, uint8 F x 224 x 224 x 3 RGB, and their times in seconds.

        Frames are stretched to a square, so that every token stands for a part of the whole picture.
        """
        if stimulus.frames is None or len(stimulus.frames) == 0:
            return None, np.zeros(0)
        count = min(len(stimulus.frames), self.max_frames)
        chosen = np.floor((np.arange(count) + 0.5) * len(stimulus.frames) / count).astype(int)
        return square(stimulus.frames[chosen]), chosen / stimulus.fps

    def patches(self, stimulus: Stimulus) -> np.ndarray | None:
        """float32 P x 96 x 64 log-mel patches of 0.96 s, or None without sound."""
        if stimulus.waveform is None or len(stimulus.waveform) == 0:
            return None
        return sound_patches(stimulus.waveform)

    def prompt(
        self,
        question: str,
        frame_times: np.ndarray,
        patches: int,
        *,
        text: str = "",
        text_position: str = "before",
        system: str | None = None,
    ) -> Prompt:
        """Lay out one prompt: system, video, audio, injected text and question, the assistant's turn."""
        segments = opening(len(frame_times), patches, system)
        injected = [Segment(Kind.INJECTED, text if text_position == "before" else f" {text}")] if text else []
        asked = [Segment(Kind.QUESTION, f" {question}" if injected and text_position == "before" else question)]
        segments += injected + asked if text_position == "before" else asked + injected
        return self._lay_out([*segments, CLOSING], frame_times)

    def encode(self, segments: list[Segment]) -> list[int]:
        """Ids of the segments, media placeholders included."""
        return [i for segment in segments for i in self._ids(segment)]

    def _ids(self, segment: Segment) -> list[int]:
        if segment.kind in (Kind.VIDEO, Kind.AUDIO):
            return [self.video_token_id if segment.kind is Kind.VIDEO else self.audio_token_id] * segment.count
        # a visitor's "<|im_end|>" is text, never a control token
        plain = segment.kind in (Kind.SYSTEM, Kind.QUESTION, Kind.INJECTED)
        with switching:
            return self.tokenizer.encode(segment.text, add_special_tokens=False, split_special_tokens=plain)

    def _lay_out(self, segments: list[Segment], frame_times: np.ndarray) -> Prompt:
        ids, kinds, pieces, shown = [], [], [], []
        for segment in segments:
            part = self._ids(segment)
            ids += part
            kinds += [segment.kind] * len(part)
            pieces += [""] * len(part) if segment.count else spelled(self.tokenizer, part)
            shown.append(f"<{segment.kind.value} x{segment.count}>" if segment.count else segment.text)
        ids = np.array(ids, np.int64)
        return Prompt(ids, self.token_map(ids, kinds, pieces, frame_times), "".join(shown))

    def token_map(self, ids, kinds, pieces, frame_times) -> TokenMap:
        """TokenMap read off the ids that are fed: the n-th video id is the n-th place of the video grid."""
        video = np.full((len(ids), 3), -1, int)
        audio = np.full((len(ids), 2), np.nan)
        at = np.flatnonzero(ids == self.video_token_id)
        grid = (len(at) // TOKENS_A_FRAME, FRAME_GRID, FRAME_GRID) if len(at) else (0, 0, 0)
        if len(at):
            video[at] = np.stack(np.unravel_index(np.arange(len(at)), grid), 1)
        at = np.flatnonzero(ids == self.audio_token_id)
        step = PATCH_SECONDS / PATCH_TIMES
        audio[at, 0] = np.arange(len(at)) // PATCH_BANDS * step
        audio[at, 1] = audio[at, 0] + step
        sinks = np.zeros(len(ids), bool)
        sinks[0] = True  # the first token: softmax must look somewhere
        times = np.asarray(frame_times, float)
        return TokenMap(tuple(kinds), tuple(pieces), video, audio, grid, times, sinks, PATCH_SECONDS)


def square(frames: np.ndarray) -> np.ndarray:
    """uint8 F x H x W x 3 -> uint8 F x 224 x 224 x 3, the whole frame stretched."""
    return np.stack([cv2.resize(f, (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_AREA) for f in frames])
