"""Has a file described, read, filmed or played back in a process of its own, and says what went wrong in one sentence.

Knows the child's requests and limits. Does not know containers, codecs or clips.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from demo.media import limits
from demo.media.answers import packed_banner, read_answer
from demo.media.facts import MediaInfo, Reading
from demo.media.moments import slots
from demo.media.programs import decoders, reading
from demo.sentences import NAMED, quoted
from models.omni import SAMPLE_RATE, McGurkError

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
REFUSED = 3  # exit status of demo.media.child when it has said why
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")  # environment that it gets


def probe(path: Path) -> MediaInfo:
    """Describe a media file of which only the first frames are decoded; its duration is what the container states.

    Raises McGurkError if it holds neither picture nor sound that can be read.
    """
    found = _answered(path, {"do": "probe"}, limits.PROBE_SECONDS)
    return MediaInfo.from_dict(found[0]["info"])


def read(path: Path, *, fps: float, max_side: int, seconds: float) -> Reading:
    """Decode a file: pictures at 0, 1/fps... s and sound as 16 kHz mono, on one clock, at most `seconds` of both.

    Pictures are upright, have square pixels and a longest side of at most `max_side`. The first one stands from the
    start, the last one until the end. Raises McGurkError.
    """
    request = {"do": "read", "fps": fps, "max_side": max_side, "seconds": seconds}
    most = slots(seconds, fps), max_side, round(seconds * SAMPLE_RATE)
    answer, frames, waveform = _answered(path, request, limits.DECODE_SECONDS, *most)
    if frames is None and waveform is None:
        raise McGurkError(f"Nothing in {_name(path)} could be decoded: the file seems to be damaged.")
    info = MediaInfo.from_dict(answer["info"])
    return Reading(info, frames, waveform, answer["duration"], answer["damaged"], answer["cancelled"])


def write_film(
    path: Path,
    out: Path,
    *,
    size: tuple[int, int],
    seconds: float,
    freeze: float | None = None,
    banner: np.ndarray | None = None,
) -> None:
    """Write the picture of a file to `out` as h264 in Matroska, `seconds` long, on the clock of `read` and as bright.

    size: even width and height. freeze: show only the picture of this time in s. banner: uint8 H x W x 4 RGBA of that
    size, laid over the picture. Raises McGurkError.
    """
    request: dict[str, Any] = {"do": "film", "size": size, "seconds": seconds, "freeze": freeze}
    if banner is not None:
        request["banner"] = packed_banner(banner)
    _written(path, request, out)


def write_sound(path: Path, out: Path, *, seconds: float) -> None:
    """Write the sound of a file to `out` in its own channels and rate (at most 48 kHz), as an AU file of floats.

    It is on the clock of `read`. Raises McGurkError.
    """
    _written(path, {"do": "sound", "seconds": seconds}, out)


def _answered(path: Path, request: dict, timeout: float, frames: int = 0, side: int = 0, samples: int = 0):
    try:
        return _run(path, request, timeout, None, lambda pipe: read_answer(pipe, frames, side, samples))
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(path) from error


def _written(path: Path, request: dict, out: Path) -> None:
    with out.open("wb") as opened:
        _run(path, request, limits.DECODE_SECONDS * 2, opened, lambda pipe: None)


def _run(path: Path, request: dict, timeout: float, out: BinaryIO | None, take) -> Any:
    """What `take` makes of the child's standard output. Leaves no process behind."""
    command = [sys.executable, "-s", "-m", "demo.media.child", json.dumps(request)]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    with decoders, reading(path) as opened:
        running = subprocess.Popen(
            command,
            stdin=opened,
            stdout=out or subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        late = threading.Event()
        clock = threading.Timer(timeout, lambda: (late.set(), running.kill()))
        clock.daemon = True
        clock.start()
        taken = failure = None
        try:
            taken = take(running.stdout)
        except ValueError as error:  # ended before its answer was complete, which its status explains
            failure = error
        finally:
            if failure is not None or sys.exc_info()[0] is not None:
                running.kill()
            said = running.stderr.read(4096).decode("utf-8", "replace")
            running.wait()
            clock.cancel()
            for pipe in (running.stdout, running.stderr):
                if pipe is not None:
                    pipe.close()
    if late.is_set() or running.returncode == -signal.SIGXCPU:
        raise McGurkError(f"Reading {_name(path)} took longer than it may: try a shorter or smaller file.")
    if running.returncode == REFUSED and said:
        raise McGurkError(said.replace("{name}", _name(path)))
    if running.returncode or failure is not None:
        log.warning("decoding ended with status %s: %s", running.returncode, said)
        raise _broken(path) from failure
    return taken


def _name(path: Path) -> str:
    return quoted(path.name, NAMED)


def _broken(path: Path) -> McGurkError:
    return McGurkError(f"The file {_name(path)} could not be read: it seems to be damaged, or to need too much memory.")
