"""What a model's encoders recognised in a clip, as names that a visitor can accept or that options are built around.

Knows a model's `perceived`. Does not know pages, nor how the recognising is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demo import conflicts
from demo.clips import Clip
from demo.conflicts import Conflict
from demo.vocabulary import plain
from models.omni import OmniModel

PROPOSED = 5  # names to tap for each sense
AROUND = 2  # names a sense of which nobody told the truth lends to the options

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
        found.setdefault(plain(name.split(",")[0]), float(score))
    return list(found.items())[:n]


def proposals(perceived: Mapping[str, Sequence[tuple[str, float]]]) -> dict[str, tuple[str, ...]]:
    """Names to propose, by sense."""
    return {sense: tuple(name for name, _ in names(perceived, sense)) for sense in ("picture", "sound")}


def around(perceived: Mapping[str, Sequence[tuple[str, float]]], untold: frozenset[str]) -> tuple[str, ...]:
    """The best names of what was perceived by each sense that nobody labelled, to build options around."""
    return tuple(name for sense in sorted(untold) for name, _ in names(perceived, sense, AROUND))
