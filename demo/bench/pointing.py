"""Do the attention maps point? A photograph in one quadrant of a grey frame, a recording in one of four time slots.

Knows where the thing is and which map is looked at. Does not know how attention is caught or drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from demo import maps
from demo.bench import store
from demo.bench.material import Item, Material, open_material
from demo.bench.measures import wilson
from demo.bench.report import as_csv
from demo.bench.sampling import TRAINED, pair
from demo.clips import Clip
from demo.maps import DIFFERENCE, RAW
from demo.questions import build_options, question
from demo.splice import looped
from models import registry
from models.omni import SAMPLE_RATE, Attention, McGurkError, OmniModel, Stimulus

CASES = 100  # of each sense, unless told otherwise
FRAME, GREY = 448, 128  # pixels, both sides of the frame; its grey
SLOTS = 4  # quadrants of the frame (left to right, top to bottom), slots of the sound
SLOT_SECONDS = 2.0  # s; the sound is four times as long
SIGHT, SOUND = "picture", "sound"
CHANCE = 1 / SLOTS


@dataclass(frozen=True)
class Config:
    """What the pointing test depends on."""

    clips: str
    model: str = "mini"
    cases: int = CASES  # of each sense
    seed: int = 0
    split: str = "val"
    out: str | None = None  # folder for pointing.csv and pointing-cases.csv

    def __post_init__(self) -> None:
        if self.cases < 1:
            raise McGurkError("Test at least one case.")


@dataclass(frozen=True)
class Pointed:
    """Where one map of one answer pointed."""

    sense: str  # "picture" or "sound"
    clip: str
    slot: int
    adapter: str
    view: str  # "raw" or "difference" (this question minus the other sense's)
    peak: float  # share of the map's highest cell that lies in the slot: 1 in it, 0 outside, between where it straddles
    mass: float  # share of the map's weight that lies in the slot


@dataclass(frozen=True)
class Row:
    """How well one map points, over its cases; 0.25 is chance for both."""

    sense: str
    adapter: str
    view: str
    n: int
    peak: float
    low: float  # 95 % interval of `peak`
    high: float
    mass: float


def run(config: Config, model: OmniModel | None = None) -> Iterator[tuple[int, int, list[Pointed]]]:
    """Yield (cases done, cases in all, what the newest showed); writes the files at the end if `out` is given.

    Raises McGurkError for a model that shows no attention, and if no clip can be used.
    """
    material = open_material(config.clips, config.split)
    model = model or registry.load_model(config.model)
    if not model.can_look_inside:
        raise McGurkError(f"The model {model.name!r} shows no attention: nothing can point.")
    every: list[Pointed] = []
    total, lost = 2 * config.cases, []
    for done in range(total):
        sense = (SIGHT, SOUND)[done % 2]
        item, other = pair(material, TRAINED, material.labels, done // 2, config.seed)
        if other is None:
            raise McGurkError(
                f"{config.clips!r} needs clips of at least two labels that can't be taken for each other."
            )
        try:
            found = point(model, material, sense, item, other, (done // 2) % SLOTS, config.seed + done)
        except McGurkError as error:
            lost.append(f"{item.id}: {error}")
            found = []
        every += found
        yield done + 1, total, found
    if not every:
        raise McGurkError(f"No case could be tested: {lost[0]}")
    if config.out:
        write(Path(config.out), every, config)


def point(
    model: OmniModel, material: Material, sense: str, item: Item, other: Item, slot: int, seed: int
) -> list[Pointed]:
    """Ask every adapter about both senses of one made-up clip and see where the maps of `sense` point."""
    thing, beside = material.clip(item), material.clip(other)
    stimulus = in_quadrant(thing, beside, slot) if sense == SIGHT else in_time_slot(thing, beside, slot)
    options = build_options(stimulus, 8, random.Random(seed))
    encoded = model.encode(stimulus)
    asked = {}
    for kind in ("see", "hear"):
        posed = question(kind, options)
        asked[kind] = dict(model.answer(encoded, posed.prompt, posed.options, attention=True, max_new_tokens=1))
    this, opposite = ("see", "hear") if sense == SIGHT else ("hear", "see")
    found = []
    for adapter, answer in asked[this].items():
        reference = asked[opposite][adapter].attention
        for view in (RAW, DIFFERENCE):
            how = {} if view == RAW else {"view": view, "reference": reference}
            peak, mass = measured(answer.attention, sense, slot, **how)
            found.append(Pointed(sense, item.id, slot, adapter, view, peak, mass))
    return found


def in_quadrant(thing: Clip, beside: Clip, quadrant: int) -> Stimulus:
    """One grey frame with the thing's picture filling a quadrant, and the sound of another clip."""
    side = FRAME // 2
    picture = Image.fromarray(thing.frames[len(thing.frames) // 2]).resize((side, side), Image.Resampling.BILINEAR)
    frame = np.full((1, FRAME, FRAME, 3), GREY, np.uint8)
    top, left = side * (quadrant // 2), side * (quadrant % 2)
    frame[0, top : top + side, left : left + side] = np.asarray(picture)
    return Stimulus(frame, 1.0, beside.waveform, seen=thing.seen, heard=beside.heard)


def in_time_slot(thing: Clip, beside: Clip, slot: int) -> Stimulus:
    """The first two seconds of the thing's sound in a slot of an otherwise silent waveform, and another's picture."""
    samples = round(SLOT_SECONDS * SAMPLE_RATE)
    waveform = np.zeros(SLOTS * samples, np.float32)
    waveform[slot * samples : (slot + 1) * samples] = looped(thing.waveform, samples)
    middle = len(beside.frames) // 2
    return Stimulus(beside.frames[middle : middle + 1], 1.0, waveform, seen=beside.seen, heard=thing.heard)


def measured(attention: Attention, sense: str, slot: int, **how) -> tuple[float, float]:
    """(share of the peak's cell, share of the weight) in the slot. how: see demo.maps.weights.

    A cell that straddles two slots counts for each by the part of it that lies there, so chance is 1/4 for both.
    Several equally high cells share the peak; a map that is 0 everywhere points nowhere.
    """
    if sense == SIGHT:
        cells = maps.video_map(attention, **how).mean(0)
        inside = np.outer(
            _overlap(cells.shape[0], slot // 2, 2, cells.shape[0]),
            _overlap(cells.shape[1], slot % 2, 2, cells.shape[1]),
        )
    else:
        cells, spans = maps.audio_map(attention, **how)
        inside = _overlap_of_spans(spans, slot * SLOT_SECONDS, (slot + 1) * SLOT_SECONDS)
    total = cells.sum()
    if total <= 0:
        return 0.0, 0.0
    highest = cells == cells.max()
    return float(inside[highest].mean()), float((cells * inside).sum() / total)


def table(pointed: Sequence[Pointed]) -> list[Row]:
    """Rows by sense, adapter and view, in the order in which they first appeared."""
    rows = []
    for key in dict.fromkeys((p.sense, p.adapter, p.view) for p in sorted(pointed, key=lambda p: p.sense)):
        here = [p for p in pointed if (p.sense, p.adapter, p.view) == key]
        peaks = sum(p.peak for p in here)
        low, high = wilson(peaks, len(here))
        rows.append(Row(*key, len(here), peaks / len(here), low, high, sum(p.mass for p in here) / len(here)))
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = [
        "| of the | map | adapter | n | peak in the right quarter | 95 % | mass there |",
        "|---|---|---|---:|---:|---|---:|",
    ]
    lines += [
        f"| {r.sense} | {r.view} | {r.adapter} | {r.n} | {100 * r.peak:.1f} % "
        f"| {100 * r.low:.0f} to {100 * r.high:.0f} | {r.mass:.2f} |"
        for r in rows
    ]
    return "\n".join([*lines, f"\nChance: {100 * CHANCE:.0f} % and {CHANCE:.2f}."])


def write(out: Path, pointed: Sequence[Pointed], config: Config) -> None:
    """pointing.csv, pointing-cases.csv and pointing.json (the settings) in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name, kind, lines in (("pointing.csv", Row, table(pointed)), ("pointing-cases.csv", Pointed, pointed)):
        columns = [field.name for field in fields(kind)]
        values = [[getattr(line, column) for column in columns] for line in lines]
        store.write_atomically(out / name, as_csv(columns, values))
    store.write_json(out / "pointing.json", asdict(config))


def _overlap(cells: int, slot: int, slots: int, length: float) -> np.ndarray:
    """Share of each of equally long cells along an axis that lies in a slot."""
    edges = np.linspace(0, length, cells + 1)
    return _overlap_of_spans(np.stack([edges[:-1], edges[1:]], 1), slot * length / slots, (slot + 1) * length / slots)


def _overlap_of_spans(spans: np.ndarray, start: float, end: float) -> np.ndarray:
    """Share of each span (n x 2) that lies between start and end."""
    covered = np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], start)
    return np.clip(covered, 0.0, None) / np.maximum(spans[:, 1] - spans[:, 0], 1e-9)
