"""One prompt in front of a Qwen-Omni, as interventions meet it: read whole, in parts, or with less in it.

Knows the decoder. Does not know any intervention.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from torch import Tensor
from transformers import DynamicCache

from models.asks import Asks
from models.interventions.intervention import REMOVED
from models.interventions.reading import Reader
from models.interventions.stand_ins import lessened
from models.probe import paused, steering
from models.qwen_omni.decoding import Fed
from models.qwen_omni.processing import Prompt

if TYPE_CHECKING:
    from models.qwen_omni.backend import Encoded, QwenOmni


class QwenReader(Reader):
    """See Reader. The adapters must be in use, and the lock held, while it reads; rows: answers of one batch."""

    def __init__(self, model: QwenOmni, encoded: Encoded, prompt: Prompt, fed: Fed, question: str,
                 system: str | None = None, rows: int = 1):  # fmt: skip
        self.omni, self.encoded, self.prompt, self.fed = model, encoded, prompt, fed
        self.question, self.system, self.rows = question, system, rows
        self.model, self.tokens, self.heads = model.name, prompt.tokens, model.heads
        self.attention, self.blocks = model.decoder.attention_layers, list(model.decoder.language_model.layers)

    @property
    def next_position(self) -> float:
        return self.fed.next_position

    def less(self, without: Collection[str], stand_in: str = REMOVED) -> QwenReader:
        stimulus = lessened(self.encoded.stimulus, without, stand_in)
        encoded = self.omni.encode(stimulus)
        prompt = self.omni.layout.prompt(
            encoded.media, self.question, text=stimulus.text, text_position=stimulus.text_position, system=self.system
        )
        fed = self.omni.feed(prompt, encoded)
        return QwenReader(self.omni, encoded, prompt, fed, self.question, self.system, self.rows)

    def read(self, asks: Asks | None = None, split: int | None = None, touch: Callable | None = None):
        with steering(asks):
            if split is None:
                return self.omni.decoder.prefill(self.fed, self.rows)
            with paused():
                cache, _ = self.omni.decoder.prefill(self.fed.part(0, split), self.rows)
            touch(cache)
            return self.omni.decoder.prefill(self.fed.part(split, len(self.fed)), self.rows, cache)

    def read_many(self, asks: Sequence[Asks]):
        first, cache = min(*(one.first for one in asks), len(self.fed) - 1), None
        if first:
            past, _ = self.omni.decoder.prefill(self.fed.part(0, first))
            cache = DynamicCache(config=self.omni.decoder.config)
            for place, layer in enumerate(past.layers):
                keys, values = (one.expand(len(asks), -1, -1, -1) for one in (layer.keys, layer.values))
                cache.update(keys, values, place)
        with steering(*asks):
            return self.omni.decoder.prefill(self.fed.part(first, len(self.fed)), len(asks), cache)

    def shares(self, cache, logits: Tensor, options: Sequence[str]) -> list[dict[str, float]]:
        options = list(dict.fromkeys(options))
        texts = [self.omni.layout.option_ids(option) for option in options]
        found = self.omni.decoder.score(cache, logits, texts, self.next_position).softmax(-1).tolist()
        return [dict(zip(options, row, strict=True)) for row in found]
