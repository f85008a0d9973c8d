"""Opens a video or sound file, chooses its tracks, and walks over what they hold on one clock.

Knows libav through PyAV: containers, streams, dispositions, time stamps. Does not know arrays, sampling or clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import av
import av.subtitles.stream  # else imported at a time when no file can be opened any more

from demo.media.limits import AUDIO_CODECS, CORES, FORMATS, MAX_CHANNELS, MAX_SIDES, MAX_STREAMS, VIDEO_CODECS
from models.omni import McGurkError

JUMPING = ("mpegts", "mpeg")  # broadcast formats, whose time stamps may jump where recordings were joined
JUMP = 10.0  # s
HDR_CURVES = (16, 18)
ASIDE = ("attached_pic", "timed_thumbnails")
SECOND_CHOICE = ("comment", "visual_impaired", "hearing_impaired", "karaoke", "lyrics")
UNREADABLE = (av.FFmpegError, OSError, ValueError)  # OSError: a damaged file asks for a place before its start
NO_MEDIA = "{name} is not a media file that can be read: choose a video, sound or picture file."
BROKEN_OFF = (
    "{name} is damaged or was not copied to its end: copy it again, or choose another file."  # MP4's list is last
)


@dataclass
class Track:
    """One stream that was chosen, and what was seen of it so far. Times are seconds on the file's own clock."""

    index: int
    codec: str
    first: float  # time of its first frame
    rate: float  # frames a second, or samples a second
    shift: float = 0.0  # what is taken off its time stamps since the last jump
    until: float = -1.0  # end of what was decoded
    packets_until: float = -1.0  # end by the time stamps of its packets
    last: float = 0.0  # time of its last frame
    step: float = 0.0  # how long its last frame lasts
    frames: int = 0
    done: bool = False


@dataclass
class Tracks:
    """What of a file is shown and played."""

    format: str
    container_start: float
    stated: float | None  # s, the length that the container claims
    picture: Track | None = None
    sound: Track | None = None
    cover: bool = False
    lost: list[str] = field(default_factory=list)
    facts: dict = field(default_factory=dict)  # size, pixel_format, hdr, channels: of the first frames
    damaged: bool = False

    @property
    def origin(self) -> float:
        """The file's own time at which the clock starts: the first frame of picture or sound."""
        return min(track.first for track in (self.picture, self.sound) if track)


def opened(file: BinaryIO) -> av.container.InputContainer:
    """The container in `file`, read from its start. Raises McGurkError if it is none that may come in."""
    file.seek(0)
    options = {
        "format_whitelist": ",".join(FORMATS),
        "codec_whitelist": ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS)),
        "protocol_whitelist": "none",
        "max_streams": str(MAX_STREAMS),
    }
    try:
        return av.open(file, "r", options=options, metadata_errors="ignore", buffer_size=1 << 17)
    except UNREADABLE as error:
        file.seek(4)
        raise McGurkError(BROKEN_OFF if file.read(4) == b"ftyp" else NO_MEDIA) from error


def survey(file: BinaryIO) -> Tracks:
    """Choose the picture and the sound: the default tracks, or the first others that can be decoded.

    Raises McGurkError if there is neither, or the picture is larger than 4K.
    """
    with opened(file) as container:
        start = (container.start_time or 0) / av.time_base
        stated = container.duration / av.time_base if container.duration else None
        tracks = Tracks(container.format.name, start, stated)
        tracks.cover = any(_flag(stream, *ASIDE) for stream in container.streams.video)
        pictures = _ranked([stream for stream in container.streams.video if not _flag(stream, *ASIDE)])
        sounds = _ranked(container.streams.audio)
        preferred = {"picture": pictures[:1], "sound": sounds[:1]}
        pictures = [index for index in pictures if _may_come_in(container.streams[index])]
        sounds = [index for index in sounds if _may_come_in(container.streams[index])]
    if not any(preferred.values()):
        raise McGurkError(NO_MEDIA)
    while (pictures and not tracks.picture) or (sounds and not tracks.sound):
        wanted = {**_next(pictures, tracks.picture, "picture"), **_next(sounds, tracks.sound, "sound")}
        _find_first(file, tracks, wanted)
    _say_lost(tracks, preferred)
    if not tracks.picture and not tracks.sound:
        raise McGurkError(
            "Nothing in {name} could be decoded: the file is damaged, or in a format that is not read here."
        )
    return tracks


def walk(
    file: BinaryIO, tracks: Tracks, kinds: tuple[str, ...], seconds: float, begun: Callable[[], object] = bool
) -> Iterator[tuple[str, float, object]]:
    """Each decoded frame up to `seconds` as ("picture" or "sound", its time on the clock, the frame).

    What lies beyond is not decoded, but its packets are counted, so that the tracks know how long they last. begun: is
    called between opening and decoding.
    """
    chosen = {track.index: (kind, track) for kind in kinds if (track := getattr(tracks, kind))}
    end = tracks.origin + seconds
    with opened(file) as container:
        for kind, track in chosen.values():
            _prepare(container.streams[track.index], threads=kind == "picture")
        begun()
        packets = container.demux(*(container.streams[index] for index in chosen))
        while (packet := _next_packet(packets, tracks)) is not None:
            if packet.stream_index not in chosen:
                continue
            kind, track = chosen[packet.stream_index]
            if packet.pts is not None:
                stamp = float(packet.pts * packet.time_base) - track.shift
                track.packets_until = max(track.packets_until, stamp + float((packet.duration or 0) * packet.time_base))
            if track.done:
                continue
            for frame in _decoded(packet, kind, tracks):
                time = _time_of(frame, kind, track, tracks)
                if time >= end:
                    track.done = True
                    break
                yield kind, time - tracks.origin, frame


