"""Logit lens: which name a layer's state at a picture or sound token says already, read out as if it were the last.

After nostalgebraist, "interpreting GPT: the logit lens" (2020): the model's last norm and output matrix on the state
after each layer. A name's score is the mean logit of its tokens, so that names of any length can be compared; scores
become shares by softmax over the names that were asked for. A name in a state is no proof that it is used.
Knows what is read out. Does not know where states come from or how a page shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.omni import Kind, TokenMap

if TYPE_CHECKING:
    from torch import Tensor

CLASS, WORD, NAME = "the encoder's class", "the word of the vocabulary", "of the names that are offered the one"


@dataclass(frozen=True, eq=False)
class Said:
    """What the tokens of one prompt say, layer by layer.

    places: int, P: those positions of the prompt that were read out: picture, sound, and last of all its last.
    shares: float32, layers x P x names, summing to 1 over the names.
    best: kind of media -> for each layer and token of it what it says most. source: CLASS,
    WORD or NAME.
    soft: kind of media -> for each token the classes that it was blended of, (name, share) with the largest first; {}
    where tokens are no blend of words.
    """

    names: tuple[str, ...]
    tokens: TokenMap
    places: np.ndarray
    shares: np.ndarray
    best: dict[Kind, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    soft: dict[Kind, tuple[tuple[tuple[str, float], ...], ...]] = field(default_factory=dict)
    source: str = CLASS

    def of(self, kind: Kind | None) -> np.ndarray:
        """shares of the tokens of a kind, or with None of the prompt's last position: layers x tokens x names."""
        if kind is None:
            return self.shares[:, -1:]
        return self.shares[:, [n for n, at in enumerate(self.places[:-1]) if self.tokens.kinds[at] is kind]]

    def telling(self, kind: Kind | None) -> np.ndarray:
        """float64, layers x names: share of the tokens whose likeliest name it is; of one position its own share."""
        shares = self.of(kind)
        if kind is None or not shares.shape[1]:
            return shares.sum(1, dtype=np.float64)
        return (shares.argmax(-1)[..., None] == np.arange(len(self.names))).mean(1)


def places_of(tokens: TokenMap) -> np.ndarray:
    """The positions that are read out: picture and sound in their order, then the prompt's last."""
    return np.append(tokens.positions(Kind.VIDEO, Kind.AUDIO), len(tokens) - 1)


def scores(states: Tensor, names: Tensor) -> Iterator[Tensor]:
    """For each layer, P x names: score of every name.

    states: layers x P x hidden, normed. names: names x hidden, the mean output embedding of each name's tokens.
    """
    for layer in states:
        yield layer.to(names.dtype) @ names.T
