"""How decoded arrays travel from the process that decodes to the one that asked. Knows bytes, not media."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

LONGEST_LINE = 1 << 16  # bytes of the JSON


def write_answer(
    out: BinaryIO, answer: dict[str, Any], frames: Sequence[np.ndarray] = (), waveform: np.ndarray | None = None
) -> None:
    """One line of JSON, then the bytes of the frames (each uint8 H x W x 3, all of one shape) and of the waveform."""
    answer["frames"] = [len(frames), *frames[0].shape] if len(frames) else None
    answer["samples"] = None if waveform is None else len(waveform)
    out.write(json.dumps(answer).encode() + b"\n")
    for frame in frames:
        out.write(np.ascontiguousarray(frame))
    if waveform is not None:
        out.write(np.ascontiguousarray(waveform, "<f4"))


def read_answer(
    source: BinaryIO, most_frames: int, max_side: int, most_samples: int
) -> tuple[dict[str, Any], np.ndarray | None, np.ndarray | None]:
    """(what `write_answer` was given, frames T x H x W x 3 or None, waveform or None).

    Raises ValueError for an answer that is cut off or larger than asked for.
    """
    line = source.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ValueError("no answer")
    answer = json.loads(line)
    shape, samples = answer.pop("frames"), answer.pop("samples")
    frames = waveform = None
    if shape is not None:
        count, height, width, channels = map(int, shape)
        if not (0 < count <= most_frames and 0 < height <= max_side and 0 < width <= max_side and channels == 3):
            raise ValueError("frames that nobody asked for")
        frames = np.empty((count, height, width, 3), np.uint8)
        _fill(source, frames)
    if samples is not None:
        if not 0 <= samples <= most_samples:
            raise ValueError("sound that nobody asked for")
        waveform = np.empty(samples, "<f4")
        _fill(source, waveform)
    return answer, frames, waveform


def packed_banner(banner: np.ndarray) -> str:
    """A banner, uint8 H x W x 4, as text for a request."""
    return base64.b85encode(zlib.compress(np.ascontiguousarray(banner))).decode()


def given_banner(text: str, size: Sequence[int]) -> np.ndarray | None:
    """The banner that was packed for a picture of (width, height); None: there is none."""
    if not text:
        return None
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), np.uint8).reshape(size[1], size[0], 4)


def _fill(source: BinaryIO, array: np.ndarray) -> None:
    room = memoryview(array).cast("B") if array.size else memoryview(b"")
    at = 0
    while at < len(room):
        got = source.readinto(room[at:])
        if not got:
            raise ValueError("a cut off answer")
        at += got
