"""What is done with a file in a picture format, in the process that decodes: describe, read, film.

Knows which of them move. Does not know the process, videos, or clips. The functions are those of demo.media.recordings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from demo.media import pictures
from demo.media.answers import given_banner, write_answer
from demo.media.facts import MediaInfo
from demo.media.moving import Film, Sampler
from models.omni import McGurkError


def probe(file: BinaryIO, out: BinaryIO, complained: Callable[[], list[str]]) -> None:
    """Answer with the MediaInfo of a picture that was not decoded."""
    write_answer(out, {"info": _info(pictures.opened(file)).to_dict()})


def read(
    file: BinaryIO, out: BinaryIO, complained: Callable[[], list[str]], fps: float, max_side: int, seconds: float
) -> None:
    """Answer with the frames of an animation, or with the one of a photograph."""
    image = pictures.opened(file)
    if not pictures.is_animated(image):
        frame, damaged = _photograph(file, max_side)
        answer = {"info": _info(image).to_dict(), "duration": 0.0, "damaged": damaged, "cancelled": ""}
        write_answer(out, answer, [frame])
        return
    sampler = Sampler(fps, seconds, lambda each: pictures.shown(each, max_side))
    lasts, damaged = _play(image, sampler.add, seconds)
    duration = min(lasts, seconds)
    answer = {"info": _info(image, lasts).to_dict(), "duration": duration, "damaged": damaged, "cancelled": ""}
    write_answer(out, answer, sampler.finish(duration))


def film(
    file: BinaryIO,
    out: BinaryIO,
    complained: Callable[[], list[str]],
    size: tuple[int, int],
    seconds: float,
    freeze: float | None = None,
    banner: str = "",
) -> None:
    """Write the picture as h264 in Matroska, as demo.media.recordings.film does."""
    image = pictures.opened(file)

    def render(picture: Image.Image | np.ndarray) -> np.ndarray:
        shown = picture if isinstance(picture, np.ndarray) else pictures.shown(picture, max(size))
        return np.asarray(Image.fromarray(shown).resize(tuple(size), Image.Resampling.BICUBIC))

    written = Film(out, render, given_banner(banner, size))
    if not pictures.is_animated(image):
        written.add(0.0, _photograph(file, max(size))[0])
    elif freeze is None:
        _play(image, written.add, seconds)
    else:
        held: list[Image.Image] = []
        _play(image, lambda time, each: held.append(each) if not held or time <= freeze + 1e-3 else None, seconds, held)
        written.add(0.0, held[-1])
    written.finish(seconds)


def _play(
    image: Image.Image, add: Callable[[float, Image.Image], None], seconds: float, held: list | None = None
) -> tuple[float, bool]:
    """Give each frame up to `seconds` to `add`; returns (how long the animation lasts, whether it is damaged)."""
    lasts = 0.0
    try:
        for start, end, frame in pictures.animation(image):
            if start < seconds:
                add(start, frame.copy())
            if held:
                del held[:-1]
            lasts = end
    except pictures.UNREADABLE as error:
        if not lasts:
            raise McGurkError("The picture {name} can't be read: it seems to be damaged.") from error
        return lasts, True
    return lasts, False


def _photograph(file: BinaryIO, max_side: int) -> tuple[np.ndarray, bool]:
    """(the picture, whether its end is missing)."""
    try:
        return pictures.photograph(file, max_side), False
    except McGurkError:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        return pictures.photograph(file, max_side), True


def _info(image: Image.Image, lasts: float | None = None) -> MediaInfo:
    animated = pictures.is_animated(image)
    return MediaInfo(
        format=image.format,
        duration=lasts,
        video=0,
        audio=None,
        size=image.size,
        video_codec=image.format.lower(),
        pixel_format=image.mode,
        still=not animated,
        animated=animated,
    )
