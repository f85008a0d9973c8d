"""A Qwen-Omni's processor: picture and sound interleaved or in blocks, grids, and when each audio token is heard.

Knows grids, times and the processor's arguments. Does not know weights, attention or adapters.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers.image_utils import SizeDict

from models.habits import Habits
from models.omni import SAMPLE_RATE
from models.pretrained.layout import Layout, Media, Turns

START, END = "<|im_start|>", "<|im_end|>"
TURNS = Turns("", (f"{START}system\n", f"{END}\n"), f"{START}user\n", f"{END}\n{START}assistant\n", END)
# transformers is renaming use_audio_in_video to load_audio_from_video: its processors have moved, its models have not.
# Whoever needs the flag takes it from Media.interleaved through these two names, so both sides always agree.
PROCESSOR_FLAG, MODEL_FLAG = "load_audio_from_video", "use_audio_in_video"
FPS, SIDE = 8.0, 504  # while it is tuned: frames a second; pixels, side of a square frame of the same area
LEAST_PIXELS = 128 * 28 * 28  # of a frame, as the processors have it
KEPT = ("pixel_values_videos", "video_grid_thw", "input_features", "feature_attention_mask")


class QwenLayout(Layout):
    """Prompts of Qwen2.5-Omni and Qwen3-Omni."""

    turns = TURNS

    def __init__(self, processor, config, family, habits=None):
        super().__init__(processor, config, family, habits)
        self.ends = {self.tokenizer.convert_tokens_to_ids(token) for token in (END, "<|endoftext|>")} - {None}

    @property
    def longest_sound(self) -> float:
        """Seconds; only Qwen2.5's processor cuts."""
        return self.processor.feature_extractor.n_samples / SAMPLE_RATE if self.family.pads_sound else float("inf")

    def process(self, frames: np.ndarray | None, fps: float, waveform: np.ndarray | None) -> Media:
        """See Layout.process. Sound and picture are interleaved unless the adapter is used to separate blocks."""
        both = frames is not None and waveform is not None and self.habits.interleaved is not False
        given: dict = {"text": self._markup(frames is not None, waveform is not None and not both)}
        if frames is not None:
            given |= {"videos": [np.ascontiguousarray(frames)], "videos_kwargs": self._video_settings(fps)}
        if waveform is not None:
            given |= {"audio": [waveform]}
        if both:
            given |= {"audio_from_video_indices": [0]}
        made = self.processor(**given, **self._timing(), **{PROCESSOR_FLAG: both}, return_tensors="pt")
        ids = tuple(made["input_ids"][0].tolist())
        inputs = {name: made[name] for name in KEPT if made.get(name) is not None}
        spans = self.audio_times(ids.count(self.config.audio_token_id), int(inputs.get(KEPT[3], torch.zeros(1)).sum()))
        if frames is None:
            return Media(ids, inputs, spans=spans)
        inputs["video_second_per_grid"] = torch.as_tensor(made["video_second_per_grid"]).float().reshape(1)
        times, rows, columns = inputs["video_grid_thw"][0].tolist()
        vision = self.config.vision_config
        return Media(
            ids, inputs, len(frames), fps,
            frame_size=(rows * vision.patch_size, columns * vision.patch_size),
            grid=(times, rows // vision.spatial_merge_size, columns // vision.spatial_merge_size),
            frame_times=np.arange(times) * float(inputs["video_second_per_grid"][0]),
            spans=spans, interleaved=both,
            notes=("The last frame is shown twice: frames are read in pairs.",) if len(frames) % 2 else (),
        )  # fmt: skip

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
        """See Layout.sized."""
        video, settings = self.processor.video_processor, self._video_settings(1.0)
        made = video.resize(
            torch.from_numpy(frames).permute(0, 3, 1, 2)[None], SizeDict(**settings.get("size", dict(video.size))),
            resample=video.resample, factor=video.patch_size * video.merge_size,
            temporal_factor=video.temporal_patch_size, cap_pixels_per_frame=True,
        )  # fmt: skip
        return made[0].permute(0, 2, 3, 1).contiguous().numpy()

    @classmethod
    def recipe(cls, fps: float | None, side: int | None) -> Habits:
        """See Layout.recipe."""
        area = (side or SIDE) ** 2
        return Habits(None, True, fps or FPS, (min(LEAST_PIXELS, area // 2), area))

    def count(self, shape: tuple[int, int, int], seconds: float) -> int:
        """See Layout.count. Frames are read in pairs."""
        vision, times = self.config.vision_config, -(-shape[0] // self.config.vision_config.temporal_patch_size)
        side = vision.patch_size * vision.spatial_merge_size
        hop = self.processor.feature_extractor.hop_length * self.family.audio_stride
        return times * (shape[1] // side) * (shape[2] // side) + round(seconds * SAMPLE_RATE / hop)

    def _timing(self) -> dict:
        """The processor's clock, read from the model's configuration, so that the two cannot disagree."""
        timing = {"position_id_per_seconds": self.config.position_id_per_seconds}
        if hasattr(self.config, "seconds_per_chunk"):
            timing["seconds_per_chunk"] = float(self.config.seconds_per_chunk)
        if self.family.name == "Qwen3-Omni":
            timing["n_window"] = self.config.audio_config.n_window
        return timing

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
