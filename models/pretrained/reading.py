"""One prompt in front of a model, as interventions meet it: read whole, in parts, or with less in it.

Knows the decoder. Does not know any intervention.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from models.asks import Asks
from models.interventions.intervention import REMOVED
from models.interventions.reading import Reader
from models.interventions.stand_ins import lessened
from models.pretrained.decoding import Encoded, Fed
from models.pretrained.layout import Prompt
from models.probe import paused, steering

if TYPE_CHECKING:
    from models.pretrained.backend import Pretrained


class PromptReader(Reader):
    """See Reader. The adapters must be in use, and the lock held, while it reads; rows: answers of one batch."""

    def __init__(self, model: Pretrained, encoded: Encoded, prompt: Prompt, fed: Fed, question: str,
                 system: str | None = None, rows: int = 1):  # fmt: skip
        self.omni, self.encoded, self.prompt, self.fed = model, encoded, prompt, fed
        self.question, self.system, self.rows = question, system, rows
        self.model, self.tokens, self.heads = model.name, prompt.tokens, model.heads
        self.attention, self.blocks = model.decoder.groups, model.decoder.blocks

    @property
    def next_position(self) -> float:
        return self.fed.next_position

    def less(self, without: Collection[str], stand_in: str = REMOVED) -> PromptReader:
        stimulus = lessened(self.encoded.stimulus, without, stand_in)
        encoded = self.omni.encode(stimulus)
        prompt = self.omni.layout.prompt(
            encoded.media, self.question, text=stimulus.text, text_position=stimulus.text_position, system=self.system
        )
        fed = self.omni.feed(prompt, encoded)
        return PromptReader(self.omni, encoded, prompt, fed, self.question, self.system, self.rows)

    def read(self, asks: Asks | None = None, split: int | None = None, touch: Callable | None = None):
        decoder = self.omni.decoder
        with steering(asks):
            if split is None:
                return decoder.prefill(self.fed, self.rows)
            with paused():
                cache, _ = decoder.prefill(decoder.part(self.fed, 0, split), self.rows)
            touch(cache)
            return decoder.prefill(decoder.part(self.fed, split, len(self.fed)), self.rows, cache)

    def read_many(self, asks: Sequence[Asks]):
        decoder = self.omni.decoder
        first, cache = min(*(one.first for one in asks), len(self.fed) - 1), None
        if first:
            past, _ = decoder.prefill(decoder.part(self.fed, 0, first))
            cache = decoder.cache()
            for place, layer in enumerate(past.layers):
                keys, values = (one.expand(len(asks), -1, -1, -1) for one in (layer.keys, layer.values))
                cache.update(keys, values, place)
        with steering(*asks):
            return decoder.prefill(decoder.part(self.fed, first, len(self.fed)), len(asks), cache)

    def shares(self, cache, logits: Tensor, options: Sequence[str]) -> list[dict[str, float]]:
        options = list(dict.fromkeys(options))
        texts = [self.omni.layout.option_ids(option) for option in options]
        found = self.omni.decoder.score(cache, logits, texts, self.next_position).softmax(-1).tolist()
        return [dict(zip(options, row, strict=True)) for row in found]
