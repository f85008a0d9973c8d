"""Sinks: attention that rests on tokens that say nothing is handed to the rest of the asked modality.

VAR, "See What You Are Told: Visual Attention Sink in LMMs" (ICLR 2025). A sink is a token whose state, at the input of
a layer, has much of its energy in one of the model's sink dimensions. These are found in the model itself: the
dimensions that hold it for the first token in most layers from the third on (the first token sees itself alone, so
they are the same for every prompt). In rows behind the whole modality with at least `least` of their weight on it, of
which sinks hold at most `most`, every sink keeps the share `keep` of its weight; what is freed goes to the modality's
other tokens in proportion. The threshold of 20 on a normed state of 4,096 dimensions is a share of 9.8 % of the energy.
Where no token of the modality is a sink, the first token gives alone, and the receipt says what was measured. On `mini`
one dimension holds the first token's energy, and a fifth to a half of every other token's: it tells no sinks apart, and
weight is handed over in the last two layers almost alone, where little of it is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from models.interventions.intervention import (
    PICTURE,
    SOUND,
    Intervention,
    choice,
    number,
    positions,
)
from models.omni import Kind, McGurkError

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

ENERGY = 20**2 / 4096  # share of a state's energy in one dimension
FROM_LAYER = 2  # the first layer that is changed, in models that have more
FOUND, FIRST_TOKEN = "found sinks", "the first token alone"


@dataclass(frozen=True)
class Sinks(Intervention):
    """kind: who receives. keep: share that a sink keeps. source: found sinks, or the first token alone (ours)."""

    id: ClassVar[str] = "sinks"
    title: ClassVar[str] = "Take from the sinks"
    about: ClassVar[str] = "Attention parked on tokens that say nothing goes to the rest of the picture or the sound."
    paper: ClassVar[str] = "VAR, See What You Are Told, ICLR 2025"
    fails: ClassVar[str] = "A model may need its sinks; where the asked modality has none, the first token must give."

    kind: str = choice("goes to the", (PICTURE, SOUND))
    keep: float = number("sinks keep", 1.0, 0.0, 1.0, 0.05, neutral=1.0)
    source: str = choice("from", (FOUND, FIRST_TOKEN))
    least: float = number("where the modality has at least", 0.2, 0.0, 1.0, 0.01)
    most: float = number("of which its sinks hold at most", 0.5, 0.0, 1.0, 0.05)

    def __bool__(self) -> bool:
        return self.keep < 1.0

    @classmethod
    def usual(cls, asked: str, layers: int) -> Sinks:
        return cls(asked, 0.6)

    def plan(self, reader: Reader) -> Plan:
        from models.asks import Asks, Edit
        from models.interventions.reading import Plan, torch

        inside = torch.from_numpy(positions(reader.tokens, self.kind))
        layers = tuple(range(_from(reader.layers), reader.layers))
        sinks = torch.zeros(reader.layers, len(inside), dtype=torch.bool)
        sinks[:, 0] = True
        notes = ("The first token is the only source.",)
        if self.source == FOUND:
            sinks, measured = reader.once("sinks", lambda: found(reader))
            largest, count = float(measured[layers[0] :, inside].max()), int(sinks[layers[0] :, inside].any(0).sum())
            notes = (
                f"{count} of {int(inside.sum())} tokens of the {self.kind} are a sink in some layer: at most "
                f"{largest:.1%} of a state's energy lies in a sink dimension, {ENERGY:.1%} makes a sink.",
            ) + (("So the other sinks give alone.",) if count == 0 else ())
            if count == int(inside.sum()):
                notes += ("That is all of them: what marks the first token out does not tell sinks apart here.",)
        first = int(inside.nonzero()[-1]) + 1  # not the modality's own rows
        changed: set[int] = set()
        words = torch.tensor([kind not in (Kind.VIDEO, Kind.AUDIO) for kind in reader.tokens.kinds])

        def weigh(scores, start, layer):
            weights, known = scores.softmax(-1), min(scores.shape[-1], len(inside))
            own, sink = (one[:known].to(scores.device) for one in (inside, sinks[layer]))
            gives = sink & (own | words[:known].to(scores.device))
            given = weights[..., :known]
            handed_on = handed(given, gives, own, self.keep, self.least, self.most)
            if layer not in changed and not torch.equal(handed_on, given):
                changed.add(layer)
            weights[..., :known] = handed_on
            return weights

        asks = Asks(reader.attention, edits=dict.fromkeys(layers, Edit(first, weigh)), first=first)
        told = lambda: (self._told(sorted(changed), len(layers)),)  # noqa: E731
        return Plan(asks, layers=layers, passes=int(self.source == FOUND), notes=notes, afterwards=told)

    def _told(self, changed: list[int], tried: int) -> str:
        """In which layers anything was handed over."""
        if not changed:
            return (
                f"No row was changed: none has {self.least:g} of its weight on the {self.kind} and a token to take it."
            )
        named = ", ".join(map(str, changed[:6])) + (" and others" if len(changed) > 6 else "")
        return f"Weight was handed over in {len(changed)} of {tried} layers: {named}."


def _from(layers: int) -> int:
    """The first layer that is changed of a model of that many."""
    return min(FROM_LAYER, layers - 1)


def handed(weights, sinks, inside, keep: float, least: float, most: float):
    """Weights (... x n) with the share 1 - keep of every sink's handed to the modality's other tokens, where eligible.

    sinks, inside: bool, n: sinks of the text and of the modality; the modality's tokens.
    """
    own, parked = weights[..., inside].sum(-1, keepdim=True), weights[..., inside & sinks].sum(-1, keepdim=True)
    takes = (weights * (inside & ~sinks)).clamp(min=0)
    room = takes.sum(-1, keepdim=True)
    eligible = (own >= least) & (parked <= most * own) & (room > 0)
    freed = (1 - keep) * weights[..., sinks].sum(-1, keepdim=True)
    changed = weights * (1 - (1 - keep) * sinks) + takes / room.clamp(min=1e-30) * freed
    return eligible * changed + ~eligible * weights


def found(reader: Reader):
    """(bool, layers x P: who is a sink at a layer's input; float, the largest share of its energy in a sink dimension).

    Raises McGurkError, with the measurement, for a model whose first token has no such dimension.
    """
    from models.interventions.reading import torch

    shares = states(reader, lambda state: state.square() / state.square().sum(-1, keepdim=True).clamp(min=1e-30))
    first = torch.stack([share[0] for share in shares[_from(reader.layers) :]])
    dimensions = ((first >= ENERGY).float().mean(0) > 0.5).nonzero()[:, 0]
    if not len(dimensions):
        raise McGurkError(
            f"{reader.model} has no sink dimension: at most {float(first.max()):.1%} of the first token's energy "
            f"lies in one, {ENERGY:.1%} in most layers would make it one; take from the first token alone."
        )
    measured = torch.stack([share[:, dimensions].amax(-1) for share in shares])
    return measured >= ENERGY, measured


def states(reader: Reader, of):
    """What `of` makes of every layer's input (P x hidden, float32) in one plain reading of the whole prompt."""
    from models.asks import Asks

    made: dict[int, object] = {}
    hooks = []
    for layer, block in enumerate(reader.blocks):

        def keep(module, arguments, named, layer=layer):
            state = arguments[0] if arguments else named["hidden_states"]
            made[layer] = of(state[0].float()).cpu()

        hooks.append(block.register_forward_pre_hook(keep, with_kwargs=True))
    try:
        reader.read(Asks(reader.attention, first=0))
    finally:
        for hook in hooks:
            hook.remove()
    return [made[layer] for layer in range(reader.layers)]
