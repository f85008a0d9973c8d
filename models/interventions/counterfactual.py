"""Counterfactual attention: what would it say if it had looked elsewhere?

CausalMM (arXiv 2410.04780): in every layer the attention within a set of tokens becomes uniform, reversed (max A - A)
or shuffled; z + gamma (z - z_cf) is then written where plausible. Here the weight that a row gave to the set stays with
the set and is shared out anew within it: how much it looks there is kept, where is not. The counterfactual answer can
also be had as such. Its reading has a cache of its own, so that the contrast goes on after the first token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from models.interventions.intervention import (
    PICTURE,
    QUESTION,
    SOUND,
    TEXT,
    Intervention,
    choice,
    first_of,
    number,
    positions,
)
from models.omni import McGurkError

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

OFF, INSTEAD, SUBTRACTED = "off", "as the answer", "subtracted"
UNIFORM, REVERSED, SHUFFLED = "uniform", "reversed", "shuffled"
SEED = 0


@dataclass(frozen=True)
class Counterfactual(Intervention):
    """kind: whose attention. how: what it becomes. use: as the answer, or subtracted with strength gamma."""

    id: ClassVar[str] = "counterfactual"
    title: ClassVar[str] = "As if it had looked elsewhere"
    about: ClassVar[str] = "Attention within the picture, the sound or the text is made even, reversed or shuffled."
    paper: ClassVar[str] = "CausalMM, arXiv 2410.04780, with a cache for each reading"
    fails: ClassVar[str] = "Scrambled attention is no fact that could have been: the subtraction can add nonsense."

    use: str = choice("use", (OFF, INSTEAD, SUBTRACTED))
    kind: str = choice("attention within", (PICTURE, SOUND, TEXT, QUESTION))
    how: str = choice("becomes", (UNIFORM, REVERSED, SHUFFLED))
    gamma: float = number("strength", 0.5, 0.0, 4.0)
    plausible: float = number("least plausible share", 0.1, 0.0, 1.0, 0.05)

    def __bool__(self) -> bool:
        return self.use == INSTEAD or (self.use == SUBTRACTED and self.gamma > 0)

    @classmethod
    def usual(cls, asked: str, layers: int) -> Counterfactual:
        return cls(SUBTRACTED, asked)

    def plan(self, reader: Reader) -> Plan:
        from models.asks import Asks, Edit
        from models.interventions.reading import Plan, torch

        inside = positions(reader.tokens, self.kind)
        if inside.sum() < 2:
            raise McGurkError(f"The {self.kind} is one token: there is nowhere else in it to look, choose another.")
        first, among = first_of(inside), torch.from_numpy(inside)
        order = torch.randperm(int(inside.sum()), generator=torch.Generator().manual_seed(SEED))

        def weigh(scores, start, layer):
            weights = scores.softmax(-1)
            where = among.nonzero()[:, 0].to(scores.device)
            seen = where[where < scores.shape[-1]]
            part = weights[..., seen]
            weights[..., seen] = scattered(part, scores[..., seen] > -torch.inf, self.how, order.to(seen.device))
            return weights

        every = range(reader.layers)
        asks = Asks(reader.attention, edits=dict.fromkeys(every, Edit(first, weigh)), first=first)
        if self.use == INSTEAD:
            return Plan(asks, layers=tuple(every))
        return Plan(contrasts=((reader, asks, self.gamma),), plausible=self.plausible, layers=tuple(every))


def scattered(weights, allowed, how: str, order):
    """Weights of some keys (... x n) made even, reversed or shuffled, their sum kept; keys that aren't allowed stay 0.

    order: a permutation of n or more; allowed keys come first, as in a causal row. Equal weights are their own reverse.
    """
    total = weights.sum(-1, keepdim=True)
    if how == UNIFORM:
        made = allowed.to(weights.dtype)
    elif how == REVERSED:
        made = (weights.amax(-1, keepdim=True) - weights) * allowed
        made = made + (made.sum(-1, keepdim=True) <= 0) * allowed
    else:
        places = order[order < weights.shape[-1]].expand_as(weights)
        made = weights.gather(-1, _within(places, allowed)) * allowed
    return made / made.sum(-1, keepdim=True).clamp(min=1e-30) * total


def _within(places, allowed):
    """Of each row, the places it may see in the order given, then the others: ... x n."""
    mine = allowed.expand_as(places).gather(-1, places)
    return places.gather(-1, (~mine).to(places.dtype).argsort(dim=-1, stable=True))
