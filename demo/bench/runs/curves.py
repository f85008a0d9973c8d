"""Where a modality stops mattering, over clips: probability of each truth against the layer, and which heads need it.

Clips whose sound was swapped are asked what is seen and what is heard. Curves: a cut to the answer in a window of
layers around each, and an exit after each, of picture and of sound. Heads: how far each one's output moves without
picture or sound. Interference: how far the answer about one modality moves once the other is there. Attention shift:
the same caption before the media and after them. Knows the order of things. Does not know how a sweep is run, nor how
values become tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from demo import conflicts
from demo.bench.cases import conflicting
from demo.bench.cases.asking import DIGITS, Posed, packed
from demo.bench.results import measures
from demo.bench.results.layerwise import (
    AFTER,
    AGREEMENT,
    BEFORE,
    CUT,
    DISAGREEMENT,
    EXIT,
    HEARD,
    INTERFERENCE,
    NOTHING,
    SEEN,
    SHARE,
    SHIFT,
    Found,
    write,
)
from demo.bench.runs import running
from demo.bench.runs.series import Series, settings_of
from demo.questions import PICTURE, SOUND
from demo.vocabulary import plain
from models.interventions import Cut, cut, exit
from models.interventions.heads import moved
from models.interventions.intervention import LAST, REMOVED
from models.interventions.stand_ins import lessened
from models.omni import Attention, Kind, McGurkError, OmniModel

BENCH = "curves"  # in a run's settings
CLIPS = 50  # of each question, unless told otherwise
OPTIONS = 8  # names offered, before "none of the above"


@dataclass(frozen=True)
class Config:
    """What the curves depend on."""

    clips: str
    model: str = "mini"
    clips_asked: int = CLIPS
    seed: int = 0
    split: str = "val"
    out: str | None = None  # folder of samples.jsonl, curves.csv and heads.csv; a run that was stopped goes on there
    shard: tuple[int, int] = (1, 1)  # process i of n, from 1

    def __post_init__(self) -> None:
        if self.clips_asked < 1:
            raise McGurkError("Ask about at least one clip.")


def run(config: Config, model: OmniModel | None = None) -> Iterator[tuple[int, int, Found]]:
    """Yield (done, total, what was found so far) of this process's shard; writes the tables at the end if `out` is
    given, over what all shards have done.

    Raises McGurkError for a model that nobody can reach into, if the folder holds another run, and if no clip can be
    used.
    """
    asked = 2 * config.clips_asked, 0, config.seed, config.split
    material, planned = running.plan(running.Config(config.clips, config.out or "", config.model, ("swap",), *asked))
    out = Path(config.out) if config.out else None
    series = Series(material, planned, _settings(config), out, config.shard, OPTIONS, insides=True)
    found, lost = Found.of(series.known().values()), ""
    for done, total, sample in series.ask(_measured, model):
        if sample:
            found.add(sample)
            lost = f"{sample['clip']}: {sample['skipped']}" if "skipped" in sample else lost
        yield done, total, found
    if not found.values:
        raise McGurkError(f"No clip could be asked about: {lost}")
    if out:
        series.finish(lambda samples, _whole: write(out, Found.of(samples), _settings(config)))


def _settings(config: Config) -> dict[str, Any]:
    return settings_of(config, BENCH, questions=2 * config.clips_asked)


def _measured(model: OmniModel, posed: Posed, encoded: Any) -> dict[str, Any]:
    """The sample of a clip: values [adapter, way, kind, of, layer, value], heads [adapter, kind, packed, shape]."""
    case, question = posed.case, posed.question
    values, plainly = _swept(model, posed, encoded)
    alone = {}
    for name, other in ((PICTURE, SOUND), (SOUND, PICTURE)):
        encoded_alone = model.encode(lessened(posed.stimulus, {other}, REMOVED))
        told = model.sweep(encoded_alone, question.prompt, question.options, [None])
        alone[name] = {adapter: list(shares.values()) for adapter, _, shares in told}
    asked = PICTURE if case.ask == "see" else SOUND
    for adapter, beside in plainly.items():
        of = conflicting.interference(alone[asked][adapter], beside)
        values.append([adapter, INTERFERENCE, asked, "nats", None, of])
        by_each = alone[PICTURE][adapter], alone[SOUND][adapter]
        values.append([adapter, DISAGREEMENT, "", "", None, conflicting.disagreement(*by_each)])
        values.append([adapter, AGREEMENT, "", "", None, float(conflicting.agreement(*by_each))])
    values += _shifted(model, posed, encoded)
    heads = [
        [adapter, kind, packed(grid), list(grid.shape)]
        for kind in (PICTURE, SOUND)
        for adapter, grid in moved(model, encoded, question.prompt, kind).items()
    ]
    values = [[*key, round(value, DIGITS)] for *key, value in values]
    checks = dict(getattr(model, "checksums", {}))
    return {"key": case.key, "ask": case.ask, "clip": case.item.id, "other": case.other.id if case.other else None,
            "adapters": checks, "values": values, "heads": heads}  # fmt: skip


def _swept(model: OmniModel, posed: Posed, encoded: Any) -> tuple[list[list], dict[str, list[float]]]:
    """(values of all curves; adapter -> probabilities of the options when nothing was done)."""
    question = posed.question
    truths = {SEEN: posed.stimulus.seen, HEARD: posed.stimulus.heard}
    ways: list = [None]
    keys: list = [(NOTHING, "", None)]
    for kind in (PICTURE, SOUND):
        ways += cut.along(Cut(kind, LAST), model.layers)
        keys += [(CUT, kind, layer) for layer in range(model.layers)]
        ways += exit.along(kind, model.layers)
        keys += [(EXIT, kind, layer) for layer in range(-1, model.layers)]
    values, plainly = [], {}
    for adapter, place, shares in model.sweep(encoded, question.prompt, question.options, ways):
        way, kind, layer = keys[place]
        if place == 0:
            plainly[adapter] = list(shares.values())
        for of, label in truths.items():
            if label and plain(label) in shares:
                values.append([adapter, way, kind, of, layer, shares[plain(label)]])
    return values, plainly


def _shifted(model: OmniModel, posed: Posed, encoded: Any) -> list[list]:
    """The attention that one caption gets from the prompt's last position, before the media and after them."""
    claim = conflicts.CAPTION.format(posed.case.claim)
    after = model.encode(replace(posed.stimulus, text=claim, text_position="before"))  # before the question
    found: dict[str, dict[str, np.ndarray]] = {}
    for place, given, system in ((BEFORE, encoded, claim), (AFTER, after, None)):
        how = {"attention": True, "max_new_tokens": 1, "system": system}
        for adapter, answer in model.answer(given, posed.question.prompt, (), **how):
            found.setdefault(adapter, {})[place] = _share(answer.attention, claim, system is not None)
    values = []
    for adapter, curves in found.items():
        for place, curve in curves.items():
            values += [[adapter, SHARE, place, "share", layer, float(one)] for layer, one in enumerate(curve)]
        shift = measures.attention_shift(curves[BEFORE], curves[AFTER])
        if np.isfinite(shift):
            values.append([adapter, SHIFT, "", "", None, shift])
    return values


def _share(attention: Attention, claim: str, in_system: bool) -> np.ndarray:
    """Share of the claim's tokens in the attention of the prompt's last position, per layer, mean over heads."""
    places = cut.words(attention.tokens, claim, (Kind.SYSTEM,) if in_system else (Kind.INJECTED,))
    return attention.rows[:, :, 0].astype(np.float64)[..., list(places)].sum(-1).mean(1)
