"""Picture files: photographs and animations, upright, without transparency, in 8 bits.

Knows Pillow and the quirks of picture formats. Does not know videos or clips.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import numpy as np
from PIL import (  # noqa: F401  each registers a format  # noqa: F401
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from pillow_heif import register_heif_opener

from demo.media.limits import GREY, MAX_PIXELS, MAX_SIDES, PICTURES
from models.omni import McGurkError

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
SHORTEST, UNSTATED = 0.011, 0.1  # s: browsers show a frame that claims to last no longer for a tenth of a second
ORIENTATION = 0x0112  # the tag in EXIF
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# what Pillow and the libraries under it raise over damaged files
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError)
UNREADABLE += (AttributeError, struct.error)

Image.preinit()
register_heif_opener(thumbnails=False)
Image.MAX_IMAGE_PIXELS = None  # `opened` holds the limit, with a sentence


def opened(file: BinaryIO) -> Image.Image:
    """A picture file, not yet decoded. Raises McGurkError, with {name} for its name, if it is none or too large."""
    try:
        image = Image.open(file, formats=PICTURES)
    except UnidentifiedImageError as error:
        raise McGurkError("{name} is not a picture that can be read: choose a video, sound or picture file.") from error
    except UNREADABLE as error:
        raise McGurkError("The picture {name} can't be read: it seems to be damaged.") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise McGurkError(
            f"The picture {{name}} is {width} x {height} pixels, more than {MAX_PIXELS // 1000**2} megapixels: "
            "scale it down first."
        )
    if is_animated(image) and (max(image.size) > MAX_SIDES[0] or min(image.size) > MAX_SIDES[1]):
        raise McGurkError(
            f"The animation {{name}} is {width} x {height} pixels, more than 4K ({MAX_SIDES[0]} x {MAX_SIDES[1]}): "
            "scale it down first."
        )
    return image


def is_animated(image: Image.Image) -> bool:
    """Whether the file holds frames to be shown one after the other (not pages, thumbnails or a burst)."""
    try:
        return image.format in ANIMATED and getattr(image, "n_frames", 1) - _hidden(image) > 1
    except UNREADABLE:
        return False


def animation(image: Image.Image) -> Iterator[tuple[float, float, Image.Image]]:
    """Each frame of an animation with the times in seconds at which it starts and ends; the last has an end too.

    Raises one of UNREADABLE where the file is damaged.
    """
    time = 0.0
    for number in range(_hidden(image), image.n_frames):
        image.seek(number)
        image.load()
        lasts = float(image.info.get("duration") or 0) / 1000
        lasts = UNSTATED if not lasts > SHORTEST else lasts
        yield time, time + lasts, image
        time += lasts


def photograph(file: BinaryIO, max_side: int) -> np.ndarray:
    """A picture file as uint8 H x W x 3 RGB, its longest side at most `max_side`. Raises McGurkError as `opened`."""
    image = opened(file)
    image.draft(None, (max_side * 2, max_side * 2))  # a large JPEG is decoded at a fraction of its size
    try:
        image.load()
        return shown(image, max_side)
    except UNREADABLE as error:
        raise McGurkError("The picture {name} can't be read: it seems to be damaged.") from error


def shown(image: Image.Image, max_side: int) -> np.ndarray:
    """A decoded picture as uint8 H x W x 3 RGB: upright, over neutral grey, longest side at most `max_side`."""
    turn = _turn(image)
    longest = max(image.size)
    if longest >= 4 * max_side and image.mode not in ("P", "1"):
        see_through = image.info.get("transparency")
        image = image.reduce(longest // (2 * max_side))  # quick, and saves memory
        if see_through is not None:
            image.info["transparency"] = see_through
    image = _in_eight_bits(image)
    scale = min(1.0, max_side / max(image.size))
    size = tuple(max(1, round(side * scale)) for side in image.size)
    image = image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)
    return np.array(image if turn is None else image.transpose(turn))


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """RGB, transparency replaced by grey; deeper tones are scaled, where Pillow would clip them."""
    if image.mode.startswith(("I", "F")):
        tones = np.nan_to_num(np.asarray(image).astype(np.float32))
        whole = 65535.0 if image.mode.startswith("I") else max(1.0, float(tones.max(initial=0)))
        return Image.fromarray(np.clip(tones * (255 / whole) + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        over = image.convert("RGBA")
        out = Image.new("RGB", over.size, (GREY, GREY, GREY))
        out.paste(over, mask=over.getchannel("A"))
        return out
    return image.convert("RGB")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes the picture upright according to its EXIF orientation."""
    orientation = 1
    with suppress(*UNREADABLE):
        orientation = image.getexif().get(ORIENTATION, 1)
    return UPRIGHT.get(orientation)


def _hidden(image: Image.Image) -> int:
    """1 for an APNG whose first picture is only for programs that can't animate."""
    return int(bool(getattr(image, "default_image", False)))
