"""Stimulus and question -> what a Qwen-Omni is fed, and the exact map of it.

Runs the model's own processor once a stimulus; keeps a visitor's text from ever becoming a control token. Knows ids,
grids and times. Does not know weights, attention or adapters.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transformers.image_utils import SizeDict

from models import wording
from models.habits import Habits
from models.omni import SAMPLE_RATE, Kind, McGurkError, Stimulus, TokenMap
from models.qwen_omni.family import Family

START, END = "<|im_start|>", "<|im_end|>"
SHORTEST_SOUND = 0.1  # s; less than this makes no audio token
# transformers is renaming use_audio_in_video to load_audio_from_video: its processors have moved, its models have not.
# Whoever needs the flag takes it from Media.interleaved through these two names, so both sides always agree.
PROCESSOR_FLAG, MODEL_FLAG = "load_audio_from_video", "use_audio_in_video"


@dataclass(frozen=True, eq=False)
class Media:
    """What the processor made of a stimulus' picture and sound."""

    ids: tuple[int, ...]  # placeholders and their markers, as they stand in the prompt
    pixels: Tensor | None  # patches x features
    grid: Tensor | None  # 1 x 3: times, rows, columns in patches (before merging 2 x 2)
    mel: Tensor | None  # 1 x mel bands x frames, padded
    mel_mask: Tensor | None  # 1 x frames
    seconds_per_grid: Tensor | None  # 1: seconds between two video times
    interleaved: bool  # sound and picture in one block, in step
    frames: int
    notes: tuple[str, ...]
    fps: float = 0.0  # of the frames that are read

    @property
    def mel_frames(self) -> int:
        """Mel frames of the sound that are not padding."""
        return 0 if self.mel_mask is None else int(self.mel_mask.sum())


@dataclass(frozen=True, eq=False)
class Prompt:
    """ids: T. text: as sent, media written as <video x392>. head: positions up to and including the media."""

    ids: np.ndarray
    tokens: TokenMap
    text: str
    head: int


