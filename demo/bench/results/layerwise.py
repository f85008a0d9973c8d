"""What was measured layer by layer and head by head, over clips: means with 95 % intervals, tables and files.

Means come with mean +- 1.96 standard errors over clips, shares of clips with Wilson's interval. Knows samples of `bench
curves`. Does not know how anything was asked, nor how it is drawn.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from demo.bench.cases.asking import unpacked
from demo.bench.results.measures import Z_95, wilson
from demo.bench.results.report import as_csv
from demo.bench.runs import store
from demo.questions import PICTURE, SOUND
from models.omni import ALIGNED, BASE, McGurkError

CUT, EXIT, NOTHING = "cut to the answer", "exit after", "nothing"
INTERFERENCE, DISAGREEMENT, AGREEMENT = "interference", "disagreement", "agreement"  # see conflicting
SHIFT, SHARE = "attention shift", "attention on a caption"  # see measures.attention_shift
BEFORE, AFTER = "before the media", "after the media"
SEEN, HEARD = "seen", "heard"
CHANGE = "change"  # in place of an adapter: after tuning minus before it
ROUNDING = 3e-3  # nats: what bfloat16 and a batch of another size make of a probability near 1
CURVES, HEADS, SETTINGS = "curves.csv", "heads.csv", "curves.json"


@dataclass(frozen=True)
class Point:
    """Mean of what is measured `of` something at one layer of one curve; layer None: of the whole model."""

    ask: str
    adapter: str
    way: str
    kind: str
    of: str
    layer: int | None
    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, eq=False)
class Grid:
    """Layers x heads: mean over clips and half of its 95 % interval (nan for a single clip)."""

    mean: np.ndarray
    half: np.ndarray
    n: int

    @property
    def sure(self) -> np.ndarray:
        """bool, layers x heads: whether 0 lies outside the interval."""
        return np.abs(self.mean) > self.half


@dataclass(eq=False)
class Found:
    """Everything measured so far: values by curve and layer, and grids of heads by (ask, adapter, kind)."""

    values: dict[tuple, list[float]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[tuple, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, samples: Iterable[dict[str, Any]]) -> Found:
        """What samples hold; those that could not be asked hold nothing."""
        found = cls()
        for sample in samples:
            found.add(sample)
        return found

    def add(self, sample: dict[str, Any]) -> None:
        """Take in one more sample."""
        ask = sample["ask"]
        for *key, value in sample.get("values", ()):
            self.values[ask, *key].append(value)
        grids = {(adapter, kind): unpacked(*packed) for adapter, kind, *packed in sample.get("heads", ())}
        for (adapter, kind), grid in grids.items():
            self.heads[ask, adapter, kind].append(grid)
            if adapter == ALIGNED and (BASE, kind) in grids:
                self.heads[ask, CHANGE, kind].append(grid - grids[BASE, kind])

    def points(self) -> list[Point]:
        """Every point with its interval."""
        return [
            Point(*key, *(share_of if key[2] == AGREEMENT else interval)(values), len(values))
            for key, values in self.values.items()
        ]

    def grids(self) -> dict[tuple, Grid]:
        """(ask, adapter or CHANGE, kind) -> Grid."""
        made = {}
        for key, grids in self.heads.items():
            n, mean = len(grids), np.mean(grids, 0)
            half = Z_95 * np.std(grids, 0, ddof=1) / math.sqrt(n) if n > 1 else np.full(mean.shape, np.nan)
            made[key] = Grid(mean, half, n)
        return made


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): 95 % by the normal approximation; nan bounds for a single value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = Z_95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def share_of(values: Sequence[float]) -> tuple[float, float, float]:
    """(share, low, high): 95 % Wilson interval of values that are 0 or 1."""
    return float(np.mean(values)), *wilson(round(sum(values)), len(values))


def last_that_matters(points: Sequence[Point], tolerance: float = 0.03) -> dict[tuple, int | None]:
    """(ask, adapter, kind, of) -> the first layer after which an exit costs at most `tolerance` of ln p; None: none.

    After DyVTE's label rule (arXiv 2411.19628): the loss grows by less than 3 % of what it is, here of the mean; where
    it is next to nothing, by no more than ROUNDING.
    """
    plain_ = {(p.ask, p.adapter, p.of): p.mean for p in points if p.way == NOTHING}
    found: dict[tuple, int | None] = {}
    for point in sorted((p for p in points if p.way == EXIT), key=lambda p: -p.layer):
        key = (point.ask, point.adapter, point.kind, point.of)
        base = plain_.get((point.ask, point.adapter, point.of))
        if base is None or found.get(key, point.layer) is None:
            continue
        loss, plainly = (-math.log(max(mean, 1e-9)) for mean in (point.mean, base))
        near = loss - plainly <= max(tolerance * plainly, ROUNDING)
        if near and found.get(key, point.layer + 1) == point.layer + 1:
            found[key] = point.layer
        found.setdefault(key, None)
    return found


SINGLE = {
    INTERFERENCE: "interference, nats",
    DISAGREEMENT: "disagreement, 0 to 2",
    AGREEMENT: "agreement, share",
    SHIFT: "attention shift, 0 to 2",
}


def change(probability: float, before: float) -> float:
    """100 (p' - p) / p, p > 0, in %, as Cross-modal Information Flow (arXiv 2411.18620) tells what a cut does."""
    return 100 * (probability - before) / before


def markdown(points: Sequence[Point]) -> str:
    """For each question and adapter: plain probabilities, the deepest cuts, and where each modality stops mattering."""
    lines = ["| asked | adapter | probability of | plain | lowest with the picture cut | lowest with the sound cut | "
             "exit costs nothing after: picture | sound |", "|---|---|---|---:|---:|---:|---:|---:|"]  # fmt: skip
    exits = last_that_matters(points)
    for point in (p for p in points if p.way == NOTHING):
        cells = []
        for kind in (PICTURE, SOUND):
            curve = [p for p in points if (p.ask, p.adapter, p.of, p.way, p.kind)
                     == (point.ask, point.adapter, point.of, CUT, kind)]  # fmt: skip
            lowest = min(curve, key=lambda p: p.mean)
            lost = f" ({round(change(lowest.mean, point.mean)):+d} %)" if point.mean else ""
            cells.append(f"{lowest.mean:.2f}{lost} at layer {lowest.layer}")
        ends = [exits.get((point.ask, point.adapter, kind, point.of)) for kind in (PICTURE, SOUND)]
        cells += ["–" if end is None else "the start" if end < 0 else f"layer {end}" for end in ends]
        lines.append(f"| {point.ask} | {point.adapter} | {point.of} | {_with_interval(point)} | {' | '.join(cells)} |")
    lines += ["", f"| asked | adapter | {' | '.join(SINGLE.values())} |", "|---|---|" + "---:|" * len(SINGLE)]
    for ask, adapter, cells in singles(points):
        lines.append(f"| {ask} | {adapter} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_interval(point: Point) -> str:
    around = f"{point.low:.2f}–{point.high:.2f}, " if math.isfinite(point.low) else ""
    return f"{point.mean:.2f} ({around}n {point.n})"


def singles(points: Sequence[Point]) -> list[tuple[str, str, list[str]]]:
    """(ask, adapter, one cell for each of SINGLE): numbers about the whole model, with intervals."""
    known = {(p.ask, p.adapter, p.way): _with_interval(p) for p in points if p.way in SINGLE and p.layer is None}
    heads = dict.fromkeys((ask, adapter) for ask, adapter, _ in known)
    return [(*head, [known.get((*head, way), "–") for way in SINGLE]) for head in heads]


def write(out: Path, found: Found, settings: dict[str, Any]) -> None:
    """curves.csv, heads.csv and curves.json (the settings) in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    columns = ("ask", "adapter", "way", "kind", "of", "layer", "mean", "low", "high", "n")
    lines = [[getattr(p, name) for name in columns] for p in found.points()]
    store.write_atomically(out / CURVES, as_csv(columns, lines))
    lines = [
        (*key, layer, head, float(grid.mean[layer, head]), float(grid.half[layer, head]), grid.n)
        for key, grid in found.grids().items()
        for layer, head in np.ndindex(grid.mean.shape)
    ]
    heads = as_csv(("ask", "adapter", "kind", "layer", "head", "moved", "half_interval", "n"), lines)
    store.write_atomically(out / HEADS, heads)
    store.write_json(out / SETTINGS, settings)


def read_points(folder: Path) -> list[Point]:
    """The points of a folder's curves.csv. Raises McGurkError if there are none."""
    return [
        Point(
            *(line[name] for name in ("ask", "adapter", "way", "kind", "of")),
            int(line["layer"]) if line["layer"] else None,
            *(float(line[name]) if line[name] else math.nan for name in ("mean", "low", "high")),
            int(line["n"]),
        )
        for line in _lines(folder / CURVES)
    ]


def read_grids(folder: Path) -> dict[tuple, Grid]:
    """The grids of a folder's heads.csv, as Found.grids() gives them. Raises McGurkError if there are none."""
    cells: dict[tuple, dict[tuple[int, int], tuple[float, float]]] = defaultdict(dict)
    counts = {}
    for line in _lines(folder / HEADS):
        key = (line["ask"], line["adapter"], line["kind"])
        half = float(line["half_interval"]) if line["half_interval"] else math.nan
        cells[key][int(line["layer"]), int(line["head"])] = float(line["moved"]), half
        counts[key] = int(line["n"])
    made = {}
    for key, by_place in cells.items():
        layers, heads = (max(place[axis] for place in by_place) + 1 for axis in (0, 1))
        both = np.array([[by_place[layer, head] for head in range(heads)] for layer in range(layers)])
        made[key] = Grid(both[..., 0], both[..., 1], counts[key])
    return made


def _lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as opened:
            return list(csv.DictReader(opened))
    except OSError as error:
        raise McGurkError(f"There are no curves in {str(path.parent)!r}: make some with `bench curves`.") from error
