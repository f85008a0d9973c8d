"""Which moments of a clip a picture is taken at. Knows arithmetic only."""

from __future__ import annotations

import math

EPS = 1e-3  # s; many containers round times to milliseconds
REST = 0.03  # of a picture; clips end a few milliseconds after the last one they should have


def slots(seconds: float, fps: float) -> int:
    """How many pictures are taken in `seconds` at `fps`: at 0, 1/fps, 2/fps... s, at least one."""
    return max(1, math.ceil(seconds * fps - REST))
