"""One prompt in front of `mini`, as interventions meet it: read whole, in parts, or with less in it.

Knows the backend's ways of reading. Does not know any intervention.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from models.asks import Asks
from models.interventions.intervention import LEARNED, REMOVED
from models.interventions.reading import Reader
from models.interventions.stand_ins import lessened
from models.mini import nothing
from models.mini.processing import Prompt
from models.omni import Stimulus, never
from models.probe import paused, steering

if TYPE_CHECKING:
    from models.mini.backend import Mini


@dataclass(frozen=True, eq=False)
class Encoded:
    """A stimulus as `mini` sees it: media tokens (N x hidden), frame times (s), number of sound patches.

    perceived: what the tokens blend, best first; offered: what a person may tap as its name (proposed.py).
    media: digests of what was seen and heard, the same for the same pixels and samples.
    """

    stimulus: Stimulus
    vision: Tensor | None
    sound: Tensor | None
    frame_times: np.ndarray
    patches: int
    perceived: dict[str, list[tuple[str, float]]]
    offered: dict[str, list[tuple[str, float]]]
    media: tuple[bytes, bytes]


class MiniReader(Reader):
    """See Reader. The adapter must be in use, and the lock held, while it reads."""

    def __init__(
        self,
        mini: Mini,
        adapter: str,
        encoded: Encoded,
        prompt: Prompt,
        question: str,
        system: str | None = None,
        stop: Callable[[], bool] = never,
    ):
        self.mini, self.adapter, self.encoded, self.prompt = mini, adapter, encoded, prompt
        self.question, self.system, self.stop = question, system, stop
        self.model, self.tokens, self.heads = mini.name, prompt.tokens, mini.heads
        self.attention, self.blocks = mini.text_layers, list(mini.inner.language_model.model.layers)

    def less(self, without: Collection[str], stand_in: str = REMOVED) -> MiniReader:
        if stand_in == LEARNED:
            encoded = nothing.in_place(self.encoded, without, self.mini.nothings)
        else:
            encoded = self.mini.encode(lessened(self.encoded.stimulus, without, stand_in))
        prompt = self.mini._prompt(encoded, self.question, self.system)
        return MiniReader(self.mini, self.adapter, encoded, prompt, self.question, self.system, self.stop)

    def read(self, asks: Asks | None = None, split: int | None = None, touch: Callable | None = None):
        end = len(self.tokens)
        with paused(), steering(None):
            first = min(one for one in (end, split, asks and asks.first) if one is not None)
            cache, at = self.mini.prefixes.read(self.adapter, self.encoded, self.prompt, first, self.stop)
        with steering(asks):
            if split is not None:
                with paused():
                    self._on(cache, at, split)
                at = split
                touch(cache)
            return cache, self._on(cache, at, end)

    def read_many(self, asks: Sequence[Asks]):
        first = min(*(one.first for one in asks), len(self.tokens) - 1)
        cache, at = self.mini.prefixes.read(self.adapter, self.encoded, self.prompt, first, self.stop)
        if at < first:
            self._on(cache, at, first)
        past = [
            (layer.keys.expand(len(asks), -1, -1, -1), layer.values.expand(len(asks), -1, -1, -1))
            for layer in (cache.layers if first else ())
        ]
        cache = self.mini.prefixes.cache([past])
        with steering(*asks):
            return cache, self._on(cache, first, len(self.tokens), len(asks))

    def shares(self, cache, logits: Tensor, options: Sequence[str]) -> list[dict[str, float]]:
        return self.mini._score(cache, logits, options)

    def _on(self, cache, begin: int, end: int, rows: int = 1) -> Tensor:
        """rows x vocabulary logits after reading the positions begin..end."""
        embeddings = self.mini._embed(self.prompt, begin, end, self.encoded)
        return self.mini._forward(cache, inputs_embeds=embeddings.expand(rows, -1, -1))[:, -1]


def earlier(inputs: dict, shorter: int) -> dict:
    """What a reading of a prompt that is shorter by so many positions is given in place of `inputs`."""
    if not shorter or "attention_mask" not in inputs:
        return inputs
    mask, positions = inputs["attention_mask"], inputs["position_ids"]
    return inputs | {"attention_mask": mask[..., shorter:], "position_ids": positions - shorter}
