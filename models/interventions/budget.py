"""A budget for what is remembered: the cache keeps part of a modality's keys, the others are merged into those kept.

LOOK-M (arXiv 2406.18139): a key's score is the attention that it got from the prompt's rows (column sums); the best are
kept, and each dropped key goes to the kept one of largest cosine: k <- mean of k and all (k + k_dropped) / 2, values by
the same map. Here one modality has the budget, each layer chooses for all its heads, and from the prompt's last
position on the dropped keys are gone, so that the first word of the answer is already given from what is kept.
Positions stay as they were. Nothing is saved on a small model: this is to see which loss hurts which question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.intervention import (
    KNOCKED_OUT,
    LAST_ROWS,
    MODALITIES,
    PICTURE,
    SOUND,
    Intervention,
    choice,
    from_last,
    number,
    positions,
)

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

MERGED, DROPPED = "merged", "dropped"


@dataclass(frozen=True)
class Budget(Intervention):
    """kind: whose keys. keep: share of them that stays. rest: merged into what stays, or dropped."""

    id: ClassVar[str] = "budget"
    title: ClassVar[str] = "Remember only part of it"
    about: ClassVar[str] = "When the answer begins, only part of a modality is still in memory."
    paper: ClassVar[str] = "LOOK-M, arXiv 2406.18139, with a budget for one modality"
    fails: ClassVar[str] = "What the question's words have read already is not forgotten with the keys."

    kind: str = choice("of the", MODALITIES)
    keep: float = number("share kept", 1.0, 0.0, 1.0, 0.05, neutral=1.0)
    rest: str = choice("the rest is", (MERGED, DROPPED))

    def __bool__(self) -> bool:
        return self.keep < 1.0

    @classmethod
    def usual(cls, asked: str, layers: int) -> Budget:
        return cls(SOUND if asked == PICTURE else PICTURE, 0.2)

    def plan(self, reader: Reader) -> Plan:
        from models.asks import Asks
        from models.interventions.reading import Plan, Terms

        at, last = np.flatnonzero(positions(reader.tokens, self.kind)), len(reader.tokens) - 1
        count = round(self.keep * len(at))
        dropped = {}
        for layer, sums in drawn(reader).items():
            gone = np.zeros(len(reader.tokens), bool)
            gone[at[np.argsort(-sums[at], kind="stable")[count:]]] = True
            dropped[layer] = gone
        rows = from_last(reader.tokens)
        masks = {layer: Terms([(rows, gone * KNOCKED_OUT)]) for layer, gone in dropped.items()}

        def touch(cache):
            for layer, gone in dropped.items():
                for module in reader.modules(layer):
                    if module.layer_idx < len(cache.layers):  # the last layers of some models read others' keys
                        here = cache.layers[module.layer_idx]
                        here.keys, here.values = merged(here.keys, here.values, gone[: here.keys.shape[2]])

        layers = tuple(range(reader.layers))
        notes = (f"{count} of {len(at)} keys of the {self.kind} stay in each layer.",)
        touch = touch if self.rest == MERGED else lambda cache: None
        asks = Asks(reader.attention, masks=masks, first=last)
        return Plan(asks, split=last, touch=touch, layers=layers, rows=LAST_ROWS, passes=1, notes=notes)


def merged(keys, values, gone: np.ndarray):
    """Keys and values (batch x heads x n x width) with those that are gone merged into the nearest that stay."""
    from models.interventions.reading import torch

    gone = torch.from_numpy(gone).to(keys.device)
    if not gone.any() or gone.all():
        return keys, values
    unit = torch.nn.functional.normalize(keys.float(), dim=-1)
    nearest = (unit[:, :, gone] @ unit[:, :, ~gone].transpose(-1, -2)).argmax(-1)  # batch x heads x dropped
    count = torch.ones(*keys.shape[:2], int((~gone).sum())).to(keys.device)
    count.scatter_add_(2, nearest, torch.ones_like(nearest, dtype=count.dtype))
    made = []
    for one in (keys, values):
        stay, go = one[:, :, ~gone].float(), one[:, :, gone].float()
        at = nearest[..., None].expand(-1, -1, -1, one.shape[-1])
        total = stay.scatter_add(2, at, (go + stay.gather(2, at)) / 2)
        whole = one.clone()
        whole[:, :, ~gone] = (total / count[..., None]).to(one.dtype)
        made.append(whole)
    return tuple(made)


def drawn(reader: Reader) -> dict[int, np.ndarray]:
    """Layer -> attention that each position gets from all rows but the last, mean over heads: one more reading."""
    from models.asks import Asks, Edit

    last, sums = len(reader.tokens) - 1, {layer: np.zeros(len(reader.tokens)) for layer in range(reader.layers)}

    def watch(scores, start, layer):
        weights = scores.softmax(-1)
        got = weights[0, :, : max(0, last - start)].mean(0).sum(0).double().cpu().numpy()
        sums[layer][: len(got)] += got
        return weights

    reader.read(Asks(reader.attention, edits=dict.fromkeys(sums, Edit(0, watch)), first=0))
    return sums
