"""Runs the bench: plans, asks what is still open, keeps every sample, writes the tables; a page can watch and stop it.

Knows the order of things. Does not know formulas, pages or how a model works.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.bench import report, store
from demo.bench.asking import ask, pose, unasked
from demo.bench.benchmarks import AVHBench, is_benchmark, open_benchmark
from demo.bench.conditions import SETS, chosen
from demo.bench.material import Material, open_material
from demo.bench.own import OwnClips, is_own
from demo.bench.sampling import Case, cases
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
    out = Path(config.out)
    material, planned = plan(config)
    try:
        with store.locked(out):
            store.settle_config(out, _settings(config), _about(material))
        yield from _ask_all(config, material, planned, model)
        with store.locked(out):
            yield _finish(out, material, planned)
    except OSError as error:
        raise McGurkError(
            f"{config.out} can't be written to ({error.strerror or error}): make room and run again, "
            "what is done is kept."
        ) from error


def _ask_all(config: Config, material: Material, planned: list[Case], model: OmniModel | None) -> Iterator[Progress]:
    out, (shard, shards) = Path(config.out), config.shard
    mine = [case for case in planned if case.index % shards == shard - 1]
    with store.Store(out, config.shard) as kept:
        known = store.read_samples(out)
        open_cases = [case for case in mine if case.key not in known]
        done, skipped = len(mine) - len(open_cases), tuple(material.skipped)
        yield Progress(done, len(mine), skipped=skipped)
        if not open_cases:
            return
        if model is None:
            _take_own_gpu()
            model = registry.load_model(config.model)
        material.read_for(model)
        bench = _Bench(config, material, model)
        for asked, case in enumerate(open_cases, 1):
            sample = bench.sample(case)
            kept.append(sample)
            if "skipped" in sample and (found := (sample["clip"], sample["skipped"])) not in skipped:
                skipped = (*skipped, found)
            yield Progress(
                done + asked, len(mine), sample, sum(bench.timing.values()), asked, skipped, None, dict(bench.timing)
            )


class _Bench:
    """Asks case after case; keeps the last stimulus and its encoding, which the next case often shares."""

    def __init__(self, config: Config, material: Material, model: OmniModel):
        self.config, self.material, self.model = config, material, model
        self.timing = {"reading": 0.0, "encoding": 0.0, "answering": 0.0}
        self._stimuli: dict[tuple, Any] = {}
        self._encoded: tuple[Any, Any] = (None, None)

    def sample(self, case: Case) -> dict[str, Any]:
        """The sample of a case, or why it could not be asked."""
        started = time.perf_counter()
        try:
            labels_only = self.config.options_from == LABELS
            posed = pose(case, self.material, self.config.options, self._stimuli, labels_only)
            read = time.perf_counter()
            if self._encoded[0] is not posed.stimulus:
                self._encoded = (posed.stimulus, self.model.encode(posed.stimulus))
            encoded = time.perf_counter()
            sample = ask(
                posed,
                self._encoded[1],
                self.model,
                self.model.adapters,
                attention=self.config.attention and self.model.can_look_inside,
                classes=self.material.classes,
            )
        except McGurkError as error:
            return unasked(case, str(error))
        ended = time.perf_counter()
        for name, seconds in zip(self.timing, (read - started, encoded - read, ended - encoded), strict=True):
            self.timing[name] += seconds
        return sample


def _finish(out: Path, material: Material, planned: list[Case]) -> Progress:
    """Merge the shards and write the tables if nothing is missing in any of them."""
    samples = store.read_samples(out)
    keys = [case.key for case in planned]
    done = sum(key in samples for key in keys)
    if done < len(keys):
        return Progress(done, len(keys), skipped=tuple(material.skipped))
    store.merge(out, dict.fromkeys([*keys, *samples]), samples)
    ordered = [samples[key] for key in keys]
    bad = {(sample["clip"], sample["skipped"]): None for sample in ordered if "skipped" in sample}
    if len([sample for sample in ordered if "skipped" not in sample]) == 0:
        reasons = "; ".join(f"{clip}: {reason}" for clip, reason in list(bad)[:3])
        raise McGurkError(f"Nothing was left to ask, every clip was skipped: {reasons}")
    skipped = (*material.skipped, *bad)
    tables = report.write(out, ordered, skipped)
    return Progress(done, len(keys), skipped=skipped, tables=tables)


def shard_of(text: str = "") -> tuple[int, int]:
    """(i, n) of "i/n"; without it what `accelerate launch` says (RANK, WORLD_SIZE), else (1, 1). Raises McGurkError."""
    if text:
        place, _, count = text.partition("/")
        if not (place.isdecimal() and count.isdecimal() and 1 <= int(place) <= int(count)):
            raise McGurkError(f"The shard {text!r} must be written i/n with i from 1 to n, such as 1/2.")
        return int(place), int(count)
    try:
        rank, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError:
        return 1, 1
    return (rank + 1, count) if 0 <= rank < count else (1, 1)


def _take_own_gpu() -> None:
    """Under a launcher, each process on a machine works on a GPU of its own."""
    rank = os.environ.get("LOCAL_RANK", "")
    if rank.isdecimal():
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(int(rank) % torch.cuda.device_count())


def _settings(config: Config) -> dict[str, Any]:
    return {
        "model": config.model,
        "clips": str(config.clips),
        "split": config.split,
        "seed": config.seed,
        "options": config.options,
        **({"options_from": config.options_from} if config.options_from != VOCABULARY else {}),
        "attention": config.attention,
        "conditions": list(config.conditions),
        "questions": config.questions,
        "held_out_questions": config.asked_of_held_out,
    }


def _about(material: Material) -> dict[str, Any]:
    return {
        "labels": list(material.labels),
        "skipped": [list(pair) for pair in material.skipped],
        "machine": {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()},
    }
