"""Runs ffmpeg on one media file: what is in it, its pictures, its sound.

Knows ffmpeg's arguments, its printed description and its failures. Does not know clips, labels or conflicts.

The file is handed over as an open descriptor (ffmpeg's `fd:` protocol, the only one allowed on the input side), so
no file name is ever parsed by ffmpeg and no playlist inside an upload can make it open another file or address.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from models.omni import SAMPLE_RATE, McGurkError

PROBE_TIMEOUT = 15  # s; a description needs milliseconds
DECODE_TIMEOUT = 120  # s; 60 s of 4K video decode in about 30 s on two cores
MAX_SIDES = (4096, 2304)  # pixels, longer and shorter side of a picture
REFUSED_FORMATS = {"tty", "hls", "concat", "dash", "lavfi", "ffmetadata"}  # text drawn as video, playlists
STILL_SECONDS = 0.1  # a single picture in a video container claims to last no longer than this

_STREAM = re.compile(r"^  Stream #0:(\d+)(?:\[\w+\])?(?:\(\w+\))?: (Video|Audio): (\w+)(.*)$")
_SIZE = re.compile(r", (\d{1,6})x(\d{1,6})(?: \[|,|$)")
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_FORMAT = re.compile(r"^Input #0, (\S+), from ")
_PIXELS = re.compile(r", (yuvj?\d{3}p\d*(?:le|be)?|[a-z]+\d*\w*)[(,]")


@dataclass(frozen=True)
class MediaInfo:
    """What ffmpeg says is in a file, before anything is decoded."""

    format: str  # ffmpeg's name of the container, e.g. "mov,mp4,m4a,3gp,3g2,mj2"
    duration: float | None  # s; None: the container does not say
    video: int | None  # index of the first moving picture stream; None: no picture
    audio: int | None  # index of the first sound stream; None: no sound
    size: tuple[int, int] = (0, 0)  # width, height as stored, before any rotation
    video_codec: str = ""
    pixel_format: str = ""
    audio_codec: str = ""
    cover: bool = False  # a cover picture was found and left aside
    still: bool = False  # one picture, not a video


@cache
def ffmpeg() -> str:
    """Path of the ffmpeg program that came with the installation."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise McGurkError("No ffmpeg program was found: install the package imageio-ffmpeg.") from error


