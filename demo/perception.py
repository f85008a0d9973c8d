"""What a model's encoders recognised in a clip, as names that a visitor can accept or that options are built around.

Knows a model's `perceived` and `offered`. Does not know pages, nor how the recognising is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from demo import conflicts
from demo.clips import Clip
from demo.conflicts import Conflict
from demo.vocabulary import plain
from models.omni import OmniModel

PROPOSED = 5  # names to tap for each sense
AROUND = 2  # names a sense of which nobody told the truth lends to the options
LIKELY = 0.1  # of the best name's score, what a name needs to be proposed where a model makes no choice of its own

Perceived = dict[str, list[tuple[str, float]]]  # "picture", "sound" -> (name, score 0..1), best first


def perceive(model: OmniModel, clip: Clip) -> Perceived:
    """What a person may call what is in a clip, by the encoders alone; see `offered`."""
    return offered(model.encode(conflicts.apply(clip, Conflict())))


def of(encoded: Any) -> Perceived:
    """What the encoders recognised in an encoded stimulus; empty for a model that doesn't tell."""
    return getattr(encoded, "perceived", {})


def offered(encoded: Any) -> Perceived:
    """Names to offer for what is in an encoded stimulus: the model's own choice, or else the likeliest recognised."""
    made = getattr(encoded, "offered", None)
    found = of(encoded) if made is None else made
    pick = likely if made is None else names
    return {sense: pick(found, sense) for sense in ("picture", "sound")}


def names(
    perceived: Mapping[str, Sequence[tuple[str, float]]], sense: str, n: int = PROPOSED
) -> list[tuple[str, float]]:
    """The `n` best (plain name, score) of a sense, each name once; of several names of a class the first."""
    found: dict[str, float] = {}
    for name, score in perceived.get(sense, ()):
        found.setdefault(plain(re.split(r",| / ", name)[0]), float(score))
    return list(found.items())[:n]


def likely(
    perceived: Mapping[str, Sequence[tuple[str, float]]], sense: str, n: int = PROPOSED
) -> list[tuple[str, float]]:
    """At most `n` (name, score) of a sense, best first, without those that are far less likely than the best."""
    found = names(perceived, sense, n)
    return [(name, score) for name, score in found if score >= LIKELY * found[0][1]]


def around(offered: Mapping[str, Sequence[tuple[str, float]]], untold: frozenset[str]) -> tuple[str, ...]:
    """The best names offered for each sense that nobody labelled, to build options around."""
    return tuple(name for sense in sorted(untold) for name, _ in names(offered, sense, AROUND))
