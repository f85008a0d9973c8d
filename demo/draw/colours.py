"""The colours of the demo: one per modality everywhere, and the ramps that attention is drawn in.

Knows colours alone. Does not know what is drawn with them.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from demo.maps import SINK
from models.omni import Kind

# Okabe and Ito 2008, "Color Universal Design": told apart with any of the common colour vision deficiencies.
SIGHT, SOUND, TEXT = "#0072B2", "#E69F00", "#009E73"
NEUTRAL = "#8A9099"  # bars and lines that belong to no modality
INK = "#7F8792"  # lettering: at least 3.5 : 1 on white and on the page's dark blue-black
FAINT = "rgba(127, 135, 146, 0.25)"  # grid lines

BY_KIND: dict[str, str] = {
    Kind.VIDEO: SIGHT,
    Kind.AUDIO: SOUND,
    Kind.INJECTED: TEXT,
    Kind.QUESTION: NEUTRAL,
    Kind.SYSTEM: NEUTRAL,
    Kind.MARKER: NEUTRAL,
    Kind.GENERATED: NEUTRAL,
    SINK: NEUTRAL,
}

# OKLab, Ottosson 2020, https://bottosson.github.io/posts/oklab: linear sRGB -> cone responses -> (L, a, b)
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green, blue in 0..255 of "#rrggbb"."""
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def rgba(colour: str, alpha: float) -> str:
    """ "#rrggbb" with an opacity of 0..1, as CSS and plotly write it."""
    return "rgba({}, {}, {}, {:.2f})".format(*rgb(colour), alpha)


@cache
def ramp(colour: str, *, darkest: float = 0.18, lightest: float = 0.97) -> np.ndarray:
    """uint8, 256 x 3 RGB: from near black through `colour` to near white.

    Perceptually uniform: OKLab lightness rises in equal steps from `darkest` to `lightest`, and only lightness carries
    the value, so that a colour-blind reader loses nothing. The hue is that of `colour`, which the ramp passes through.
    """
    middle, a, b = to_oklab(np.array([rgb(colour)]))[0]
    lightness = np.linspace(darkest, lightest, 256)
    side = np.where(lightness < middle, (lightness - darkest) / (middle - darkest), (1 - lightness) / (1 - middle))
    chroma = 1 - (1 - np.clip(side, 0, 1)) ** 2  # without a kink at `colour`, which would show as a band
    return _to_rgb(np.stack([lightness, a * chroma, b * chroma], 1))


def to_oklab(colours: np.ndarray) -> np.ndarray:
    """uint8 n x 3 RGB -> float n x 3: lightness 0..1, green-red, blue-yellow."""
    s = np.asarray(colours) / 255
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T


def _to_rgb(lab: np.ndarray) -> np.ndarray:
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_CONES).T, 0, 1)
    s = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(s * 255).astype(np.uint8)
