"""What is done with a video or sound file, in the process that decodes: describe, read, film, sound.

Knows what of the walk over a file becomes an answer. Does not know the process, pictures in picture formats, or clips.

Each function takes the file, where its answer goes, and a function that says (and forgets) what libav complained of.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

import av

from demo.media import containers
from demo.media.answers import given_banner, write_answer
from demo.media.containers import Tracks, lasting, survey, walk
from demo.media.facts import MediaInfo
from demo.media.moving import Canvas, Film, Sampler
from demo.media.sound import Heard, Timeline, played_layout
from models.omni import McGurkError

Complained = Callable[[], list[str]]
ENDED = "File ended prematurely"  # Matroska's word for a file that stops within a block

av.logging.set_level(av.logging.ERROR)
av.logging.restore_default_callback()  # complaints go to standard error


def probe(file: BinaryIO, out: BinaryIO, complained: Complained) -> None:
    """Answer with the MediaInfo of a file of which only the first frames were decoded."""
    tracks = survey(file)
    write_answer(out, {"info": _info(tracks, tracks.stated).to_dict()})


def read(file: BinaryIO, out: BinaryIO, complained: Complained, fps: float, max_side: int, seconds: float) -> None:
    """Answer with frames at 0, 1/fps... s and the sound as 16 kHz mono, both on one clock, at most `seconds`."""
    tracks = survey(file)
    canvas = Canvas(max_side, tracks.facts.get("sar", 1.0))
    sampler, heard = Sampler(fps, seconds, canvas.fitted), Heard(seconds)
    for kind, time, frame in walk(file, tracks, ("picture", "sound"), seconds, complained):
        if kind == "picture":
            containers.check_size((frame.width, frame.height))
            sampler.add(time, frame)
        else:
            heard.add(time, frame)
        tracks.damaged |= _hurt(tracks, complained())  # at once: the scaler says so much that it would fill the pipe
    ends = {kind: lasting(tracks, track) for kind in ("picture", "sound") if (track := getattr(tracks, kind))}
    lasts = max(ends.values())
    duration = min(lasts, seconds)
    frames = sampler.finish(duration)
    waveform, alone = heard.finish(min(ends.get("sound", 0.0), seconds))
    info = _info(
        tracks,
        lasts,
        still=tracks.sound is None and tracks.picture.frames == 1,
        steady=len(canvas.sizes) <= 1,
        sound_gaps=heard.mix.gaps > 0,
    )
    answer = {"duration": duration, "damaged": tracks.damaged or _hurt(tracks, complained()), "cancelled": alone}
    write_answer(out, {"info": info.to_dict(), **answer}, frames, waveform if tracks.sound else None)


def film(
    file: BinaryIO,
    out: BinaryIO,
    complained: Complained,
    size: tuple[int, int],
    seconds: float,
    freeze: float | None = None,
    banner: str = "",
) -> None:
    """Write the picture as h264 in Matroska, on the clock of `read`, `seconds` long.

    size: even width and height. freeze: show nothing but the picture of this time. banner: see answers.given_banner.
    """
    tracks = survey(file)
    canvas = Canvas(max(size), tracks.facts.get("sar", 1.0), tuple(size))
    written = Film(out, canvas.fitted, given_banner(banner, size))
    held = None
    for _, time, frame in walk(file, tracks, ("picture",), seconds):
        containers.check_size((frame.width, frame.height))
        if freeze is None:
            written.add(time, frame)
        elif held is None or time <= freeze + 1e-3:
            held = frame
        else:
            break
    if held is not None:
        written.add(0.0, held)
    written.finish(seconds)


def sound(file: BinaryIO, out: BinaryIO, complained: Complained, seconds: float) -> None:
    """Write the sound in its own channels and rate (at most 48 kHz) as an AU file of floats, on the clock of `read`."""
    tracks = survey(file)
    line = None
    for _, time, frame in walk(file, tracks, ("sound",), seconds):
        if line is None:
            layout, rate = played_layout(frame)
            line = Timeline(seconds, rate, layout)
        line.add(time, frame)
    if line is None:
        raise McGurkError("The sound of {name} can't be decoded: the file seems to be damaged.")
    samples = line.finish(min(lasting(tracks, tracks.sound), seconds))
    out.write(struct.pack(">4s5I", b".snd", 24, samples.size * 4, 6, line.rate, len(samples)))  # 6: 32-bit float
    out.write(samples.T.astype(">f4").tobytes())


def _hurt(tracks: Tracks, complaints: list[str]) -> bool:
    """Whether complaints are about damage: a recording of no stated length ends wherever its recorder was stopped."""
    return any(tracks.stated is not None or ENDED not in line for line in complaints)


def _info(tracks: Tracks, lasts: float | None, **more) -> MediaInfo:
    picture, heard, facts = tracks.picture, tracks.sound, tracks.facts
    return MediaInfo(
        format=tracks.format,
        duration=lasts,
        video=picture and picture.index,
        audio=heard and heard.index,
        size=facts.get("size", (0, 0)),
        video_codec=picture.codec if picture else "",
        pixel_format=facts.get("pixel_format", ""),
        audio_codec=heard.codec if heard else "",
        channels=facts.get("channels", 0) if heard else 0,
        cover=tracks.cover,
        hdr=facts.get("hdr", False),
        origin=tracks.origin,
        container_start=tracks.container_start,
        picture_start=picture.first - tracks.origin if picture else 0.0,
        sound_start=heard.first - tracks.origin if heard else 0.0,
        lost=tuple(tracks.lost),
        **more,
    )
