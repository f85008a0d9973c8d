"""A server of the real application for tests, around a model of choice. Knows how it is started and stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from demo import clips
from demo.media import ffmpeg

NAMES = ("dog", "cello", "rain", "cat")  # what the stand-in clips are labelled as
TABLE = "id,title,seen,heard,licence,origin\n"


def model():
    """The fake model, or the real `mini` with MCGURK_TEST_MODEL=mini."""
    if os.environ.get("MCGURK_TEST_MODEL") == "mini":
        from models.mini.backend import Mini

        return Mini()
    from tests.perceiving import PerceivingModel

    return PerceivingModel(delay=0.1)


def stand_in_gallery(folder: Path) -> Path:
    """A gallery of coloured screens with tones, written into `folder`."""
    for name, content in _stand_ins().items():
        (folder / name).write_bytes(content)
    return folder


@cache
def _stand_ins() -> dict[str, bytes]:
    """The files of the gallery, made once: ffmpeg runs twice a clip."""
    table = TABLE
    with tempfile.TemporaryDirectory() as scratch:
        for at, name in enumerate(NAMES):
            picture = f"color=c=0x{60 * at + 20:02x}8090:size=320x180:rate=10:duration=3"
            sound = f"sine=frequency={300 * at + 200}:duration=3"
            common = [ffmpeg(), "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", picture]
            encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
            film, still = (str(Path(scratch, f"{name}.{end}")) for end in ("mp4", "jpg"))
            subprocess.run([*common, "-f", "lavfi", "-i", sound, *encoded, film], check=True, timeout=60)
            subprocess.run([*common, "-frames:v", "1", still], check=True, timeout=60)
            table += f"{name},A {name},{name},{name},CC0-1.0,made for a test\n"
        return {path.name: path.read_bytes() for path in Path(scratch).iterdir()} | {"clips.csv": table.encode()}


def use_gallery(folder: Path, patch) -> None:
    """Make `folder` the gallery for as long as the monkeypatch `patch` lasts."""
    for function in (clips.gallery, clips.gallery_clip):
        patch.setattr(function, "__defaults__", (folder,))


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory) -> Iterator[Path]:
    """The stand-in gallery in the place of the real one, for as long as a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        folder = stand_in_gallery(tmp_path_factory.mktemp("gallery"))
        use_gallery(folder, patch)
        yield folder


@contextmanager
def served(answering, cache: Path, patch) -> Iterator[str]:
    """The address of the application, its files under `cache`, for as long as the context lasts."""
    patch.setenv("GRADIO_TEMP_DIR", str(cache))
    patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    from app import launch

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server, address, _ = launch(answering, port, block=False, host="127.0.0.1")
    try:
        yield address
    finally:
        server.get_blocks().close(verbose=False)
