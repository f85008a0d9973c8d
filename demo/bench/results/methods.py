"""What methods without training are worth: every one beside plain answers and beside tuning, as a table and in words.

Knows samples of `bench interventions`, McNemar's test and the files of a table. Does not know how anything was asked.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from demo.bench.cases.conditions import CONDITIONS
from demo.bench.results import measures
from demo.bench.results.report import as_csv
from demo.bench.results.tables import WITHOUT
from demo.bench.runs import store
from demo.questions import ABSTAINED, PICTURE, SOUND, TEXT
from models.omni import ALIGNED, BASE, McGurkError

PLAIN = "plain"
ASKED_MISSING, OTHER_MISSING, ALL = "asked modality missing", "other modality missing", "all questions"
GROUPS = ("aligned", "swap", "caption", "long", ASKED_MISSING, OTHER_MISSING)
PARTED = ("swap", "caption")  # conditions whose modalities disagree
FOLLOWED = (PICTURE, SOUND, TEXT, "abstains")  # as Row.followed tells them
ABSTAINS = {ASKED_MISSING: "abstains", OTHER_MISSING: "abstains wrongly"}
SIGNIFICANT = 0.05
SMALLEST = 1e-4  # of a p-value that is written out
FILE = "interventions.csv"


@dataclass(frozen=True)
class Row:
    """How one adapter did with one method under one condition, McNemar's test against its own plain answers, and
    against the plain answers of the tuned adapter (of the same questions, nan where there is none)."""

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
    seconds: float  # mean of the answers that were timed, nan where none was
    mended: int  # wrong when asked plainly, right with the method
    broken: int  # the other way round
    p: float
    beyond_tuned: int  # right where the tuned adapter's plain answer is wrong
    behind_tuned: int  # the other way round
    p_tuned: float

    @property
    def count(self) -> int:
        """What is counted: right answers, or, where only the other modality is missing, wrong abstentions."""
        return self.abstained if self.condition == OTHER_MISSING else self.right

    @property
    def followed(self) -> dict[str, int]:
        """How many answers followed which modality alone, or none of them by abstaining."""
        return {PICTURE: self.followed_picture, SOUND: self.followed_sound, TEXT: self.followed_text,
                ABSTAINED: self.abstained}  # fmt: skip

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share that is counted."""
        return measures.wilson(self.count, self.n)


def group(sample: dict[str, Any]) -> str:
    """The column that a sample belongs to: its condition, or which modality it lacks."""
    condition, ask = sample["condition"], sample["ask"]
    if condition in WITHOUT[ask]:
        return ASKED_MISSING
    return OTHER_MISSING if condition in (*WITHOUT["see"], *WITHOUT["hear"]) else condition


def table(samples: Sequence[dict[str, Any]]) -> list[Row]:
    """A row for each condition, method and adapter, seen and heard together, and at the end over all questions."""
    asked = [sample for sample in samples if "skipped" not in sample]
    if not asked:
        raise McGurkError("Nothing was asked: every clip was skipped.")
    by_group: dict[str, list] = {}
    for sample in asked:
        by_group.setdefault(group(sample), []).append(sample)
    order = [name for name in dict.fromkeys((*GROUPS, *CONDITIONS)) if name in by_group]
    rows = [row for name in order for row in _rows(name, by_group[name])]
    return rows + (_rows(ALL, asked) if len(order) > 1 else [])


def _rows(condition: str, samples: list[dict[str, Any]]) -> list[Row]:
    def right(method: str, adapter: str) -> list[bool]:
        return [sample["answers"][method][adapter]["correct"] for sample in samples]

    rows, tuned = [], None
    for method, adapters in samples[0]["answers"].items():
        for adapter in adapters:
            found = [sample["answers"][method][adapter] for sample in samples]
            whom = [answer["followed"] for answer in found]
            mine = right(method, adapter)
            test = measures.mcnemar(right(PLAIN, adapter), mine)
            if ALIGNED in adapters:
                tuned = measures.mcnemar(right(PLAIN, ALIGNED), mine)
            rows.append(
                Row(
                    condition, method, adapter, len(found), sum(mine), whom.count(ABSTAINED), whom.count(PICTURE),
                    whom.count(SOUND), whom.count(TEXT), sum(bool(a["refused"]) for a in found),
                    _mean_seconds(found), test.second_only, test.first_only, test.p,
                    *((tuned.second_only, tuned.first_only, tuned.p) if tuned else (0, 0, math.nan)),
                )
            )  # fmt: skip
    return rows


def _mean_seconds(answers: Sequence[dict[str, Any]]) -> float:
    """Of those timed: answers that came from another machine or beside other work have no seconds."""
    timed = [answer["seconds"] for answer in answers if answer.get("seconds") is not None]
    return round(sum(timed) / len(timed), 3) if timed else math.nan


@dataclass(frozen=True)
class Verdict:
    """Whether any method without training, on the untuned adapter, reaches what tuning reaches, under one condition."""

    condition: str
    plain: Row  # untuned
    best: Row  # the method with most right answers, untuned
    tuned: Row  # tuned, asked plainly
    methods: int  # that were tried

    @property
    def reached(self) -> bool | None:
        """True: it has at least as many right answers; False: fewer, and not by chance (p < 0.05); None: open."""
        if self.best.right >= self.tuned.right:
            return True
        return False if self.best.p_tuned < SIGNIFICANT else None

    @property
    def needed(self) -> bool:
        """Whether tuning did better than the plain answers at all."""
        return self.tuned.right > self.plain.right


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """One for each condition that was asked of both adapters; [] where there is nothing to compare."""
    made = []
    for condition in dict.fromkeys(row.condition for row in rows):
        here = {(row.method, row.adapter): row for row in rows if row.condition == condition}
        tried = [row for (method, adapter), row in here.items() if adapter == BASE and method != PLAIN]
        if tried and {(PLAIN, BASE), (PLAIN, ALIGNED)} <= here.keys():
            best = max(tried, key=lambda row: row.right)  # of several the first
            made.append(Verdict(condition, here[PLAIN, BASE], best, here[PLAIN, ALIGNED], len(tried)))
    return made


