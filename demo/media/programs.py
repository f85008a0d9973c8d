"""Runs ffmpeg, which writes what the player plays. Knows its place, its limits and its failures.

It reads only what this program wrote itself, or streams to be copied from a file that was read before: that file is
handed over as an open descriptor (ffmpeg's `fd:` protocol, the only one allowed on the input side), as a container and
with codecs of the allow lists, so no name is parsed and nothing inside an upload makes it open another file or address.
"""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

import imageio_ffmpeg

from demo.media.limits import AUDIO_CODECS, CORES, FILM_BYTES, FORMATS, MAX_STREAMS, MEMORY, VIDEO_CODECS
from demo.sentences import NAMED, quoted
from models.omni import McGurkError

MAX_ALLOC = 512 * 1024**2  # bytes of one block that ffmpeg may ask for
# options in front of every `-i fd:`
READ = ["-protocol_whitelist", "fd", "-format_whitelist", ",".join(FORMATS)]
READ += ["-codec_whitelist", ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS)), "-max_streams", str(MAX_STREAMS)]

decoders = threading.BoundedSemaphore(CORES)  # held by whoever runs a process that decodes or encodes


@cache
def ffmpeg() -> str:
    """Path of the ffmpeg program that came with the installation."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise McGurkError("No ffmpeg program was found: install the package imageio-ffmpeg.") from error


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The file, open. Raises McGurkError where it can't be opened: whoever brought it may have removed it meanwhile."""
    try:
        opened = path.open("rb")
    except OSError as error:
        raise McGurkError(f"The file {quoted(path.name, NAMED)} is gone: choose another clip.") from error
    with opened:
        yield opened


def run_ffmpeg(arguments: list[str], source: Path | bytes | None, *, timeout: float, what: str) -> tuple[bytes, str]:
    """Run ffmpeg and return (standard output, messages).

    source: a file that ffmpeg reads as `fd:`, bytes that it reads as `pipe:`, or None. what: the action, for messages.
    Raises McGurkError when ffmpeg fails, with its last message, or takes longer than `timeout` seconds.
    """
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-max_alloc", str(MAX_ALLOC), "-y"]
    with decoders:
        if isinstance(source, Path):
            with reading(source) as opened:
                return _run([*command, *arguments], opened, None, timeout, what)
        return _run([*command, *arguments], subprocess.PIPE, source or b"", timeout, what)


def _run(command: list[str], stdin, given: bytes | None, timeout: float, what: str) -> tuple[bytes, str]:
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        _limit(running.pid, timeout)
        try:
            output, said = running.communicate(given, timeout)
        except subprocess.TimeoutExpired as error:
            running.kill()
            raise McGurkError(f"{what} took longer than {timeout:.0f} s: try a shorter or smaller file.") from error
        except BaseException:
            running.kill()
            raise
    messages = said.decode("utf-8", "replace").strip()
    if running.returncode and not output:
        raise McGurkError(f"{what} failed: {_last_line(messages)}")
    return output, messages


def _limit(process: int, timeout: float) -> None:
    """Bound what a process that was just started may take; not all systems can."""
    if not hasattr(resource, "prlimit"):
        return
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY * 2),
        (resource.RLIMIT_CPU, max(1, int(timeout)) * CORES),
        (resource.RLIMIT_FSIZE, FILM_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.prlimit(process, what, (limit, limit))
        except (ValueError, OSError):  # it has ended already, or the system allows less
            return


def temporary_beside(out: Path) -> Path:
    """A fresh, empty file in the folder of `out`, to be moved onto it when complete."""
    with tempfile.NamedTemporaryFile(dir=out.parent, prefix=".", suffix=out.suffix, delete=False) as opened:
        return Path(opened.name)


def _last_line(messages: str) -> str:
    """ffmpeg's last message without its component and address prefix."""
    line = messages.splitlines()[-1] if messages else "ffmpeg gave no reason"
    return re.sub(r"^\[[^\]]*\]\s*", "", line).rstrip(".") + "."
