"""Inhibit: words no longer look at picture or sound tokens that neither they nor what they read care about.

After the idea of CMAI (arXiv 2411.15453; keep ratio, layers and means are ours). A focus score of word t for media
token i, F[t, i] = sum over t' <= t of A_tt[t, t'] A_ti[t', i], is taken from one reading beforehand (mean over layers
and heads); each word keeps the best share of the media tokens, the rest is closed to it in all layers. The answer keeps
what the prompt's last position keeps. The first token, on which attention rests, is no word.

It costs more than its bias: what is closed in the first layer depends on the attention of all layers, so the words are
read twice. On `mini` an answer takes 1.1 to 1.3 times a plain one about a new clip, 1.4 to 1.7 times where the clip was
read before; the points of a curve share the first reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.intervention import (
    KIND_OF,
    KNOCKED_OUT,
    LAST,
    PICTURE,
    QUESTION,
    SOUND,
    TEXT,
    Intervention,
    choice,
    chosen_layers,
    first_of,
    number,
    positions,
    window,
)

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

BOTH = "picture and sound"
MEDIA = {BOTH: (PICTURE, SOUND), PICTURE: (PICTURE,), SOUND: (SOUND,)}


@dataclass(frozen=True)
class Inhibit(Intervention):
    """media: whose tokens. keep: share of them that a word may still look at."""

    id: ClassVar[str] = "inhibit"
    title: ClassVar[str] = "Close what no word cares about"
    about: ClassVar[str] = "Words look only at those picture and sound tokens that they, or words they read, focus on."
    paper: ClassVar[str] = "after the idea of CMAI, arXiv 2411.15453"
    fails: ClassVar[str] = "A token is judged by attention, so where attention misleads this misleads it further."

    media: str = choice("tokens of", tuple(MEDIA))
    keep: float = number("share kept", 1.0, 0.02, 1.0, 0.02, neutral=1.0)
    layers: tuple[int, int] | None = window()

    def __bool__(self) -> bool:
        return self.keep < 1.0

    @classmethod
    def usual(cls, asked: str, layers: int) -> Inhibit:
        return cls(BOTH, 0.5)

    def plan(self, reader: Reader) -> Plan:
        from models.asks import Asks
        from models.interventions.reading import Dense, Plan

        tokens, media = reader.tokens, positions(reader.tokens, *MEDIA[self.media])
        words = positions(tokens, LAST)
        words[tokens.positions(KIND_OF[TEXT], KIND_OF[QUESTION])] = True
        weights = np.mean([one for one in watched(reader, words).values()], axis=0)
        closed = ~kept(focus(weights[:, words], weights[:, media]), self.keep)
        layers = chosen_layers(self.layers, reader.layers)
        mask = Dense(words, media, closed * KNOCKED_OUT)
        first = max(first_of(words), first_of(media))
        return Plan(Asks(reader.attention, masks=dict.fromkeys(layers, mask), first=first), layers=layers, passes=1)


def focus(among: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Focus scores, words x media: attention among words (words x words, causal) times theirs to media tokens."""
    return among @ towards


def kept(scores: np.ndarray, share: float) -> np.ndarray:
    """bool, words x media: the best share of each row, at least one."""
    count = max(1, round(share * scores.shape[1]))
    best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    found = np.zeros(scores.shape, bool)
    np.put_along_axis(found, best, True, axis=1)
    return found


def watched(reader: Reader, rows: np.ndarray, layers=None) -> dict[int, np.ndarray]:
    """Layer -> weights of the chosen rows, rows x P, mean over heads: one more reading of the prompt."""
    layers = tuple(range(reader.layers) if layers is None else layers)
    return reader.once(("watched", rows.tobytes(), layers), lambda: _watched(reader, rows, layers))


def _watched(reader: Reader, rows: np.ndarray, layers: tuple[int, ...]) -> dict[int, np.ndarray]:
    from models.asks import Asks, Edit
    from models.interventions.reading import torch

    first, found = first_of(rows), {}
    chosen = {int(position): n for n, position in enumerate(np.flatnonzero(rows))}
    for layer in layers:
        found[layer] = np.zeros((len(chosen), len(rows)), np.float32)

    def watch(scores, start, layer):
        weights = scores.softmax(-1)
        inside = [at for at in range(scores.shape[2]) if start + at in chosen]
        if inside:
            mean = weights[0][:, torch.tensor(inside)].mean(0).cpu().numpy()
            found[layer][[chosen[start + at] for at in inside], : mean.shape[1]] = mean
        return weights

    reader.read(Asks(reader.attention, edits=dict.fromkeys(layers, Edit(first, watch)), first=first))
    return found
