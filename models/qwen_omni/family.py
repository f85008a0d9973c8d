"""What differs between Qwen2.5-Omni and Qwen3-Omni: class names, system prompt, how long an audio token lasts.

Knows facts about released checkpoints. Does not load or run anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.omni import McGurkError

GIB = 1024**3


@dataclass(frozen=True)
class Family:
    """One generation of Qwen-Omni."""

    name: str
    thinker: str  # class in transformers: the part that reads and answers; the talker is never loaded
    processor: str
    model_types: tuple[str, ...]  # in config.json, of the whole model and of the thinker alone
    system: str  # system prompt it was trained with; "": none
    audio_stride: int  # mel frames (10 ms each) an audio token stands for


FAMILIES = (
    Family(
        "Qwen2.5-Omni",
        "Qwen2_5OmniThinkerForConditionalGeneration",
        "Qwen2_5OmniProcessor",
        ("qwen2_5_omni", "qwen2_5_omni_thinker"),
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
        "visual inputs, as well as generating text and speech.",
        audio_stride=4,  # one stride-2 convolution, one pooling of 2
    ),
    Family(
        "Qwen3-Omni",
        "Qwen3OmniMoeThinkerForConditionalGeneration",
        "Qwen3OmniMoeProcessor",
        ("qwen3_omni_moe", "qwen3_omni_moe_thinker"),
        "",
        audio_stride=8,  # three stride-2 convolutions
    ),
)


@dataclass(frozen=True)
class Release:
    """A checkpoint that can be named on the command line."""

    hub: str
    parameters: float  # billions in the thinker, towers included
    note: str = ""

    @property
    def gigabytes(self) -> float:
        """GiB of the thinker's weights in bfloat16; prompts need a few more (see `python -m models.speed`)."""
        return round(self.parameters * 1e9 * 2 / GIB, 1)


RELEASES = {
    "qwen2.5-omni-3b": Release("Qwen/Qwen2.5-Omni-3B", 4.7),
    "qwen2.5-omni-7b": Release("Qwen/Qwen2.5-Omni-7B", 8.9),
    "qwen3-omni-30b-a3b": Release("Qwen/Qwen3-Omni-30B-A3B-Instruct", 31.7, "3 billion parameters active a token"),
}


def family_of(model_type: str) -> Family:
    """The Family of a config.json's model_type. Raises McGurkError for another model."""
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    raise McGurkError(f"A model of type {model_type!r} is no Qwen-Omni: {' or '.join(f.name for f in FAMILIES)}.")
