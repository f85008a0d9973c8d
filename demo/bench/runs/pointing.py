"""Do the attention maps point? A photograph in one quadrant of a grey frame, a recording in one of four time slots.

Knows where the thing is and which map is looked at. Does not know how attention is caught or drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import reduce
from pathlib import Path

import numpy as np
from PIL import Image

from demo import maps
from demo.bench.cases.material import Item, Material, open_material
from demo.bench.cases.sampling import TRAINED, pair
from demo.bench.results.measures import wilson
from demo.bench.results.report import as_csv
from demo.bench.runs import store
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
    peak: float  # 1 if the map peaks in the slot, 0 outside, between where the peak lies on the border
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
    material.read_for(model)
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
    """(whether the map peaks in the slot, share of its weight there). how: see demo.maps.weights.

    A cell that straddles two slots gives its weight to each by the part of it that lies there. A peak in it lies
    where `vertex` says. Several equally high cells share the peak; a map that is 0 everywhere points nowhere.
    """
    if sense == SIGHT:
        cells = maps.video_map(attention, **how).mean(0)
        edges = [np.stack([np.arange(n), np.arange(1, n + 1)], 1) / n for n in cells.shape]
        slots = [(slot // 2 / 2, (slot // 2 + 1) / 2), (slot % 2 / 2, (slot % 2 + 1) / 2)]
    else:
        cells, spans = maps.audio_map(attention, **how)
        edges, slots = [spans], [(slot * SLOT_SECONDS, (slot + 1) * SLOT_SECONDS)]
    total = cells.sum()
    if total <= 0:
        return 0.0, 0.0
    overlaps = [_overlap(spans, *span) for spans, span in zip(edges, slots, strict=True)]
    peaks = [_peak_inside(cells, edges, slots, tuple(place)) for place in np.argwhere(cells == cells.max())]
    return float(np.mean(peaks)), float((cells * reduce(np.multiply.outer, overlaps)).sum() / total)


def vertex(before: float, at: float, after: float) -> float:
    """Where a peak lies between cells, -0.5 to 0.5 of a cell from the middle one: a parabola through all three.

    The usual estimate of a peak finer than its grid: Smith & Serra 1987, PARSHL.
    """
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def _peak_inside(cells: np.ndarray, edges: Sequence[np.ndarray], slots: Sequence[tuple], place: tuple) -> float:
    """Share of a peak at cell `place` that lies in the slot: 0 or 1, or 0.5 for each border it lies on."""
    share = 1.0
    for axis, (spans, (low, high)) in enumerate(zip(edges, slots, strict=True)):
        line, at = np.moveaxis(cells, axis, -1)[place[:axis] + place[axis + 1 :]], place[axis]
        shift = vertex(*line[at - 1 : at + 2]) if 0 < at < len(line) - 1 else 0.0
        start, end = spans[at]
        where = (start + end) / 2 + shift * (end - start)
        share *= 0.5 if min(abs(where - low), abs(where - high)) < 1e-9 else float(low < where < high)
    return share


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


def _overlap(spans: np.ndarray, start: float, end: float) -> np.ndarray:
    """Share of each span (n x 2) that lies between start and end."""
    covered = np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], start)
    return np.clip(covered, 0.0, None) / np.maximum(spans[:, 1] - spans[:, 0], 1e-9)
