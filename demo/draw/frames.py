"""Attention drawn on frames: heat over the picture, and strips of frames to compare.

Knows pixels. Does not know models, layers or what the numbers of a map mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo.draw.colours import INK, SIGHT, ramp, rgb
from models.omni import McGurkError

STRENGTH = 0.9  # opacity of the strongest heat
DIM = 0.7  # brightness that is left of a picture where there is no attention
COLOUR_LEFT = 0.35  # saturation that is left of a picture under a map: a blue sky must not pass for attention
OUTLINE = 0.5  # of full strength: where the line around the heat runs
OUTLINE_RGB = (235, 245, 255)
DARKEST, LIGHTEST = 0.35, 0.86  # OKLab lightness of the weakest and the strongest heat
TILE = 220  # pixels, width of a frame in a strip
GAP = 8  # pixels between frames
LETTERS = 22  # pixels, size of the lettering on strips
HEAT_QUANTILE = 0.995  # of the places: one outlier must not make everything else look cold


def common_scale(*maps: np.ndarray) -> float:
    """The value to draw at full strength so that all these maps (any shapes) can be compared; at least a tiny bit."""
    values = np.concatenate([np.ravel(one) for one in maps]) if maps else np.zeros(0)
    return max(float(np.quantile(values, HEAT_QUANTILE)) if values.size else 0.0, 1e-9)


def step_of_frames(frames: int, fps: float, frame_times: np.ndarray) -> np.ndarray:
    """For each frame the index of the time step that it belongs to: the last that has started."""
    when = np.arange(frames) / fps
    return np.clip(np.searchsorted(frame_times, when + 1e-6, side="right") - 1, 0, max(len(frame_times) - 1, 0))


def overlay(
    frames: np.ndarray,
    heat: np.ndarray,
    *,
    scale: float | None = None,
    steps: Sequence[int] | np.ndarray | None = None,
    colour: str = SIGHT,
    strength: float = STRENGTH,
) -> np.ndarray:
    """Heat over frames, uint8 T x H x W x 3 RGB.

    frames: uint8 T x H x W x 3. heat: times x rows x columns, 0 and more. scale: the value drawn at full strength,
    the same for every frame (see common_scale); None: that of this map. steps: the time index of each frame, default
    evenly spread. The picture is dimmed and greyed; the more attention, the brighter and denser the heat; a line runs
    where it reaches half of full strength.
    Raises McGurkError when there is no picture, or the map has no place.
    """
    if frames is None or not len(frames) or not heat.size:
        raise McGurkError("There is no picture to draw attention on: choose a clip with a picture.")
    scale = common_scale(heat) if scale is None else scale
    steps = np.arange(len(frames)) * len(heat) // len(frames) if steps is None else steps
    height, width = frames.shape[1:3]
    kept, added = _heat_tables(colour, strength)
    levels = {step: _levels(heat[step], scale, (width, height)) for step in set(np.asarray(steps).tolist())}
    painted = np.empty_like(frames)
    for frame, step, out in zip(frames, steps, painted, strict=True):
        level = levels[int(step)]
        dimmed = cv2.multiply(_greyed(frame), cv2.applyColorMap(level, kept), scale=1 / 255)
        cv2.add(dimmed, cv2.applyColorMap(level, added), dst=out)
        edges, _ = cv2.findContours((level >= OUTLINE * 255).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(out, edges, -1, OUTLINE_RGB, max(1, width // 300), cv2.LINE_AA)
    return painted


def thumbnail(frame: np.ndarray, width: int) -> np.ndarray:
    """A frame, uint8 H x W x 3, made so wide."""
    return cv2.resize(
        frame, (width, max(1, round(frame.shape[0] * width / frame.shape[1]))), interpolation=cv2.INTER_AREA
    )


def _greyed(frame: np.ndarray) -> np.ndarray:
    """A frame with less colour."""
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(frame, COLOUR_LEFT, grey, 1 - COLOUR_LEFT, 0)


def _levels(heat: np.ndarray, scale: float, size: tuple[int, int]) -> np.ndarray:
    """One step's heat as smooth levels 0..255 in the size (width, height) of the frames."""
    levels = np.clip(heat / scale, 0, 1).astype(np.float32)
    smooth = cv2.resize(levels, size, interpolation=cv2.INTER_CUBIC)
    return (np.clip(smooth, 0, 1) * 255).astype(np.uint8)


def _heat_tables(colour: str, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """For each level how much of a pixel is kept (of 255), and what is added to it: uint8, 256 x 1 x 3 each."""
    value = np.linspace(0, 1, 256)[:, None]
    alpha = strength * value
    kept = (1 - alpha) * (DIM + (1 - DIM) * value) * np.ones(3)
    added = ramp(colour, darkest=DARKEST, lightest=LIGHTEST) / 255 * alpha
    return tuple(np.round(table * 255).astype(np.uint8)[:, None] for table in (kept, added))


def strip(
    rows: Mapping[str, np.ndarray], times: Sequence[float] | np.ndarray, *, tile: int = TILE, columns: int = 8
) -> np.ndarray:
    """A contact sheet: one row of frames above the other, uint8 H x W x 4 RGBA on a clear ground.

    rows: label -> uint8 T x H x W x 3, the same T for all, e.g. {"before": ..., "after": ...}. times: seconds of the
    T frames, written above them. More frames than `columns` are thinned out evenly.
    """
    count = len(times)
    chosen = np.unique(np.linspace(0, count - 1, min(columns, count)).round().astype(int))
    first = next(iter(rows.values()))
    size = (tile, max(1, round(first.shape[1] * tile / first.shape[2])))
    line = LETTERS + 12
    width = len(chosen) * (tile + GAP) - GAP
    sheet = Image.new("RGBA", (width, line + len(rows) * (line + size[1] + GAP) - GAP), (0, 0, 0, 0))
    pen = ImageDraw.Draw(sheet)
    for column, frame in enumerate(chosen):
        _write(pen, (column * (tile + GAP), 0), f"{times[frame]:.1f} s")
    for row, (label, frames) in enumerate(rows.items()):
        top = line + row * (line + size[1] + GAP)
        _write(pen, (0, top), label, bold=True)
        for column, frame in enumerate(chosen):
            small = cv2.resize(frames[frame], size, interpolation=cv2.INTER_AREA)
            sheet.paste(Image.fromarray(small), (column * (tile + GAP), top + line))
    return np.asarray(sheet)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, *, bold: bool = False) -> None:
    font = ImageFont.load_default(LETTERS)
    pen.text((at[0], at[1] + 2), text, font=font, fill=(*rgb(INK), 255), stroke_width=0.6 if bold else 0)
