"""A sound drawn as its spectrogram, with the attention of each adapter beneath on the same seconds.

Knows waveforms and pixels. Does not know models, layers or what the numbers of a map mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo.draw.colours import INK, SOUND, ramp, rgb
from demo.draw.frames import common_scale
from models.omni import SAMPLE_RATE, McGurkError

N_FFT = 1024  # samples: 64 ms, fine enough to tell the harmonics of an instrument
HOP = 160  # samples: 10 ms, lengthened for long sounds so that no more columns are computed than are drawn
N_MELS = 96
MEL_RANGE = (60.0, 7600.0)  # Hz
DYNAMIC_RANGE = 70.0  # dB below the loudest that is still drawn
CONTRAST = 1.5  # exponent on levels of 0..1: quiet hiss steps back behind the sound itself

WIDTH = 1200  # pixels, of the whole picture
LEFT, RIGHT = 104, 16  # pixels beside the plot, for the names of the lanes
SPECTROGRAM = 260  # pixels, its height
LANE, LANE_GAP = 74, 14  # pixels, height of a lane of attention and the room above it
BAND = 20  # pixels, height of a frequency band beneath a lane
AXIS = 40  # pixels below, for the seconds
LETTERS = 24  # pixels; a phone shows the picture at a third of its size
FREQUENCIES = (250, 1000, 4000)  # Hz, marked on the spectrogram
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # s, possible distances of the marks on the axis
MAX_MARKS = 11


@dataclass(frozen=True, eq=False)
class SoundPicture:
    """A picture of a sound, and where in it the seconds lie."""

    image: np.ndarray  # uint8 H x W x 4, RGBA, clear outside the plot
    plot: tuple[float, float, float, float]  # left, top, right, bottom of the plot as shares of the picture
    seconds: float  # what the plot's width stands for

    def position(self, second: float) -> float:
        """Where a moment lies, as a share of the picture's width: for a playhead over it."""
        left, _, right, _ = self.plot
        return left + (right - left) * min(max(second / self.seconds, 0.0), 1.0)