class Layout:
    """One model's processor, made to lay out prompts. Prompts may be laid out in several threads at once.

    habits: how an adapter wants the model to be fed.
    """

    def __init__(self, processor, config, family: Family, habits: Habits | None = None):
        self.processor, self.tokenizer, self.config, self.family = processor, processor.tokenizer, config, family
        self.habits = habits or Habits()
        self.system = family.system if self.habits.system is None else self.habits.system.strip()
        # whether control tokens are split into letters is a tokenizer's state, not a call's: hence two of them
        self._letters = copy.deepcopy(self.tokenizer)
        self.merge = config.vision_config.spatial_merge_size
        self.ends = {self.tokenizer.convert_tokens_to_ids(t) for t in (END, "<|endoftext|>")} - {None}

    def media(self, stimulus: Stimulus) -> Media:
        """Run the processor on frames and waveform. Silence, no sound and no picture stay three different things."""
        frames, waveform = stimulus.frames, stimulus.waveform
        frames = frames if frames is not None and len(frames) else None
        waveform = waveform if waveform is not None and len(waveform) else None
        if frames is None and waveform is None:
            return Media((), None, None, None, None, None, False, 0, ())
        waveform, notes = self._long_enough(waveform)
        frames, fps, thinned = self._thinned(frames, stimulus.fps)
        notes += thinned
        both = frames is not None and waveform is not None and self.habits.interleaved is not False
        given: dict = {"text": self._markup(frames is not None, waveform is not None and not both)}
        if frames is not None:
            given |= {"videos": [np.ascontiguousarray(frames)], "videos_kwargs": self._video_settings(fps)}
            notes += ("The last frame is shown twice: frames are read in pairs.",) if len(frames) % 2 else ()
        if waveform is not None:
            given |= {"audio": [waveform]}
        if both:
            given |= {"audio_from_video_indices": [0]}
        made = self.processor(**given, **self._timing(), **{PROCESSOR_FLAG: both}, return_tensors="pt")
        return Media(
            tuple(made["input_ids"][0].tolist()),
            made.get("pixel_values_videos"),
            made.get("video_grid_thw"),
            made.get("input_features"),
            made.get("feature_attention_mask"),
            None if frames is None else torch.as_tensor(made["video_second_per_grid"]).float().reshape(1),
            both,
            0 if frames is None else len(frames),
            notes,
            fps,
        )

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
        least = round(SHORTEST_SOUND * SAMPLE_RATE)
        most = self.processor.feature_extractor.n_samples if self.family.pads_sound else np.inf
        if waveform is None or least <= len(waveform) <= most:
            return waveform, ()
        if len(waveform) < least:
            return np.pad(waveform, (0, least - len(waveform))), (f"The sound was padded to {SHORTEST_SOUND} s.",)
        return waveform[:most], (f"The sound was cut to {most / SAMPLE_RATE:.0f} s, the longest this model reads.",)

    def _markup(self, picture: bool, sound: bool) -> str:
        """Blocks of the prompt; an interleaved sound has none, the processor puts its tokens among the frames."""
        p = self.processor
        seen = p.vision_bos_token + p.video_token + p.vision_eos_token if picture else ""
        return seen + (p.audio_bos_token + p.audio_token + p.audio_eos_token if sound else "")

    def _video_settings(self, fps: float) -> dict:
        size = {}
        if self.habits.pixels is not None:
            size = {"size": dict(zip(("shortest_edge", "longest_edge"), self.habits.pixels, strict=True))}
        # frames come sampled; the cap is what the models were trained with (qwen-vl-utils)
        return {"fps": float(fps), "do_sample_frames": False, "cap_pixels_per_frame": True, **size}

    def sized(self, frames: np.ndarray) -> np.ndarray:
        """uint8 T x H x W x 3 at the size that the model reads them; reading those changes nothing any more."""
        video, settings = self.processor.video_processor, self._video_settings(1.0)
        made = video.resize(
            torch.from_numpy(frames).permute(0, 3, 1, 2)[None], SizeDict(**settings.get("size", dict(video.size))),
            resample=video.resample, factor=video.patch_size * video.merge_size,
            temporal_factor=video.temporal_patch_size, cap_pixels_per_frame=True,
        )  # fmt: skip
        return made[0].permute(0, 2, 3, 1).contiguous().numpy()

    def _timing(self) -> dict:
        """The processor's clock, read from the model's configuration, so that the two cannot disagree."""
        timing = {"position_id_per_seconds": self.config.position_id_per_seconds}
        if hasattr(self.config, "seconds_per_chunk"):
            timing["seconds_per_chunk"] = float(self.config.seconds_per_chunk)
        if self.family.name == "Qwen3-Omni":
            timing["n_window"] = self.config.audio_config.n_window
        return timing

    def prompt(self, media: Media, question: str, *, text: str = "", text_position: str = "before",
               system: str | None = None) -> Prompt:  # fmt: skip
        """Lay out one prompt: system, media, injected text and question, the assistant's turn."""
        system = self.system if system is None else system.strip()
        head = [(i, Kind.SYSTEM) for i in self.system_ids(system)]
        head += [(i, Kind.MARKER) for i in (*self.control(f"{START}user\n"), *media.ids)]
        asked = self.asked(question, text, text_position)
        closing = f"{END}\n{START}assistant\n"
        ids, kinds = zip(*head, *asked, *((i, Kind.MARKER) for i in self.control(closing)), strict=True)
        shown = f"{START}system\n{system}{END}\n" if system else ""
        shown += f"{START}user\n{self._shown(media)}{wording.join(question, text, text_position)}{closing}"
        ids = np.array(ids, np.int64)
        return Prompt(ids, self.token_map(ids, list(kinds), media), shown, len(head))

    def system_ids(self, system: str) -> list[int]:
        """Ids of a system turn; none without a system prompt."""
        return self.control(f"{START}system\n") + self.plain(system) + self.control(f"{END}\n") if system else []

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
        return self.plain(option) + self.control(END)

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
        grid, times = (0, 0, 0), np.zeros(0)
        at = np.flatnonzero(ids == self.config.video_token_id)
        if media.grid is not None:
            step, rows, columns = media.grid[0].tolist()
            grid = (step, rows // self.merge, columns // self.merge)
            times = np.arange(step) * float(media.seconds_per_grid[0])
        if len(at) != np.prod(grid):
            raise McGurkError(
                f"{len(at)} video tokens stand for a grid of {grid}: the processor does not fit the model."
            )
        if len(at):
            video[at] = np.stack(np.unravel_index(np.arange(len(at)), grid), 1)
        heard = np.flatnonzero(ids == self.config.audio_token_id)
        audio[heard] = self.audio_times(len(heard), media.mel_frames)
        kinds = list(kinds)
        for position in at:
            kinds[position] = Kind.VIDEO
        for position in heard:
            kinds[position] = Kind.AUDIO
        pieces = [
            "" if kind in (Kind.VIDEO, Kind.AUDIO) else self.tokenizer.decode([i])
            for i, kind in zip(ids, kinds, strict=True)
        ]
        sinks = np.zeros(len(ids), bool)
        sinks[:1] = True  # the first token: softmax must look somewhere
        return TokenMap(tuple(kinds), tuple(pieces), video, audio, grid, times, sinks)

    def audio_times(self, tokens: int, mel_frames: int) -> np.ndarray:
        """float, tokens x 2: start and end in seconds.

        The tower reads chunks of 2 x n_window mel frames and shortens each by audio_stride, rounding up.
        """
        frame = self.processor.feature_extractor.hop_length / SAMPLE_RATE
        stride, chunk = self.family.audio_stride, 2 * self.config.audio_config.n_window
        per_chunk = -(-chunk // stride)
        index = np.arange(tokens)
        chunk_start = index // per_chunk * chunk
        start = chunk_start + index % per_chunk * stride
        end = np.minimum(np.minimum(start + stride, chunk_start + chunk), mel_frames)
        return np.stack([start, end], 1) * frame

    def with_generated(self, tokens: TokenMap, written: list[int]) -> TokenMap:
        """The map of a prompt with the generated positions that were fed back appended."""
        extra = len(written)
        return replace(
            tokens,
            kinds=(*tokens.kinds, *[Kind.GENERATED] * extra),
            pieces=(*tokens.pieces, *(self.tokenizer.decode([i]) for i in written)),
            video=np.concatenate([tokens.video, np.full((extra, 3), -1, int)]),
            audio=np.concatenate([tokens.audio, np.full((extra, 2), np.nan)]),
            sinks=np.concatenate([tokens.sinks, np.zeros(extra, bool)]),
        )