def said(verdict: Verdict, title: str) -> str:
    """One sentence. title: what the method is called."""
    plain, best, tuned = verdict.plain, verdict.best, verdict.tuned
    start = f"Plain answers before tuning: {_share(plain, ' right')}; the best method, {title}: {_share(best)}; "
    start += f"tuning: {_share(tuned)} (n {best.n}). "
    if not verdict.needed:
        return start + "Tuning gains nothing here, so there is nothing to reach."
    if verdict.reached:
        return start + "Reached."
    against = f"McNemar {chance(best.p_tuned)}, not corrected for choosing the best of {verdict.methods}"
    return start + (f"Not reached ({against})." if verdict.reached is False else f"Too few to tell ({against}).")


def _share(row: Row, what: str = "") -> str:
    """The right answers, and what is counted where that is something else."""
    also = "" if row.count == row.right else f" ({100 * row.count / row.n:.0f} % abstained)"
    return f"{100 * row.right / row.n:.0f} %{what}{also}"


def chance(p: float) -> str:
    """A p-value for people, such as "p = 0.012"."""
    return f"p = {p:.2g}" if p >= SMALLEST or math.isnan(p) else f"p < {SMALLEST:.4f}"


def title_of(condition: str) -> str:
    """A condition's name for people."""
    if condition in ABSTAINS:
        return f"{condition}: {ABSTAINS[condition]}"
    return CONDITIONS[condition].title if condition in CONDITIONS else condition


def markdown(rows: Sequence[Row]) -> str:
    """One table: a line for each method and adapter, a column a condition; bold: p < 0.05 against plain answers."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    titles = [title_of(condition) for condition in conditions]
    lines = ["| method | adapter | " + " | ".join(titles) + " | s |", "|---|---|" + "---:|" * (len(titles) + 1)]
    for method, adapter in dict.fromkeys((row.method, row.adapter) for row in rows):
        here = {row.condition: row for row in rows if (row.method, row.adapter) == (method, adapter)}
        cells = " | ".join(_cell(here[c]) if c in here else "" for c in conditions)
        lines.append(f"| {method} | {adapter} | {cells} | {took(list(here.values()))} |")
    lines += ["", "% right, 95 % interval; bold: p < 0.05 against the same adapter's plain answers (McNemar).", ""]
    lines += [f"- {title_of(v.condition)}: {said(v, v.best.method)}" for v in verdicts(rows)]
    return "\n".join(lines + _whom(rows))


def _whom(rows: Sequence[Row]) -> list[str]:
    """A table of whom the answers followed where the modalities disagree; [] where they never do."""
    conditions = [name for name in PARTED if any(row.condition == name for row in rows)]
    if not conditions:
        return []
    titles = [f"{title_of(name)}: {' / '.join(FOLLOWED)}" for name in conditions]
    lines = ["", "Whom the answers followed, %:", "", "| method | adapter | " + " | ".join(titles) + " |"]
    lines.append("|---|---|" + "---:|" * len(titles))
    known = {(row.method, row.adapter, row.condition): row for row in rows}
    for method, adapter in dict.fromkeys((row.method, row.adapter) for row in rows):
        here = [known.get((method, adapter, name)) for name in conditions]
        cells = [" / ".join(f"{100 * n / row.n:.0f}" for n in row.followed.values()) if row else "" for row in here]
        lines.append(f"| {method} | {adapter} | {' | '.join(cells)} |")
    return lines


def took(rows: Sequence[Row]) -> str:
    """Mean seconds of an answer over one method's rows, such as "0.53"; "" where no answer was timed."""
    parts = [row for row in rows if row.condition == ALL] or rows
    timed = [row for row in parts if math.isfinite(row.seconds)]
    return f"{sum(row.seconds * row.n for row in timed) / sum(row.n for row in timed):.2f}" if timed else ""


def _cell(row: Row) -> str:
    text = measures.percent(row.count / row.n, *row.interval, row.n, digits=0)
    return f"**{text}**" if row.p < SIGNIFICANT else text


def write(out: Path, rows: Sequence[Row]) -> None:
    """interventions.csv and interventions.md in a folder."""
    columns = [field.name for field in fields(Row)]
    lines = [[_kept(column, getattr(row, column)) for column in columns] for row in rows]
    store.write_atomically(out / FILE, as_csv(columns, lines))
    store.write_atomically(out / "interventions.md", markdown(rows) + "\n")


def _kept(column: str, value: Any) -> Any:
    return f"{value:.3g}" if column in ("p", "p_tuned") and math.isfinite(value) else value


def read_table(path: Path) -> list[Row]:
    """The rows of an interventions.csv. Raises McGurkError if it is none."""
    kinds = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)}
    try:
        with path.open(newline="", encoding="utf-8") as opened:
            return [
                Row(**{name: kind(line[name]) if line[name] else math.nan for name, kind in kinds.items()})
                for line in csv.DictReader(opened)
            ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise McGurkError(f"{path} is no table of interventions: make one with `bench interventions`.") from error
