"""Which questions a run asks, in which order: seeded, balanced over the labels, the same however often it is resumed.

Knows material and conditions. Does not read a clip or ask anybody.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from demo.bench.cases.conditions import ALWAYS, CONDITIONS, EVERY_OTHER, Condition
from demo.bench.cases.material import Item, Material
from demo.vocabulary import VOCABULARY, confusable, names_in
from models.omni import McGurkError

TRAINED, HELD_OUT = "trained", "held out"  # pools: concepts a model may have been trained on; those it never was
LONELY = "sound swaps and the match question need a second label that can't be taken for the first"


@dataclass(frozen=True)
class Case:
    """One question about one clip under one condition. `key` is its name in files."""

    pool: str
    index: int  # which clip of the pool; conditions share clips, so that they can be compared
    condition: str
    ask: str  # "see", "hear" or "match"
    item: Item
    other: Item | None  # whose sound is swapped in
    claim: str  # what a misleading caption says
    seed: int
    question: str = ""  # the clips' own question, with the options yes and no; "": one of ours
    truth: str = ""  # the right answer to it

    @property
    def key(self) -> str:
        return f"{self.pool}/{self.index:05d}/{self.condition}/{self.ask}"


def cases(
    material: Material,
    conditions: Sequence[str],
    questions: int,
    *,
    held_out: Sequence[str] = (),
    held_out_questions: int = 0,
    seed: int = 0,
) -> list[Case]:
    """All questions of a run: `questions` a condition, shared evenly by what it asks (seen and heard alternate).

    held_out: labels that make up a pool of their own, with `held_out_questions` a condition. A pool with fewer than
    two labels has no swaps; material.skipped then says so. Clips come first in the order, conditions second, and the
    pools advance alike: a run that is stopped is balanced as far as it got, and a clip is read and encoded once.
    Raises McGurkError if nothing is left to ask.
    """
    if questions < 1 or held_out_questions < 0:
        raise McGurkError("Ask at least one question a condition.")
    pools = {
        TRAINED: (tuple(label for label in material.labels if label not in held_out), questions),
        HELD_OUT: (tuple(label for label in material.labels if label in held_out), held_out_questions),
    }
    known = [CONDITIONS[name] for name in conditions if not CONDITIONS[name].own_questions]
    planned: list[Case] = []
    for pool, (labels, count) in pools.items():
        if labels and count:
            planned += _pool_cases(material, pool, labels, known, count, seed)
    if not planned:
        raise McGurkError("Nothing is left to ask: choose other conditions, or a folder with more labels.")
    clips = {case.pool: case.index + 1 for case in planned}
    return sorted(planned, key=lambda case: (case.index + 0.5) / clips[case.pool])


def _pool_cases(
    material: Material, pool: str, labels: tuple[str, ...], conditions: list[Condition], count: int, seed: int
) -> Iterator[Case]:
    swappable = all(any(not confusable(label, other) for other in labels) for label in labels)
    if not swappable and any(condition.swaps in (ALWAYS, EVERY_OTHER) for condition in conditions):
        material.skipped.append((f"swaps of the {pool} concepts", LONELY))
        conditions = [condition for condition in conditions if condition.swaps not in (ALWAYS, EVERY_OTHER)]
    planned = []
    for index in range(max((-(-count // len(c.asks)) for c in conditions), default=0)):
        item, other = pair(material, pool, labels, index, seed)
        clip_seed = zlib.crc32(f"{seed}/{pool}/{index}".encode())
        says = claim((item.label, other.label if other else ""), clip_seed)
        for condition in conditions:
            swapped = condition.swaps == ALWAYS or (condition.swaps == EVERY_OTHER and index % 2 == 1)
            if swapped and other is None:
                material.skipped.append((item.id, "no other recording can be swapped in"))
                continue
            for place, ask in enumerate(condition.asks):
                if index * len(condition.asks) + place < count:
                    given = other if swapped else None
                    planned.append(Case(pool, index, condition.id, ask, item, given, says, clip_seed))
    return planned


def pair(material: Material, pool: str, labels: tuple[str, ...], index: int, seed: int) -> tuple[Item, Item | None]:
    """The clip of that index and the one whose sound may be swapped in: another label, another recording."""
    turn, place = divmod(index, len(labels))
    order, partners = _round(labels, turn, f"{seed}/{pool}")
    item = material.item(order[place], turn, seed)
    if not partners[place]:
        return item, None
    for later in range(1, 8):
        other = material.item(partners[place], turn + later, seed)
        if other.recording != item.recording:
            return item, other
    return item, None


@lru_cache(maxsize=8)
def _round(labels: tuple[str, ...], turn: int, seed: str) -> tuple[list[str], list[str]]:
    """Every label once, shuffled, and for each the label whose sound it may get, once too as far as that is fair."""
    rng = random.Random(f"{seed}/{turn}")
    order = list(labels)
    rng.shuffle(order)

    def unfair(step: int) -> list[int]:
        return [at for at, label in enumerate(order) if confusable(label, order[(at + step) % len(order)])]

    step = min(range(1, len(order)), key=lambda step: (len(unfair(step)), step), default=0)
    partners = [order[(at + step) % len(order)] for at in range(len(order))]
    for at in unfair(step):
        fair = [label for label in labels if not confusable(label, order[at])]
        partners[at] = rng.choice(fair) if fair else ""
    return order, partners


def claim(labels: Sequence[str], seed: int) -> str:
    """A name of the vocabulary that can be taken for none of the labels."""
    names = {name for label in labels for name in names_in(label)} | set(labels)
    fair = [name for name in VOCABULARY if not any(confusable(name, taken) for taken in names)]
    return random.Random(seed).choice(fair)
