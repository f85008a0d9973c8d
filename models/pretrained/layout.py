"""Stimulus and question -> what a model is fed, and the exact map of it.

Runs the model's own processor once a stimulus; keeps a visitor's text from ever becoming a control token. Knows turns,
ids and what an adapter is used to. Does not know weights, attention, adapters or how a processor is called.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from torch import Tensor

from models import wording
from models.habits import Habits
from models.omni import SAMPLE_RATE, Kind, McGurkError, Stimulus, TokenMap
from models.pieces import spelled
from models.pretrained.family import Family

SHORTEST_SOUND = 0.1  # s; less than this makes no audio token


@dataclass(frozen=True)
class Turns:
    """The markup of a conversation, control tokens included."""

    begin: str  # before everything
    system: tuple[str, str]  # around a system prompt
    user: str
    closing: str  # the user's end and the answer's beginning
    end: str  # of an answer


@dataclass(frozen=True, eq=False)
class Media:
    """What the processor made of a stimulus' picture and sound."""

    ids: tuple[int, ...] = ()  # placeholders and their markers, as they stand in the prompt
    inputs: dict[str, Tensor] = field(default_factory=dict)  # for the encoders, by the library's names
    frames: int = 0
    fps: float = 0.0  # of the frames that are read
    frame_size: tuple[int, int] = (0, 0)  # height, width in pixels after resizing
    grid: tuple[int, int, int] = (0, 0, 0)  # times, rows, columns of video tokens
    frame_times: np.ndarray = field(default_factory=lambda: np.zeros(0))  # s, of the `times`
    spans: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))  # s, start and end of each audio token
    interleaved: bool = False  # sound and picture in one block, in step
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Prompt:
    """ids: T. text: as sent, media written as <video x392>. head: positions up to and including the media."""

    ids: np.ndarray
    tokens: TokenMap
    text: str
    head: int


