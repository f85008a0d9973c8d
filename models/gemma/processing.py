"""Gemma 4's processors: frames with their times written before them, then the sound in a block of its own.

Knows grids, times and the processor's arguments. Does not know weights, attention or adapters.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import image_utils

from models.habits import FILE, Habits
from models.omni import SAMPLE_RATE, McGurkError
from models.pretrained.layout import Layout, Media, Turns

# https://ai.google.dev/gemma/docs/core/prompt-formatting-gemma4
TURNS = Turns("<bos>", ("<|turn>system\n", "<turn|>\n"), "<|turn>user\n", "<turn|>\n<|turn>model\n", "<turn|>")
KEPT = ("pixel_values_videos", "video_position_ids", "num_frames_per_video", "input_features", "input_features_mask")
FPS = 3.0  # frames a second while it is tuned: of ten seconds nearly all that are read
AROUND = 8  # tokens around those of a frame: its time in letters and markers
APART = (
    "The sound stands in a block after the frames, not among them: when it is heard shows only in the times before the "
    "frames, in whole seconds."
)


class GemmaLayout(Layout):
    """Prompts of Gemma 4, with encoders (E2B, E4B) or without (12B)."""

    turns = TURNS

    def __init__(self, processor, config, family, habits=None):
        super().__init__(processor, config, family, habits)
        if self.habits.pixels or self.habits.interleaved:
            raise McGurkError(
                "Gemma 4 reads every frame as the same number of tokens, and the sound after them: leave pixels and "
                f"interleaved out of {FILE}."
            )

    @property
    def longest_sound(self) -> float:
        return self.processor.audio_seq_length * self.processor.audio_ms_per_token / 1000

    def process(self, frames: np.ndarray | None, fps: float, waveform: np.ndarray | None) -> Media:
        """See Layout.process. At most as many frames as the model was trained with, evenly spread."""
        p, notes = self.processor, []
        given: dict = {"text": (p.video_token if frames is not None else "")}
        shown = np.zeros(0, int)
        if frames is not None:
            most = p.video_processor.num_frames
            shown = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))
            if len(shown) < len(frames):
                notes.append(f"{len(shown)} of {len(frames)} frames are read, evenly spread.")
            told = {"total_num_frames": len(frames), "fps": float(fps), "frames_indices": shown.tolist()}
            given |= {"videos": [np.ascontiguousarray(frames[shown])]}
            given |= {"videos_kwargs": {"do_sample_frames": False, "video_metadata": [told]}}
        if waveform is not None:
            given["text"] += p.audio_token
            # it is short enough; a processor that was saved and loaded has lost the length it would cut to
            given |= {"audio": [waveform], "audio_kwargs": {"truncation": False}}
        notes += [APART] if frames is not None and waveform is not None else []
        made = p(**given, add_special_tokens=False, return_tensors="pt")
        ids = tuple(made["input_ids"][0].tolist())
        inputs = {name: torch.as_tensor(made[name]) for name in KEPT if made.get(name) is not None}
        spans = self._spans(ids.count(self.config.audio_token_id), waveform)
        if frames is None:
            return Media(ids, inputs, spans=spans, notes=tuple(notes))
        rows, columns = self._cells(inputs["video_position_ids"][0], ids.count(self.config.video_token_id), len(shown))
        side = p.video_processor.patch_size * p.video_processor.pooling_kernel_size
        return Media(
            ids, inputs, len(shown), float(fps) * len(shown) / len(frames), (rows * side, columns * side),
            (len(shown), rows, columns), shown / fps, spans, notes=tuple(notes),
        )  # fmt: skip

    def _spans(self, tokens: int, waveform: np.ndarray | None) -> np.ndarray:
        """Seconds, tokens x 2."""
        if waveform is None:
            return np.zeros((0, 2))
        edges = np.arange(tokens + 1) * self.processor.audio_ms_per_token / 1000
        edges[-1] = max(edges[-2], len(waveform) / SAMPLE_RATE) if tokens else 0.0
        return np.stack([edges[:-1], edges[1:]], 1)

    @staticmethod
    def _cells(positions: torch.Tensor, tokens: int, frames: int) -> tuple[int, int]:
        """(rows, columns) of a frame's tokens, from the x, y of its patches (-1: padding)."""
        columns, rows = (positions[(positions >= 0).all(-1)].max(0).values + 1).tolist()
        pooled = round((rows * columns * frames / tokens) ** 0.5)
        return rows // pooled, columns // pooled

    @classmethod
    def recipe(cls, fps: float | None, side: int | None) -> Habits:
        """See Layout.recipe."""
        if side:
            raise McGurkError("Gemma 4 reads every frame as the same number of tokens: leave out --side.")
        return Habits(fps=fps or FPS)

    def count(self, shape: tuple[int, int, int], seconds: float) -> int:
        """See Layout.count. Each frame comes with its time and its markers."""
        video = self.processor.video_processor
        side = video.patch_size * video.pooling_kernel_size
        frame = (shape[1] // side) * (shape[2] // side) + AROUND
        heard = round(1000 * seconds / self.processor.audio_ms_per_token)
        return min(shape[0], video.num_frames) * frame + heard

    def sized(self, frames: np.ndarray) -> np.ndarray:
        """See Layout.sized."""
        video = self.processor.video_processor
        made = video.aspect_ratio_preserving_resize(
            torch.from_numpy(frames).permute(0, 3, 1, 2), video.patch_size,
            video.max_soft_tokens * video.pooling_kernel_size**2, video.pooling_kernel_size,
            image_utils.pil_torch_interpolation_mapping[video.resample],
        )  # fmt: skip
        return made.permute(0, 2, 3, 1).contiguous().numpy()
