"""What is known of a media file. Knows words for it, not how they are found out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np


@dataclass(frozen=True)
class MediaInfo:
    """What is in a file. Times are in seconds; the clock starts with whichever of picture and sound starts first."""

    format: str  # the container, e.g. "mov,mp4,m4a,3gp,3g2,mj2", or Pillow's name of a picture format
    duration: float | None  # how long the file lasts: measured if it was read, else as stated; None: it does not say
    video: int | None  # index of the picture stream; None: no picture
    audio: int | None  # index of the sound stream; None: no sound
    size: tuple[int, int] = (0, 0)  # width, height as stored, before any rotation
    video_codec: str = ""
    pixel_format: str = ""
    audio_codec: str = ""
    channels: int = 0
    cover: bool = False  # a cover picture was found and left aside
    still: bool = False  # one picture, not a video
    animated: bool = False  # an animation in a picture format
    hdr: bool = False  # the picture is PQ or HLG and is tone-mapped
    steady: bool = True  # the picture keeps its size
    origin: float = 0.0  # the file's own time at which the clock starts
    container_start: float = 0.0  # the file's own time at which the container says that it starts
    picture_start: float = 0.0  # on the clock
    sound_start: float = 0.0
    sound_gaps: bool = False  # the sound was placed anew at least once
    lost: tuple[str, ...] = ()  # tracks that can't be decoded, one sentence each

    @classmethod
    def from_dict(cls, found: dict) -> MediaInfo:
        """The info that `to_dict` gave, after a trip through JSON."""
        found = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
        return cls(**{field.name: found[field.name] for field in fields(cls) if field.name in found})

    def to_dict(self) -> dict:
        """As plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Reading:
    """A file, decoded."""

    info: MediaInfo
    frames: np.ndarray | None  # uint8 T x H x W x 3 RGB; T is 1 for a still
    waveform: np.ndarray | None  # float32 mono 16 kHz, -1..1
    duration: float  # s, at most what was asked for; of a still: 0
    damaged: bool = False  # parts could not be decoded
    cancelled: str = ""  # the channel heard instead of a mix that cancels itself out, e.g. "left"; "": the mix
