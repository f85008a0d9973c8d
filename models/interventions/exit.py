"""Exit: after some layer, all tokens of a modality are thrown away.

After DyVTE, "Dynamic Visual-Token Exit" (arXiv 2411.19628), with a fixed layer instead of a trained router: in the
layers above k nobody sees the modality's tokens, which equals their deletion, as positions are kept. Exit after the
last layer is no exit; the layer from which on nothing changes is where the modality stops mattering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.intervention import (
    KNOCKED_OUT,
    MODALITIES,
    PICTURE,
    SOUND,
    Intervention,
    everywhere,
    first_of,
    layer,
    positions,
)
from models.interventions.intervention import choice as choice_of
from models.omni import McGurkError

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader


@dataclass(frozen=True)
class Exit(Intervention):
    """kind: the modality. after: the last layer that sees it; -1: none does; None: it stays."""

    id: ClassVar[str] = "exit"
    title: ClassVar[str] = "Throw it away after a layer"
    about: ClassVar[str] = "The tokens of a modality take part up to a layer and are gone above it."
    paper: ClassVar[str] = "after DyVTE, arXiv 2411.19628"
    fails: ClassVar[str] = "What other tokens took over below that layer stays: what was read is not unread."

    kind: str = choice_of("what goes", MODALITIES)
    after: int | None = layer("after layer")

    def __bool__(self) -> bool:
        return self.after is not None

    @classmethod
    def usual(cls, asked: str, layers: int) -> Exit:
        """What is not asked about goes after the first third."""
        return cls(SOUND if asked == PICTURE else PICTURE, layers // 3)

    def silenced(self) -> frozenset[str]:
        return frozenset({self.kind} if self.after == -1 else ())

    def plan(self, reader: Reader) -> Plan:
        if not -1 <= self.after < reader.layers:
            raise McGurkError(f"There is no layer {self.after}: choose from -1 (before all) to {reader.layers - 1}.")
        gone = positions(reader.tokens, self.kind)
        # its own rows are seen by nobody any more: what counts begins with the first other row behind it
        behind = ~gone & (np.arange(len(gone)) > first_of(gone))
        terms = [(everywhere(reader.tokens), gone * KNOCKED_OUT)]
        return reader.biased(terms, range(self.after + 1, reader.layers), first_of(behind))


def along(kind: str, layers: int) -> list[Exit]:
    """Exit before the first layer, after each, and, at the end, not at all in effect."""
    return [Exit(kind, after) for after in range(-1, layers)]
