"""Look less, or harder: a factor on the attention weights of a modality's tokens, before they are shared out.

A factor g adds ln g to the scores of the tokens: a modality that had the share s of a row's weight gets
g s / (g s + 1 - s). 0 knocks it out, 1 changes nothing. Unlike PAI's e + a |e| (arXiv 2407.21771) it does not lift what
hardly matters as much as what matters.

In all rows it also changes what the modality's own tokens make of each other, so the media of a clip that was read
before are read anew; in the last rows alone what was read stays, and so does the answer's cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.intervention import (
    ALL,
    KNOCKED_OUT,
    LAST_ROWS,
    MODALITIES,
    Intervention,
    chosen_layers,
    first_of,
    number,
    positions,
    rows_of,
    window,
)
from models.interventions.intervention import choice as choice_of

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader


MOST = 100.0


@dataclass(frozen=True)
class Look(Intervention):
    """picture, sound, text: factors from 0 to 100. rows: "all" (prefill and answer), or "last" (the answer alone)."""

    id: ClassVar[str] = "look"
    title: ClassVar[str] = "Look less, or harder"
    about: ClassVar[str] = "Multiplies the attention that tokens of the picture, the sound or the text get."
    paper: ClassVar[str] = "modality slider; PAI (arXiv 2407.21771) is its relative"
    fails: ClassVar[str] = "Boosted attention does not mean better reading: tokens that say nothing are boosted too."
    presets: ClassVar[dict] = {
        "without the picture": {"picture": 0.0},
        "without the sound": {"sound": 0.0},
        "without the text": {"text": 0.0},
    }

    picture: float = number("attention on the picture ×", 1.0, 0.0, MOST, neutral=1.0)
    sound: float = number("attention on the sound ×", 1.0, 0.0, MOST, neutral=1.0)
    text: float = number("attention on the text ×", 1.0, 0.0, MOST, neutral=1.0)
    layers: tuple[int, int] | None = window()
    rows: str = choice_of("rows", (ALL, LAST_ROWS))

    def __bool__(self) -> bool:
        return any(getattr(self, name) != 1.0 for name in MODALITIES)

    @classmethod
    def usual(cls, asked: str, layers: int) -> Look:
        return cls(**{asked: 4.0})

    def silenced(self) -> frozenset[str]:
        everywhere = self.layers is None and self.rows == ALL
        return frozenset(name for name in MODALITIES if everywhere and getattr(self, name) == 0.0)

    def plan(self, reader: Reader) -> Plan:
        columns = np.zeros(len(reader.tokens))
        for name in MODALITIES:
            if (gain := getattr(self, name)) != 1.0:
                columns[positions(reader.tokens, name)] = bias_of(gain)
        rows = rows_of(reader.tokens, self.rows)
        first = max(first_of(rows), first_of(columns != 0))
        return reader.biased([(rows, columns)], chosen_layers(self.layers, reader.layers), first, self.rows)


def bias_of(gain: float) -> float:
    """What a factor on a weight is on its score."""
    return KNOCKED_OUT if gain == 0.0 else math.log(gain)
