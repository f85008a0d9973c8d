"""Names a person may tap for what was seen or heard: everyday words, ranked by how much they are likely to tell.

A word is worth its probability times how much it says: -log2 of how usual it is, as in hedging one's bets on how
specific a name to give (Deng et al., CVPR 2012). "Person" is true of most photographs and tells little; where nothing
else is likely it still comes first. Numbers in proposed.json are fitted by models/mini/proposing.py.
Knows class names, shares and probabilities. Does not know features or language models, and changes no token.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from models.everyday import basic, means, synonyms
from models.mini.evidence import hierarchy
from models.mini.modelling import HEARD_NAMES, SEEN_NAMES
from models.mini.words import WORDS
from models.teaching.naming import GENERIC

FITTED = Path(__file__).parent / "proposed.json"
OFFERED = 5  # names for each sense
LIKELY = 0.1  # of the best name's worth, what a name needs to be offered
MOST_TELLING = 6.0  # bits; whatever is rarer than one photograph in 64 tells as much as any other thing
TRUE = 1.0  # bits that a name is worth for being right, however usual
SURE = 1e-5  # shares and probabilities are kept so far from 0 and 1
TOO_WIDE = GENERIC - {"music", "silence"}
BY_THE_WAY = frozenset({  # postures and clothes: true of half of all pictures of people, and never what a clip shows
    "sitting", "walking", "running", "jumping", "playing", "riding", "carrying", "leap", "hand", "hair", "face",
    "shirt", "jacket", "coat", "hat", "suit", "jersey", "dress", "leash",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Names:
    """Names of a sense that may be offered. classes: N x C, 1 where a name stands for a class."""

    words: tuple[str, ...]
    classes: Tensor

    def best(self, worth: Tensor, scores: Tensor, floor: Tensor) -> list[tuple[str, float]]:
        """At most OFFERED (name, score), the worthiest first: none below its floor, none that means one before it."""
        found: list[tuple[str, float]] = []
        for at in worth.argsort(descending=True).tolist():
            word = self.words[at]
            if len(found) == OFFERED or worth[at] <= 0:
                break
            if worth[at] >= floor[at] and not any(_alike(word, other) for other, _ in found):
                found.append((word, round(float(scores[at]), 4)))
        return found


def seen(share: Tensor, said: Tensor) -> list[tuple[str, float]]:
    """Shares of the 1000 + W classes, probabilities of the W words -> (name, probability that it is there)."""
    names = seen_names()
    chance = (evidence_of(share.float().cpu(), said.float().cpu()) * calibration()).sum(-1).sigmoid()
    worth = chance * telling()
    return names.best(worth, chance, LIKELY * worth.max().expand_as(worth))


def heard(share: Tensor) -> list[tuple[str, float]]:
    """Shares of the 521 classes -> (name, share).

    A name is worth the more the fewer classes it stands for, so that rain may come before water.
    Music, speech and ambience are weighed against all, things against things: under music may be an instrument.
    """
    names, general = heard_names(), _general()
    scores = names.classes @ share.float().cpu()
    worth = scores * (len(HEARD_NAMES) / names.classes.sum(-1)).log2()
    things = worth.masked_fill(general, 0).max()
    return names.best(worth, scores, LIKELY * torch.where(general, worth.max(), things))


def evidence_of(share: Tensor, said: Tensor) -> Tensor:
    """N names x 3: log-odds of its classes' share (0 without one), of its likeliest everyday word, and 1."""
    names, words = seen_names(), _words()
    shares = (names.classes @ share).clamp(SURE, 1 - 1e-3).logit()
    best = torch.where(words, said.clamp(SURE, 1 - SURE), 0.0).amax(-1).clamp(min=1e-4).logit()
    return torch.stack([shares, torch.where(words.any(-1), best, 0.0), torch.ones_like(shares)], -1)


@cache
def seen_names() -> Names:
    """What may be offered of a picture."""
    return _names(SEEN_NAMES, BY_THE_WAY)


@cache
def heard_names() -> Names:
    """What may be offered of a sound."""
    return _names(HEARD_NAMES, frozenset())


@cache
def kinds() -> Tensor:
    """N: what says that a picture's name is there; 0 ImageNet's classes only, 1 everyday words only, 2 both."""
    imagenet = seen_names().classes[:, : -len(WORDS)].any(-1)
    return torch.where(imagenet, torch.where(_words().any(-1), 2, 0), 1)


@cache
def calibration() -> Tensor:
    """N x 3 weights of evidence_of."""
    return torch.tensor(_fitted()["calibration"])[kinds()]


@cache
def telling() -> Tensor:
    """N: bits that each name of a picture is worth if it is right."""
    usual = _fitted()["usual"]
    bits = [min(MOST_TELLING, -math.log2(usual.get(word, SURE))) for word in seen_names().words]
    return torch.tensor(bits) + TRUE


@cache
def _fitted() -> dict:
    return json.loads(FITTED.read_text())


@cache
def _words() -> Tensor:
    return seen_names().classes[:, -len(WORDS) :] > 0


@cache
def _general() -> Tensor:
    general = hierarchy()[2].float()
    return (heard_names().classes * (1 - general)).sum(-1) == 0


def _names(classes: Sequence[str], without: frozenset[str]) -> Names:
    """Each class under its everyday word, or by its own name (or a synonym) where people say that or no other.

    A word that nobody says though they say what it stands for (a cello, but no "string instrument") is no name.
    """
    under: dict[str, set[str]] = {}
    for name in classes:
        for word in basic(name)[:1]:
            under.setdefault(word, set()).add(name)
    known = frozenset(WORDS)
    unsaid = {word for word, names in under.items() if word not in known and names & known}
    named: dict[str, list[int]] = {}
    for at, name in enumerate(classes):
        words = [word for word in basic(name)[:1] if word not in unsaid | TOO_WIDE]
        own = name
        if name not in known and unsaid.intersection(basic(name)):  # "fixed-wing aircraft": an airplane
            own = next((word for word in synonyms(name) if word in known), name)
        for word in dict.fromkeys((*words, *([own] if not words or own in known else ()))):
            if (short := _short(word)) not in unsaid | TOO_WIDE | without:
                named.setdefault(short, []).append(at)
    table = torch.zeros(len(named), len(classes))
    for row, members in enumerate(named.values()):
        table[row, members] = 1
    return Names(tuple(named), table)


def _short(name: str) -> str:
    return re.split(r",| / | or | \(", name)[0].strip()


def _alike(word: str, other: str) -> bool:
    if word in other or other in word:
        return True
    return "music" not in (word, other) and (means(word, other) or means(other, word))  # a piano means music
