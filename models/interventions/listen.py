"""Listen less: a factor on what a modality's tokens say (their values), not on how much they are looked at.

PILL's modality attention gate (arXiv 2311.02126) with a constant gate g in place of a trained one: V <- g V at the
modality's positions, weights unchanged and nothing shared out anew. With equal weight on a text that says 1 and a
picture that says 3, g = 0.5 reads 1.25 where the factor 0.5 on the attention reads 1.67. Per query head as well: keys
and values are then repeated for every head, as grouped heads share theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from models.interventions.intervention import (
    MODALITIES,
    PICTURE,
    SOUND,
    Intervention,
    choice,
    chosen_layers,
    first_of,
    number,
    positions,
    several,
    window,
)
from models.omni import McGurkError

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader


@dataclass(frozen=True)
class Listen(Intervention):
    """kind: whose tokens. gain: 0 to 4. heads: query heads it applies to; (): all."""

    id: ClassVar[str] = "listen"
    title: ClassVar[str] = "Listen less"
    about: ClassVar[str] = "Turns down what the tokens of a modality say, however much they are looked at."
    paper: ClassVar[str] = "the gate of PILL, arXiv 2311.02126, set by hand"
    fails: ClassVar[str] = "A value turned down leaves a hole, not something else: fluency may suffer first."

    kind: str = choice("whose tokens", MODALITIES)
    gain: float = number("what they say ×", 1.0, 0.0, 4.0, neutral=1.0)
    layers: tuple[int, int] | None = window()
    heads: tuple[int, ...] = several("in heads", "positions")

    def __bool__(self) -> bool:
        return self.gain != 1.0

    @classmethod
    def usual(cls, asked: str, layers: int) -> Listen:
        """What is not asked about says half as much."""
        return cls(SOUND if asked == PICTURE else PICTURE, 0.5)

    def silenced(self) -> frozenset[str]:
        return frozenset({self.kind} if self.gain == 0 and self.layers is None and not self.heads else ())

    def plan(self, reader: Reader) -> Plan:
        if wrong := [head for head in self.heads if not 0 <= head < reader.heads]:
            raise McGurkError(f"There is no head {wrong[0]}: choose from 0 to {reader.heads - 1}.")
        at = positions(reader.tokens, self.kind)
        from models.interventions.reading import Asks, Plan, torch

        factors = torch.ones(reader.heads if self.heads else 1, len(at))
        for head in self.heads or (0,):
            factors[head, torch.from_numpy(at)] = self.gain
        layers = chosen_layers(self.layers, reader.layers)
        asks = Asks(reader.attention, values=dict.fromkeys(layers, factors), first=first_of(at))
        return Plan(asks, layers=layers)
