"""Several readings of one prompt, written on in step: the answer's own, and those it is held against.

Each has a key-value cache of its own: a contrast that shared the answer's cache would be equal to it from the second
token on. The logits that count are z + sum of w (z - z_contrast). Knows caches and logits. Does not know a method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.asks import Asks
from models.interventions.intervention import Intervention
from models.interventions.reading import Plan, Reader
from models.probe import paused, steering

UNLIKELY = -1e4  # added to the logit of a token that must not be written


@dataclass(eq=False)
class Stream:
    """One reading: its cache, what is asked of it, and its weight as a contrast.

    shorter: positions that it lacks compared with the answer's own; earlier: by how much its next one comes before.
    """

    cache: Any
    asks: Asks | None
    weight: float = 0.0
    shorter: int = 0
    earlier: float = 0.0


class Streams:
    """Stands where a backend's decoder has its cache; the backend's forward function hands its call on to forward()."""

    def __init__(self, streams: Sequence[Stream], plausible: float = 0.0):
        self.streams, self.plausible = streams, plausible
        self._own: Tensor | None = None  # the last logits of the answer's own reading

    def get_seq_length(self) -> int:
        """Positions that the answer's own reading has."""
        return self.streams[0].cache.get_seq_length()

    def crop(self, length: int) -> None:
        """Negative: forget that many positions."""
        for stream in self.streams:
            stream.cache.crop(length)

    def forward(self, run: Callable[[Any, int, float], Tensor]) -> Tensor:
        """run(cache, shorter, earlier) of every stream under what is asked of it, combined; the first is recorded."""
        found = []
        for stream in self.streams:
            with steering(stream.asks):
                if stream is self.streams[0]:
                    found.append(run(stream.cache, 0, 0.0))
                else:
                    with paused():
                        found.append(run(stream.cache, stream.shorter, stream.earlier))
        return self.combined(found)

    def combined(self, logits: Sequence[Tensor]) -> Tensor:
        """The logits that count, ... x vocabulary."""
        self._own = logits[0]
        return contrasted(logits[0], logits[1:], [stream.weight for stream in self.streams[1:]])

    def likely(self, logits: Tensor) -> Tensor:
        """The last combined logits with what the answer's own reading finds implausible put last."""
        if not self.plausible or len(self.streams) == 1:
            return logits
        own = self._own.reshape(logits.shape)
        return logits + UNLIKELY * (own < own.amax(-1, keepdim=True) + math.log(self.plausible))


def contrasted(own: Tensor, others: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """z + sum of w (z - z_contrast)."""
    total = own
    for weight, other in zip(weights, others, strict=True):
        total = total + weight * (own - other)
    return total


def likely(cache: Any, logits: Tensor) -> Tensor:
    """Logits to write the next token from, whatever reads them."""
    return cache.likely(logits) if isinstance(cache, Streams) else logits


def begin(intervention: Intervention | None, reader: Reader) -> tuple[Any, Tensor, Plan | None]:
    """(cache or Streams, rows x vocabulary logits after the prompt, the plan) of an answer under an intervention."""
    if not intervention:
        return *reader.read(), None
    with paused():
        plan = intervention.plan(reader)
    cache, logits = reader.read(plan.asks, plan.split, plan.touch)
    streams, found = [Stream(cache, plan.asks)], [logits]
    for other, asks, weight in plan.contrasts:
        with paused():
            cache, logits = other.read(asks)
        earlier = reader.next_position - other.next_position
        streams.append(Stream(cache, asks, weight, len(reader.tokens) - len(other.tokens), earlier))
        found.append(logits)
    together = Streams(streams, plan.plausible)
    return together, together.combined(found), plan


def described(intervention: Intervention, plan: Plan) -> dict[str, Any]:
    """What the receipt says of it."""
    return {
        "id": intervention.id,
        "what": intervention.says(),
        "layers": list(plan.layers),
        "rows": plan.rows,
        "extra passes": plan.passes + len(plan.contrasts),
        "notes": [*plan.notes, *plan.afterwards()],
    }
