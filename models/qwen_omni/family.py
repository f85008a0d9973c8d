"""What differs between Qwen2.5-Omni and Qwen3-Omni: class names, system prompt, how long an audio token lasts.

Knows facts about released checkpoints. Does not load or run anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.pretrained.family import Family, Release

PATCH = 28  # pixels, each side of what becomes one visual token; two frames share it
SOUND_TOKENS = 25  # a second (Qwen2.5; Qwen3 has half)
HEAD = 128  # width of an attention head, in every release


@dataclass(frozen=True)
class QwenFamily(Family):
    """One generation of Qwen-Omni."""

    audio_stride: int = 4  # mel frames (10 ms each) an audio token stands for
    pads_sound: bool = True  # its processor pads sound to the longest it reads, and what is longer is cut


PARTS = "models.qwen_omni.processing:QwenLayout", "models.qwen_omni.thinker:Thinker"
FAMILIES = (
    QwenFamily(
        "Qwen2.5-Omni",
        "Qwen2_5OmniThinkerForConditionalGeneration",
        "Qwen2_5OmniProcessor",
        ("qwen2_5_omni", "qwen2_5_omni_thinker"),
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
        "visual inputs, as well as generating text and speech.",
        *PARTS,
        audio_stride=4,  # one stride-2 convolution, one pooling of 2
        pads_sound=True,
    ),
    QwenFamily(
        "Qwen3-Omni",
        "Qwen3OmniMoeThinkerForConditionalGeneration",
        "Qwen3OmniMoeProcessor",
        ("qwen3_omni_moe", "qwen3_omni_moe_thinker"),
        "",
        *PARTS,
        audio_stride=8,  # three stride-2 convolutions
        pads_sound=False,
    ),
)


def clip_tokens(seconds: float, fps: float, side: int = 504) -> int:
    """Prompt tokens of a clip in square frames."""
    return media_tokens(round(seconds * fps), side, side, seconds)


def media_tokens(frames: int, height: int, width: int, seconds: float) -> int:
    """Prompt tokens of frames of height x width pixels and of `seconds` of sound."""
    return (frames + 1) // 2 * (height // PATCH) * (width // PATCH) + round(SOUND_TOKENS * seconds)


def _release(hub: str, parameters: float, linear: float, layers: int, heads: int, key_heads: int, hidden: int,
             inner: int, **more) -> Release:  # fmt: skip
    keys = key_heads * HEAD
    return Release(
        hub, parameters, linear, layers, heads, 2 * layers * keys, keys, hidden, inner, clip_tokens(10, 8), **more
    )


RELEASES = {
    "qwen2.5-omni-3b": _release(
        "Qwen/Qwen2.5-Omni-3B", 4.7, 2.77, 36, 16, 2, 2048, 11008, note="for non-commercial use only"
    ),
    "qwen2.5-omni-7b": _release("Qwen/Qwen2.5-Omni-7B", 8.9, 6.53, 28, 28, 4, 3584, 18944),
    "qwen3-omni-30b-a3b": _release(
        "Qwen/Qwen3-Omni-30B-A3B-Instruct", 31.7, 0.0, 48, 32, 4, 2048, 8 * 768, experts=True,
        note="3 billion parameters active a token",
    ),
}  # fmt: skip
