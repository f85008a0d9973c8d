"""Samples become tables: one row a condition, question and adapter, and the black-box measures over conditions.

Knows samples as they are written. Does not know how they were asked or how tables are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from demo.bench.cases import conflicting
from demo.bench.cases.asking import Sample
from demo.bench.cases.conditions import CONDITIONS
from demo.bench.results import measures
from demo.bench.results.measures import McNemar
from demo.questions import ABSTAINED, BOTH, OTHER, PICTURE, SOUND, TEXT, verdict
from demo.vocabulary import names_in
from models.omni import ALIGNED, BASE

SENSE = {"see": PICTURE, "hear": SOUND}
FOLLOWED = (PICTURE, SOUND, TEXT, BOTH, ABSTAINED, OTHER)
ASKED_MISSING, OTHER_MISSING = "asked_missing", "other_missing"
WITHOUT = {"see": ("black", "no_picture"), "hear": ("silence", "no_sound")}  # conditions that lack what is asked for
CONTRADICTED = ("caption", "caption_after", "onscreen")  # conditions whose text contradicts picture and sound
YES_NO_SCORES = {
    "yes or no: accuracy": "accuracy",
    "yes or no: precision": "precision",
    "yes or no: recall": "recall",
    "yes or no: F1": "f1",
    "yes or no: yes-rate": "yes_rate",
}
CHANCE, ALONE = "chance", "encoder alone"  # measures that stand beside questions that clips were made for
WORDINGS = ("swap", "wording_2", "wording_3")


@dataclass(frozen=True)
class Row:
    """How one adapter did on one question under one condition."""

    pool: str
    condition: str
    title: str
    ask: str  # "see", "hear" or "match"
    adapter: str
    n: int
    right: int
    choice_right: int  # by the most probable option
    followed: dict[str, int]
    mcnemar: McNemar | None  # base against aligned; on the rows of both

    @property
    def accuracy(self) -> float:
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        return measures.wilson(self.right, self.n)


@dataclass(frozen=True)
class Measure:
    """One number over one or several conditions; `n` samples; an interval where it is a proportion."""

    pool: str
    name: str
    detail: str
    adapter: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None


def rows(samples: Sequence[Sample]) -> list[Row]:
    """Rows in the order of conditions, then "the asked modality is missing" and "only the other one is", by pool."""
    asked = [sample for sample in samples if "skipped" not in sample]
    made: list[Row] = []
    for pool in dict.fromkeys(sample["pool"] for sample in asked):
        here = [sample for sample in asked if sample["pool"] == pool]
        for condition in CONDITIONS.values():
            for ask in condition.asks:
                of_it = [s for s in here if (s["condition"], s["ask"]) == (condition.id, ask)]
                made += _rows(pool, condition.id, condition.title, ask, of_it)
        for ask, other in (("see", "hear"), ("hear", "see")):
            lacking = [s for s in here if s["ask"] == ask and s["condition"] in WITHOUT[ask]]
            made += _rows(pool, ASKED_MISSING, "asked modality missing", ask, lacking)
            having = [s for s in here if s["ask"] == ask and s["condition"] in WITHOUT[other]]
            made += _rows(pool, OTHER_MISSING, "only the other modality missing", ask, having)
    return made


def _rows(pool: str, condition: str, title: str, ask: str, samples: list[Sample]) -> list[Row]:
    if not samples:
        return []
    adapters = list(samples[0]["answers"])
    right = {adapter: [s["answers"][adapter]["correct"] for s in samples] for adapter in adapters}
    paired = measures.mcnemar(right[BASE], right[ALIGNED]) if {BASE, ALIGNED} <= right.keys() else None
    made = []
    for adapter in adapters:
        answers = [sample["answers"][adapter] for sample in samples]
        whom = [answer["followed"] for answer in answers]
        counts = {name: whom.count(name) for name in FOLLOWED}
        choice = sum(answer["choice_correct"] for answer in answers)
        made.append(
            Row(pool, condition, title, ask, adapter, len(samples), sum(right[adapter]), choice, counts, paired)
        )
    return made


def all_measures(samples: Sequence[Sample]) -> list[Measure]:
    """Every black-box measure whose conditions were run, by pool and adapter."""
    asked = [sample for sample in samples if "skipped" not in sample]
    made: list[Measure] = []
    for pool in dict.fromkeys(sample["pool"] for sample in asked):
        here = [sample for sample in asked if sample["pool"] == pool]
        for adapter in here[0]["answers"]:
            view = _View(pool, adapter, here)
            for measure in (_preference, _importance, _gain, _stability, _perception, _matching, _conflict):
                made += measure(view)
    return made


@dataclass(frozen=True, eq=False)
class _View:
    """The samples of one pool as one adapter answered them."""

    pool: str
    adapter: str
    samples: list[Sample]

    def of(self, conditions: str | Iterable[str], ask: str | None = None) -> list[Sample]:
        wanted = (conditions,) if isinstance(conditions, str) else tuple(conditions)
        return [s for s in self.samples if s["condition"] in wanted and ask in (None, s["ask"])]

    def answer(self, sample: Sample) -> dict[str, Any]:
        return sample["answers"][self.adapter]

    def share(self, samples: list[Sample], holds: Callable[[Sample], bool]) -> float:
        return sum(map(holds, samples)) / len(samples) if samples else float("nan")

    def right(self, samples: list[Sample]) -> float:
        return self.share(samples, lambda sample: self.answer(sample)["correct"])

    def says_label(self, sample: Sample) -> bool:
        """Whether the answer names what the clip was, whatever is left of it."""
        return sample["label"] in names_in(self.answer(sample)["text"], [sample["label"]])

    def number(self, name: str, detail: str, value: float, n: int) -> Measure:
        return Measure(self.pool, name, detail, self.adapter, value, n)

    def proportion(self, name: str, detail: str, samples: list[Sample], holds: Callable[[Sample], bool]) -> Measure:
        count = sum(map(holds, samples))
        low, high = measures.wilson(count, len(samples))
        share = self.share(samples, holds)
        return Measure(self.pool, name, detail, self.adapter, share, len(samples), low, high)


def _preference(view: _View) -> list[Measure]:
    made = []
    for condition in CONTRADICTED:
        for ask in ("see", "hear"):
            whom = [view.answer(sample)["followed"] for sample in view.of(condition, ask)]
            text, media = whom.count(TEXT), sum(whom.count(name) for name in (PICTURE, SOUND, BOTH))
            if text + media:
                value = measures.text_preference_ratio(text, media)
                low, high = measures.wilson(text, text + media)
                detail = f"{CONDITIONS[condition].title}, {ask}"
                made.append(
                    Measure(view.pool, "text preference ratio", detail, view.adapter, value, text + media, low, high)
                )
    return made


def _importance(view: _View) -> list[Measure]:
    given = {frozenset({PICTURE, SOUND}): "aligned", frozenset({PICTURE}): "no_sound", frozenset({SOUND}): "no_picture"}
    made = []
    for ask in ("see", "hear"):
        samples = {subset: view.of(condition, ask) for subset, condition in given.items()}
        if all(samples.values()):
            performance = {subset: view.share(some, view.says_label) for subset, some in samples.items()}
            n = sum(map(len, samples.values()))
            made += [
                view.number(
                    "modality importance", f"{sense}, {ask}", measures.modality_importance(performance, sense), n
                )
                for sense in (PICTURE, SOUND)
            ]
    return made


def _gain(view: _View) -> list[Measure]:
    made = []
    for ask in ("see", "hear"):
        blind, sighted = view.of("blind", ask), view.of("aligned", ask)
        if not blind:
            continue
        guess = 1 / (len(blind[0]["options"]) - 1)
        made.append(view.proportion("blind baseline", ask, blind, lambda s: view.answer(s)["correct"]))
        made.append(view.proportion("language model alone", ask, blind, lambda s: view.answer(s)["choice_correct"]))
        made.append(view.number("leakage", ask, measures.multimodal_leakage(view.right(blind), guess), len(blind)))
        if sighted:
            value = measures.multimodal_gain(view.right(sighted), view.right(blind))
            made.append(view.number("multimodal gain", ask, value, len(blind) + len(sighted)))
    return made


def _stability(view: _View) -> list[Measure]:
    made = []
    for ask in ("see", "hear"):
        by_wording = [view.of(condition, ask) for condition in WORDINGS]
        if all(by_wording):
            value = measures.wording_stability(map(view.right, by_wording))
            made.append(view.number("deviation over wordings", ask, value, sum(map(len, by_wording))))
    return made


def _perception(view: _View) -> list[Measure]:
    """What the encoder alone recognised beside what was said.

    After the knowledge conflicts between cognition and perception of multimodal LLMs (C&P conflicts). Our reading:
    perception is the encoder's best class that belongs to an option, cognition is the free-text answer.
    """
    made = []
    for condition in (condition for condition in CONDITIONS.values() if condition.made):
        for ask in condition.asks:
            made += _fine(view, view.of(condition.id, ask), SENSE[ask], condition.title)
    for condition in ("aligned", "swap"):
        for ask, sense in (("see", PICTURE), ("hear", SOUND)):
            made += _perceived(view, view.of(condition, ask), sense, f"{CONDITIONS[condition].title}, {ask}")
    return made


def _fine(view: _View, samples: list[Sample], sense: str, detail: str) -> list[Measure]:
    """Of questions that a clip was made for: what a guess and the encoder alone get right."""
    if not samples:
        return []
    guess = sum(1 / len(sample["options"]) for sample in samples) / len(samples)
    right = view.proportion(ALONE, detail, samples, lambda sample: sample["perceived"][sense] == sample["truth"])
    return [view.number(CHANCE, detail, guess, len(samples)), right]


def _perceived(view: _View, samples: list[Sample], sense: str, detail: str) -> list[Measure]:
    def recognised(sample: Sample) -> bool:
        return sample["perceived"].get(sense) == sample["truth"]

    def parted(sample: Sample) -> bool:
        return sample["perceived"][sense] not in names_in(view.answer(sample)["text"], sample["options"])

    told = [sample for sample in samples if sample["perceived"].get(sense)]
    if not told:
        return []
    known = [sample for sample in told if recognised(sample)]
    return [
        view.proportion(ALONE, detail, samples, recognised),
        view.proportion("answer parts from encoder", detail, told, parted),
        view.proportion("recognised, yet not said", detail, known, lambda sample: not view.answer(sample)["correct"]),
    ]


def _matching(view: _View) -> list[Measure]:
    made = []
    for condition in dict.fromkeys(sample["condition"] for sample in view.samples if sample["ask"] == "match"):
        samples = view.of(condition)
        said = [verdict(view.answer(sample)["text"]) for sample in samples]
        found = measures.yes_no([sample["truth"] for sample in samples], said)
        made += [
            view.number(name, CONDITIONS[condition].title, getattr(found, field), found.n)
            for name, field in YES_NO_SCORES.items()
        ]
    return made


def _conflict(view: _View) -> list[Measure]:
    """Whom an answer selects, bias against deafness, and how well a mismatch is detected (see conflicting)."""
    made = []
    for ask in ("see", "hear"):
        samples = view.of("swap", ask)
        chosen, decided = conflicting.selection(samples, view.adapter)
        if decided:
            low, high = measures.wilson(chosen, decided)
            value = chosen / decided
            made.append(Measure(view.pool, "modality selection rate", ask, view.adapter, value, decided, low, high))
        counts = conflicting.cells(samples, view.adapter)
        if total := sum(counts.values()):
            for name, count in counts.items():
                low, high = measures.wilson(count, total)
                detail = f"{ask}: {name}"
                made.append(Measure(view.pool, "heard or said", detail, view.adapter, count / total, total, low, high))
    hits, signals, alarms, noises = conflicting.matching(view.of("match"), view.adapter)
    if signals and noises:
        value = conflicting.detection(hits, signals, alarms, noises)
        made.append(view.number("detection d'", "does the sound match?", value, signals + noises))
    return made