def log_mel(waveform: np.ndarray, *, hop: int = HOP, bands: int = N_MELS) -> np.ndarray:
    """Level of each mel band over time in dB below the loudest, float32 bands x frames, lowest band first.

    waveform: float32 mono 16 kHz. Frame n is centred on sample n x hop. Mel scale of O'Shaughnessy 1987
    (2595 log10(1 + f / 700)), triangular filters.
    """
    padded = np.pad(np.asarray(waveform, np.float32), (N_FFT // 2, N_FFT // 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(N_FFT).astype(np.float32), axis=1)) ** 2
    mel = _mel_filters(bands) @ power.T.astype(np.float32)
    decibels = 10 * np.log10(np.maximum(mel, 1e-10))
    return (decibels - decibels.max()).astype(np.float32)


def sound_picture(
    waveform: np.ndarray | None,
    attention: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    *,
    seconds: float | None = None,
    scale: float | None = None,
    number: str = "{:.1%}",
    bands: Mapping[str, np.ndarray] | None = None,
    width: int = WIDTH,
) -> SoundPicture:
    """The spectrogram, and beneath it one lane for each map of attention.

    waveform: float32 mono 16 kHz, or None for no sound at all. attention: label -> (weights n, spans n x 2 in s), as
    demo.maps.audio_map gives it. seconds: length of the time axis, default that of the waveform; a player's clip may
    be longer. scale: the weight drawn at full height, the same in all lanes; None: the largest that occurs. number:
    how each lane's largest weight is written beside it. bands: label -> (bands x n), the lowest frequencies first, as
    demo.maps.band_map gives it: drawn beneath the lane, the highest on top.
    Raises McGurkError when there is neither sound nor a length.
    """
    lanes = dict(attention or {})
    heard = 0.0 if waveform is None else len(waveform) / SAMPLE_RATE
    seconds = seconds or heard
    if not seconds > 0:
        raise McGurkError("There is no sound to draw: choose a clip with a sound.")
    scale = common_scale(*(weight for weight, _ in lanes.values())) if scale is None else scale
    parts = {label: len(bands[label]) if bands and label in bands else 0 for label in lanes}
    height = SPECTROGRAM + sum(LANE + LANE_GAP + BAND * count for count in parts.values()) + AXIS
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    inner = width - LEFT - RIGHT
    image.paste(Image.fromarray(_spectrogram(waveform, seconds, inner)), (LEFT, 0))
    _mark_frequencies(pen)
    if not heard:
        pen.text((LEFT + inner / 2, SPECTROGRAM / 2), "no sound", font=_font(), fill=(*rgb(INK), 255), anchor="mm")
    top, loudest = SPECTROGRAM, max((float(bands[label].max()) for label in lanes if parts[label]), default=0.0) or 1e-9
    for label, (weight, spans) in lanes.items():
        top += LANE_GAP
        image.paste(Image.fromarray(_lane(weight / scale, spans, seconds, inner)), (LEFT, top))
        for line, at in ((label, 0.28), (number.format(weight.max(initial=0.0)), 0.72)):
            pen.text((LEFT - 12, top + LANE * at), line, font=_font(), fill=(*rgb(INK), 255), anchor="rm")
        top += LANE
        for n in reversed(range(parts[label])):
            image.paste(Image.fromarray(_band(bands[label][n] / loudest, spans, seconds, inner)), (LEFT, top))
            if name := {0: "low", parts[label] - 1: "high"}.get(n):
                pen.text((LEFT - 12, top + BAND / 2), name, font=_font(BAND), fill=(*rgb(INK), 255), anchor="rm")
            top += BAND
    _mark_seconds(pen, seconds, inner, height - AXIS)
    plot = (LEFT / width, 0.0, (LEFT + inner) / width, (height - AXIS) / height)
    return SoundPicture(np.asarray(image), plot, seconds)


@cache
def _mel_filters(bands: int) -> np.ndarray:
    """Triangles on the mel scale, float32 bands x (N_FFT / 2 + 1)."""
    low, high = (2595 * np.log10(1 + edge / 700) for edge in MEL_RANGE)
    edges = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    rising = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def _spectrogram(waveform: np.ndarray | None, seconds: float, width: int) -> np.ndarray:
    """The spectrogram in the sound's colour, uint8 H x W x 3; past its end, and without sound, as dark as silence."""
    table = ramp(SOUND)
    levels = np.zeros((SPECTROGRAM, width), np.float32)
    if waveform is not None and np.any(waveform):
        waveform = waveform[: round(seconds * SAMPLE_RATE)]
        drawn = max(1, min(width, round(width * len(waveform) / SAMPLE_RATE / seconds)))
        mel = log_mel(waveform, hop=max(HOP, len(waveform) // width))
        loud = np.clip(1 + mel[::-1] / DYNAMIC_RANGE, 0, 1) ** CONTRAST
        levels[:, :drawn] = cv2.resize(loud, (drawn, SPECTROGRAM), interpolation=cv2.INTER_LINEAR)
    return table[(levels * 255).astype(np.uint8)]


def _lane(shares: np.ndarray, spans: np.ndarray, seconds: float, width: int) -> np.ndarray:
    """A curve of steps, filled, over a faint ground: uint8 LANE x width x 4."""
    lane = np.empty((LANE, width, 4), np.uint8)
    lane[:] = (*rgb(INK), 36)
    moments = (np.arange(width) + 0.5) / width * seconds
    tall = np.zeros(width)
    for share, (start, end) in zip(np.clip(shares, 0, 1), spans, strict=True):
        tall[(moments >= start) & (moments < end)] = share
    filled = np.arange(LANE, 0, -1)[:, None] <= np.round(tall * LANE)[None]
    opacity = np.broadcast_to(110 + 145 * tall, filled.shape)  # strength twice, as height and as density
    lane[filled, :3] = rgb(SOUND)
    lane[filled, 3] = opacity[filled].astype(np.uint8)
    return lane


def _band(shares: np.ndarray, spans: np.ndarray, seconds: float, width: int) -> np.ndarray:
    """The strength of one band over time, as density: uint8 BAND x width x 4."""
    band = np.empty((BAND, width, 4), np.uint8)
    band[:] = (*rgb(SOUND), 0)
    moments = (np.arange(width) + 0.5) / width * seconds
    for share, (start, end) in zip(np.clip(shares, 0, 1), spans, strict=True):
        band[: BAND - 2, (moments >= start) & (moments < end), 3] = round(20 + 235 * float(share))
    return band


def _mark_frequencies(pen: ImageDraw.ImageDraw) -> None:
    low, high = (np.log10(1 + edge / 700) for edge in MEL_RANGE)
    for frequency in FREQUENCIES:
        y = SPECTROGRAM * (1 - (np.log10(1 + frequency / 700) - low) / (high - low))
        name = f"{frequency // 1000} kHz" if frequency >= 1000 else f"{frequency} Hz"
        pen.text((LEFT - 12, y), name, font=_font(), fill=(*rgb(INK), 255), anchor="rm")
        pen.line((LEFT - 6, y, LEFT, y), fill=(*rgb(INK), 255), width=2)


def _mark_seconds(pen: ImageDraw.ImageDraw, seconds: float, width: int, top: int) -> None:
    step = next((step for step in STEPS if seconds / step < MAX_MARKS), STEPS[-1])
    for mark in np.arange(0, seconds + step / 100, step):
        x = LEFT + width * mark / seconds
        pen.line((x, top, x, top + 8), fill=(*rgb(INK), 255), width=2)
        name = f"{mark:g} s" if mark == 0 else f"{mark:g}"
        pen.text((min(x, LEFT + width - 8), top + 10), name, font=_font(), fill=(*rgb(INK), 255), anchor="ma")


@cache
def _font(size: int = LETTERS) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
