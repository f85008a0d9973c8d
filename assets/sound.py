"""Turns a recording into the sound of a clip: cut, repeated with pauses as in nature, faded, peak at -1 dB.

Knows samples and seconds. Does not know origins, pictures or encoding.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe

from models.omni import McGurkError

RATE = 44_100  # Hz
PEAK = 10 ** (-1 / 20)
QUIET = 10 ** (-40 / 20)  # below the recording's peak: trimmed at both ends of a call
CROSS = 0.5  # s, cross-fade where an ambience repeats


@dataclass(frozen=True)
class Call:
    """A short recording, placed at `times` (s); in between is silence. `start`, `end`: which part of it (s)."""

    times: tuple[float, ...]
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Stretch:
    """A long recording from `start` (s) on; repeated with a cross-fade if it is shorter than the clip."""

    start: float = 0.0
    end: float | None = None
    fade: float = 0.3  # s, at both ends


def waveform(path: Path, style: Call | Stretch, seconds: float) -> np.ndarray:
    """Float32 mono at RATE, `seconds` long, peak at -1 dB. Raises McGurkError if the recording is silent."""
    whole = _read(path)[round(style.start * RATE) : None if style.end is None else round(style.end * RATE)]
    if not len(whole) or np.abs(whole).max() < 1e-4:
        raise McGurkError(f"The recording {path.name} is silent there.")
    length = round(seconds * RATE)
    mixed = _calls(whole, style, length) if isinstance(style, Call) else _stretch(whole, style, length)
    return (mixed * (PEAK / np.abs(mixed).max())).astype(np.float32)


def _read(path: Path) -> np.ndarray:
    decode = [get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    command = [*decode, "-vn", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


def _calls(call: np.ndarray, style: Call, length: int) -> np.ndarray:
    loud = np.flatnonzero(np.abs(call) > QUIET * np.abs(call).max())
    call = _faded(call[loud[0] : loud[-1] + 1], 0.005, 0.03)
    mixed = np.zeros(length, np.float32)
    for i, time in enumerate(style.times):
        at = round(time * RATE)
        piece = call[: length - at] * (1.0 if i % 2 == 0 else 0.85)  # no two calls are equally loud
        mixed[at : at + len(piece)] += piece
    return _faded(mixed, 0.0, 0.15)


def _stretch(whole: np.ndarray, style: Stretch, length: int) -> np.ndarray:
    mixed = whole
    cross = round(min(CROSS, len(whole) / RATE / 4) * RATE)
    rise = np.sin(np.linspace(0, np.pi / 2, cross, dtype=np.float32))  # equal power
    while len(mixed) < length:
        seam = mixed[-cross:] * rise[::-1] + whole[:cross] * rise
        mixed = np.concatenate([mixed[:-cross], seam, whole[cross:]])
    return _faded(mixed[:length], style.fade, style.fade)


def _faded(samples: np.ndarray, into: float, out: float) -> np.ndarray:
    faded = samples.copy()
    for seconds, part in ((into, slice(None)), (out, slice(None, None, -1))):
        ramp = min(round(seconds * RATE), len(faded))
        faded[part][:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)
    return faded
