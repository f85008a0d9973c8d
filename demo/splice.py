"""Cuts, loops, shifts, levels and drowns sound.

Knows mono waveforms at 16 kHz. Does not know clips, labels or files.
"""

from __future__ import annotations

import numpy as np

from models.omni import SAMPLE_RATE

CROSSFADE = 0.05  # s, at both ends of a splice and at the seams of a loop
BLOCK, HOP = round(0.4 * SAMPLE_RATE), round(0.1 * SAMPLE_RATE)  # samples; the blocks of EBU R 128
ABSOLUTE_GATE = -70.0  # dBFS; quieter blocks count as silence
RELATIVE_GATE = -10.0  # dB below the mean of what passed the absolute gate
MAX_GAIN = 20.0  # dB, up or down, when loudness is matched
PEAK = 0.98  # of full scale; no splice is louder
NOISE_LEVEL = -26.0  # dBFS of noise that replaces a silent or missing sound


def loudness(waveform: np.ndarray) -> float:
    """Gated RMS level in dBFS, so that pauses don't count; -inf for silence.

    The gating is that of ITU-R BS.1770-4 (EBU R 128) without its frequency weighting.
    """
    if not len(waveform):
        return -np.inf
    padded = np.pad(waveform.astype(np.float64), (0, max(0, BLOCK - len(waveform))))
    starts = np.arange(0, len(padded) - BLOCK + 1, HOP)
    energy = np.concatenate(([0.0], np.cumsum(padded**2)))
    powers = np.maximum((energy[starts + BLOCK] - energy[starts]) / BLOCK, 0.0)
    powers = powers[powers > _power(ABSOLUTE_GATE)]
    if not len(powers):
        return -np.inf
    powers = powers[powers >= powers.mean() * _power(RELATIVE_GATE)]
    return float(10 * np.log10(powers.mean()))


def matched(waveform: np.ndarray, level: float) -> np.ndarray:
    """The waveform at `level` dBFS loudness, by at most 20 dB, and never clipping. Silence stays as it is."""
    own = loudness(waveform)
    if not (np.isfinite(own) and np.isfinite(level)):
        return waveform.astype(np.float32)
    gain = 10 ** (np.clip(level - own, -MAX_GAIN, MAX_GAIN) / 20)
    peak = float(np.abs(waveform).max())
    return (waveform * min(gain, PEAK / peak)).astype(np.float32)


def looped(waveform: np.ndarray, samples: int) -> np.ndarray:
    """The waveform over and over, with short cross-fades, for `samples` samples; cut if it is longer."""
    if len(waveform) >= samples or not len(waveform):
        return np.pad(waveform[:samples], (0, samples - min(samples, len(waveform))))
    overlap = min(round(CROSSFADE * SAMPLE_RATE), len(waveform) // 2)
    step = len(waveform) - overlap
    fade_in, fade_out = _fades(overlap)
    piece = waveform.astype(np.float32).copy()
    piece[:overlap] *= fade_in
    piece[step:] *= fade_out
    out = np.zeros(samples + len(piece), np.float32)
    for at in range(0, samples, step):
        out[at : at + len(piece)] += piece
    out[:overlap] = waveform[:overlap]  # the very first start needs no fade
    return np.clip(out[:samples], -1.0, 1.0)


def spliced(own: np.ndarray, other: np.ndarray, start: float, end: float) -> np.ndarray:
    """`own` with seconds `start` to `end` replaced by the same seconds of `other`, cross-faded inside that section.

    Both have the same length. No fade is made where the section touches the start or the end of the clip.
    """
    a, b = round(start * SAMPLE_RATE), min(round(end * SAMPLE_RATE), len(own))
    mix = np.zeros(len(own), np.float32)  # share of `other`: 0..1 in angle, so that power stays constant
    mix[a:b] = 1.0
    ramp = np.linspace(0, 1, min(round(CROSSFADE * SAMPLE_RATE), (b - a) // 2), endpoint=False, dtype=np.float32)
    if a > 0:
        mix[a : a + len(ramp)] = ramp
    if b < len(own):
        mix[b - len(ramp) : b] = ramp[::-1]
    both = own * np.cos(mix * np.pi / 2) + other * np.sin(mix * np.pi / 2)
    both[mix == 1] = other[mix == 1]
    return np.clip(both, -1.0, 1.0).astype(np.float32)


def shifted(waveform: np.ndarray, seconds: float) -> np.ndarray:
    """The waveform `seconds` later (negative: earlier), same length, silence where nothing is left."""
    samples = round(seconds * SAMPLE_RATE)
    out = np.zeros_like(waveform)
    if samples >= 0:
        out[samples:] = waveform[: len(waveform) - samples]
    else:
        out[:samples] = waveform[-samples:]
    return out


def white_noise(samples: int, level: float, rng: np.random.Generator) -> np.ndarray:
    """White noise at `level` dBFS (at -26 dBFS if that is -inf), at most -12 dBFS."""
    level = min(level if np.isfinite(level) else NOISE_LEVEL, -12.0)
    noise = rng.standard_normal(samples).astype(np.float32) * 10 ** (level / 20)
    return np.clip(noise, -PEAK, PEAK)


def with_noise(waveform: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """The waveform with white noise at a signal-to-noise ratio of `snr` dB (power over the whole clip).

    The mix is scaled down where it would clip, which keeps the ratio. Around silence the noise is at -26 dBFS.
    """
    power = float(np.mean(waveform.astype(np.float64) ** 2))
    spread = np.sqrt(power / _power(snr)) if power > 0 else 10 ** (NOISE_LEVEL / 20)
    mix = waveform + rng.standard_normal(len(waveform)) * spread
    return (mix * min(1.0, PEAK / np.abs(mix).max())).astype(np.float32)


def _power(decibel: float) -> float:
    return 10 ** (decibel / 10)


def _fades(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Rising and falling half of a cross-fade with constant power."""
    angle = np.linspace(0, np.pi / 2, samples, endpoint=False, dtype=np.float32)
    return np.sin(angle), np.cos(angle)
