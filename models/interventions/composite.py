"""Composite attention: media tokens do not look at each other.

EE-MLLM (arXiv 2408.11795) trains a model in which picture tokens attend to nothing but pass through each layer's own
weights, while text reads picture and text as usual. As a switch on a model that was not trained so it is an ablation:
do the patches need to talk to each other? Four lines can be closed. With `keep` the text before the media stays open
to them: a row that sees only itself has lost the first token, on which much attention rests. Between two media the
template that introduces the later one is closed with it: left open it would carry across what was closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.intervention import (
    KIND_OF,
    KNOCKED_OUT,
    PICTURE,
    SOUND,
    Intervention,
    choice,
    chosen_layers,
    first_of,
    positions,
    template_of,
    window,
)
from models.omni import McGurkError

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

NOTHING, WITHIN_PICTURE, WITHIN_SOUND = "none", "picture to picture", "sound to sound"
ACROSS, EVERY = "picture to sound and back", "all of them"
PAIRS = {
    NOTHING: (),
    WITHIN_PICTURE: ((PICTURE, PICTURE),),
    WITHIN_SOUND: ((SOUND, SOUND),),
    ACROSS: ((PICTURE, SOUND), (SOUND, PICTURE)),
    EVERY: ((PICTURE, PICTURE), (SOUND, SOUND), (PICTURE, SOUND), (SOUND, PICTURE)),
}
KEPT, CLOSED = "stays open", "is closed too"


@dataclass(frozen=True)
class Composite(Intervention):
    """lines: which are closed. before: whether the text before the media stays open to them."""

    id: ClassVar[str] = "composite"
    title: ClassVar[str] = "Patches that don't talk to each other"
    about: ClassVar[str] = "Tokens of picture and sound no longer look at each other; the question reads all of them."
    paper: ClassVar[str] = "EE-MLLM, arXiv 2408.11795, as an ablation"
    fails: ClassVar[str] = "It saves no time here: a closed line is masked, not skipped."

    lines: str = choice("closed lines", tuple(PAIRS))
    before: str = choice("the text before", (KEPT, CLOSED))
    layers: tuple[int, int] | None = window()

    def __bool__(self) -> bool:
        return self.lines != NOTHING

    @classmethod
    def usual(cls, asked: str, layers: int) -> Composite:
        return cls(EVERY)

    def plan(self, reader: Reader) -> Plan:
        tokens, terms = reader.tokens, []
        media = np.isin(tokens.kinds, [KIND_OF[PICTURE], KIND_OF[SOUND]])
        touched = np.zeros(len(tokens) + 1, bool)
        for reading, source in PAIRS[self.lines]:
            rows, columns = positions(tokens, reading), positions(tokens, source)
            if reading != source:
                rows = rows | template_of(tokens, reading)
            closes = np.append(rows, False)
            terms.append((closes, columns * KNOCKED_OUT))
            touched |= closes & (np.arange(len(closes)) > first_of(columns))
        if self.before == CLOSED:
            every = np.any([rows for rows, _ in terms], axis=0)
            terms.append((every, ~media * KNOCKED_OUT))  # text that stands behind them they don't see anyway
            touched |= every
        if not touched.any():
            raise McGurkError("Nothing here looks along these lines: close others.")
        return reader.biased(terms, chosen_layers(self.layers, reader.layers), first_of(touched))
