"""What differs between Qwen2.5-Omni and Qwen3-Omni: class names, system prompt, how long an audio token lasts.

Knows facts about released checkpoints. Does not load or run anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from models.omni import McGurkError
from models.placing import free_memory

GB = 1000**3  # bytes
HALF, NF4 = 2.0, 0.5 + 4 / 64  # bytes a weight: bfloat16; four bits and a float32 scale for every 64
PATCH = 28  # pixels, each side of what becomes one visual token; two frames share it
SOUND_TOKENS = 25  # a second (Qwen2.5; Qwen3 has half)
HEAD = 128  # width of an attention head, in every release
ANSWERS = 2  # base and aligned, in one batch
NO_FOUR_BIT = (
    "{name} can't be loaded in four bits: its experts, nine tenths of it, would stay in 16 bits. "
    "Load it without, or choose a smaller model."
)
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
    pads_sound: bool  # its processor pads sound to the longest it reads, and what is longer is cut


FAMILIES = (
    Family(
        "Qwen2.5-Omni",
        "Qwen2_5OmniThinkerForConditionalGeneration",
        "Qwen2_5OmniProcessor",
        ("qwen2_5_omni", "qwen2_5_omni_thinker"),
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
        "visual inputs, as well as generating text and speech.",
        audio_stride=4,  # one stride-2 convolution, one pooling of 2
        pads_sound=True,
    ),
    Family(
        "Qwen3-Omni",
        "Qwen3OmniMoeThinkerForConditionalGeneration",
        "Qwen3OmniMoeProcessor",
        ("qwen3_omni_moe", "qwen3_omni_moe_thinker"),
        "",
        audio_stride=8,  # three stride-2 convolutions
        pads_sound=False,
    ),
)


@dataclass(frozen=True)
class Release:
    """A checkpoint that can be named on the command line, and the sizes its memory depends on."""

    hub: str
    parameters: float  # billions in the thinker, towers included
    linear: float  # billions of them in linear layers of the text layers: all that four bits shrink
    layers: int
    heads: int
    key_heads: int  # heads of keys and values, each HEAD wide
    hidden: int
    inner: int  # width of the feed-forward, of all experts that read a token
    experts: bool = False  # most weights are experts, which four bits leave as they are
    note: str = ""

    def gigabytes(self, four_bit: bool = False, tokens: int | None = None) -> float:
        """GB of GPU memory needed to answer twice in one batch: weights in bfloat16 or four bits, and the prompt.

        tokens: of the prompt, by default 10 s at 8 fps. Counted, not measured: keys and values of every layer; while
        the prompt is read, one layer's feed-forward (three times `inner`) and six times `hidden`, all bfloat16; of the
        attention rows one layer's keys and scores in float32 and a row of every layer until they leave the GPU.
        """
        shrunk = self.linear if four_bit and not self.experts else 0.0
        weights = (self.parameters - shrunk) * HALF + shrunk * NF4
        cache = 2 * self.layers * self.key_heads * HEAD
        rows = 4 * (self.key_heads * HEAD + 3 * self.heads) + 4 * self.layers * self.heads
        bytes_a_token = HALF * (cache + 3 * self.inner + 6 * self.hidden) + rows
        return round(weights + ANSWERS * (tokens or clip_tokens(10, 8)) * bytes_a_token / GB, 1)


RELEASES = {
    "qwen2.5-omni-3b": Release(
        "Qwen/Qwen2.5-Omni-3B", 4.7, 2.77, 36, 16, 2, 2048, 11008, note="for non-commercial use only"
    ),
    "qwen2.5-omni-7b": Release("Qwen/Qwen2.5-Omni-7B", 8.9, 6.53, 28, 28, 4, 3584, 18944),
    "qwen3-omni-30b-a3b": Release(
        "Qwen/Qwen3-Omni-30B-A3B-Instruct", 31.7, 0.0, 48, 32, 4, 2048, 8 * 768, True,
        "3 billion parameters active a token",
    ),
}  # fmt: skip


def clip_tokens(seconds: float, fps: float, side: int = 504) -> int:
    """Prompt tokens of a clip in square frames."""
    return media_tokens(round(seconds * fps), side, side, seconds)


def media_tokens(frames: int, height: int, width: int, seconds: float) -> int:
    """Prompt tokens of frames of height x width pixels and of `seconds` of sound."""
    return (frames + 1) // 2 * (height // PATCH) * (width // PATCH) + round(SOUND_TOKENS * seconds)


def family_of(model_type: str) -> Family:
    """The Family of a config.json's model_type. Raises McGurkError for another model."""
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    raise McGurkError(f"A model of type {model_type!r} is no Qwen-Omni: {' or '.join(f.name for f in FAMILIES)}.")


def why_not(name: str, four_bit: bool = False) -> str:
    """One sentence: why a release cannot run here; "" if it can, as far as can be told without loading it."""
    release = RELEASES[name]
    if four_bit and release.experts:
        return NO_FOUR_BIT.format(name=name)
    needed = release.gigabytes(four_bit)
    if find_spec("torchvision") is None:
        return f"torchvision is missing: {NEEDED}."
    cards = free_memory()
    if not cards:
        return f"There is no GPU here; it needs one with {needed:.0f} GB."
    if sum(total for _, total in cards) < needed:
        return f"It needs {needed:.0f} GB of GPU memory, here are {sum(total for _, total in cards):.0f}."
    if (free := sum(free for free, _ in cards)) < needed:
        return f"It needs {needed:.0f} GB of GPU memory and {free:.0f} GB are free: end what else uses the GPU."
    return ""
