"""What a visit costs on a large model with random weights: `python -m models.speed --random NAME` prints it.

Knows a model's answers, clocks and GPU memory. Does not know pages, drawings or how a model is made.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from models.interventions import INTERVENTIONS, Intervention
from models.interventions.intervention import SOUND
from models.omni import ALIGNED, SAMPLE_RATE, McGurkError, Stimulus
from models.pretrained.backend import Pretrained

GIB = 1024**3
WRITTEN = 16  # tokens of an answer
QUESTION = "What do you hear in the audio?"
OTHER = "What do you see in the video?"
OPTIONS = ("dog", "rain", "cello", "church bell", "train", "none of the above")
LAB = (448, 252)  # pixels: what the Lab hands to a model of 1280 x 720


@dataclass(frozen=True)
class Shown:
    """A made clip: seconds, frames a second, width and height in pixels."""

    seconds: int
    fps: float
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.seconds} s of {self.width} x {self.height} at {self.fps:g} fps"

    def stimulus(self, seed: int = 0) -> Stimulus:
        """Moving noise and a noisy tone, another for every seed, so that nothing is remembered."""
        rng = np.random.default_rng(seed)
        count = round(self.seconds * self.fps)
        wall = rng.integers(0, 256, (self.height, self.width, 3), np.uint8)
        frames = np.stack([np.roll(wall, 8 * at, axis=1) for at in range(count)])
        time = np.arange(self.seconds * SAMPLE_RATE) / SAMPLE_RATE
        sound = 0.2 * np.sin(2 * np.pi * 440 * time) + 0.05 * rng.standard_normal(len(time))
        return Stimulus(frames, self.fps, sound.astype(np.float32))


CLIPS = (Shown(10, 2.0, *LAB), Shown(10, 2.0, 504, 504), Shown(10, 8.0, 504, 504), Shown(30, 2.0, 504, 504),
         Shown(60, 2.0, 504, 504))  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line: median seconds, GiB of GPU memory at its height (nan without a GPU), and how often it was timed."""

    clip: str
    tokens: int  # of the prompt
    step: str
    seconds: float
    peak: float
    times: int
    failed: str = ""  # one sentence


class Visit:
    """One model, measured step by step. repeats: timed runs of each step, after one that is not counted."""

    def __init__(self, model: Pretrained, repeats: int = 3):
        self.model, self.repeats, self.seed = model, repeats, 0
        self.gpu = model.device.type == "cuda"

    def rows(self, clips=CLIPS, interventions: bool = True) -> Iterator[Row]:
        """Every clip's answers, then the first clip's under each intervention, one adapter."""
        for clip in clips:
            yield from self.answers(clip)
        if interventions and clips:
            yield from self.steered(clips[0])

    def answers(self, clip: Shown) -> Iterator[Row]:
        """A clip that is new, then another question about it."""
        self._clear()
        given = clip.stimulus()
        try:
            tokens = self._tokens(given)
        except McGurkError as error:
            yield Row(str(clip), 0, "encoded", float("nan"), float("nan"), 0, str(error))
            return
        row = lambda step, work, fresh=False: self._row(clip, tokens, step, work, fresh=fresh)  # noqa: E731
        yield row("picture and sound encoded", lambda s: self.model.encode(s), True)
        yield row("both answers with attention, a new clip", lambda s: self._ask(s, QUESTION), True)
        yield row("both answers with attention, the same clip", lambda s: self._ask(s, OTHER))
        yield row("both answers without attention, the same clip", lambda s: self._ask(s, OTHER, attention=False))
        one = {"adapters": [ALIGNED]}
        yield row("one answer with attention, the same clip", lambda s: self._ask(s, OTHER, **one))

    def steered(self, clip: Shown, repeats: int | None = None, methods=INTERVENTIONS) -> Iterator[Row]:
        """One answer under each intervention (id -> class) with its usual controls, the clip encoded already."""
        self._clear()
        tokens = self._tokens(clip.stimulus())
        for id, method in methods.items():
            usual = method.usual(SOUND, self.model.layers)
            steering = self._at_random(usual)
            work = lambda s, how=steering: self._ask(s, QUESTION, adapters=[ALIGNED], steering=how)  # noqa: E731
            yield self._row(clip, tokens, f"one answer under {id}", work, repeats)

    def answered(self, stimulus: Stimulus) -> dict:
        """Adapter -> Answer with attention, for whoever draws it."""
        return dict(self._ask(stimulus, QUESTION))

    @staticmethod
    def _at_random(usual: Intervention) -> Intervention:
        """Random weights have no sinks but the first token."""
        return replace(usual, source="the first token alone") if usual.id == "sinks" else usual

    def _tokens(self, stimulus: Stimulus) -> int:
        return len(self.model.layout.prompt(self.model.encode(stimulus).media, QUESTION).ids)

    def _ask(self, stimulus: Stimulus, question: str, **how) -> list:
        encoded = self.model.encode(stimulus)
        return list(self.model.answer(encoded, question, OPTIONS, max_new_tokens=WRITTEN, **how))

    def _row(self, clip: Shown, tokens: int, step: str, work: Callable[[Stimulus], object],
             repeats: int | None = None, fresh: bool = False) -> Row:  # fmt: skip
        """Time `work` on the clip. fresh: on one that was never encoded before, each time."""
        repeats = self.repeats if repeats is None else repeats
        self._clear(peak=True)
        taken, known = [], clip.stimulus()
        try:
            for _ in range(repeats + 1):
                self.seed += 1
                given = clip.stimulus(self.seed) if fresh else known
                self._wait()
                started = time.perf_counter()
                work(given)
                self._wait()
                taken.append(time.perf_counter() - started)
        except McGurkError as error:
            return Row(str(clip), tokens, step, float("nan"), float("nan"), 0, str(error))
        peak = torch.cuda.max_memory_allocated(self.model.device) / GIB if self.gpu else float("nan")
        counted = taken[1:] or taken
        return Row(str(clip), tokens, step, statistics.median(counted), peak, len(counted))

    def _clear(self, peak: bool = False) -> None:
        if not peak:
            self.model._shelf.clear()
        if self.gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.model.device)

    def _wait(self) -> None:
        if self.gpu:
            torch.cuda.synchronize(self.model.device)


def line(row: Row) -> str:
    """The row in Markdown."""
    if row.failed:
        return f"| {row.clip} | {row.tokens:,} | {row.step} | {row.failed} | |"
    peak = "" if row.peak != row.peak else f"{row.peak:.2f}"
    return f"| {row.clip} | {row.tokens:,} | {row.step} | {row.seconds:.3f} | {peak} |"


HEAD = "| clip | tokens | step | s | peak GiB |\n|---|---:|---|---:|---:|"
