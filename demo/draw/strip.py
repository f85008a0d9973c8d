"""A clip at a glance: its thumbnail, a row of its frames, the outline of its sound.

Knows pixels and samples. Does not know where a clip came from or what is shown beside it.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

THUMBNAIL = (160, 90)  # pixels
CELL = (96, 54)  # pixels of one frame in the row
CELLS = 12
BINS = 240  # stretches whose loudest sample the outline shows


def thumbnail(frames: np.ndarray) -> bytes:
    """The middle one of T x H x W x 3 uint8 frames as a jpeg of 160 x 90, cut to fill it; b"" if T is 0."""
    return _jpeg(_filled(frames[len(frames) // 2], THUMBNAIL)) if len(frames) else b""


def film(frames: np.ndarray) -> bytes:
    """Twelve frames at equal distances side by side, as a jpeg of 1152 x 54; b"" without frames."""
    if not len(frames):
        return b""
    chosen = ((np.arange(CELLS) + 0.5) * len(frames) / CELLS).astype(int)
    return _jpeg(np.concatenate([_filled(frames[at], CELL) for at in chosen], axis=1))


def picture_at(film_: bytes, share: float) -> bytes:
    """The frame at a share (0..1) of a row of frames as `film` gives it, as a jpeg; b"" if there is none."""
    if not film_:
        return b""
    at = min(CELLS - 1, max(0, int(share * CELLS)))
    with Image.open(io.BytesIO(film_)) as row:
        return _jpeg(np.asarray(row.crop((at * CELL[0], 0, (at + 1) * CELL[0], CELL[1]))))


def peaks(waveform: np.ndarray | None) -> tuple[float, ...]:
    """The loudest sample (0..1, against the loudest of all) of up to 240 equal stretches; () without a sound."""
    if waveform is None or not len(waveform):
        return ()
    loud = np.array([np.abs(part).max() for part in np.array_split(waveform, min(BINS, len(waveform)))])
    return tuple(np.round(loud / max(float(loud.max()), 1e-4), 3).tolist())


def outline(levels: tuple[float, ...], colour: str = "currentColor") -> str:
    """The outline of a sound as an svg that fills its box; "" without a sound."""
    if not levels:
        return ""
    path = "".join(
        f"M{at + 0.5} {50 - 48 * level - 1:.1f}V{50 + 48 * level + 1:.1f}" for at, level in enumerate(levels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(levels)} 100" preserveAspectRatio="none">'
        f'<path d="{path}" stroke="{colour}" stroke-width="0.8"/></svg>'
    )


def opened(jpeg: bytes) -> Image.Image:
    """A picture made here, to be drawn elsewhere."""
    return Image.open(io.BytesIO(jpeg))


def _filled(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The frame's middle, scaled to fill width x height."""
    return np.asarray(ImageOps.fit(Image.fromarray(frame), size, Image.Resampling.BILINEAR))


def _jpeg(picture: np.ndarray) -> bytes:
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "jpeg", quality=80)
    return written.getvalue()
