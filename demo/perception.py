"""What a model's encoders recognised in a clip, as names that a visitor can accept or that options are built around.

Knows a model's `perceived`. Does not know pages, nor how the recognising is done.
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
LIKELY = 0.1  # of the best name's score, what a name needs to be proposed; measured on the gallery: see `likely`

Perceived = dict[str, list[tuple[str, float]]]  # "picture", "sound" -> (name, score 0..1), best first


def perceive(model: OmniModel, clip: Clip) -> Perceived:
    """What the encoders alone recognise in a clip."""
    return of(model.encode(conflicts.apply(clip, Conflict())))


def of(encoded: Any) -> Perceived:
    """What stands in an encoded stimulus; empty for a model that doesn't tell."""
    return getattr(encoded, "perceived", {})


def names(
    perceived: Mapping[str, Sequence[tuple[str, float]]], sense: str, n: int = PROPOSED
) -> list[tuple[str, float]]:
    """The `n` best (plain name, score) of a sense, each name once; of several names of a class the first."""
    found: dict[str, float] = {}
    for name, score in perceived.get(sense, ()):
        found.setdefault(plain(re.split(r",| / ", name)[0]), float(score))
    return list(found.items())[:n]


def likely(perceived: Mapping[str, Sequence[tuple[str, float]]], sense: str, n: int = PROPOSED) -> tuple[str, ...]:
    """At most `n` names of a sense, best first, without those that are far less likely than the best.

    Of `mini`'s names for the gallery's clips 31 % instead of 22 % are right of the pictures and 56 % instead of 24 % of
    the sounds; one of 33 sounds loses its only right name.
    """
    found = names(perceived, sense, n)
    return tuple(name for name, score in found if score >= LIKELY * found[0][1])


def proposals(perceived: Mapping[str, Sequence[tuple[str, float]]]) -> dict[str, tuple[str, ...]]:
    """Names to propose, by sense."""
    return {sense: likely(perceived, sense) for sense in ("picture", "sound")}


def around(perceived: Mapping[str, Sequence[tuple[str, float]]], untold: frozenset[str]) -> tuple[str, ...]:
    """The best names of what was perceived by each sense that nobody labelled, to build options around."""
    return tuple(name for sense in sorted(untold) for name in likely(perceived, sense, AROUND))
