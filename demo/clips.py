"""A clip: what was recorded, read from any media file or taken from the gallery.

Knows the limits of a clip and where the gallery lies. Does not know conflicts, questions or models.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from demo import media
from demo.sentences import NAMED, quoted
from models.omni import FPS, SAMPLE_RATE, McGurkError, OmniModel

MAX_SECONDS = 60.0  # a longer file is trimmed, with a notice
MAX_BYTES = 200 * 1000**2  # a larger file is refused
MAX_FPS = 10.0  # frames sampled per second: 600 frames of 448 x 448 are 360 MB
MAX_SIDE = 448  # pixels, longest side of a sampled frame unless told otherwise
WIDEST = 2.4  # width by height: the shape up to which a frame holds all the pixels that a model is used to
LISTED = 12  # ids that a sentence repeats
STILL_SECONDS = 5.0  # how long a picture file is shown
NOTHING = "nothing"  # the label of a picture that shows nothing, of a sound that is none: told, unlike None
GALLERY = Path(__file__).parent.parent / "assets" / "clips"


@dataclass(frozen=True, eq=False)
class Clip:
    """What was recorded."""

    name: str
    path: Path | None  # the file it came from; None: made of arrays alone
    frames: np.ndarray | None  # uint8, T x H x W x 3, RGB; frame t was shown at t / fps s; None: no picture
    fps: float  # frames per second of `frames`
    waveform: np.ndarray | None  # float32, mono, 16 kHz, -1..1, as long as the clip; None: no sound track
    duration: float  # s
    seen: str | None = None  # plain name of what the picture shows, or NOTHING; None: nobody told
    heard: str | None = None  # plain name of what makes the sound, or NOTHING; None: nobody told
    notices: tuple[str, ...] = ()  # what was trimmed, missing or left aside, one sentence each
    seen_also: tuple[str, ...] = ()  # further right answers to what the picture shows
    heard_also: tuple[str, ...] = ()  # further right answers to what makes the sound
    info: media.MediaInfo | None = None  # what is in the file of `path`, where it was read whole


@dataclass(frozen=True)
class Sampling:
    """How pictures are read: frames a second, and the longest side of a frame in pixels."""

    fps: float = FPS
    side: int = MAX_SIDE


USUAL = Sampling()


@dataclass(frozen=True)
class GalleryClip:
    """A clip that comes with the demo; `path` and `thumbnail` are absolute."""

    id: str
    path: Path
    seen: str
    heard: str
    title: str
    licence: str
    origin: str
    thumbnail: Path
    seen_also: tuple[str, ...] = ()  # further right answers to what the picture shows
    heard_also: tuple[str, ...] = ()  # further right answers to what makes the sound

    def read(self, sampling: Sampling = USUAL) -> Clip:
        """The clip with its labels, named by its title. Raises McGurkError for a file that can't be read."""
        clip = read_clip(self.path, sampling, seen=self.seen, heard=self.heard)
        return replace(clip, name=self.title, seen_also=self.seen_also, heard_also=self.heard_also)


def sampling_for(model: OmniModel | None) -> Sampling:
    """How clips are read for a model: as often as it is used to, and no smaller; None: for any."""
    if model is None:
        return USUAL
    return Sampling(min(model.fps, MAX_FPS), max(MAX_SIDE, math.ceil(math.sqrt(WIDEST * model.pixels))))


def read_clip(
    path: str | Path,
    sampling: Sampling = USUAL,
    *,
    seen: str | None = None,
    heard: str | None = None,
) -> Clip:
    """Read a media file: frames sampled as told, sound as 16 kHz mono, at most 60 s.

    A picture file lasts five seconds; a sound file (with or without a cover picture) has no frames; a file without a
    sound track has no waveform, while a silent sound track gives zeros. `seen` and `heard` are labels, if known.
    Raises McGurkError for a file that is missing, empty, too large, over 4K, or no media file.
    """
    fps = sampling.fps
    if not 0 < fps <= MAX_FPS:
        raise McGurkError(f"Frames can be sampled at up to {MAX_FPS:g} per second, not {fps:g}.")
    if sampling.side < 16:
        raise McGurkError(f"The longest side of a frame must be at least 16 pixels, not {sampling.side}.")
    path = _checked_file(path)
    reading = media.read(path, fps=fps, max_side=sampling.side, seconds=MAX_SECONDS)
    frames, waveform, info = reading.frames, reading.waveform, reading.info
    duration = reading.duration
    if info.still:
        duration = STILL_SECONDS
        frames = np.repeat(frames, max(1, round(duration * fps)), axis=0)
    return Clip(
        name=path.stem,
        path=path,
        frames=frames,
        fps=float(fps),
        waveform=None if waveform is None else fit_length(waveform, duration),
        duration=duration,
        seen=seen if frames is not None else None,
        heard=heard if waveform is not None else None,
        notices=_notices(reading),
        info=info,
    )


