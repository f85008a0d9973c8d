"""Runs the bench: plans, has every question asked, writes the tables; a page can watch and stop it.

Knows the order of things. Does not know formulas, pages, how a model works, or how a run goes on (series).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.bench.cases.asking import Posed, ask
from demo.bench.cases.conditions import SETS, chosen
from demo.bench.cases.material import Material, open_material
from demo.bench.cases.own import OwnClips, is_own
from demo.bench.cases.sampling import Case, cases
from demo.bench.results import report
from demo.bench.results.benchmarks import AVHBench, is_benchmark, open_benchmark
from demo.bench.runs.series import Series, settings_of
from models import registry
from models.omni import McGurkError, OmniModel

QUESTIONS = 400  # a condition, unless told otherwise
VOCABULARY, LABELS = "vocabulary", "labels"  # where wrong options come from


@dataclass(frozen=True)
class Config:
    """Everything a run depends on. Checked when it is made (McGurkError)."""

    clips: str  # folder with clips.csv, manifest.csv or AVHBench's files, or a JSON list of labelled videos
    out: str  # folder of the run
    model: str = "mini"
    conditions: tuple[str, ...] = SETS["quality"]
    questions: int = QUESTIONS  # a condition, half of them about the picture and half about the sound
    held_out_questions: int | None = None  # a condition, on concepts the model was never trained on; None: a quarter
    seed: int = 0
    split: str = "val"
    options: int = 8  # names offered, before "none of the above"
    options_from: str = VOCABULARY  # "labels": no names but those of the clips are offered
    attention: bool = True  # False: faster, without anything about attention
    shard: tuple[int, int] = (1, 1)  # process i of n, from 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", chosen(self.conditions))
        if self.questions < 1 or (self.held_out_questions or 0) < 0:
            raise McGurkError("Ask at least one question a condition.")
        if not 1 <= self.shard[0] <= self.shard[1]:
            raise McGurkError(f"There is no shard {self.shard[0]}/{self.shard[1]}: give i/n with i from 1 to n.")
        if not 4 <= self.options <= 20:
            raise McGurkError(f"Offer 4 to 20 options, not {self.options}.")
        if self.options_from not in (VOCABULARY, LABELS):
            raise McGurkError(
                f"Options come from the {VOCABULARY} or from the {LABELS}, not from {self.options_from!r}."
            )

    @property
    def asked_of_held_out(self) -> int:
        return self.questions // 4 if self.held_out_questions is None else self.held_out_questions


@dataclass(frozen=True)
class Progress:
    """How far a run has come. `sample`: the newest, None at the start and at the end."""

    done: int
    total: int
    sample: dict[str, Any] | None = None
    seconds: float = 0.0  # spent asking in this process
    asked: int = 0  # questions asked in this process
    skipped: tuple[tuple[str, str], ...] = ()  # (clip, reason)
    tables: report.Tables | None = None  # at the end, once every shard is done
    timing: dict[str, float] = field(default_factory=dict)  # s spent on: reading, encoding, answering

    @property
    def per_minute(self) -> float:
        """Questions a minute, each answered by every adapter."""
        return 60 * self.asked / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate; None before anything was asked."""
        return (self.total - self.done) * self.seconds / self.asked if self.asked else None


def plan(config: Config) -> tuple[Material, list[Case]]:
    """The material of a run and all its cases, of every shard. Raises McGurkError if nothing is left to ask."""
    held_out = registry.entry(config.model).held_out()
    if is_benchmark(Path(config.clips)):
        material = open_benchmark(Path(config.clips))
        if isinstance(material, AVHBench):
            return material, material.own_cases(config.conditions, config.questions, config.seed)
    elif is_own(Path(config.clips)):
        material = OwnClips(Path(config.clips))
        return material, material.own_cases(config.conditions, config.questions, config.seed)
    else:
        material = open_material(config.clips, config.split, held_out)
    planned = cases(
        material,
        config.conditions,
        config.questions,
        held_out=tuple(sorted(held_out)),
        held_out_questions=config.asked_of_held_out,
        seed=config.seed,
    )
    return material, planned


def run(config: Config, model: OmniModel | None = None) -> Iterator[Progress]:
    """Ask everything that the run's folder lacks, yielding after every sample; the last Progress has the tables.

    Closing the generator stops the run and keeps what is done; running it again goes on from there. model: a loaded
    one, else the one that config names is loaded when there is something to ask.
    Raises McGurkError if the folder holds another run, nothing can be asked, or the disk is full.
    """
    material, planned = plan(config)
    series = Series(
        material, planned, _settings(config), Path(config.out), config.shard, config.options,
        config.options_from == LABELS, about=_about(material),
    )  # fmt: skip

    def measure(model: OmniModel, posed: Posed, encoded: Any) -> dict[str, Any]:
        attention = config.attention and model.can_look_inside
        return ask(posed, encoded, model, model.adapters, attention=attention, classes=material.classes)

    skipped = tuple(material.skipped)
    for done, total, sample in series.ask(measure, model):
        if sample and "skipped" in sample and (found := (sample["clip"], sample["skipped"])) not in skipped:
            skipped = (*skipped, found)
        timing = dict(series.timing)
        yield Progress(done, total, sample, sum(timing.values()), series.asked, skipped, None, timing)
    yield series.finish(lambda samples, whole: _finished(series, samples, whole))


def _finished(series: Series, samples: list[dict[str, Any]], whole: bool) -> Progress:
    """Write the tables if nothing is missing in any shard."""
    skipped, total = tuple(series.material.skipped), len(series.planned)
    if not whole:
        return Progress(len(samples), total, skipped=skipped)
    bad = {(sample["clip"], sample["skipped"]): None for sample in samples if "skipped" in sample}
    if all("skipped" in sample for sample in samples):
        reasons = "; ".join(f"{clip}: {reason}" for clip, reason in list(bad)[:3])
        raise McGurkError(f"Nothing was left to ask, every clip was skipped: {reasons}")
    skipped = (*skipped, *bad)
    return Progress(total, total, skipped=skipped, tables=report.write(series.out, samples, skipped))


def _settings(config: Config) -> dict[str, Any]:
    elsewhere = {"options_from": config.options_from} if config.options_from != VOCABULARY else {}
    return settings_of(
        config, options=config.options, **elsewhere, attention=config.attention, conditions=list(config.conditions),
        questions=config.questions, held_out_questions=config.asked_of_held_out,
    )  # fmt: skip


def _about(material: Material) -> dict[str, Any]:
    return {
        "labels": list(material.labels),
        "machine": {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()},
    }
