"""What is said of a family of models, and of one released checkpoint: names, sizes, memory.

Knows facts and arithmetic. Does not load or run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from models.pretrained.placing import free_memory

GB = 1000**3  # bytes
HALF, NF4 = 2.0, 0.5 + 4 / 64  # bytes a weight: bfloat16; four bits and a float32 scale for every 64
ANSWERS = 2  # base and aligned, in one batch
NO_FOUR_BIT = (
    "{name} can't be loaded in four bits: its experts, nine tenths of it, would stay in 16 bits. "
    "Load it without, or choose a smaller model."
)
NEEDED = "install what a GPU machine needs with `pip install -r requirements-gpu.txt`"


@dataclass(frozen=True)
class Family:
    """One generation of models: what transformers calls its parts, and where this project's are."""

    name: str
    model: str  # class in transformers: the part that reads and answers; a talker is never loaded
    processor: str
    model_types: tuple[str, ...]  # in config.json, of the whole model and of the part alone
    system: str  # system prompt it was trained with; "": none
    layout: str  # module:class that lays out prompts
    decoder: str  # module:class that runs it
    towers: tuple[str, ...] = ("vision_config", "audio_config")  # encoders whose attention can be chosen

    def parts(self) -> tuple[type, type]:
        """(Layout, Decoder) of this family."""
        return _find(self.layout), _find(self.decoder)


def _find(path: str) -> type:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Release:
    """A checkpoint that can be named on the command line, and the sizes its memory depends on."""

    hub: str
    parameters: float  # billions in the part that is loaded
    linear: float  # billions of them in linear layers of the text layers: all that four bits shrink
    layers: int  # whose attention is recorded
    heads: int
    cached: int  # numbers kept of a position: keys and values of every layer that has its own
    widest: int  # numbers of the keys of one layer
    hidden: int
    inner: int  # width of the feed-forward, of all experts that read a token
    clip: int  # prompt tokens of ten seconds, as many frames as it is usually shown
    experts: bool = False  # most weights are experts, which four bits leave as they are
    note: str = ""

    def gigabytes(self, four_bit: bool = False, tokens: int | None = None) -> float:
        """GB of GPU memory needed to answer twice in one batch: weights in bfloat16 or four bits, and the prompt.

        tokens: of the prompt, by default `clip`. Counted, within 4 % of what was measured with five releases
        (docs/large-models.md): keys and values of every layer; while the prompt is read, one layer's feed-forward
        (three times `inner`) and six times `hidden`, all bfloat16; of the attention rows one layer's keys and scores in
        float32 and a row of every layer until they leave the GPU.
        """
        shrunk = self.linear if four_bit and not self.experts else 0.0
        weights = (self.parameters - shrunk) * HALF + shrunk * NF4
        rows = 4 * (self.widest + 3 * self.heads) + 4 * self.layers * self.heads
        bytes_a_token = HALF * (self.cached + 3 * self.inner + 6 * self.hidden) + rows
        return round(weights + ANSWERS * (tokens or self.clip) * bytes_a_token / GB, 1)

    def why_not(self, name: str, four_bit: bool = False) -> str:
        """One sentence: why it cannot run here; "" if it can, as far as can be told without loading it."""
        if four_bit and self.experts:
            return NO_FOUR_BIT.format(name=name)
        needed = self.gigabytes(four_bit)
        if find_spec("torchvision") is None:
            return f"torchvision is missing: {NEEDED}."
        return _lack(needed, free_memory())


def _lack(needed: float, cards: Sequence[tuple[float, float]]) -> str:
    free, total = (sum(card[which] for card in cards) for which in (0, 1))
    if not cards:
        return f"There is no GPU here; it needs one with {needed:.0f} GB."
    if total < needed:
        return f"It needs {needed:.0f} GB of GPU memory, here are {total:.0f}."
    if free < needed:
        return f"It needs {needed:.0f} GB of GPU memory and {free:.0f} GB are free: end what else uses the GPU."
    return ""
