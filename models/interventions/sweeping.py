"""One question under many interventions, many at a time: they share what none of them touches and run as one batch.

Knows plans and readers. Does not know a method or a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from models.asks import Asks
from models.interventions.intervention import Intervention
from models.interventions.reading import Plan, Reader
from models.interventions.streams import begin
from models.probe import paused, steering

MOST = 16  # rows of a batch
MOST_READ, MOST_KEPT = 6_000, 12_000  # tokens that a batch reads anew, and whose keys and values it keeps


def swept(
    opened: Callable[[str], AbstractContextManager[Reader]],
    adapters: Sequence[str],
    options: Sequence[str],
    interventions: Sequence[Intervention | None],
) -> Iterator[tuple[str, int, dict[str, float]]]:
    """See OmniModel.sweep. opened(adapter): the prompt in front of that adapter, nobody else at it meanwhile.

    The reader is let go between two batches, so that others may ask, and the sweep be stopped.
    """
    for adapter in adapters:
        place = 0
        while place < len(interventions):
            with opened(adapter) as reader, paused():
                found = _batch(reader, options, interventions[place:])
            for shares in found:
                yield adapter, place, shares
                place += 1


def _batch(reader: Reader, options: Sequence[str], interventions: Sequence[Intervention | None]) -> list[dict]:
    """Probabilities under the first few of these: as many as fit, or one that can't be part of a batch."""
    together: list[Asks] = []
    for intervention in interventions[:MOST]:
        plan = intervention.plan(reader) if intervention else Plan()
        if plan.contrasts or plan.split is not None:
            break
        asks = plan.asks or Asks(reader.attention, first=len(reader.tokens))
        first = min(one.first for one in (*together, asks))
        rows, read = len(together) + 1, len(reader.tokens) - min(first, len(reader.tokens) - 1)
        if together and (rows * read > MOST_READ or rows * len(reader.tokens) > MOST_KEPT):
            break
        together.append(asks)
    if not together:
        cache, logits, _ = begin(interventions[0], reader)
        return reader.shares(cache, logits, options)
    cache, logits = reader.read_many(together)
    with steering(*together):
        return reader.shares(cache, logits, options)
