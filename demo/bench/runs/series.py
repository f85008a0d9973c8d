"""The cases of a run in turn: what is still open is asked and kept, by one process or by several at once.

Knows the run's folder, shards, and the loading of a model. Does not know what a case is asked, or what is counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from demo.bench.cases.asking import Posed, Sample, pose, unasked
from demo.bench.cases.material import Material
from demo.bench.cases.sampling import Case
from demo.bench.runs import store
from models import registry
from models.omni import McGurkError, OmniModel

Made = TypeVar("Made")


@dataclass(eq=False)
class Series:
    """What a run asks, and how far this process has come with its part."""

    material: Material
    planned: Sequence[Case]  # of every shard
    settings: dict[str, Any]  # all that the run depends on; a folder holds one run
    out: Path | None  # None: nothing is kept
    shard: tuple[int, int] = (1, 1)  # process i of n, from 1
    options: int = 8  # names offered, before "none of the above"
    labels_only: bool = False  # whether they are names of the material alone
    insides: bool = False  # whether only a model that can be reached into can be asked
    about: dict[str, Any] = field(default_factory=dict)  # kept beside the settings, never compared
    asked: int = 0  # in this process
    timing: dict[str, float] = field(default_factory=lambda: {"reading": 0.0, "encoding": 0.0, "answering": 0.0})  # s

    def known(self) -> dict[str, Sample]:
        """What every shard has done so far, by key."""
        return store.read_samples(self.out) if self.out else {}

    def ask(
        self, measure: Callable[[OmniModel, Posed, Any], Sample], model: OmniModel | None = None
    ) -> Iterator[tuple[int, int, Sample | None]]:
        """Yield (done, total, newest sample) of this process's shard, first (done before, total, None).

        measure: makes the sample of a posed question whose stimulus is encoded already; where that raises McGurkError,
        the sample says why the case was left out. model: a loaded one, else the one that the settings name is loaded
        when there is something to ask. Closing the generator keeps what is done; asking again goes on from there.
        Raises McGurkError if the folder holds another run or can't be written to, or the model has no insides.
        """
        shard, shards = self.shard
        mine = [case for case in self.planned if case.index % shards == shard - 1]
        with _writing(self.out), ExitStack() as stack:
            kept = None
            if self.out:
                with store.locked(self.out):
                    skipped = [list(pair) for pair in self.material.skipped]
                    store.settle_config(self.out, self.settings, {"skipped": skipped, **self.about})
                kept = stack.enter_context(store.Store(self.out, self.shard))
            known = self.known()
            left = [case for case in mine if case.key not in known]
            done = len(mine) - len(left)
            yield done, len(mine), None
            if not left:
                return
            model = model or _load(self.settings["model"])
            if self.insides:
                model.require_insides()
            self.material.read_for(model)
            for sample in self._samples(left, measure, model):
                if kept:
                    kept.append(sample)
                yield done + self.asked, len(mine), sample

    def finish(self, write: Callable[[list[Sample], bool], Made]) -> Made:
        """Hand write() what all shards have done, in the planned order, and whether that is everything.

        The shards' files become one once everything is there. One process at a time; the last to finish has all.
        """
        with _writing(self.out), store.locked(self.out):
            samples, keys = self.known(), [case.key for case in self.planned]
            whole = all(key in samples for key in keys)
            if whole:
                store.merge(self.out, dict.fromkeys([*keys, *samples]), samples)
            return write([samples[key] for key in keys if key in samples], whole)

    def _samples(self, cases: Sequence[Case], measure, model: OmniModel) -> Iterator[Sample]:
        """The sample of each case, or why it could not be asked; the next case often shares the stimulus."""
        stimuli: dict[tuple, Any] = {}
        stimulus = encoding = None
        for case in cases:
            started = time.perf_counter()
            try:
                posed = pose(case, self.material, self.options, stimuli, self.labels_only)
                read = time.perf_counter()
                if stimulus is not posed.stimulus:
                    encoding, stimulus = model.encode(posed.stimulus), posed.stimulus
                encoded = time.perf_counter()
                sample = measure(model, posed, encoding)
                spent = (read - started, encoded - read, time.perf_counter() - encoded)
                for name, seconds in zip(self.timing, spent, strict=True):
                    self.timing[name] += seconds
            except McGurkError as error:
                sample = unasked(case, str(error))
            self.asked += 1
            yield sample


def settings_of(config: Any, bench: str = "", **more: Any) -> dict[str, Any]:
    """What every run depends on, as it is kept in its folder, and what this kind of run depends on besides."""
    kind = {"bench": bench} if bench else {}
    shared = {"model": config.model, "clips": str(config.clips), "split": config.split, "seed": config.seed}
    return kind | shared | more


def samples_of(out: str | Path, bench: str) -> list[Sample]:
    """What a run of `bench` ("interventions", "curves") has so far, by key. Raises McGurkError for any other folder."""
    folder = Path(out)
    if store.read_config(folder).get("settings", {}).get("bench") != bench:
        raise McGurkError(f"There is no run of {bench} in {str(out)!r}: make one with `bench {bench}`.")
    found = store.read_samples(folder)
    return [found[key] for key in sorted(found)]


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


def _load(name: str) -> OmniModel:
    """Under a launcher, each process on a machine works on a GPU of its own."""
    rank = os.environ.get("LOCAL_RANK", "")
    if rank.isdecimal():
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(int(rank) % torch.cuda.device_count())
    return registry.load_model(name)


@contextmanager
def _writing(out: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise McGurkError(
            f"{out} can't be written to ({error.strerror or error}): make room and run again, what is done is kept."
        ) from error
