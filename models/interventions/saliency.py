"""Salient tokens: those that stand out are looked at harder, in two sets with two strengths.

After the idea of PAINT (arXiv 2501.12206): from the answer's first row on, e <- e + alpha |e| for the scores of the
`local` set and e + beta |e| for the `summary` set, in the layers from the third on. PAINT takes the sets from the class
token of a vision transformer; encoders here have none, so both are taken from the language model: local is the top
quarter by the words' attention in the first layer, summary those beyond Q3 + 1.5 (Q3 - Q1) in the last but one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.inhibit import watched
from models.interventions.intervention import (
    KIND_OF,
    LAST,
    LAST_ROWS,
    PICTURE,
    QUESTION,
    SOUND,
    TEXT,
    Intervention,
    choice,
    number,
    positions,
)

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

FROM_LAYER = 2  # the first layer that is changed
LOCAL = 0.25  # share of the tokens


@dataclass(frozen=True)
class Saliency(Intervention):
    """kind: whose tokens. alpha, beta: strengths on what stands out early, and on what draws attention late."""

    id: ClassVar[str] = "saliency"
    title: ClassVar[str] = "Look harder at what stands out"
    about: ClassVar[str] = "Two sets of tokens that stand out, early and late, get more of the answer's attention."
    paper: ClassVar[str] = "after the idea of PAINT, arXiv 2501.12206"
    fails: ClassVar[str] = "e + a |e| lifts what hardly matters as much as what matters."

    kind: str = choice("tokens of the", (PICTURE, SOUND))
    alpha: float = number("local set", 0.0, 0.0, 4.0, neutral=0.0)
    beta: float = number("summary set", 0.0, 0.0, 4.0, neutral=0.0)

    def __bool__(self) -> bool:
        return self.alpha != 0 or self.beta != 0

    @classmethod
    def usual(cls, asked: str, layers: int) -> Saliency:
        return cls(asked, 0.7, 0.3)

    def plan(self, reader: Reader) -> Plan:
        from models.asks import Asks, Edit
        from models.interventions.reading import Plan, torch

        tokens, at = reader.tokens, np.flatnonzero(positions(reader.tokens, self.kind))
        words = positions(tokens, LAST)
        words[tokens.positions(KIND_OF[TEXT], KIND_OF[QUESTION])] = True
        words[: at[0]] = False
        ends = 0, max(0, reader.layers - 2)
        drawn = {layer: rows[:, at].mean(0) for layer, rows in watched(reader, words, sorted(set(ends))).items()}
        local, summary = sets(drawn[ends[0]], drawn[ends[1]])
        strengths = torch.zeros(len(tokens))
        strengths[at[local]], strengths[at[summary]] = self.alpha, self.beta
        last = len(tokens) - 1

        def weigh(scores, start, layer):
            known = min(scores.shape[-1], len(strengths))
            scores[..., :known] = lifted(scores[..., :known], strengths[:known].to(scores.device))
            return scores.softmax(-1)

        layers = tuple(range(min(FROM_LAYER, reader.layers - 1), reader.layers))
        asks = Asks(reader.attention, edits=dict.fromkeys(layers, Edit(last, weigh)), first=last)
        notes = (f"{local.sum()} of {len(at)} tokens are in the local set, {summary.sum()} in the summary set.",)
        return Plan(asks, layers=layers, rows=LAST_ROWS, passes=1, notes=notes)


def lifted(scores, strengths):
    """e + a |e| for each key's strength a; closed keys stay closed."""
    return (scores + strengths * scores.abs()).where(scores > float("-inf"), scores)


def sets(early: np.ndarray, late: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(local, summary), bool, n: the top quarter of `early` without the outliers of `late`, and these."""
    summary = outliers(late)
    local = np.zeros(len(early), bool)
    local[np.argsort(-early, kind="stable")[: max(1, round(LOCAL * len(early)))]] = True
    return local & ~summary, summary


def outliers(values: np.ndarray) -> np.ndarray:
    """bool: beyond the third quartile by more than 1.5 times its distance from the first."""
    low, high = np.quantile(values, (0.25, 0.75))
    return values > high + 1.5 * (high - low)
