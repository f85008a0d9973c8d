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

from demo.bench.cases.asking import Posed, read_answer
from demo.bench.results import methods
from demo.bench.results.methods import PLAIN
from demo.bench.runs import running
from demo.bench.runs.series import Series, samples_of, settings_of
from demo.questions import PICTURE, SOUND
from models.interventions import INTERVENTIONS
from models.omni import McGurkError, OmniModel

BENCH = "interventions"  # in a run's settings
DEFAULT = ("aligned", "swap", "caption", "long", "no_picture", "no_sound")
QUESTIONS = 100  # a condition, unless told otherwise


@dataclass(frozen=True)
class Config(running.Config):
    """Everything a run depends on. Checked when it is made (McGurkError)."""

    conditions: tuple[str, ...] = DEFAULT
    questions: int = QUESTIONS
    held_out_questions: int | None = 0
    methods: tuple[str, ...] = tuple(INTERVENTIONS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := [name for name in self.methods if name not in INTERVENTIONS]:
            raise McGurkError(f"There is no intervention {unknown[0]!r}: choose {', '.join(INTERVENTIONS)}.")


def run(config: Config, model: OmniModel | None = None) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Yield (done, total, newest sample) of this process's shard; a run that was stopped goes on.

    The tables are written at the end, over what all shards have done so far; the last to finish writes all.
    Raises McGurkError if the folder holds another run, or nothing can be asked.
    """
    material, planned = running.plan(config)
    planned = [case for case in planned if case.ask in ("see", "hear")]
    series = Series(material, planned, _settings(config), Path(config.out), config.shard, config.options)
    yield from series.ask(lambda *given: _ask(*given, config.methods), model)
    series.finish(lambda samples, _whole: methods.write(series.out, methods.table(samples)))


def _settings(config: Config) -> dict[str, Any]:
    return settings_of(
        config, BENCH, options=config.options, conditions=list(config.conditions), methods=list(config.methods),
        questions=config.questions,
    )  # fmt: skip


def _ask(model: OmniModel, posed: Posed, encoded: Any, tried: Sequence[str]) -> dict[str, Any]:
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


def read(out: str | Path) -> list[methods.Row]:
    """The table of a run as far as it got. Raises McGurkError for a folder without one."""
    return methods.table(samples_of(out, BENCH))
