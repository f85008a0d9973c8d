"""Where a modality stops mattering, over clips: probability of each truth against the layer, and which heads need it.

Clips whose sound was swapped are asked what is seen and what is heard. Curves: a cut to the answer in a window of
layers around each, and an exit after each, of picture and of sound. Heads: how far each one's output moves without
picture or sound. Interference: how far the answer about one modality moves once the other is there. Attention shift:
the same caption before the media and after them. Knows the order of things. Does not know how a sweep is run, nor how
values become tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from demo import conflicts
from demo.bench import conflicting, measures, running, store
from demo.bench.asking import DIGITS, Posed, packed, pose, unasked
from demo.bench.layerwise import (
    AFTER,
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
from demo.questions import PICTURE, SOUND
from demo.vocabulary import plain
from models import registry
from models.interventions import Cut, cut, exit
from models.interventions.heads import moved
from models.interventions.intervention import LAST, REMOVED
from models.interventions.stand_ins import lessened
from models.omni import Attention, Kind, McGurkError, OmniModel

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
    shard, shards = config.shard
    mine = [case for case in planned if case.index % shards == shard - 1]
    out = Path(config.out) if config.out else None
    with ExitStack() as stack:
        known: dict[str, dict[str, Any]] = {}
        if out:
            with store.locked(out):
                store.settle_config(out, _settings(config), {"skipped": [list(pair) for pair in material.skipped]})
            kept = stack.enter_context(store.Store(out, config.shard))
            known = store.read_samples(out)
        left = [case for case in mine if case.key not in known]
        model = model or (registry.load_model(config.model) if left else None)
        if model is not None and not model.can_look_inside:
            raise McGurkError(f"Nobody can reach into {model.name}: choose a model that runs here.")
        if model is not None:
            material.read_for(model)
        found, made, lost = Found.of(known.values()), {}, ""
        yield len(mine) - len(left), len(mine), found
        for place, case in enumerate(left, 1):
            try:
                sample = _measured(model, pose(case, material, OPTIONS, made))
            except McGurkError as error:
                sample, lost = unasked(case, str(error)), f"{case.item.id}: {error}"
            found.add(sample)
            if out:
                kept.append(sample)
            yield len(mine) - len(left) + place, len(mine), found
    if not found.values:
        raise McGurkError(f"No clip could be asked about: {lost}")
    if out:
        with store.locked(out):
            write(out, Found.of(store.read_samples(out).values()), _settings(config))


def _settings(config: Config) -> dict[str, Any]:
    return {
        "bench": "curves",
        "model": config.model,
        "clips": str(config.clips),
        "split": config.split,
        "seed": config.seed,
        "questions": 2 * config.clips_asked,
    }


def samples_of(out: str | Path) -> list[dict[str, Any]]:
    """What a run has measured so far. Raises McGurkError for a folder without one."""
    folder = Path(out)
    if store.read_config(folder).get("settings", {}).get("bench") != "curves":
        raise McGurkError(f"There is no run of curves in {str(out)!r}: make one with `bench curves`.")
    return list(store.read_samples(folder).values())


def _measured(model: OmniModel, posed: Posed) -> dict[str, Any]:
    """The sample of a clip: values [adapter, way, kind, of, layer, value], heads [adapter, kind, packed, shape]."""
    case, question = posed.case, posed.question
    encoded = model.encode(posed.stimulus)
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
        of = conflicting.disagreement(alone[PICTURE][adapter], alone[SOUND][adapter])
        values.append([adapter, DISAGREEMENT, "", "", None, of])
    values += _shifted(model, posed)
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


def _shifted(model: OmniModel, posed: Posed) -> list[list]:
    """The attention that one caption gets from the prompt's last position, before the media and after them."""
    claim = conflicts.CAPTION.format(posed.case.claim)
    after = model.encode(replace(posed.stimulus, text=claim, text_position="before"))  # before the question
    found: dict[str, dict[str, np.ndarray]] = {}
    for place, encoded, system in ((BEFORE, model.encode(posed.stimulus), claim), (AFTER, after, None)):
        how = {"attention": True, "max_new_tokens": 1, "system": system}
        for adapter, answer in model.answer(encoded, posed.question.prompt, (), **how):
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
