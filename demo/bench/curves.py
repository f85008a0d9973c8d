"""Where a modality stops mattering, over clips: probability of each truth against the layer, and which heads need it.

Clips whose sound was swapped are asked what is seen and what is heard. Curves: a cut to the answer in a window of
layers around each, and an exit after each, of picture and of sound. Heads: how far each one's output moves without
picture or sound. Interference: how far the answer about one modality moves once the other is there. Means with 95 %
intervals over clips (mean +- 1.96 standard errors). Knows the order of things. Does not know how a sweep is run.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from demo.bench import conflicting, running, store
from demo.bench.asking import pose
from demo.bench.measures import Z_95
from demo.bench.report import as_csv
from demo.questions import PICTURE, SOUND
from demo.vocabulary import plain
from models import registry
from models.interventions import Cut, cut, exit
from models.interventions.heads import moved
from models.interventions.intervention import LAST, REMOVED
from models.interventions.stand_ins import lessened
from models.omni import McGurkError, OmniModel

CLIPS = 50  # of each question, unless told otherwise
CUT, EXIT, NOTHING = "cut to the answer", "exit after", "nothing"
INTERFERENCE, DISAGREEMENT = "interference", "disagreement"  # see conflicting
SEEN, HEARD = "seen", "heard"


@dataclass(frozen=True)
class Config:
    """What the curves depend on."""

    clips: str
    model: str = "mini"
    clips_asked: int = CLIPS
    seed: int = 0
    split: str = "val"
    out: str | None = None  # folder for curves.csv and heads.csv

    def __post_init__(self) -> None:
        if self.clips_asked < 1:
            raise McGurkError("Ask about at least one clip.")


@dataclass(frozen=True)
class Point:
    """Mean probability of what is seen, or heard, at one layer of one curve; layer None: nothing was done."""

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


@dataclass(eq=False)
class Found:
    """Everything measured so far: values by curve and layer, and grids of heads by kind."""

    values: dict[tuple, list[float]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[tuple, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))

    def points(self) -> list[Point]:
        """Every point with its interval."""
        return [Point(*key, *interval(values), len(values)) for key, values in self.values.items()]

    def grids(self) -> dict[tuple, tuple[np.ndarray, np.ndarray]]:
        """(ask, adapter, kind) -> (mean, half of the interval), layers x heads."""
        return {
            key: (np.mean(grids, 0), Z_95 * np.std(grids, 0, ddof=1) / math.sqrt(len(grids)) if len(grids) > 1 else
                  np.full(grids[0].shape, np.nan))
            for key, grids in self.heads.items()
        }  # fmt: skip


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): 95 % by the normal approximation; nan bounds for a single value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = Z_95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def run(config: Config, model: OmniModel | None = None) -> Iterator[tuple[int, int, Found]]:
    """Yield (done, total, what was found so far); writes the files at the end if `out` is given.

    Raises McGurkError for a model that nobody can reach into, and if no clip can be used.
    """
    asked = 2 * config.clips_asked, 0, config.seed, config.split
    material, planned = running.plan(running.Config(config.clips, config.out or "", config.model, ("swap",), *asked))
    model = model or registry.load_model(config.model)
    if not model.can_look_inside:
        raise McGurkError(f"Nobody can reach into {model.name}: choose a model that runs here.")
    found, made, lost = Found(), {}, ""
    for done, case in enumerate(planned, 1):
        try:
            posed = pose(case, material, 8, made)
            _measure(model, posed, found)
        except McGurkError as error:
            lost = f"{case.item.id}: {error}"
        yield done, len(planned), found
    if not found.values:
        raise McGurkError(f"No clip could be asked about: {lost}")
    if config.out:
        write(Path(config.out), found, config)


def _measure(model: OmniModel, posed, found: Found) -> None:
    question, ask = posed.question, posed.case.ask
    truths = {SEEN: posed.stimulus.seen, HEARD: posed.stimulus.heard}
    ways: list = [None]
    keys: list = [(NOTHING, "", None)]
    for kind in (PICTURE, SOUND):
        ways += cut.along(Cut(kind, LAST), model.layers)
        keys += [(CUT, kind, layer) for layer in range(model.layers)]
        ways += exit.along(kind, model.layers)
        keys += [(EXIT, kind, layer) for layer in range(-1, model.layers)]
    encoded, plainly = model.encode(posed.stimulus), {}
    for adapter, place, shares in model.sweep(encoded, question.prompt, question.options, ways):
        way, kind, layer = keys[place]
        if place == 0:
            plainly[adapter] = list(shares.values())
        for of, label in truths.items():
            if label and plain(label) in shares:
                found.values[ask, adapter, way, kind, of, layer].append(shares[plain(label)])
    alone = {}
    for name, other in ((PICTURE, SOUND), (SOUND, PICTURE)):
        encoded_alone = model.encode(lessened(posed.stimulus, {other}, REMOVED))
        told = model.sweep(encoded_alone, question.prompt, question.options, [None])
        alone[name] = {adapter: list(shares.values()) for adapter, _, shares in told}
    asked = PICTURE if ask == "see" else SOUND
    for adapter, beside in plainly.items():
        of = conflicting.interference(alone[asked][adapter], beside)
        found.values[ask, adapter, INTERFERENCE, asked, "nats", None].append(of)
        of = conflicting.disagreement(alone[PICTURE][adapter], alone[SOUND][adapter])
        found.values[ask, adapter, DISAGREEMENT, "", "", None].append(of)
    for kind in (PICTURE, SOUND):
        for adapter, grid in moved(model, encoded, question.prompt, kind).items():
            found.heads[ask, adapter, kind].append(grid)


def last_that_matters(points: Sequence[Point], tolerance: float = 0.03) -> dict[tuple, int | None]:
    """(ask, adapter, kind, of) -> the first layer after which an exit costs at most `tolerance` of ln p; None: none.

    After DyVTE's label rule (arXiv 2411.19628): the loss grows by less than 3 % of what it is, here of the mean.
    """
    plain_ = {(p.ask, p.adapter, p.of): p.mean for p in points if p.way == NOTHING}
    found: dict[tuple, int | None] = {}
    for point in sorted((p for p in points if p.way == EXIT), key=lambda p: -p.layer):
        key = (point.ask, point.adapter, point.kind, point.of)
        base = plain_.get((point.ask, point.adapter, point.of))
        if base is None or found.get(key, point.layer) is None:
            continue
        near = -math.log(max(point.mean, 1e-9)) <= -math.log(max(base, 1e-9)) * (1 + tolerance) + 1e-6
        if near and found.get(key, point.layer + 1) == point.layer + 1:
            found[key] = point.layer
        found.setdefault(key, None)
    return found


def markdown(found: Found) -> str:
    """For each question and adapter: plain probabilities, the deepest cuts, and where each modality stops mattering."""
    points = found.points()
    lines = ["| asked | adapter | probability of | plain | lowest with the picture cut | lowest with the sound cut | "
             "exit costs nothing after: picture | sound |", "|---|---|---|---:|---:|---:|---:|---:|"]  # fmt: skip
    exits = last_that_matters(points)
    for point in (p for p in points if p.way == NOTHING):
        cells = []
        for kind in (PICTURE, SOUND):
            curve = [p for p in points if (p.ask, p.adapter, p.of, p.way, p.kind)
                     == (point.ask, point.adapter, point.of, CUT, kind)]  # fmt: skip
            lowest = min(curve, key=lambda p: p.mean)
            cells.append(f"{lowest.mean:.2f} at layer {lowest.layer}")
        ends = [exits.get((point.ask, point.adapter, kind, point.of)) for kind in (PICTURE, SOUND)]
        cells += ["–" if end is None else f"layer {end}" for end in ends]
        said = f"{point.mean:.2f} ({point.low:.2f}–{point.high:.2f}, n {point.n})"
        lines.append(f"| {point.ask} | {point.adapter} | {point.of} | {said} | {' | '.join(cells)} |")
    lines += ["", "| asked | adapter | interference, nats | disagreement, 0 to 2 |", "|---|---|---:|---:|"]
    apart = {(p.ask, p.adapter, p.way): f"{p.mean:.2f} ({p.low:.2f}–{p.high:.2f})" for p in points}
    for ask, adapter in dict.fromkeys((p.ask, p.adapter) for p in points):
        both = (apart.get((ask, adapter, way), "–") for way in (INTERFERENCE, DISAGREEMENT))
        lines.append(f"| {ask} | {adapter} | {' | '.join(both)} |")
    return "\n".join(lines)


def write(out: Path, found: Found, config: Config) -> None:
    """curves.csv, heads.csv and curves.json (the settings) in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    points = found.points()
    columns = ("ask", "adapter", "way", "kind", "of", "layer", "mean", "low", "high", "n")
    store.write_atomically(
        out / "curves.csv", as_csv(columns, [[getattr(p, name) for name in columns] for p in points])
    )
    lines = [
        (*key, layer, head, float(mean[layer, head]), float(half[layer, head]), len(found.heads[key]))
        for key, (mean, half) in found.grids().items()
        for layer, head in np.ndindex(mean.shape)
    ]
    heads = as_csv(("ask", "adapter", "kind", "layer", "head", "moved", "half_interval", "n"), lines)
    store.write_atomically(out / "heads.csv", heads)
    store.write_json(out / "curves.json", asdict(config))
