"""Look-alikes: pairs of clips that a model's encoders can hardly tell apart though people give them different names.

After the pairs of *Eyes Wide Shut* (Tong et al. 2024, arXiv 2401.06209): there CLIP finds two pictures alike that
another encoder and people keep apart, and a model has told a pair apart only if it answers rightly about both. Here the
names are the people, and what the encoders hand to the language model says what is alike, of pictures and of sounds:
the cosine of two clips' mean tokens, after the mean over all clips was taken away. Then both clips of a pair, each with
that sense alone, are asked which of the two names they bear, in both orders. Knows the order of things. Does not know
models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from demo import conflicts
from demo.bench.cases import own
from demo.bench.cases.material import Item, Material, open_material
from demo.bench.results.report import as_csv
from demo.bench.runs import store
from demo.conflicts import Conflict
from demo.questions import PICTURE, SOUND, question
from demo.vocabulary import plain
from models import registry
from models.everyday import means
from models.omni import McGurkError, OmniModel, Stimulus

PAIRS = 5  # of each sense, unless told otherwise
FEWEST = 3  # clips; of two, less their mean, each is always the other's opposite
ASKED = {PICTURE: "see", SOUND: "hear"}
QUESTIONS = 4  # a pair: two clips, two orders of the names


@dataclass(frozen=True)
class Config:
    """What the look-alikes depend on."""

    clips: str
    model: str = "mini"
    pairs: int = PAIRS  # of each sense
    seed: int = 0
    split: str = "val"
    out: str | None = None  # folder for alike.csv

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise McGurkError("Ask for at least one pair.")


@dataclass(frozen=True)
class Pair:
    """Two clips, what people call what is seen (or heard) in each, and how alike they are, -1 to 1."""

    sense: str  # "picture" or "sound"
    clip: str
    name: str
    other: str
    other_name: str
    alike: float
    right: dict[str, int] = field(default_factory=dict)  # by adapter: of QUESTIONS answers

    def apart(self, adapter: str) -> bool:
        """Whether the adapter tells the two apart: every answer is right."""
        return self.right.get(adapter) == QUESTIONS


@dataclass
class Found:
    """The pairs so far, and how alike two clips of different names are on the average, by sense."""

    pairs: list[Pair] = field(default_factory=list)
    usual: dict[str, float] = field(default_factory=dict)


def run(config: Config, model: OmniModel | None = None) -> Iterator[tuple[int, int, Found]]:
    """Yield (steps done, steps in all, what was found so far); writes the files at the end if `out` is given.

    A step is a clip that is encoded or a pair that is asked about. Raises McGurkError for a model that nobody can reach
    into, and for fewer than three clips.
    """
    folder = Path(config.clips)
    material = own.OwnClips(folder) if own.is_own(folder) else open_material(folder, config.split)
    items = _items(material, config.seed)
    model = model or registry.load_model(config.model)
    material.read_for(model)
    found, gists, told = Found(), {}, {}
    lost = ""
    total = len(items) + 2 * config.pairs
    for done, item in enumerate(items, 1):
        try:
            stimulus = conflicts.apply(material.clip(item), Conflict())
            gists[item.id], told[item.id] = model.gist(model.encode(stimulus)), _names(stimulus)
        except McGurkError as error:
            lost = f"{item.id}: {error}"
        yield done, total, found
    if len(gists) < FEWEST:
        raise McGurkError(f"Look-alikes need {FEWEST} clips that can be read{f' ({lost})' if lost else ''}.")
    by_id = {item.id: item for item in items}
    done = len(items)
    for sense in (PICTURE, SOUND):
        pairs = likeness(sense, {id: gist[sense] for id, gist in gists.items() if sense in gist}, told)
        found.usual[sense] = float(np.mean([pair.alike for pair in pairs])) if pairs else 0.0
        for pair in pairs[: config.pairs]:
            found.pairs.append(replace(pair, right=asked(model, material, by_id, pair)))
            done += 1
            yield done, total, found
    if config.out:
        write(Path(config.out), found, config)


def _items(material: Material, seed: int) -> list[Item]:
    """Every clip of a folder of videos; of photographs and recordings one clip a label."""
    return getattr(material, "items", None) or [material.item(label, 0, seed) for label in material.labels]


def _names(stimulus: Stimulus) -> dict[str, tuple[str, ...]]:
    """By sense: what it is called, then the further right answers; a sense that nobody named is left out."""
    of = {
        PICTURE: (stimulus.seen, *stimulus.seen_also),
        SOUND: (stimulus.heard, *stimulus.heard_also),
    }
    return {sense: tuple(map(plain, names)) for sense, names in of.items() if names[0]}


def likeness(sense: str, gists: dict[str, np.ndarray], told: dict[str, dict[str, tuple[str, ...]]]) -> list[Pair]:
    """All pairs of clips that people name differently by this sense, the most alike first."""
    ids = [id for id in gists if sense in told[id]]
    if len(ids) < FEWEST:
        return []
    vectors = np.stack([gists[id] for id in ids]).astype(np.float64)
    vectors -= vectors.mean(0)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    pairs = []
    for (i, one), (j, other) in combinations(enumerate(ids), 2):
        mine, theirs = told[one][sense], told[other][sense]
        if not same(mine, theirs):
            pairs.append(Pair(sense, one, mine[0], other, theirs[0], float(vectors[i] @ vectors[j])))
    return sorted(pairs, key=lambda pair: (-pair.alike, pair.clip, pair.other))


def same(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether a name of one clip would be right for the other as well."""
    return any(means(name, theirs[0], theirs[1:]) for name in mine) or any(
        means(name, mine[0], mine[1:]) for name in theirs
    )


