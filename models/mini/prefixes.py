"""What `mini` has read of prompts that begin alike: keys and values, part by part, so that nothing is read twice.

A prompt begins with the picture, then the sound, then a text that stands before the question: the same picture with
another sound, or another question about both, is read from where it differs. Knows caches. Does not know weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import DynamicCache

from models.mini.processing import Prompt
from models.omni import Kind, unless

if TYPE_CHECKING:
    from models.mini.reading import Encoded

KEPT = 10_000  # tokens whose keys and values are kept, 23 kB each

Layers = list[tuple[Tensor, Tensor]]  # of each layer keys and values, rows x heads x positions x width


class Prefixes:
    """Parts of prompts as each adapter has read them; those used least recently are forgotten. Not thread-safe.

    config: of the language model. on: what has these positions read after a cache (cache, prompt, begin, end, encoded).
    """

    def __init__(self, config, on: Callable[[DynamicCache, Prompt, int, int, Encoded], object]):
        self._config, self._on = config, on
        self._parts: OrderedDict[tuple, Layers] = OrderedDict()

    def __iter__(self):
        return iter(self._parts)

    def clear(self) -> None:
        """Forget all."""
        self._parts.clear()

    def read(
        self, adapter: str, encoded: Encoded, prompt: Prompt, first: int, stop: Callable[[], bool]
    ) -> tuple[DynamicCache, int]:
        """(a cache that has read the prompt up to the question, where that is).

        first: nothing is read from this position on. Raises Stopped between two parts.
        """
        parts, begin = [], 0
        for end, media in _ends(prompt, encoded.media):
            if end > first:
                break
            unless(stop)
            key = (adapter, media, prompt.ids[:end].tobytes())
            part = self._parts.pop(key, None) or self._read_on(parts, prompt, begin, end, encoded)
            self._parts[key] = part
            parts.append(part)
            begin = end
        while sum(part[0][0].shape[-2] for part in self._parts.values()) > KEPT and len(self._parts) > len(parts):
            self._parts.popitem(last=False)
        return self.cache(parts), begin

    def cache(self, parts: Sequence[Layers]) -> DynamicCache:
        """One cache of parts that follow each other; writing to it leaves them as they are."""
        cache = DynamicCache(config=self._config)
        for layer, pairs in enumerate(zip(*parts, strict=True)):
            keys, values = pairs[0] if len(pairs) == 1 else (torch.cat(each, -2) for each in zip(*pairs, strict=True))
            cache.update(keys, values, layer)
        return cache

    def _read_on(self, parts: list[Layers], prompt: Prompt, begin: int, end: int, encoded: Encoded) -> Layers:
        cache = self.cache(parts)
        self._on(cache, prompt, begin, end, encoded)
        if not parts:
            return [(layer.keys, layer.values) for layer in cache.layers]
        return [(layer.keys[..., begin:, :].clone(), layer.values[..., begin:, :].clone()) for layer in cache.layers]


def _ends(prompt: Prompt, media: tuple[bytes, bytes]) -> list[tuple[int, tuple[bytes, bytes]]]:
    """Where the parts of a prompt end, in order, each with what was seen and heard up to there."""
    pictured = prompt.tokens.positions(Kind.VIDEO)
    seen = int(pictured[-1]) + 1 if len(pictured) else 0
    ends = {int(prompt.tokens.positions(*kinds)[0]) for kinds in ((Kind.QUESTION, Kind.INJECTED), (Kind.QUESTION,))}
    return [(seen, (media[0], b""))] * (seen > 0) + [(end, media) for end in sorted(ends)]
