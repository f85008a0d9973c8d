"""Turns a photograph, a cut-out or a film into the frames of a clip: a slow camera, nothing else moves.

Knows pixels and views. Does not know files' origins, sound or encoding.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from models.omni import McGurkError

Colour = tuple[int, int, int]
Image.MAX_IMAGE_PIXELS = None  # the material is known: wallpapers of 24 megapixels


@dataclass(frozen=True)
class View:
    """What the camera sees: its centre, and its width as a fraction of the widest view of the clip's aspect."""

    x: float = 0.5
    y: float = 0.5
    width: float = 1.0


@dataclass(frozen=True)
class Move:
    """A slow move of the camera between two views, easing in and out."""

    start: View = View()
    end: View = View(width=0.86)

    def at(self, t: float) -> View:
        """The view at t in 0..1."""
        e = 0.5 - 0.5 * np.cos(np.pi * t)
        a, b = self.start, self.end
        return View(a.x + (b.x - a.x) * e, a.y + (b.y - a.y) * e, a.width * (b.width / a.width) ** e)


@dataclass(frozen=True)
class Photo:
    move: Move = Move()


@dataclass(frozen=True)
class Cutout:
    """A photograph without background, set on a soft gradient with its shadow."""

    height: float = 0.86  # of the frame
    top: Colour = (236, 238, 240)
    bottom: Colour = (150, 160, 172)
    shadow: float = 0.4  # opacity
    move: Move = Move(View(0.485, 0.5, 1.0), View(0.515, 0.5, 0.88))


@dataclass(frozen=True)
class Film:
    """A stretch of a real film; `swing` plays a short one forwards and backwards."""

    start: float = 0.0
    swing: bool = False
    focus: float = 0.5  # what its thumbnail shows of a taller picture: 0 is the top, 1 the bottom
    poster: float = 0.7  # when that is, as a share of the clip


Style = Photo | Cutout | Film


def frames(path: Path, style: Style, size: tuple[int, int], seconds: float, fps: int) -> Iterator[np.ndarray]:
    """RGB frames, H x W x 3 uint8, of a clip of size (width, height) that lasts `seconds`."""
    count = round(seconds * fps)
    if isinstance(style, Film):
        yield from _film(path, style, size, count, fps)
        return
    still = _cutout(path, style, size) if isinstance(style, Cutout) else np.asarray(Image.open(path).convert("RGB"))
    yield from _camera(still, style.move, size, count)


def _camera(still: np.ndarray, move: Move, size: tuple[int, int], count: int) -> Iterator[np.ndarray]:
    widest = max(move.start.width, move.end.width)
    full = min(1.0, still.shape[0] / still.shape[1] * size[0] / size[1])  # widest view of this aspect
    shrink = 1.2 * size[0] / (widest * full * still.shape[1])
    if shrink < 1:  # area-averaged once, so that the resampling of each frame does not alias
        still = cv2.resize(still, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    height, width = still.shape[:2]
    for i in range(count):
        view = move.at(i / max(count - 1, 1))
        scale = size[0] / (view.width * full * width)
        half_x, half_y = size[0] / 2 / scale, size[1] / 2 / scale
        x = np.clip(view.x * width, half_x, width - half_x)
        y = np.clip(view.y * height, half_y, height - half_y)
        matrix = np.array([[scale, 0, size[0] / 2 - scale * x], [0, scale, size[1] / 2 - scale * y]])
        flags, border = cv2.INTER_LANCZOS4, cv2.BORDER_REFLECT_101
        yield cv2.warpAffine(still, matrix, size, flags=flags, borderMode=border)


def _cutout(path: Path, style: Cutout, size: tuple[int, int]) -> np.ndarray:
    """The cut-out on its backdrop, 1.25 times as large as the frame."""
    width, height = round(size[0] * 1.25), round(size[1] * 1.25)
    picture = Image.open(path).convert("RGBA")
    picture = picture.crop(picture.getbbox())
    scale = min(style.height * height / picture.height, 0.8 * width / picture.width)
    # Transparent pixels carry any colour: resize with the colours multiplied by their opacity.
    small = np.asarray(picture.convert("RGBa").resize(
        (round(picture.width * scale), round(picture.height * scale)), Image.LANCZOS), np.float32) / 255  # fmt: skip
    layer = np.zeros((height, width, 4), np.float32)
    y, x = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    layer[y : y + small.shape[0], x : x + small.shape[1]] = small
    canvas = _backdrop(width, height, style)
    shade = cv2.GaussianBlur(layer[..., 3], (0, 0), height * 0.025)
    shade = np.roll(shade, (round(height * 0.022), round(height * 0.018)), (0, 1))
    canvas *= 1 - style.shadow * shade[..., None]
    canvas = canvas * (1 - layer[..., 3:]) + layer[..., :3]
    grain = np.random.default_rng(0).normal(0, 0.6, canvas.shape)  # hides the steps of a smooth gradient
    return np.clip(canvas * 255 + grain, 0, 255).round().astype(np.uint8)


def _backdrop(width: int, height: int, style: Cutout) -> np.ndarray:
    """Vertical gradient with a soft light behind the middle, float32 0..1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    fall = (y / height)[..., None]
    colours = np.array(style.top, np.float32) * (1 - fall) + np.array(style.bottom, np.float32) * fall
    light = np.exp(-(((x / width - 0.5) / 0.45) ** 2 + ((y / height - 0.45) / 0.55) ** 2))[..., None]
    return (colours + (255 - colours) * 0.35 * light - 14 * (1 - light)) / 255


def _film(path: Path, style: Film, size: tuple[int, int], count: int, fps: int) -> Iterator[np.ndarray]:
    width, height = size
    fit = f"fps={fps},scale={width}:{height}:force_original_aspect_ratio=increase:flags=lanczos,crop={width}:{height}"
    # -ss after -i decodes from the beginning: not every film can be entered at a key frame.
    command = [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-ss", str(style.start), "-vf", fit,
               "-frames:v", str(count), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]  # fmt: skip
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    shots = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    if style.swing:
        there_and_back = np.concatenate([shots, shots[-2:0:-1]])
        shots = there_and_back[np.arange(count) % len(there_and_back)]
    if len(shots) < count:
        raise McGurkError(f"The film {path.name} has only {len(shots) / fps:.1f} s after {style.start} s.")
    yield from shots
