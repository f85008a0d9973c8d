"""HDR pictures made fit for a screen: PQ and HLG in BT.2020 -> gamma 2.4 in BT.709.

Knows the curves of ITU-R BT.2100 (PQ, HLG and its system gamma), the tone mapping of ITU-R BT.2390-10 section 5.4 and
the primaries of BT.2020 and BT.709. Does not know files or frames.

White of a page or a face, 203 nits (ITU-R BT.2408), becomes the screen's brightest; light above it is compressed and
content is taken to have a peak of 1,000 nits, as phones record it.
"""

from __future__ import annotations

from functools import cache

import numpy as np

PQ, HLG = 16, 18  # numbers of the transfer curves in ISO/IEC 23091-2
WHITE, PEAK = 203.0, 1000.0  # nits
STEPS = 65536
# BT.2087: linear BT.2020 -> linear BT.709
TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)


def toned(codes: np.ndarray, curve: int) -> np.ndarray:
    """uint16 H x W x 3, full-range R'G'B' of BT.2020 in PQ or HLG -> uint8 H x W x 3 for a screen of BT.709."""
    light = _to_light(curve)[codes]  # of PEAK
    if curve == HLG:
        luma = np.clip(light @ LUMA_2020, 1e-6, 1.0)
        light *= (luma**0.2)[..., None]  # the system gamma of 1.2 at 1,000 nits
    brightest = np.minimum(light.max(axis=-1), 1.0)
    light *= _gain()[(brightest * (STEPS - 1)).astype(np.uint16)][..., None]
    light = light @ TO_709.T
    np.clip(light, 0.0, 1.0, out=light)
    return _to_screen()[(light * (STEPS - 1)).astype(np.uint16)]


def pq_code(nits: np.ndarray) -> np.ndarray:
    """Light in nits -> PQ signal 0..1 (BT.2100 table 4)."""
    y = (np.asarray(nits, np.float64) / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def pq_light(code: np.ndarray) -> np.ndarray:
    """PQ signal 0..1 -> light in nits (BT.2100 table 4)."""
    root = np.asarray(code, np.float64) ** (32 / 2523)
    return 10000 * (np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16384 / 2610)


def hlg_light(code: np.ndarray) -> np.ndarray:
    """HLG signal 0..1 -> light of the scene 0..1 (BT.2100 table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    code = np.asarray(code, np.float64)
    return np.where(code <= 0.5, code**2 / 3, (np.exp((np.maximum(code, 0.5) - c) / a) + b) / 12)


def compressed(nits: np.ndarray) -> np.ndarray:
    """Light up to PEAK -> light up to WHITE by the spline of BT.2390; what is dark stays as it is."""
    top = pq_code(PEAK)
    signal, brightest = pq_code(nits) / top, pq_code(WHITE) / top
    knee = 1.5 * brightest - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * brightest
    return pq_light(np.where(signal < knee, signal, spline) * top)


@cache
def _to_light(curve: int) -> np.ndarray:
    """Share of PEAK for each of 65,536 codes; PQ light above PEAK counts as PEAK."""
    code = np.linspace(0, 1, STEPS)
    light = np.minimum(pq_light(code) / PEAK, 1.0) if curve == PQ else hlg_light(code)
    return light.astype(np.float32)


@cache
def _gain() -> np.ndarray:
    """What the brightest channel (0..1 of PEAK) asks a pixel to be multiplied with; the result is a share of WHITE."""
    nits = np.linspace(0, PEAK, STEPS)[1:]
    gain = compressed(nits) / nits * PEAK / WHITE
    return np.concatenate((gain[:1], gain)).astype(np.float32)


@cache
def _to_screen() -> np.ndarray:
    """Linear light 0..1 -> uint8 for a screen of gamma 2.4 (BT.1886)."""
    return np.round(255 * np.linspace(0, 1, STEPS) ** (1 / 2.4)).astype(np.uint8)
