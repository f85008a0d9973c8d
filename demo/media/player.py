"""The mp4 that the page plays: what a model was given, as a visitor sees and hears it.

Knows h264, aac and when a stream may be copied. Does not know what a conflict means beyond which stream it touches.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from demo import conflicts, lettering, media
from demo.clips import Clip
from demo.conflicts import Conflict
from models.omni import SAMPLE_RATE, McGurkError, Stimulus

MAX_SIDE = 1280  # pixels, longest side of a picture that has to be encoded again; an untouched one is copied as it is
START_SLACK = 0.03  # s by which a stream that is copied may start after the other
ENCODE_TIMEOUT = 180  # s; 60 s of 720p encode in about 15 s on two cores
PLAYABLE_PIXELS = {"yuv420p", "yuvj420p"}  # what every browser decodes
H264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p", "-color_range", "tv"]
AAC = ["-c:a", "aac", "-aac_coder", "fast"]  # the default coder takes twice as long


def compose(
    clip: Clip,
    conflict: Conflict,
    other: Clip | None = None,
    out: str | Path = "",
    *,
    stimulus: Stimulus | None = None,
    seed: int = 0,
) -> Path:
    """Write the mp4 (h264, aac, faststart) of a clip with a conflict to `out` and return its path.

    Streams that the conflict leaves alone are copied if a browser can play them, else encoded again (at most 1280
    pixels wide or high). A sound that was worked on is the very waveform of the stimulus. No picture plays as a black
    screen. stimulus: what conflicts.apply gave, where it is at hand. The file appears complete or not at all.

    Raises McGurkError if the conflict can't be done, or the file can't be read or written.
    """
    out = Path(out).absolute()
    if out.suffix != ".mp4" or not out.parent.is_dir():
        raise McGurkError(f"The player's file must be an mp4 in an existing folder, not {str(out)!r}.")
    conflicts.check(clip, conflict, other)
    stimulus = stimulus or conflicts.apply(clip, conflict, other, seed=seed)
    if clip.path is not None and not clip.path.is_file():
        raise McGurkError(f"The file {clip.path.name!r} of this clip is gone: choose the clip again.")
    info = (clip.info or media.probe(clip.path)) if clip.path else None
    try:
        unfinished = media.temporary_beside(out)
    except OSError as error:
        raise McGurkError(f"{out.parent} can't be written to: {error.strerror}.") from error
    try:
        with tempfile.TemporaryDirectory() as scratch:
            _write(clip, conflict, stimulus, info, unfinished, Path(scratch))
        os.replace(unfinished, out)
    finally:
        unfinished.unlink(missing_ok=True)
    return out


def write_heard(stimulus: Stimulus, out: str | Path) -> Path:
    """Write the very sound that a model was given, 16 kHz mono, to the WAV file `out` and return its path.

    The player's file may hold the same sound in stereo and full quality; this is what became of it. The file appears
    complete or not at all. Raises McGurkError if the stimulus has no sound.
    """
    if stimulus.waveform is None:
        raise McGurkError("The model was given no sound: there is nothing to play.")
    out = Path(out).absolute()
    unfinished = media.temporary_beside(out)
    try:
        soundfile.write(unfinished, stimulus.waveform, SAMPLE_RATE, subtype="PCM_16", format="WAV")
        os.replace(unfinished, out)
    finally:
        unfinished.unlink(missing_ok=True)
    return out


def _write(
    clip: Clip, conflict: Conflict, stimulus: Stimulus, info: media.MediaInfo | None, out: Path, scratch: Path
) -> None:
    ending = ["-t", f"{clip.duration:.3f}", "-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", str(out)]
    may_copy = _untouched(conflict) and _playable(info)
    for copy in (True, False) if may_copy else (False,):
        own_sound = stimulus.waveform is not None and not conflict.alters_sound
        same_file = copy or (own_sound and _sound_playable(info))
        inputs = [[*media.READ, "-i", "fd:"]] if same_file else []  # each input's arguments
        picture = (
            ["-map", f"0:{info.video}", "-c:v", "copy"]
            if copy
            else _encoded_picture(clip, conflict, stimulus, info, inputs, scratch)
        )
        sound = _sound(clip, conflict, stimulus, info, inputs, scratch)
        arguments = [*(argument for given in inputs for argument in given), *picture, *sound, *ending]
        source = clip.path if same_file else None
        try:
            media.run_ffmpeg(arguments, source, timeout=ENCODE_TIMEOUT, what="Writing the player's file")
            return
        except McGurkError:
            if not copy:  # a stream that can't be copied into an mp4 can still be encoded again
                raise


def _untouched(conflict: Conflict) -> bool:
    return conflict.picture == "own" and conflict.text != "onscreen"


def _playable(info: media.MediaInfo | None) -> bool:
    """Whether the picture's stream can be copied: every browser decodes it, and it keeps its time and size."""
    if info is None or info.video is None or info.still or info.hdr or not info.steady:
        return False
    even = not any(side % 2 for side in info.size)
    kept = info.picture_start < START_SLACK and _starts_together(info)
    return info.video_codec == "h264" and info.pixel_format in PLAYABLE_PIXELS and even and kept