def _notices(reading: media.Reading) -> tuple[str, ...]:
    """What a visitor should know about a file that was read, one sentence each."""
    info, said = reading.info, []
    if reading.damaged:
        said.append("Parts of this file are damaged and were left out.")
    if info.duration and info.duration > MAX_SECONDS + 0.5:
        said.append(f"This file lasts {info.duration:.0f} s: only the first {MAX_SECONDS:.0f} s are used.")
    said += info.lost
    if info.hdr:
        said.append("This is an HDR picture: its brightness is mapped to that of an ordinary screen.")
    if not info.steady:
        said.append("The picture changes its size midway: it is fitted into the size it starts with.")
    if reading.cancelled:
        said.append(
            f"The channels of this sound cancel each other out: the model hears the {reading.cancelled} one alone."
        )
    if reading.frames is None and info.video is None and not any("picture" in sentence for sentence in info.lost):
        said.append("This file has no picture" + (" other than its cover: the screen is black." if info.cover else "."))
    if reading.waveform is None and not any("sound" in sentence for sentence in info.lost):
        said.append("This file has no sound.")
    if info.still:
        said.append(f"This is a still picture: it is shown for {STILL_SECONDS:.0f} s.")
    return tuple(said)


def fit_length(waveform: np.ndarray, seconds: float) -> np.ndarray:
    """Cut a 16 kHz waveform, or fill it up with silence, to `seconds`."""
    samples = round(seconds * SAMPLE_RATE)
    return np.pad(waveform[:samples], (0, max(0, samples - len(waveform))))


def gallery(folder: Path = GALLERY) -> tuple[GalleryClip, ...]:
    """The clips of `folder`/clips.csv, in its order; empty if there is no such file.

    Columns: id, seen, heard, title, licence, origin; file and thumbnail default to <id>.mp4 and <id>.jpg, seen_also and
    heard_also (`;` between further right answers) to none.
    """
    table = folder / "clips.csv"
    if not table.is_file():
        return ()
    return _read_gallery(table, table.stat().st_mtime_ns)


@cache
def _read_gallery(table: Path, _modified: int) -> tuple[GalleryClip, ...]:
    with table.open(newline="", encoding="utf-8") as opened:
        return tuple(_gallery_row(table, row) for row in csv.DictReader(opened))


def _gallery_row(table: Path, row: dict[str, str]) -> GalleryClip:
    try:
        return GalleryClip(
            id=row["id"],
            path=table.parent / (row.get("file") or row["id"] + ".mp4"),
            seen=row["seen"].replace("_", " "),
            heard=row["heard"].replace("_", " "),
            title=row["title"],
            licence=row["licence"],
            origin=row["origin"],
            thumbnail=table.parent / (row.get("thumbnail") or row["id"] + ".jpg"),
            seen_also=_several(row.get("seen_also")),
            heard_also=_several(row.get("heard_also")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise McGurkError(f"{table} lacks a column or a value ({error}) in the row {row}.") from error


def _several(names: str | None) -> tuple[str, ...]:
    """The names of a cell, `;` between them."""
    return tuple(name.strip().replace("_", " ") for name in (names or "").split(";") if name.strip())


def gallery_clip(id: str, folder: Path = GALLERY) -> GalleryClip:
    """The gallery clip of that id. Raises McGurkError if there is none."""
    for clip in gallery(folder):
        if clip.id == id:
            return clip
    ids = [clip.id for clip in gallery(folder)]
    known = ", ".join(ids[:LISTED]) + (", ..." if len(ids) > LISTED else "") or "the gallery is empty"
    raise McGurkError(f"There is no gallery clip {quoted(id)}: choose one of {known}.")


def _checked_file(path: str | Path) -> Path:
    path = Path(path).absolute()
    name = quoted(path.name, NAMED)
    try:
        if not path.is_file():
            raise McGurkError(f"There is no file {name}: check the path.")
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise McGurkError(f"The file {name} cannot be opened: {getattr(error, 'strerror', error)}.") from error
    if not size:
        raise McGurkError(f"The file {name} is empty: choose another.")
    if size > MAX_BYTES:
        raise McGurkError(
            f"The file {name} has {size / 1e6:.0f} MB, the limit is {MAX_BYTES / 1e6:.0f} MB: shorten it first."
        )
    return path
