"""Modality-mutual attention: media tokens may look ahead at the question.

AKI, "Seeing is Understanding" (arXiv 2503.02597): allowed is k <= q, or q a media token and k in the question; all
layers and heads; answers are never visible. AKI is trained under this mask. On a model that is not, it shows what
breaks: the states of picture and sound tokens then depend on the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.intervention import (
    PICTURE,
    QUESTION,
    SOUND,
    Intervention,
    choice,
    chosen_layers,
    first_of,
    positions,
    window,
)

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

NOBODY, BOTH = "nobody", "picture and sound"
READERS = {NOBODY: (), PICTURE: (PICTURE,), SOUND: (SOUND,), BOTH: (PICTURE, SOUND)}


@dataclass(frozen=True)
class Mutual(Intervention):
    """who: whose tokens read the question. Injected text stays closed: a caption could rewrite the picture."""

    id: ClassVar[str] = "mutual"
    title: ClassVar[str] = "Look with the question in mind"
    about: ClassVar[str] = "Tokens of picture and sound may read the question, which stands behind them."
    paper: ClassVar[str] = "AKI, arXiv 2503.02597; trained there, here a model is not used to it"
    fails: ClassVar[str] = "A model that was never trained so reads its own future as noise: this shows what breaks."

    who: str = choice("who reads the question", tuple(READERS))
    layers: tuple[int, int] | None = window()

    def __bool__(self) -> bool:
        return self.who != NOBODY

    @classmethod
    def usual(cls, asked: str, layers: int) -> Mutual:
        return cls(BOTH)

    def plan(self, reader: Reader) -> Plan:
        rows = positions(reader.tokens, *READERS[self.who])
        opens = np.append(rows, False), positions(reader.tokens, QUESTION)
        return reader.biased([], chosen_layers(self.layers, reader.layers), first_of(rows), opens=opens)
