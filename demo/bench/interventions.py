"""Does any training-free method reach what tuning reaches? Every intervention's defaults, on the bench's conditions.

Each question is asked plainly and under every intervention, of both adapters. Where an intervention can't be done (its
modality is missing), the plain answer counts and the refusal is counted. Knows the order of things. Does not know how a
question is posed, judged or answered, nor what is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.bench import methods, running, store
from demo.bench.asking import Posed, pose, read_answer, unasked
from demo.bench.conditions import chosen
from demo.bench.methods import PLAIN
from demo.bench.running import plan
from demo.questions import PICTURE, SOUND
from models import registry
from models.interventions import INTERVENTIONS
from models.omni import McGurkError, OmniModel

DEFAULT = ("aligned", "swap", "caption", "long", "no_picture", "no_sound")
QUESTIONS = 100  # a condition, unless told otherwise


@dataclass(frozen=True)
class Config:
    """Everything a run depends on. Checked when it is made (McGurkError)."""

    clips: str
    out: str
    model: str = "mini"
    conditions: tuple[str, ...] = DEFAULT
    questions: int = QUESTIONS
    seed: int = 0
    split: str = "val"
    options: int = 8
    methods: tuple[str, ...] = tuple(INTERVENTIONS)
    shard: tuple[int, int] = (1, 1)  # process i of n, from 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", chosen(self.conditions))
        if self.questions < 1:
            raise McGurkError("Ask at least one question a condition.")
        if unknown := [name for name in self.methods if name not in INTERVENTIONS]:
            raise McGurkError(f"There is no intervention {unknown[0]!r}: choose {', '.join(INTERVENTIONS)}.")


def run(config: Config, model: OmniModel | None = None) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Yield (done, total, newest sample) of this process's shard; a run that was stopped goes on.

    The tables are written at the end, over what all shards have done so far; the last to finish writes all.
    Raises McGurkError if the folder holds another run, or nothing can be asked.
    """
    out, (shard, shards) = Path(config.out), config.shard
    material, planned = plan(
        running.Config(
            config.clips, config.out, config.model, config.conditions, config.questions, 0, config.seed, config.split,
            config.options,
        )
    )  # fmt: skip
    planned = [case for case in planned if case.ask in ("see", "hear")]
    mine = [case for case in planned if case.index % shards == shard - 1]
    with store.locked(out):
        store.settle_config(out, _settings(config), {"skipped": [list(pair) for pair in material.skipped]})
    with store.Store(out, config.shard) as kept:
        known = store.read_samples(out)
        left = [case for case in mine if case.key not in known]
        yield len(mine) - len(left), len(mine), None
        model = model or (registry.load_model(config.model) if left else None)
        if model is not None:
            material.read_for(model)
        made, last = {}, (None, None)
        for place, case in enumerate(left, 1):
            try:
                posed = pose(case, material, config.options, made)
                last = last if last[0] is posed.stimulus else (posed.stimulus, model.encode(posed.stimulus))
                sample = _ask(posed, last[1], model, config.methods)
            except McGurkError as error:
                sample = unasked(case, str(error))
            kept.append(sample)
            yield len(mine) - len(left) + place, len(mine), sample
    with store.locked(out):
        samples = store.read_samples(out)
        if all(case.key in samples for case in planned):
            store.merge(out, samples, samples)
        methods.write(out, methods.table(list(samples.values())))


def _settings(config: Config) -> dict[str, Any]:
    return {
        "bench": "interventions",
        "model": config.model,
        "clips": str(config.clips),
        "split": config.split,
        "seed": config.seed,
        "options": config.options,
        "conditions": list(config.conditions),
        "methods": list(config.methods),
        "questions": config.questions,
    }


def _ask(posed: Posed, encoded: Any, model: OmniModel, tried: Sequence[str]) -> dict[str, Any]:
    case, question = posed.case, posed.question
    ways = {PLAIN: None}
    ways |= {id: INTERVENTIONS[id].usual(PICTURE if case.ask == "see" else SOUND, model.layers) for id in tried}
    answers: dict[str, dict[str, Any]] = {}
    for name, way in ways.items():
        try:
            given = model.answer(encoded, question.prompt, question.options, attention=False, steering=way)
            answers[name] = {
                adapter: read_answer(answer, posed) | {"seconds": round(answer.seconds, 3), "refused": ""}
                for adapter, answer in given
            }
        except McGurkError as error:
            if way is None:
                raise
            answers[name] = {adapter: plain | {"refused": str(error)} for adapter, plain in answers[PLAIN].items()}
    return {"key": case.key, "condition": case.condition, "ask": case.ask, "clip": case.item.id,
            "other": case.other.id if case.other else None, "truth": posed.truth, "answers": answers}  # fmt: skip


def samples_of(out: str | Path) -> list[dict[str, Any]]:
    """What a run has asked so far, in order. Raises McGurkError for a folder without one."""
    folder = Path(out)
    if store.read_config(folder).get("settings", {}).get("bench") != "interventions":
        raise McGurkError(f"There is no run of interventions in {str(out)!r}: make one with `bench interventions`.")
    found = store.read_samples(folder)
    return [found[key] for key in sorted(found)]


def read(out: str | Path) -> list[methods.Row]:
    """The table of a run as far as it got. Raises McGurkError for a folder without one."""
    return methods.table(samples_of(out))
