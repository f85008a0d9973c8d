"""A stretch of a media file as a small mp4 of its own, so that everything after it need not know where it was cut.

Knows ffmpeg's arguments for cutting. Does not know shelves, conflicts or pages. The file is decoded as every upload is,
by demo.media in a process of its own; ffmpeg cuts only what that wrote.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from demo import media
from demo.clips import Clip
from models.omni import McGurkError

MAX_SIDE = 960  # pixels, longest side
TIMEOUT = 120  # s; ten seconds of 960 x 540 encode in about 2 s on two cores
PICTURE = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
SOUND = ["-c:a", "aac", "-b:a", "128k", "-ac", "1", "-aac_coder", "fast"]


def size_of(clip: Clip, max_side: int = MAX_SIDE) -> tuple[int, int] | None:
    """Width and height of an excerpt: upright, even, at most `max_side`, no larger than the file; None: no picture."""
    if clip.frames is None or clip.info is None:
        return None
    height, width = clip.frames.shape[1:3]
    scale = min(max_side, max(clip.info.size)) / max(height, width)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def excerpt(
    source: Path, out: Path, start: float, seconds: float, *, size: tuple[int, int] | None, sound: bool
) -> Path:
    """Write `seconds` s of `source` from `start` s on to `out` (h264, aac, faststart) and return its path.

    size: of the picture, see size_of; None for none. sound: whether the source has one. Exact to the frame. The file
    appears complete or not at all. Raises McGurkError if the source can't be decoded.
    """
    unfinished = media.temporary_beside(out)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            arguments = _decoded(source, Path(scratch), start, seconds, size, sound)
            ending = ["-t", f"{seconds:.3f}", "-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4"]
            media.run_ffmpeg([*arguments, *ending, str(unfinished)], None, timeout=TIMEOUT, what="Cutting the clip")
        if not unfinished.stat().st_size:
            raise McGurkError(f"Nothing of {source.name!r} could be cut out: the file seems to be damaged.")
        os.replace(unfinished, out)
    finally:
        unfinished.unlink(missing_ok=True)
    return out


def _decoded(
    source: Path, scratch: Path, start: float, seconds: float, size: tuple[int, int] | None, sound: bool
) -> list[str]:
    """Decode up to the end of the stretch; the inputs and streams that ffmpeg then cuts."""
    seek = ["-ss", f"{start:.3f}"]
    inputs, streams = [], []
    if size is not None:
        film = scratch / "picture.mkv"
        media.write_film(source, film, size=size, seconds=start + seconds)
        inputs += [*seek, "-f", "matroska", "-i", f"file:{film}"]
        streams += ["-map", "0:v", *(PICTURE if start else ["-c:v", "copy"])]
    if sound:
        raw = scratch / "sound.au"
        media.write_sound(source, raw, seconds=start + seconds)
        inputs += [*seek, "-f", "au", "-i", f"file:{raw}"]
        streams += ["-map", f"{int(size is not None)}:a", *SOUND]
    return [*inputs, *streams]