class Layout(ABC):
    """One model's processor, made to lay out prompts. Prompts may be laid out in several threads at once.

    habits: how an adapter wants the model to be fed.
    """

    turns: Turns

    def __init__(self, processor, config, family: Family, habits: Habits | None = None):
        self.processor, self.tokenizer, self.config, self.family = processor, processor.tokenizer, config, family
        self.habits = habits or Habits()
        self.system = family.system if self.habits.system is None else self.habits.system.strip()
        # whether control tokens are split into letters is a tokenizer's state, not a call's: hence two of them
        self._letters = copy.deepcopy(self.tokenizer)
        self.ends = {self.tokenizer.convert_tokens_to_ids(self.turns.end), self.tokenizer.eos_token_id} - {None}

    @classmethod
    @abstractmethod
    def recipe(cls, fps: float | None, side: int | None) -> Habits:
        """How a model of this family is fed while it is tuned. None: as is best for it.

        side: pixels, of a square frame of the same area. Raises McGurkError for what can't be chosen.
        """

    @property
    def longest_sound(self) -> float:
        """Seconds that this model reads at most."""
        return float("inf")

    @abstractmethod
    def process(self, frames: np.ndarray | None, fps: float, waveform: np.ndarray | None) -> Media:
        """Run the processor on frames (uint8 T x H x W x 3) and waveform, of which one may be None."""

    @abstractmethod
    def sized(self, frames: np.ndarray) -> np.ndarray:
        """uint8 T x H x W x 3 at the size that the model reads them; reading those changes nothing any more."""

    @abstractmethod
    def count(self, shape: tuple[int, int, int], seconds: float) -> int:
        """About how many tokens frames (T x H x W, sized) and `seconds` of sound make, either of which may be 0."""

    def expected(self, stimulus: Stimulus) -> int:
        """About how many tokens of a prompt stand for a stimulus."""
        frames, waveform, shape = stimulus.frames, stimulus.waveform, (0, 0, 0)
        if frames is not None and len(frames):
            shape = len(self._thinned(frames, stimulus.fps)[0]), *self.sized(frames[:2]).shape[1:3]
        heard = 0.0 if waveform is None else min(len(waveform) / SAMPLE_RATE, self.longest_sound)
        return self.count(shape, heard)

    def media(self, stimulus: Stimulus) -> Media:
        """What the processor makes of it. Silence, no sound and no picture stay three different things."""
        frames, waveform = stimulus.frames, stimulus.waveform
        frames = frames if frames is not None and len(frames) else None
        waveform = waveform if waveform is not None and len(waveform) else None
        if frames is None and waveform is None:
            return Media()
        waveform, notes = self._long_enough(waveform)
        frames, fps, thinned = self._thinned(frames, stimulus.fps)
        made = self.process(frames, fps, waveform)
        return replace(made, notes=(*notes, *thinned, *made.notes))

    def _thinned(self, frames: np.ndarray | None, fps: float) -> tuple[np.ndarray | None, float, tuple[str, ...]]:
        """At most as many frames a second as the adapter is used to."""
        wanted = self.habits.fps
        if frames is None or wanted is None or fps == wanted:
            return frames, fps, ()
        if fps < wanted:
            return frames, fps, (f"The adapter was trained at {wanted:g} frames a second and is shown {fps:g}.",)
        kept = np.arange(0, len(frames), fps / wanted).astype(int)
        return frames[kept], wanted, (f"{len(kept)} of {len(frames)} frames are read: {wanted:g} a second.",)

    def _long_enough(self, waveform: np.ndarray | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
        least, most = round(SHORTEST_SOUND * SAMPLE_RATE), self.longest_sound * SAMPLE_RATE
        if waveform is None or least <= len(waveform) <= most:
            return waveform, ()
        if len(waveform) < least:
            return np.pad(waveform, (0, least - len(waveform))), (f"The sound was padded to {SHORTEST_SOUND} s.",)
        cut = f"The sound was cut to {self.longest_sound:.0f} s, the longest this model reads."
        return waveform[: int(most)], (cut,)

    def prompt(self, media: Media, question: str, *, text: str = "", text_position: str = "before",
               system: str | None = None) -> Prompt:  # fmt: skip
        """Lay out one prompt: system, media, injected text and question, the assistant's turn."""
        turns, system = self.turns, self.system if system is None else system.strip()
        head = [(i, Kind.SYSTEM) for i in self.system_ids(system)]
        head += [(i, Kind.MARKER) for i in (*self.control(turns.user), *media.ids)]
        asked = self.asked(question, text, text_position)
        ids, kinds = zip(*head, *asked, *((i, Kind.MARKER) for i in self.control(turns.closing)), strict=True)
        shown = turns.begin + (system.join(turns.system) if system else "") + turns.user
        shown += f"{self._shown(media)}{wording.join(question, text, text_position)}{turns.closing}"
        ids = np.array(ids, np.int64)
        return Prompt(ids, self.token_map(ids, list(kinds), media), shown, len(head))

    def system_ids(self, system: str) -> list[int]:
        """Ids before the user's turn: a system turn, where there is a system prompt."""
        ids = self.control(self.turns.begin) if self.turns.begin else []
        before, after = self.turns.system
        return ids + self.control(before) + self.plain(system) + self.control(after) if system else ids

    def asked(self, question: str, text: str = "", position: str = "before") -> list[tuple[int, Kind]]:
        """Ids of the user's words, tokenised as one text, each told apart as question or injected by where it starts.

        A space goes with the word after it, so what stands first is the same whatever follows.
        """
        joined = wording.join(question, text, position)
        coded = self._letters(joined, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
        first, last = (0, len(text)) if position == "before" else (len(question), len(joined))
        return [
            (i, Kind.INJECTED if text and first <= at < last else Kind.QUESTION)
            for i, (at, _) in zip(coded["input_ids"], coded["offset_mapping"], strict=True)
        ]

    def control(self, text: str) -> list[int]:
        """Ids of markup: control tokens count as such."""
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=False)

    def plain(self, text: str) -> list[int]:
        """Ids of somebody's words: whatever they are, never a control token."""
        return self._letters.encode(text, add_special_tokens=False, split_special_tokens=True)

    def option_ids(self, option: str) -> list[int]:
        """Ids of an answer and the end of the turn."""
        return self.plain(option) + self.control(self.turns.end)

    def _shown(self, media: Media) -> str:
        """The media block with runs of placeholders counted."""
        names = {self.config.video_token_id: "video", self.config.audio_token_id: "audio"}
        shown, ids, at = "", media.ids, 0
        while at < len(ids):
            end = at + 1
            while end < len(ids) and ids[end] == ids[at] and ids[at] in names:
                end += 1
            shown += f"<{names[ids[at]]} x{end - at}>" if ids[at] in names else self.tokenizer.decode([ids[at]])
            at = end
        return shown

    def token_map(self, ids: np.ndarray, kinds: list[Kind], media: Media) -> TokenMap:
        """TokenMap read off the ids and grids that are fed. Raises McGurkError when they do not fit together."""
        video, audio = np.full((len(ids), 3), -1, int), np.full((len(ids), 2), np.nan)
        at, heard = (np.flatnonzero(ids == i) for i in (self.config.video_token_id, self.config.audio_token_id))
        if len(at) != np.prod(media.grid):
            raise McGurkError(
                f"{len(at)} video tokens stand for a grid of {media.grid}: the processor does not fit the model."
            )
        if len(heard) != len(media.spans):
            raise McGurkError(
                f"{len(heard)} audio tokens stand for {len(media.spans)}: the processor does not fit the model."
            )
        if len(at):
            video[at] = np.stack(np.unravel_index(np.arange(len(at)), media.grid), 1)
        audio[heard] = media.spans
        kinds = list(kinds)
        for position in at:
            kinds[position] = Kind.VIDEO
        for position in heard:
            kinds[position] = Kind.AUDIO
        pieces: list[str] = []
        for kind, run in groupby(kinds):
            part = ids[len(pieces) : len(pieces) + len(list(run))]
            pieces += [""] * len(part) if kind in (Kind.VIDEO, Kind.AUDIO) else spelled(self.tokenizer, part)
        sinks = np.zeros(len(ids), bool)
        sinks[:1] = True  # the first token: softmax must look somewhere
        return TokenMap(tuple(kinds), tuple(pieces), video, audio, media.grid, media.frame_times, sinks)

    def with_generated(self, tokens: TokenMap, written: list[int]) -> TokenMap:
        """The map of a prompt with the generated positions that were fed back appended."""
        extra = len(written)
        return replace(
            tokens,
            kinds=(*tokens.kinds, *[Kind.GENERATED] * extra),
            pieces=(*tokens.pieces, *spelled(self.tokenizer, written)),
            video=np.concatenate([tokens.video, np.full((extra, 3), -1, int)]),
            audio=np.concatenate([tokens.audio, np.full((extra, 2), np.nan)]),
            sinks=np.concatenate([tokens.sinks, np.zeros(extra, bool)]),
        )
