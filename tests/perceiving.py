"""The fake model with encoders: it recognises stand-in clips by their colour and their pitch, labels aside.

Knows which colours and pitches the stand-in gallery has. Does not know how a real encoder works.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, fields, replace

import numpy as np

from models.fake import FakeModel
from models.omni import SAMPLE_RATE, Stimulus

RED = {"dog": 20, "cello": 80, "rain": 140, "cat": 200}  # of 255, in the pictures of tests.serving
PITCH = {"dog": 200, "cello": 500, "rain": 800, "cat": 1100}  # Hz, in their sounds


@dataclass(frozen=True, eq=False)
class Perceived(Stimulus):
    """A stimulus with what was recognised in it: "picture", "sound" -> (name, score), best first."""

    perceived: dict = field(default_factory=dict)


class PerceivingModel(FakeModel):
    """Names the nearest colour and pitch, and believes it where nobody told it otherwise."""

    def encode(self, stimulus: Stimulus) -> Perceived:
        given = {one.name: getattr(stimulus, one.name) for one in fields(Stimulus)}
        seen = [] if stimulus.frames is None else nearest(float(stimulus.frames[..., 0].mean()), RED, 60)
        sounding = stimulus.waveform is not None and np.abs(stimulus.waveform).max() > 1e-3
        heard = nearest(pitch(stimulus.waveform), PITCH, 300) if sounding else []
        return Perceived(**given, perceived={"picture": seen, "sound": heard})

    def answer(self, encoded: Perceived, *args, **how):
        best = {sense: named[0][0] if named else None for sense, named in encoded.perceived.items()}
        believed = replace(encoded, seen=encoded.seen or best["picture"], heard=encoded.heard or best["sound"])
        yield from super().answer(believed, *args, **how)


def nearest(value: float, known: dict[str, float], width: float) -> list[tuple[str, float]]:
    """(name, score) of the known values, the nearest first."""
    scored = [(name, float(np.exp(-(((value - at) / width) ** 2)))) for name, at in known.items()]
    return sorted(scored, key=lambda pair: -pair[1])


def pitch(waveform: np.ndarray) -> float:
    """Hz of the strongest partial."""
    return float(np.argmax(np.abs(np.fft.rfft(waveform))) * SAMPLE_RATE / len(waveform))


def moved(model, encoded, question, kind, adapters=None):
    """Grids of heads of the fake model, made up from names: it has no outputs that could move."""
    seed = {name: zlib.crc32(f"{name} {kind} {question}".encode()) for name in adapters or model.adapters}
    return {name: np.random.default_rng(at).random((model.layers, model.heads)) for name, at in seed.items()}
