"""Guidance: the answer is pushed away from what would be said without the picture, or without the sound.

z + s_v (z - z_without picture) + s_a (z - z_without sound), written only where the answer's own reading finds a token
at least `plausible` times as probable as its likeliest (LACING's soft-image guidance, arXiv 2411.14279, is s_v = 0.5
with a learned nothing, which `mini` has; VCD, arXiv 2311.16922, s_v = 1 with a disturbed picture; PAI, arXiv
2407.21771, gamma = 1 + s_v with the picture removed: log-softmax or logits make no difference). Each reading without
has a cache of its own. Options are scored by the pushed logits without the cut-off, which belongs to writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from models.interventions.intervention import (
    BLANK,
    LAST_ROWS,
    LEARNED,
    MODALITIES,
    REMOVED,
    Intervention,
    choice,
    number,
)

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

PLAUSIBLE = 0.1
NOTES = {
    BLANK: ("What is blank keeps its tokens: black frames, silence.",),
    LEARNED: ("As many learned tokens stand in its place.",),
}


@dataclass(frozen=True)
class Guidance(Intervention):
    """picture, sound, text: strengths. stand_in: "removed", "blank": black frames, silence, or "learned"."""

    id: ClassVar[str] = "guidance"
    title: ClassVar[str] = "Away from what it would say without"
    about: ClassVar[str] = "Asks again without the picture or the sound and goes the other way."
    paper: ClassVar[str] = "LACING, arXiv 2411.14279; VCD and PAI are presets of it"
    fails: ClassVar[str] = "Gains over greedy answers were not reproduced by others: compare with the plain answer."
    presets: ClassVar[dict] = {
        "LACING, picture": {"picture": 0.5},
        "LACING, learned nothing": {"picture": 0.5, "stand_in": LEARNED},
        "VCD, picture": {"picture": 1.0, "stand_in": BLANK},
        "PAI, picture": {"picture": 0.1, "plausible": 0.1},
    }

    picture: float = number("away from no picture ×", 0.0, 0.0, 4.0, neutral=0.0)
    sound: float = number("away from no sound ×", 0.0, 0.0, 4.0, neutral=0.0)
    text: float = number("away from no text ×", 0.0, 0.0, 4.0, neutral=0.0)
    stand_in: str = choice("no means", (REMOVED, BLANK, LEARNED))
    plausible: float = number("least plausible share", PLAUSIBLE, 0.0, 1.0, 0.05)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in MODALITIES)

    @classmethod
    def usual(cls, asked: str, layers: int) -> Guidance:
        return cls(**{asked: 1.0})

    def plan(self, reader: Reader) -> Plan:
        from models.interventions.reading import Plan

        strengths = {name: strength for name in MODALITIES if (strength := getattr(self, name))}
        contrasts = [(reader.less({name}, self.stand_in), None, strength) for name, strength in strengths.items()]
        notes = NOTES.get(self.stand_in, ())
        return Plan(contrasts=tuple(contrasts), plausible=self.plausible, layers=tuple(range(reader.layers)),
                    rows=LAST_ROWS, notes=notes)  # fmt: skip
