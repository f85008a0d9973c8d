"""What differs between Qwen2.5-Omni and Qwen3-Omni: class names, system prompt, how long an audio token lasts.

Knows facts about released checkpoints. Does not load or run anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from models.omni import McGurkError

GB = 1000**3  # bytes
PROMPT_GB = 4.0  # beside the weights: 10 s of 504 x 504 at 8 fps (13,000 tokens), two answers in one batch
NEEDED = "install what a GPU machine needs with `pip install -r requirements-gpu.txt`"


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

    def gigabytes(self, four_bit: bool = False) -> float:
        """GB of GPU memory it needs while it answers: weights in bfloat16 or four bits, and the prompt."""
        return round(self.parameters * (0.6 if four_bit else 2.0) + PROMPT_GB, 1)


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


def why_not(name: str, four_bit: bool = False) -> str:
    """One sentence: why a release cannot run here; "" if it can, as far as can be told without loading it."""
    needed = RELEASES[name].gigabytes(four_bit)
    if find_spec("torchvision") is None:
        return f"torchvision is missing: {NEEDED}."
    import torch

    if not torch.cuda.is_available():
        return f"There is no GPU here; it needs one with {needed:.0f} GB."
    here = sum(torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())) / GB
    return "" if here >= needed else f"It needs {needed:.0f} GB of GPU memory, here are {here:.0f}."