def run_ffmpeg(arguments: list[str], source: Path | bytes | None, *, timeout: float, what: str) -> tuple[bytes, str]:
    """Run ffmpeg and return (standard output, messages).

    source: a file that ffmpeg reads as `fd:`, bytes that it reads as `pipe:`, or None. what: the action, for messages.
    Raises McGurkError when ffmpeg fails, with its last message, or takes longer than `timeout` seconds.
    """
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *arguments]
    try:
        if isinstance(source, Path):
            with source.open("rb") as opened:
                done = subprocess.run(command, stdin=opened, capture_output=True, timeout=timeout)
        else:
            done = subprocess.run(command, input=source or b"", capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise McGurkError(f"{what} took longer than {timeout:.0f} s: try a shorter or smaller file.") from error
    messages = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode and not done.stdout:
        raise McGurkError(f"{what} failed: {_last_line(messages)}")
    return done.stdout, messages


def probe(path: Path) -> MediaInfo:
    """Describe a media file without decoding it. Raises McGurkError if it holds neither picture nor sound."""
    command = [ffmpeg(), "-hide_banner", "-nostdin", *READ, "-i", "fd:"]
    try:
        with path.open("rb") as opened:
            done = subprocess.run(command, stdin=opened, capture_output=True, timeout=PROBE_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise McGurkError(f"{path.name!r} could not be understood in {PROBE_TIMEOUT} s: is it a media file?") from error
    info = parse_info(done.stderr.decode("utf-8", "replace"))
    if info.format in REFUSED_FORMATS or (info.video is None and info.audio is None):
        raise McGurkError(f"{path.name!r} is not a media file that can be read: choose a video, sound or picture file.")
    if max(info.size) > MAX_SIDES[0] or min(info.size) > MAX_SIDES[1]:
        raise McGurkError(
            f"The picture of {path.name!r} is {info.size[0]} x {info.size[1]} pixels, more than 4K "
            f"({MAX_SIDES[0]} x {MAX_SIDES[1]}): scale it down first."
        )
    return info


def parse_info(text: str) -> MediaInfo:
    """Read the description that `ffmpeg -i` prints."""
    found: dict = {"format": "", "duration": None, "video": None, "audio": None}
    for line in text.splitlines():
        if match := _FORMAT.match(line):
            found["format"] = match[1]
        elif match := _DURATION.match(line):
            found["duration"] = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
        elif match := _STREAM.match(line):
            _add_stream(found, int(match[1]), match[2], match[3], match[4])
    no_length = not found["duration"] or found["duration"] <= STILL_SECONDS
    piped = found["format"].endswith("_pipe")  # ffmpeg reads single png, jpeg, webp... files as "png_pipe"...
    found["still"] = (
        found["video"] is not None
        and found["audio"] is None
        and (piped or no_length)
        and (found["format"] != "gif" or bool(found["duration"]))
    )
    return MediaInfo(**found)


def _add_stream(found: dict, index: int, kind: str, codec: str, rest: str) -> None:
    if kind == "Audio":
        if found["audio"] is None:
            found |= {"audio": index, "audio_codec": codec}
    elif "(attached pic)" in rest:
        found["cover"] = True
    elif found["video"] is None and (size := _SIZE.search(rest)):
        pixels = _PIXELS.search(rest)
        found |= {
            "video": index,
            "video_codec": codec,
            "size": (int(size[1]), int(size[2])),
            "pixel_format": pixels[1] if pixels else "",
        }


READ = ["-protocol_whitelist", "fd", "-max_streams", "64"]  # options in front of every `-i fd:`


def read_frames(path: Path, info: MediaInfo, *, fps: float, max_side: int, seconds: float) -> tuple[np.ndarray, str]:
    """The pictures at 0, 1/fps, 2/fps... s, upright, with square pixels, longest side at most `max_side`.

    Returns (uint8 T x H x W x 3 RGB, ffmpeg's complaints); T is 0 if nothing could be decoded.
    """
    # rounding up makes the frame of slot n the last one shown at or before n / fps
    sample = "" if info.still else f"fps={fps}:start_time=0:round=up,"
    square = "scale=w='max(1,min(4096,iw*sar))':h=ih,setsar=1,"
    shrink = f"min(1,{max_side}/max(iw,ih))"
    fit = f"scale=w='max(1,round(iw*{shrink}))':h='max(1,round(ih*{shrink}))'"
    limit = ["-frames:v", "1"] if info.still else ["-frames:v", str(int(np.ceil(seconds * fps)))]
    arguments = [*READ, "-max_pixels", str(MAX_SIDES[0] * MAX_SIDES[0]), "-t", str(seconds), "-i", "fd:"]
    arguments += [
        "-map",
        f"0:{info.video}",
        "-vf",
        sample + square + fit,
        *limit,
        "-c:v",
        "ppm",
        "-pix_fmt",
        "rgb24",
        "-f",
        "image2pipe",
    ]
    output, messages = run_ffmpeg([*arguments, "pipe:1"], path, timeout=DECODE_TIMEOUT, what="Reading the picture")
    return _pnm_frames(output), messages


def _pnm_frames(data: bytes) -> np.ndarray:
    """Portable pixmaps one after the other -> uint8 T x H x W x 3. They carry their own size, rotation done."""
    frames, at = [], 0
    while match := re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s").match(data, at):
        width, height = int(match[1]), int(match[2])
        at = match.end() + width * height * 3
        if at <= len(data):
            frames.append(np.frombuffer(data, np.uint8, width * height * 3, match.end()).reshape(height, width, 3))
    same = [frame for frame in frames if frame.shape == frames[0].shape]  # a stream may change its size midway
    return np.stack(same) if same else np.zeros((0, 0, 0, 3), np.uint8)


def read_sound(path: Path, info: MediaInfo, *, seconds: float) -> tuple[np.ndarray, str]:
    """The sound as (float32 mono 16 kHz in -1..1, ffmpeg's complaints), in step with the picture."""
    # first_pts=0 fills a late start with silence, async closes gaps: both keep sound and picture in step
    arguments = [*READ, "-t", str(seconds), "-i", "fd:", "-map", f"0:{info.audio}", "-vn"]
    arguments += ["-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "f32le"]
    output, messages = run_ffmpeg([*arguments, "pipe:1"], path, timeout=DECODE_TIMEOUT, what="Reading the sound")
    samples = np.frombuffer(output[: len(output) // 4 * 4], "<f4")[: round(seconds * SAMPLE_RATE)]
    return np.clip(np.nan_to_num(samples), -1.0, 1.0).astype(np.float32), messages


def temporary_beside(out: Path) -> Path:
    """A fresh, empty file in the folder of `out`, to be moved onto it when complete."""
    with tempfile.NamedTemporaryFile(dir=out.parent, prefix=".", suffix=out.suffix, delete=False) as opened:
        return Path(opened.name)


def _last_line(messages: str) -> str:
    """ffmpeg's last message without its component and address prefix."""
    line = messages.splitlines()[-1] if messages else "ffmpeg gave no reason"
    return re.sub(r"^\[[^\]]*\]\s*", "", line).rstrip(".") + "."
