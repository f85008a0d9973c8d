"""A visitor's runs of the bench: what is about to be asked, how far it has come, what stands in each cell of its table.

Knows runs, samples and sessions. Does not know components, markup or how anything is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.bench.cases.conditions import CONDITIONS, SETS
from demo.bench.cases.sampling import HELD_OUT
from demo.bench.results import measures, page, report, tables
from demo.bench.results.links import lab_query
from demo.bench.runs import store
from demo.bench.runs.running import Config, Progress, plan, run
from demo.bench.runs.sittings import Run, Sittings
from demo.clips import gallery
from demo.session import Lab
from demo.visitors.turns import Wait
from models import registry
from models.omni import McGurkError, OmniModel

OFFERED = {id: condition.title for id, condition in CONDITIONS.items() if not condition.own_questions}
OFFERED_SETS = {"The first eight": SETS["quality"], "MMA-Bench's six": SETS["mma"], "All": SETS["all"]}
QUESTIONS, MOST_QUESTIONS = 8, 200  # a condition: to start with, at most
FILES = ("samples.jsonl", "table.csv", "report.html")
GIVEN = {"see": "shows", "hear": "sounds like", "read": "reads"}
SHOWN_SAMPLES = 60  # of a cell; all of them are in samples.jsonl


@dataclass(frozen=True)
class Wanted:
    """What a visitor chose."""

    conditions: tuple[str, ...]
    questions: int = QUESTIONS  # a condition
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.conditions:
            raise McGurkError("Choose at least one condition.")
        if not 1 <= self.questions <= MOST_QUESTIONS:
            raise McGurkError(f"Ask 1 to {MOST_QUESTIONS} questions a condition; a longer run is for the command line.")


@dataclass(frozen=True)
class Estimate:
    """What a run will ask. `seconds`: None until the model was timed."""

    model: str
    questions: int
    held_out: int  # of these, about concepts that the model was never trained on
    clips: int
    seconds: float | None


@dataclass(frozen=True)
class Cell:
    """One cell of the table: the share of right answers (of abstentions, if `abstained`), 95 % Wilson interval."""

    key: str  # "pool|condition|question"
    adapter: str
    share: float
    low: float
    high: float
    n: int
    abstained: bool = False


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    pool: str
    title: str
    cells: dict[tuple[str, str], Cell]  # by (question, adapter)


@dataclass(frozen=True, eq=False)
class Standing:
    """How far a run has come."""

    progress: Progress
    lines: tuple[Line, ...] = ()
    pace: float | None = None  # s a question
    over: bool = False  # nothing more will come by itself
    stopped: bool = False
    charts: dict[str, dict[str, str]] | None = None  # pool -> title -> figures, once it is over
    files: dict[str, str] = field(default_factory=dict)  # name -> path, once it is over

    @property
    def seconds_left(self) -> float | None:
        return None if self.pace is None else (self.progress.total - self.progress.done) * self.pace


@dataclass(frozen=True)
class Shown:
    """One sample of a cell, in words."""

    clip: str
    given: tuple[tuple[str, str, str], ...]  # (what: "see" | "hear" | "read", words before, what is true of it)
    question: str
    truth: str
    answers: dict[str, tuple[str, str, bool]]  # adapter -> (text, whom it followed, right)
    query: str  # of the Lab page that shows it; "" if there is none


class Bench(Sittings):
    """The runs of all visitors, and the model's pace."""

    def __init__(self, lab: Lab):
        super().__init__(lab)
        self.pace: float | None = None  # s a question took last, with every adapter

    def estimate(self, wanted: Wanted) -> Estimate:
        """What a run would ask, and how long that takes at the pace of the last one. Raises McGurkError."""
        _, planned = plan(self._config(wanted, Path()))
        held_out = sum(case.pool == HELD_OUT for case in planned)
        clips = len({case.item for case in planned})
        seconds = None if self.pace is None else len(planned) * self.pace
        return Estimate(self.lab.model().name, len(planned), held_out, clips, seconds)

    def time_the_model(self, session: str) -> None:
        """Ask a quick model two questions to learn its pace; does nothing once it is known. Raises McGurkError."""
        if self.pace is None and self.lab.model() is not None and self.lab.fast:
            config = Config(
                clips=gallery_folder(), out=str(self.lab.path_for(session, "pace")), questions=2, held_out_questions=0,
                model=registered(self.lab.model()), conditions=("swap",),
            )  # fmt: skip
            timed = self.lab.run(session, lambda _stop: run(config, self.lab.model()))
            self._note([progress for progress in timed if not isinstance(progress, Wait)])

    def called(self, wanted: Wanted) -> str:
        """How the folder of such a run is called."""
        return "bench"

    def turn(self, current: Run) -> Iterator[Standing]:
        """One turn with the model, yielding about once a second."""
        config = self._config(current.wanted, current.folder)
        current.samples = store.read_samples(current.folder) if current.folder.is_dir() else {}
        started = shown = time.monotonic()
        going, last = run(config, self.lab.model()), None
        seen: list[Progress] = []
        try:
            for progress in going:
                seen, last = [progress] if progress.asked else seen, progress
                if progress.sample:
                    current.samples[progress.sample["key"]] = progress.sample
                if progress.tables or self.ends(current, started):
                    break
                if progress.asked < 2 or time.monotonic() - shown > 1:
                    self._note(seen)
                    shown = time.monotonic()
                    yield Standing(progress, table(list(current.samples.values())), self.pace)
        finally:
            going.close()
        self._note(seen)
        if last.tables is None and not current.stopping.is_set():
            yield Standing(last, table(list(current.samples.values())), self.pace)
            return
        yield self._ended(current, last)

    def samples(self, session: str, key: str) -> list[Shown]:
        """The samples behind a cell, at most SHOWN_SAMPLES. Raises McGurkError if there is no such cell."""
        pool, _, rest = key.partition("|")
        condition, _, ask = rest.partition("|")
        wanted = _conditions_of(condition, ask)
        found = [
            sample
            for sample in self.current(session).samples.values()
            if (sample["pool"], sample["ask"]) == (pool, ask) and sample["condition"] in wanted and "answers" in sample
        ]
        if not found:
            raise McGurkError("This cell has no samples any more: start the run again.")
        return [_shown(sample) for sample in found[:SHOWN_SAMPLES]]

    def _ended(self, current: Run, last: Progress) -> Standing:
        samples = list(current.samples.values())
        if not any("answers" in sample for sample in samples):
            return Standing(last, pace=self.pace, over=True, stopped=True)
        found = last.tables or report.write(current.folder, samples, last.skipped)
        pools = dict.fromkeys(row.pool for row in found.rows)
        return Standing(
            last, table(samples), self.pace, over=True, stopped=last.tables is None,
            charts={pool: page.charts(found, pool) for pool in pools},
            files={name: str(current.folder / name) for name in FILES},
        )  # fmt: skip

    def _config(self, wanted: Wanted, out: Path) -> Config:
        return Config(
            clips=gallery_folder(),
            out=str(out),
            model=registered(self.lab.model()),
            conditions=wanted.conditions,
            questions=wanted.questions,
            seed=wanted.seed,
        )

    def _note(self, seen: Sequence[Progress]) -> None:
        """Remember the pace of the newest progress that knows one."""
        for progress in reversed(seen):
            if progress.asked:
                self.pace = progress.seconds / progress.asked
                return