def _sound_playable(info: media.MediaInfo | None) -> bool:
    """Whether the sound's stream can be copied, likewise."""
    if info is None or info.audio is None or info.audio_codec != "aac" or info.sound_gaps:
        return False
    return "mp4" in info.format and info.sound_start < START_SLACK and _starts_together(info)


def _starts_together(info: media.MediaInfo) -> bool:
    """Whether ffmpeg's clock, which starts where the container says, is the clip's."""
    return abs(info.origin - info.container_start) < START_SLACK


def _sound(
    clip: Clip,
    conflict: Conflict,
    stimulus: Stimulus,
    info: media.MediaInfo | None,
    inputs: list[list[str]],
    scratch: Path,
) -> list[str]:
    """Output arguments of the sound: the file's own, in its quality and channels, or the stimulus's waveform."""
    if stimulus.waveform is None:
        return ["-an"]
    own = info is not None and info.audio is not None and not conflict.alters_sound
    if own and _sound_playable(info):
        return ["-map", f"0:{info.audio}", "-c:a", "copy"]
    if own:
        raw = scratch / "sound.au"
        media.write_sound(clip.path, raw, seconds=clip.duration)
        inputs.append(["-f", "au", "-i", f"file:{raw}"])
        return ["-map", f"{len(inputs) - 1}:a", *AAC, "-b:a", f"{64 * min(6, max(2, info.channels))}k"]
    raw = scratch / "sound.f32"
    raw.write_bytes(np.ascontiguousarray(stimulus.waveform, "<f4").tobytes())
    inputs.append(["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", f"file:{raw}"])
    return ["-map", f"{len(inputs) - 1}:a", *AAC, "-b:a", "128k"]


def _encoded_picture(
    clip: Clip,
    conflict: Conflict,
    stimulus: Stimulus,
    info: media.MediaInfo | None,
    inputs: list[list[str]],
    scratch: Path,
) -> list[str]:
    """Output arguments of a picture that is decoded, frozen or written on, and encoded again; it joins the inputs."""
    if info is None or info.video is None or conflict.picture not in ("own", "freeze"):
        return _drawn_picture(clip, stimulus, inputs, scratch)
    size = _full_size(clip, info)
    on_screen = conflict.text == "onscreen"
    freeze = conflicts.frozen_frame(clip) / clip.fps if conflict.picture == "freeze" and not info.still else None
    film = scratch / "picture.mkv"
    media.write_film(
        clip.path,
        film,
        size=size,
        seconds=clip.duration,
        freeze=freeze,
        banner=lettering.banner(conflicts.on_screen(conflict), *size) if on_screen else None,
    )
    inputs.append(["-f", "matroska", "-i", f"file:{film}"])
    return ["-map", f"{len(inputs) - 1}:v", "-c:v", "copy"]


def _drawn_picture(clip: Clip, stimulus: Stimulus, inputs: list[list[str]], scratch: Path) -> list[str]:
    """Output arguments of a picture made of the stimulus's frames, or of a black screen; it joins the inputs."""
    frames = stimulus.frames
    if frames is None:
        shape = conflicts.BLANK_SIZE if clip.frames is None else clip.frames.shape[1:3]
        frames = np.zeros((1, *shape, 3), np.uint8)
    raw = scratch / "frames.rgb"
    raw.write_bytes(np.ascontiguousarray(frames).tobytes())
    height, width = frames.shape[1:3]
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{stimulus.fps}"]
    inputs.append([*given, "-i", f"file:{raw}"])
    even = "scale=w='2*ceil(iw/2)':h='2*ceil(ih/2)':out_range=tv"
    filters = f"{even},setsar=1,tpad=stop_mode=clone:stop_duration={clip.duration:.3f}"
    return ["-map", f"{len(inputs) - 1}:v", "-vf", filters, *H264]


def _full_size(clip: Clip, info: media.MediaInfo) -> tuple[int, int]:
    """Width and height as shown: the sampled frames' upright shape at the file's size, even, at most 1280 pixels."""
    height, width = clip.frames.shape[1:3]
    scale = min(MAX_SIDE, max(info.size)) / max(height, width)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
