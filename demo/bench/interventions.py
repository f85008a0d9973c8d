"""Does any training-free method reach what tuning reaches? Every intervention's defaults, on the bench's conditions.

Each question is asked plainly and under every intervention, of both adapters. Where an intervention can't be done (its
modality is missing), the plain answer counts and the refusal is counted. Knows the order of things and the table. Does
not know how a question is posed, judged or answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from demo.bench import measures, running, store
from demo.bench.asking import pose, read_answer, unasked
from demo.bench.conditions import CONDITIONS, chosen
from demo.bench.report import as_csv
from demo.bench.running import plan
from demo.bench.tables import WITHOUT
from demo.questions import ABSTAINED, PICTURE, SOUND
from models import registry
from models.interventions import INTERVENTIONS
from models.omni import McGurkError, OmniModel

DEFAULT = ("aligned", "swap", "caption", "long", "no_picture", "no_sound")
QUESTIONS = 100  # a condition, unless told otherwise
PLAIN = "plain"
ASKED_MISSING, OTHER_MISSING = "asked modality missing", "other modality missing"
GROUPS = ("aligned", "swap", "caption", "long", ASKED_MISSING, OTHER_MISSING)


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", chosen(self.conditions))
        if self.questions < 1:
            raise McGurkError("Ask at least one question a condition.")
        if unknown := [name for name in self.methods if name not in INTERVENTIONS]:
            raise McGurkError(f"There is no intervention {unknown[0]!r}: choose {', '.join(INTERVENTIONS)}.")


@dataclass(frozen=True)
class Row:
    """How one adapter did with one method under one condition, and McNemar's test against its plain answers."""

    condition: str
    method: str
    adapter: str
    n: int
    right: int
    abstained: int
    followed_picture: int
    followed_sound: int
    followed_text: int
    refused: int  # of the answers, plain ones because the method can't be done
    seconds: float  # mean of an answer
    mended: int  # wrong when asked plainly, right with the method
    broken: int  # the other way round
    p: float


def run(config: Config, model: OmniModel | None = None) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Yield (done, total, newest sample) and write the tables at the end; a run that was stopped goes on.

    Raises McGurkError if the folder holds another run, or nothing can be asked.
    """
    out = Path(config.out)
    material, planned = plan(
        running.Config(
            config.clips, config.out, config.model, config.conditions, config.questions, 0, config.seed, config.split,
            config.options,
        )
    )  # fmt: skip
    planned = [case for case in planned if case.ask in ("see", "hear")]
    with store.locked(out):
        settings = {f.name: getattr(config, f.name) for f in fields(config) if f.name != "out"}
        settings |= {"conditions": list(config.conditions), "methods": list(config.methods), "bench": "interventions"}
        store.settle_config(out, settings, {"skipped": [list(pair) for pair in material.skipped]})
    with store.Store(out) as kept:
        known = store.read_samples(out)
        left = [case for case in planned if case.key not in known]
        yield len(planned) - len(left), len(planned), None
        model = model or (registry.load_model(config.model) if left else None)
        made, last = {}, (None, None)
        for place, case in enumerate(left, 1):
            try:
                posed = pose(case, material, config.options, made)
                last = last if last[0] is posed.stimulus else (posed.stimulus, model.encode(posed.stimulus))
                sample = _ask(posed, last[1], model, config.methods)
            except McGurkError as error:
                sample = unasked(case, str(error))
            kept.append(sample)
            yield len(planned) - len(left) + place, len(planned), sample
    write(out, table(list(store.read_samples(out).values())))


def _ask(posed, encoded, model: OmniModel, methods: Sequence[str]) -> dict[str, Any]:
    case, question = posed.case, posed.question
    ways = {PLAIN: None}
    ways |= {id: INTERVENTIONS[id].usual(PICTURE if case.ask == "see" else SOUND, model.layers) for id in methods}
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


def group(sample: dict[str, Any]) -> str:
    """The column that a sample belongs to: its condition, or which modality it lacks."""
    condition, ask = sample["condition"], sample["ask"]
    if condition in WITHOUT[ask]:
        return ASKED_MISSING
    return OTHER_MISSING if condition in (*WITHOUT["see"], *WITHOUT["hear"]) else condition


def table(samples: Sequence[dict[str, Any]]) -> list[Row]:
    """A row for each condition, method and adapter; seen and heard together."""
    asked = [sample for sample in samples if "skipped" not in sample]
    if not asked:
        raise McGurkError("Nothing was asked: every clip was skipped.")
    rows = []
    order = [name for name in (*GROUPS, *CONDITIONS) if any(group(sample) == name for sample in asked)]
    for condition in dict.fromkeys(order):
        here = [sample for sample in asked if group(sample) == condition]
        for method in here[0]["answers"]:
            for adapter in here[0]["answers"][method]:
                found = [sample["answers"][method][adapter] for sample in here]
                plain = [sample["answers"][PLAIN][adapter]["correct"] for sample in here]
                right = [answer["correct"] for answer in found]
                whom = [answer["followed"] for answer in found]
                test = measures.mcnemar(plain, right)
                rows.append(
                    Row(
                        condition, method, adapter, len(here), sum(right), whom.count(ABSTAINED), whom.count(PICTURE),
                        whom.count(SOUND), whom.count("text"), sum(bool(a["refused"]) for a in found),
                        sum(a["seconds"] for a in found) / len(found), test.second_only, test.first_only, test.p,
                    )
                )  # fmt: skip
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """One table: a line for each method and adapter, a column a condition; bold: p < 0.05 against plain answers."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    titles = [_title(condition) for condition in conditions]
    lines = ["| method | adapter | " + " | ".join(titles) + " | s |", "|---|---|" + "---:|" * (len(titles) + 1)]
    for method, adapter in dict.fromkeys((row.method, row.adapter) for row in rows):
        here = {row.condition: row for row in rows if (row.method, row.adapter) == (method, adapter)}
        seconds = sum(row.seconds * row.n for row in here.values()) / sum(row.n for row in here.values())
        cells = " | ".join(_cell(here[c]) if c in here else "" for c in conditions)
        lines.append(f"| {method} | {adapter} | {cells} | {seconds:.2f} |")
    note = (
        "% right (of those that lack the other modality: % that abstain wrongly); bold: p < 0.05 against plain answers."
    )
    return "\n".join([*lines, "", note])


def _title(condition: str) -> str:
    if condition == OTHER_MISSING:
        return f"{condition}: abstains wrongly"
    return f"{condition}: abstains" if condition == ASKED_MISSING else CONDITIONS[condition].title


def _cell(row: Row) -> str:
    count = row.abstained if row.condition == OTHER_MISSING else row.right
    low, high = measures.wilson(count, row.n)
    said = f"{100 * count / row.n:.0f} ({100 * low:.0f}–{100 * high:.0f}, n {row.n})"
    return f"**{said}**" if row.p < 0.05 else said


def write(out: Path, rows: Sequence[Row]) -> None:
    """interventions.csv and interventions.md in a folder."""
    columns = [field.name for field in fields(Row)]
    lines = [[getattr(row, column) for column in columns] for row in rows]
    store.write_atomically(out / "interventions.csv", as_csv(columns, lines))
    store.write_atomically(out / "interventions.md", markdown(rows) + "\n")


def read(out: str | Path) -> list[Row]:
    """The table of a run as far as it got. Raises McGurkError for a folder without one."""
    folder = Path(out)
    if store.read_config(folder).get("settings", {}).get("bench") != "interventions":
        raise McGurkError(f"There is no run of interventions in {str(out)!r}: make one with `bench interventions`.")
    return table(list(store.read_samples(folder).values()))