def gallery_folder() -> str:
    """The folder of the gallery's clips. Raises McGurkError when it is empty."""
    clips = gallery()
    if not clips:
        raise McGurkError("The gallery is empty: restore assets/clips, or use the command line with a folder of yours.")
    return str(clips[0].path.parent)


def table(samples: Sequence[dict[str, Any]]) -> tuple[Line, ...]:
    """Samples as the lines of a table, questions and adapters across, in the order of the conditions."""
    lines: dict[tuple[str, str], Line] = {}
    beside = _beside(samples)
    for row in tables.rows(samples):
        abstained = row.condition == tables.OTHER_MISSING
        count = row.followed[tables.ABSTAINED] if abstained else row.right
        low, high = measures.wilson(count, row.n)
        title = (
            row.title
            + beside.get((row.pool, row.title), "")
            + ": wrongly abstains" * abstained
            + ": abstains" * (row.condition == tables.ASKED_MISSING)
        )
        line = lines.setdefault((row.pool, row.condition), Line(row.pool, title, {}))
        key = f"{row.pool}|{row.condition}|{row.ask}"
        line.cells[row.ask, row.adapter] = Cell(key, row.adapter, count / row.n, low, high, row.n, abstained)
    return tuple(lines.values())


def _beside(samples: Sequence[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """(pool, title of a condition) -> what a guess and the encoder alone get right, where clips are made for it."""
    made = [sample for sample in samples if (c := CONDITIONS.get(sample["condition"])) and c.made]
    said: dict[tuple[str, str], str] = {}
    found = {(m.pool, m.detail, m.name): m.value for m in tables.all_measures(made)}
    for (pool, title, name), value in found.items():
        if name == tables.CHANCE:
            alone = found[pool, title, tables.ALONE]
            said[pool, title] = f" (chance {100 * value:.0f} %, encoder alone {100 * alone:.0f} %)"
    return said


def _conditions_of(condition: str, ask: str) -> tuple[str, ...]:
    """The conditions behind a line of the table; two of its lines sum several up."""
    if ask in tables.WITHOUT and condition == tables.ASKED_MISSING:
        return tables.WITHOUT[ask]
    if ask in tables.WITHOUT and condition == tables.OTHER_MISSING:
        return tables.WITHOUT["hear" if ask == "see" else "see"]
    return (condition,)


def _shown(sample: dict[str, Any]) -> Shown:
    said = {"see": sample["seen"], "hear": sample["heard"], "read": sample["read"]}
    return Shown(
        sample["clip"],
        tuple((what, GIVEN[what], true or "nothing") for what, true in said.items() if true or what != "read"),
        sample["question"],
        sample["truth"] or "",
        {name: (a["text"], a["followed"], a["correct"]) for name, a in sample["answers"].items()},
        lab_query(sample),
    )


def registered(model: OmniModel) -> str:
    """The registry's name of a loaded model; a served one is called after what it serves."""
    try:
        return registry.entry(model.name).name
    except McGurkError:
        return "server"