def asked(model: OmniModel, material: Material, items: dict[str, Item], pair: Pair) -> dict[str, int]:
    """By adapter: how many of the four answers are right. Each clip has the sense in question alone."""
    gone = {PICTURE: "waveform", SOUND: "frames"}[pair.sense]
    right: dict[str, int] = {}
    for id, truth in ((pair.clip, pair.name), (pair.other, pair.other_name)):
        encoded = model.encode(replace(conflicts.apply(material.clip(items[id]), Conflict()), **{gone: None}))
        for names in ((pair.name, pair.other_name), (pair.other_name, pair.name)):
            posed = question(ASKED[pair.sense], names)
            for adapter, answer in model.answer(encoded, posed.prompt, posed.options, attention=False):
                best = max(answer.options, key=answer.options.get)
                right[adapter] = right.get(adapter, 0) + (plain(best) == truth)
    return right


def markdown(found: Found) -> str:
    """The pairs for the terminal, then how many of them each adapter tells apart."""
    adapters = list(dict.fromkeys(name for pair in found.pairs for name in pair.right))
    lines = [
        f"| of the | clip | and | alike | {' | '.join(f'right of {QUESTIONS}: {name}' for name in adapters)} |",
        "|---|---|---|---:|" + "---:|" * len(adapters),
    ]
    for pair in found.pairs:
        counts = " | ".join(str(pair.right.get(name, 0)) for name in adapters)
        clips = f"{pair.clip} ({pair.name}) | {pair.other} ({pair.other_name})"
        lines.append(f"| {pair.sense} | {clips} | {pair.alike:.2f} | {counts} |")
    lines.append("")
    for sense, usual in found.usual.items():
        of_it = [pair for pair in found.pairs if pair.sense == sense]
        apart = ", ".join(f"{name} {sum(pair.apart(name) for pair in of_it)}" for name in adapters)
        lines.append(f"{sense}: two clips are {usual:.2f} alike on the average; told apart of {len(of_it)}: {apart}.")
    return "\n".join(lines)


def write(out: Path, found: Found, config: Config) -> None:
    """alike.csv and alike.json (the settings) in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    adapters = list(dict.fromkeys(name for pair in found.pairs for name in pair.right))
    columns = [entry.name for entry in fields(Pair) if entry.name != "right"]
    values = [
        [*(getattr(pair, name) for name in columns), *(pair.right.get(name, 0) for name in adapters)]
        for pair in found.pairs
    ]
    store.write_atomically(out / "alike.csv", as_csv([*columns, *(f"right_{name}" for name in adapters)], values))
    store.write_json(out / "alike.json", asdict(config))
