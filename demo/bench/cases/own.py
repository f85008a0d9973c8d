"""Anybody's clips, labelled one by one: what each shows, what makes its sound, and what else is right to say.

A folder with clips.csv: file, seen, heard, and if known seen_also, heard_also (`;` between further right answers) and
kind (clips of one kind never lend each other their sound). Knows labels and cases. Reads a clip only when it is shown.
"""

from __future__ import annotations

import csv
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from demo.bench.cases.conditions import ALWAYS, CONDITIONS, EVERY_OTHER
from demo.bench.cases.material import Item, Material, rows
from demo.bench.cases.sampling import Case, claim
from demo.clips import Clip, read_clip
from demo.vocabulary import confusable, plain
from models.everyday import means, normal
from models.omni import McGurkError

OWN = "own clips"  # the pool


@dataclass(frozen=True)
class OwnItem(Item):
    """A clip with labels of its own; `label` is what is seen."""

    heard: str
    seen_also: tuple[str, ...]
    heard_also: tuple[str, ...]
    kind: str
    lent: tuple[str, ...] = ()  # the labels of the whole folder, as wrong options

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it is right to call what it shows or holds."""
        return (self.label, self.heard, *self.seen_also, *self.heard_also)


class OwnClips(Material):
    """Clip by clip: each is asked about once a condition and question, whatever its label."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.items: list[OwnItem] = []
        for row in rows(folder / "clips.csv", ("file", "seen", "heard")):
            name, seen, heard = row["file"], plain(row["seen"] or ""), plain(row["heard"] or "")
            if not seen or not heard:
                self.skipped.append((name, "it needs a label of what is seen and one of what is heard"))
            elif not (folder / name).is_file():
                self.skipped.append((name, "the file is missing"))
            else:
                also = [_several(row.get(column)) for column in ("seen_also", "heard_also")]
                self.items.append(OwnItem(seen, name, name, name, name, heard, *also, (row.get("kind") or "").strip()))

        self.items = [replace(item, lent=self.names) for item in self.items]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({item.label for item in self.items}))

    @property
    def names(self) -> tuple[str, ...]:
        """Every label, seen or heard, once whatever its number."""
        labels = [label for item in self.items for label in (item.label, item.heard)]
        return tuple({normal(label): label for label in reversed(labels)}.values())[::-1]

    def item(self, label: str, turn: int, seed: int) -> Item:
        of_it = [item for item in self.items if item.label == label]
        return of_it[turn % len(of_it)]

    def own_cases(self, conditions: Sequence[str], questions: int, seed: int) -> list[Case]:
        """Every clip under every condition, asked all that the condition asks; at most `questions` a condition.

        A clip to which no other can lend its sound has no swaps; `skipped` then says so.
        Raises McGurkError if nothing is left to ask.
        """
        lent = self.partners(seed)
        planned = []
        for index, item in enumerate(self.items):
            clip_seed = zlib.crc32(f"{seed}/{item.id}".encode())
            other = lent[index]
            says = claim((*item.names, *(other.names if other else ())), clip_seed)
            for condition in (CONDITIONS[name] for name in conditions if not CONDITIONS[name].own_questions):
                swapped = condition.swaps == ALWAYS or (condition.swaps == EVERY_OTHER and index % 2 == 1)
                if swapped and other is None:
                    self.skipped.append((item.id, "no other clip can lend it its sound"))
                    continue
                planned += [
                    Case(OWN, index, condition.id, ask, item, other if swapped else None, says, clip_seed)
                    for place, ask in enumerate(condition.asks)
                    if index * len(condition.asks) + place < questions
                ]
        if not planned:
            raise McGurkError("Nothing is left to ask: choose other conditions, or label more clips.")
        return planned

    def partners(self, seed: int) -> list[OwnItem | None]:
        """For each clip the one whose sound it may get: of another kind, and of nothing that the clip itself is.

        Every sound is lent once as far as that is fair: all take that of the clip a number of places further on.
        """
        rng = random.Random(f"{seed} partners")
        order = list(self.items)
        rng.shuffle(order)

        def fair(step: int) -> int:
            return sum(_fair(item, order[(at + step) % len(order)]) for at, item in enumerate(order))

        step = max(range(1, len(order)), key=lambda step: (fair(step), -step), default=0)
        lent: dict[str, OwnItem | None] = {}
        for at, item in enumerate(order):
            other = order[(at + step) % len(order)]
            if not _fair(item, other):
                possible = [further for further in order if _fair(item, further)]
                other = rng.choice(possible) if possible else None
            lent[item.id] = other
        return [lent[item.id] for item in self.items]

    def _make(self, item: OwnItem) -> Clip:
        clip = read_clip(self.folder / item.picture, self.sampling, seen=item.label, heard=item.heard)
        return replace(clip, seen_also=item.seen_also, heard_also=item.heard_also)


def is_own(folder: Path) -> bool:
    """Whether a folder's clips.csv labels files one by one, unlike a gallery's, whose clips have ids."""
    table = folder / "clips.csv"
    if not table.is_file():
        return False
    with table.open(newline="", encoding="utf-8-sig") as opened:
        columns = next(csv.reader(opened), [])
    return "file" in columns and "id" not in columns


def _fair(item: OwnItem, other: OwnItem) -> bool:
    """Whether the sound of the other is in conflict with everything that a clip shows and holds."""
    if item.id == other.id or (item.kind and item.kind == other.kind):
        return False
    if any(confusable(label, other.heard) for label in (item.label, item.heard)):
        return False
    return not any(
        means(mine, other.heard, other.heard_also) or means(theirs, mine)
        for mine in (item.label, item.heard, *item.seen_also)
        for theirs in (other.heard, *other.heard_also)
    )


def _several(cell: str | None) -> tuple[str, ...]:
    return tuple(plain(name) for name in (cell or "").split(";") if name.strip())
