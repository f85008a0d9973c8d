"""The film to keep: frames with attention on them, adapters side by side, with the sound that was heard.

Knows ffmpeg's arguments for it. Does not know models or what the numbers of a map mean.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo import media
from demo.draw.frames import common_scale, overlay
from models.omni import SAMPLE_RATE, McGurkError

TIMEOUT = 180  # s; 60 s of film encode in about 10 s on two cores
MIN_FPS = 10  # frames per second of a film: players seek badly in films of 1 or 2
CHUNK = 16  # frames painted at a time, so that a minute of film never lies in memory
BAR = 1 / 14  # height of the title bar as a share of the frame's height
SMALLEST_BAR = 20  # pixels
H264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"]


def overlay_video(
    frames: np.ndarray,
    fps: float,
    waveform: np.ndarray | None,
    maps: Mapping[str, np.ndarray],
    out: str | Path,
    *,
    scale: float | None = None,
    steps: Sequence[int] | np.ndarray | None = None,
) -> Path:
    """Write an mp4 (h264 yuv420p, aac, faststart, even sides) with each map on the frames, side by side.

    frames: uint8 T x H x W x 3 at `fps`. waveform: float32 mono 16 kHz, or None for a silent film. maps: title ->
    times x rows x columns, all on one scale. steps: see demo.draw.frames.overlay. out: the path, in an existing
    folder; the file appears complete or not at all. Raises McGurkError without a picture or a map, and when the file
    can't be written.
    """
    out = Path(out).absolute()
    if out.suffix != ".mp4" or not out.parent.is_dir():
        raise McGurkError(f"The film must be an mp4 in an existing folder, not {str(out)!r}.")
    if not maps or frames is None or not len(frames):
        raise McGurkError("There is nothing to make a film of: ask about a clip with a picture first.")
    scale = common_scale(*maps.values()) if scale is None else scale
    steps = np.arange(len(frames)) * len(next(iter(maps.values()))) // len(frames) if steps is None else steps
    unfinished = media.temporary_beside(out)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            raw = Path(scratch) / "frames.rgb"
            width, height = _paint(frames, maps, scale, np.asarray(steps), raw)
            rate = fps * np.ceil(MIN_FPS / fps)
            picture = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps)]
            picture += ["-i", f"file:{raw}", *_sound(waveform, Path(scratch))]
            even = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-r", str(rate)]
            ending = ["-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", f"file:{unfinished}"]
            media.run_ffmpeg([*picture, *even, *H264, *ending], None, timeout=TIMEOUT, what="Writing the film")
        os.replace(unfinished, out)
    finally:
        unfinished.unlink(missing_ok=True)
    return out


def _paint(
    frames: np.ndarray, maps: Mapping[str, np.ndarray], scale: float, steps: np.ndarray, raw: Path
) -> tuple[int, int]:
    """Write the panels of all frames as raw RGB; returns the (width, height) of a picture of the film."""
    bars = [_bar(title, frames.shape[2], frames.shape[1]) for title in maps]
    with raw.open("wb") as opened:
        for at in range(0, len(frames), CHUNK):
            part = slice(at, at + CHUNK)
            panels = []
            for bar, heat in zip(bars, maps.values(), strict=True):
                painted = overlay(frames[part], heat, scale=scale, steps=steps[part])
                panels.append(np.concatenate([np.broadcast_to(bar, (len(painted), *bar.shape)), painted], axis=1))
            opened.write(np.concatenate(panels, axis=2).tobytes())
    return frames.shape[2] * len(maps), frames.shape[1] + bars[0].shape[0]


def _bar(title: str, width: int, height: int) -> np.ndarray:
    """A title bar, uint8 H x W x 3."""
    tall = max(SMALLEST_BAR, round(height * BAR))
    image = Image.new("RGB", (width, tall), (17, 20, 26))
    font = ImageFont.load_default(round(tall * 0.62))
    ImageDraw.Draw(image).text((tall // 3, tall / 2), title, font=font, fill=(235, 238, 242), anchor="lm")
    return np.asarray(image)


def _sound(waveform: np.ndarray | None, scratch: Path) -> list[str]:
    """Arguments of a second input that holds the waveform."""
    if waveform is None or not len(waveform):
        return []
    raw = scratch / "sound.f32"
    raw.write_bytes(np.ascontiguousarray(waveform, "<f4").tobytes())
    codec = ["-c:a", "aac", "-b:a", "128k"]
    return ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", f"file:{raw}", *codec]
