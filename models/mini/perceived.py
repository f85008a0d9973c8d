"""What the encoders alone recognise, in everyday words: shares of classes, gathered under what people would say.

Knows class names and shares. Does not know features or language models.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from models.everyday import basic
from models.teaching.naming import GENERIC, unfair

NAMED = 8  # words reported, best first
TOO_WIDE = GENERIC - {"music", "silence"}  # say nothing that a visitor could accept, such as "domestic animals"


def named(share: Tensor, classes: tuple[str, ...]) -> list[tuple[str, float]]:
    """Shares of the classes -> at most NAMED (word, share of what it means), best first, each a thing of its own.

    A word is a class's name or the everyday word of several classes: pomeranian 0.2 and chow chow 0.1 are dog 0.3.
    """
    words, members = _gathered(classes)
    scores = torch.zeros(len(words)).index_add_(0, members[0], share.float().cpu()[members[1]])
    found: list[tuple[str, float]] = []
    for place in scores.argsort(descending=True).tolist():
        if len(found) == NAMED:
            break
        if words[place] not in TOO_WIDE and not any(unfair(words[place], other) for other, _ in found):
            found.append((words[place], round(float(scores[place]), 4)))
    return found


@lru_cache(maxsize=4)
def _gathered(classes: tuple[str, ...]) -> tuple[Sequence[str], Tensor]:
    """(words, 2 x E: number of a word, number of a class that it names)."""
    number: dict[str, int] = {}
    pairs: dict[tuple[int, int], None] = {}
    for at, name in enumerate(classes):
        for word in (name, *basic(name)[:1]):
            pairs[number.setdefault(word, len(number)), at] = None
    return list(number), torch.tensor(list(pairs)).T
