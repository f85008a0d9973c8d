"""Text drawn onto frames, as a subtitle or a news banner is.

Knows sizes, line breaks and fonts. Does not know what the text claims.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.omni import McGurkError

LINE = 1 / 8  # height of a line as a share of the frame's height, if the text fits at that size
SMALLEST_LINE = 1 / 20
BLOCK = 0.5  # the text covers at most this share of the frame's height
MARGIN = 0.04  # of the frame's width, left and right
# The font inside Pillow ("") looks the same everywhere but has no accents: where it fails, one of the system's is used.
FONTS = ("", "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf")
BACKDROP = (0, 0, 0, 190)  # RGBA behind the letters


def burned(frames: np.ndarray, text: str) -> np.ndarray:
    """Frames (uint8 T x H x W x 3) with the text in a banner along the lower edge; the input is left alone."""
    picture = banner(text, frames.shape[2], frames.shape[1])
    alpha = picture[..., 3:].astype(np.uint16)
    top = int(np.argmax(alpha.any(axis=(1, 2))))
    out = frames.copy()
    below, ink, alpha = out[:, top:].astype(np.uint16), picture[top:, :, :3].astype(np.uint16), alpha[top:]
    out[:, top:] = (below * (255 - alpha) + ink * alpha + 127) // 255
    return out


def banner(text: str, width: int, height: int) -> np.ndarray:
    """The text as it lies over a frame of that size: uint8 H x W x 4, RGBA, transparent above the banner.

    Raises McGurkError for text that doesn't fit at a readable size or has letters the font lacks.
    """
    name = _font_for(text)
    size, lines = _layout(text, name, width, height)
    font = _font(name, size)
    step = round(size * 1.2)
    block = step * len(lines) + size // 2
    image = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height - block, width, height), fill=BACKDROP)
    for row, line in enumerate(lines):
        x = (width - font.getlength(line)) / 2
        draw.text((x, height - block + size // 4 + row * step), line, font=font, fill=(255, 255, 255, 255))
    return np.asarray(image)


def _layout(text: str, name: str, width: int, height: int) -> tuple[int, list[str]]:
    """The largest font size (pixels) at which the text fits, and its lines."""
    room = width * (1 - 2 * MARGIN)
    for size in range(max(10, round(height * LINE)), max(9, round(height * SMALLEST_LINE)) - 1, -1):
        lines = _lines(text, _font(name, size), room)
        tall = round(size * 1.2) * len(lines) + size // 2
        if tall <= height * BLOCK and all(_font(name, size).getlength(line) <= room for line in lines):
            return size, lines
    raise McGurkError(f"The on-screen text of {len(text)} characters doesn't fit into the picture: shorten it.")


def _lines(text: str, font: ImageFont.FreeTypeFont, room: float) -> list[str]:
    lines = [""]
    for word in [piece for whole in text.split() for piece in _broken(whole, font, room)]:
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def _broken(word: str, font: ImageFont.FreeTypeFont, room: float) -> list[str]:
    """A word, or the pieces of one that is longer than a line."""
    pieces = [""]
    for letter in word if font.getlength(word) > room else ():
        if pieces[-1] and font.getlength(pieces[-1] + letter) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces if pieces[0] else [word]


def _font_for(text: str) -> str:
    """The first of FONTS that has all letters of a text. Raises McGurkError if none does."""
    for name in FONTS:
        if _font(name, 20) and all(_has_glyph(name, letter) for letter in text):
            return name
    unknown = "".join(dict.fromkeys(letter for letter in text if not _has_glyph("", letter)))
    raise McGurkError(f"On-screen text can't show {unknown[:10]!r} here: use plain Latin letters.")


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    """A font in a size; None if this machine doesn't have it."""
    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@cache
def _has_glyph(name: str, letter: str) -> bool:
    """Whether a font has a shape of its own for a letter, not the box that stands for a missing one."""
    font = _font(name, 20)
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