def lasting(tracks: Tracks, track: Track) -> float:
    """When a track ends, on the clock: by its packets where they know, else by what was decoded."""
    decoded = track.until
    by_packets = track.packets_until
    if decoded - by_packets > max(0.25, 2 * track.step):
        by_packets = decoded  # it has no time stamps, or they were made up
    return max(by_packets, track.last + 1e-3) - tracks.origin


def _flag(stream: av.stream.Stream, *names: str) -> bool:
    return any(getattr(av.stream.Disposition, name) in stream.disposition for name in names)


def _ranked(streams: list) -> list[int]:
    """Indices of streams of one kind: the default one first, those made for one group of people last."""
    order = sorted(streams, key=lambda each: (_flag(each, *SECOND_CHOICE), not _flag(each, "default"), each.index))
    return [stream.index for stream in order]


def _may_come_in(stream: av.stream.Stream) -> bool:
    allowed = VIDEO_CODECS if stream.type == "video" else AUDIO_CODECS
    return stream.codec_context is not None and stream.codec_context.name in allowed


def _next(candidates: list[int], found: Track | None, kind: str) -> dict[int, str]:
    return {candidates.pop(0): kind} if candidates and not found else {}


def _find_first(file: BinaryIO, tracks: Tracks, wanted: dict[int, str]) -> None:
    """Decode up to the first frame of each wanted stream; those that have none are left unset."""
    with opened(file) as container:
        streams = [container.streams[index] for index in wanted]
        for stream in streams:
            _prepare(stream, threads=False)
        packets = container.demux(*streams)
        while wanted and (packet := _next_packet(packets, tracks)) is not None:
            if packet.stream_index not in wanted:
                continue
            kind = wanted[packet.stream_index]
            for frame in _decoded(packet, kind, tracks):
                del wanted[packet.stream_index]
                _set_track(tracks, kind, packet.stream, frame)
                break
    tracks.damaged = False


def _set_track(tracks: Tracks, kind: str, stream: av.stream.Stream, frame) -> None:
    rate = frame.sample_rate if kind == "sound" else float(stream.average_rate or stream.guessed_rate or 25)
    first = 0.0 if frame.time is None else float(frame.time)
    setattr(tracks, kind, Track(stream.index, stream.codec_context.name, first, rate))
    if kind == "sound":
        if not 1 <= frame.layout.nb_channels <= MAX_CHANNELS:
            setattr(tracks, kind, None)
        tracks.facts["channels"] = frame.layout.nb_channels
        return
    size = (frame.width, frame.height)
    check_size(size)
    tracks.facts |= {"size": size, "pixel_format": frame.format.name, "hdr": int(frame.color_trc) in HDR_CURVES}
    tracks.facts["sar"] = float(stream.sample_aspect_ratio or 1)


def check_size(size: tuple[int, int]) -> None:
    """Raises McGurkError for a picture larger than 4K."""
    if max(size) > MAX_SIDES[0] or min(size) > MAX_SIDES[1]:
        raise McGurkError(
            f"The picture of {{name}} is {size[0]} x {size[1]} pixels, more than 4K "
            f"({MAX_SIDES[0]} x {MAX_SIDES[1]}): scale it down first."
        )


def _say_lost(tracks: Tracks, preferred: dict[str, list[int]]) -> None:
    for kind, first in preferred.items():
        track = getattr(tracks, kind)
        if first and track is None:
            tracks.lost.append(f"The {kind} of this file can't be decoded here: it is left out.")
        elif first and track.index != first[0]:
            tracks.lost.append(f"The main {kind} track of this file can't be decoded here: another one is used.")


def _prepare(stream: av.stream.Stream, *, threads: bool) -> None:
    context = stream.codec_context
    context.options = {"max_pixels": str(MAX_SIDES[0] ** 2)}
    context.thread_count = min(CORES, 4) if threads else 1
    if threads:
        context.thread_type = "AUTO"


def _next_packet(packets: Iterator, tracks: Tracks):
    try:
        return next(packets, None)
    except UNREADABLE:
        tracks.damaged = True
        return None


def _decoded(packet: av.Packet, kind: str, tracks: Tracks) -> list:
    """The frames of a packet, of that kind only: in a damaged broadcast a stream may turn from sound into picture."""
    try:
        frames = packet.decode()
    except UNREADABLE:
        tracks.damaged = True
        return []
    tracks.damaged = tracks.damaged or packet.is_corrupt
    return [frame for frame in frames if isinstance(frame, av.VideoFrame if kind == "picture" else av.AudioFrame)]


def _time_of(frame, kind: str, track: Track, tracks: Tracks) -> float:
    """A frame's time in the file; made up from the frames before it where the file says none or lies."""
    expected = track.until if track.frames else track.first
    time = expected if frame.time is None else float(frame.time) - track.shift
    if tracks.format in JUMPING and track.frames and not -1 < time - expected < JUMP:
        track.shift += time - expected
        time = expected
    if kind == "sound":
        track.step = frame.samples / frame.sample_rate
    elif frame.duration:
        track.step = float(frame.duration * frame.time_base)
    else:
        track.step = time - track.last if track.frames and time > track.last else 1 / track.rate
    track.frames += 1
    track.last = time
    track.until = max(track.until, time + track.step)
    return time
