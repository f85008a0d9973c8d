"""Moving pictures: frames fitted into one canvas, sampled at their times or written as a film.

Knows pixels, sizes and rotation. Does not know containers or which file a frame came from.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import BinaryIO

import av
import av.subtitles.stream  # else imported at a time when no file can be opened any more
import numpy as np

from demo.media import hdr
from demo.media.limits import GREY
from demo.media.moments import EPS, slots
from models.omni import McGurkError

WIDEST = 4096  # pixels of a row once its pixels are square
FILM_FPS = 30  # frames a second of a film, at most
STILL_FPS = 5  # frames a second where a picture stands still: enough for smooth seeking
CLOCK = 1000  # ticks a second in a film
X264 = {"preset": "veryfast", "crf": "23", "bf": "0"}  # without B-frames the first time stamp is the first picture's


class Canvas:
    """Fits frames into the size of the first one: upright, square pixels, 8-bit RGB, longest side at most `max_side`.

    A frame of another shape lies in the middle with black around it. size: (width, height) where it is given.
    """

    def __init__(self, max_side: int, sar: float = 1.0, size: tuple[int, int] | None = None):
        self.max_side, self.size = max_side, size
        self.sar = sar if np.isfinite(sar) and 1 / 64 <= sar <= 64 else 1.0
        self.sizes: set[tuple[int, int]] = set()  # that frames had

    def fitted(self, frame: av.VideoFrame) -> np.ndarray:
        """A decoded frame as uint8 H x W x 3 RGB."""
        self.sizes.add((frame.width, frame.height))
        turns = round(frame.rotation / 90) % 4
        upright = max(1.0, min(WIDEST, frame.width * self.sar)), float(frame.height)
        upright = upright[::-1] if turns % 2 else upright
        if self.size is None:
            scale = min(1.0, self.max_side / max(upright))
            self.size = tuple(max(1, round(side * scale)) for side in upright)
        scale = min(self.size[0] / upright[0], self.size[1] / upright[1])
        inner = tuple(
            whole if abs(side * scale - whole) <= 2 else max(1, min(whole, round(side * scale)))
            for side, whole in zip(upright, self.size, strict=True)
        )
        stored = inner[::-1] if turns % 2 else inner
        return self.placed(np.rot90(_rgb(frame, *stored), turns))

    def placed(self, picture: np.ndarray) -> np.ndarray:
        """An RGB picture that is no larger than the canvas, with black around it."""
        height, width = picture.shape[:2]
        if self.size is None:
            self.size = (width, height)
        if (width, height) == self.size:
            return np.ascontiguousarray(picture)
        out = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        top, left = (self.size[1] - height) // 2, (self.size[0] - width) // 2
        out[top : top + height, left : left + width] = picture
        return out


def _rgb(frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
    """A frame scaled to a size as uint8 H x W x 3; HDR is tone-mapped, transparency lies over grey."""
    curve = int(frame.color_trc)
    if curve in (hdr.PQ, hdr.HLG):
        deep = frame.reformat(width, height, "rgb48le", src_colorspace="BT2020", interpolation="BICUBIC")
        return hdr.toned(deep.to_ndarray(), curve)
    if any(component.is_alpha for component in frame.format.components):
        over = frame.reformat(width, height, "rgba", interpolation="BICUBIC").to_ndarray()
        alpha = over[..., 3:].astype(np.uint16)
        return ((over[..., :3] * alpha + GREY * (255 - alpha) + 127) // 255).astype(np.uint8)
    return frame.reformat(width, height, "rgb24", interpolation="BICUBIC").to_ndarray()


class Sampler:
    """Takes what was shown at 0, 1/fps, 2/fps... s. The first picture stands before it begins, the last until the end.

    seconds: no picture is taken beyond. render: makes an array of a picture that is taken.
    """

    def __init__(self, fps: float, seconds: float, render: Callable[[object], np.ndarray]):
        self.fps, self.limit, self.render = fps, slots(seconds, fps), render
        self.taken: list[np.ndarray] = []
        self._shown: object = None
        self._made: np.ndarray | None = None

    def add(self, time: float, picture: object) -> None:
        """A picture that is shown from `time` on."""
        if self._shown is not None:
            self._take_until(time - EPS)
        self._shown, self._made = picture, None

    def finish(self, seconds: float) -> list[np.ndarray]:
        """All that was taken up to `seconds`, each uint8 H x W x 3: at least one, or none if there was no picture."""
        if self._shown is None:
            return []
        while len(self.taken) < min(self.limit, slots(seconds, self.fps)):
            self._take()
        return self.taken

    def _take_until(self, time: float) -> None:
        while len(self.taken) < self.limit and len(self.taken) / self.fps < time:
            self._take()

    def _take(self) -> None:
        if self._made is None:
            self._made = self.render(self._shown)
        self.taken.append(self._made)


class Film:
    """Writes pictures as h264 in a Matroska stream, each at its time. Knows how to stand still and to fill the end.

    out: where it goes; needs no seeking. banner: uint8 H x W x 4, as large as the picture, laid over each.
    """

    def __init__(self, out: BinaryIO, render: Callable[[object], np.ndarray], banner: np.ndarray | None = None):
        self.render, self._ink = render, banner
        self._container = av.open(out, "w", format="matroska")
        self._stream = None
        self._last: np.ndarray | None = None
        self._at = -1  # ticks; where the last picture stands

    def add(self, time: float, picture: object) -> None:
        """A picture shown from `time` on; those that follow too closely are left out."""
        at = 0 if self._at < 0 else round(time * CLOCK)
        if self._at >= 0 and at - self._at < CLOCK / FILM_FPS - 2:
            return
        self._stand(at)
        self._last = self._inked(self.render(picture))
        self._write(at)

    def finish(self, seconds: float) -> None:
        """Let the last picture stand until `seconds` and close the film. Raises McGurkError if there was none."""
        if self._stream is None:
            raise McGurkError("Nothing of the picture in {name} could be decoded: the file seems to be damaged.")
        end = round(seconds * CLOCK)
        self._stand(end)
        if end - self._at >= 2 * CLOCK / FILM_FPS:
            self._write(end - CLOCK // FILM_FPS)  # its duration is known: the film is as long as it should be
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()

    def _stand(self, until: int) -> None:
        step = CLOCK // STILL_FPS
        while self._last is not None and until - self._at > step:
            self._write(self._at + step)

    def _write(self, at: int) -> None:
        height, width = self._last.shape[:2]
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=FILM_FPS, options=X264)
            self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, CLOCK)
            self._stream.codec_context.color_range = 1  # limited
            self._stream.codec_context.colorspace = 1  # BT.709
            self._stream.codec_context.thread_count = 2
        frame = av.VideoFrame.from_ndarray(self._last, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.pts, frame.time_base = at, Fraction(1, CLOCK)
        self._at = at
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _inked(self, picture: np.ndarray) -> np.ndarray:
        if self._ink is None:
            return picture
        rows = np.flatnonzero(self._ink[..., 3].any(axis=1))
        out, part = picture.copy(), slice(rows[0], rows[-1] + 1)
        alpha = self._ink[part, :, 3:].astype(np.uint16)
        out[part] = (out[part] * (255 - alpha) + self._ink[part, :, :3] * alpha + 127) // 255
        return out
