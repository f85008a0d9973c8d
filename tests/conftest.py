"""Media files for tests, made by ffmpeg when first asked for. Knows containers and codecs, not what is tested."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from demo.clips import Clip
from demo.media import ffmpeg
from models.omni import SAMPLE_RATE
from tests.serving import stand_ins

__all__ = ["stand_ins"]  # a fixture of every test

PICTURE = "testsrc2=size=160x90:rate=25"
TONE = "sine=frequency=440:sample_rate=44100"
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"

# name of the file -> ffmpeg's arguments before it; {name} stands for another file of this table
RECIPES = {
    "plain.mp4": f"-f lavfi -i {PICTURE}:duration=3 -f lavfi -i {TONE}:duration=3 {X264} -c:a aac",
    "other.mp4": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i anoisesrc=amplitude=0.05:duration=2 {X264} -c:a aac",
    "quiet.mp4": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i anullsrc=duration=2 -shortest {X264} -c:a aac",
    "mute.mp4": f"-f lavfi -i {PICTURE}:duration=2 {X264}",
    "large.mp4": f"-f lavfi -i testsrc2=size=1280x720:rate=5:duration=2 -f lavfi -i {TONE}:duration=2 {X264} -c:a aac",
    "rotated.mp4": "-display_rotation 90 -i {plain.mp4} -c copy",
    "odd.mkv": "-f lavfi -i testsrc=size=161x91:rate=25:duration=2 -c:v libx264 -preset ultrafast -pix_fmt yuv444p",
    "anamorphic.mp4": f"-f lavfi -i {PICTURE}:duration=1,setsar=2 {X264}",
    "variable.mkv": f"-f lavfi -i {PICTURE}:duration=3,select='not(between(n\\,20\\,50))' -fps_mode vfr {X264}",
    "surround.mp4": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i {TONE}:duration=2 -ac 6 {X264} -c:a aac",
    "late.mkv": f"-f lavfi -i {PICTURE}:duration=3 -itsoffset 1 -f lavfi -i {TONE}:duration=2 {X264} -c:a libvorbis",
    "deep.mp4": f"-f lavfi -i {PICTURE}:duration=1 -c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le",
    "flat.mp4": f"-f lavfi -i color=gray:size=1800x2:rate=5:duration=1 {X264}",
    "camera.avi": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i {TONE}:duration=2 -c:v mjpeg -pix_fmt yuvj420p",
    "phone.mp4": f"-f lavfi -i {PICTURE}:duration=8 {X264.replace('yuv420p', 'yuvj420p')}",
    "old.avi": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i {TONE}:duration=2 -c:v mpeg4 -c:a mp3",
    "web.webm": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i {TONE}:duration=2 -c:v libvpx -deadline realtime "
    "-c:a libopus",
    "live.webm": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i {TONE}:duration=2 -c:v libvpx -deadline realtime "
    "-c:a libopus -live 1",
    "stream.ts": f"-f lavfi -i {PICTURE}:duration=2 -f lavfi -i {TONE}:duration=2 {X264} -c:a aac",
    "moving.gif": f"-f lavfi -i {PICTURE}:duration=1",
    "sound.wav": f"-f lavfi -i {TONE}:duration=2",
    "photo.jpg": f"-f lavfi -i {PICTURE} -frames:v 1",
    "photo.png": f"-f lavfi -i {PICTURE} -frames:v 1",
    "cover.mp3": f"-f lavfi -i {TONE}:duration=2 -i {{photo.jpg}} -map 0 -map 1 -c:v copy -disposition:v attached_pic",
    "short.mp4": f"-f lavfi -i {PICTURE}:duration=0.2 -f lavfi -i {TONE}:duration=0.2 {X264} -c:a aac",
    "long.mp4": f"-f lavfi -i color=size=32x32:rate=5:duration=65 -f lavfi -i {TONE}:duration=65 {X264} -c:a aac",
    "huge.mkv": "-f lavfi -i color=size=4200x100:duration=1 -c:v libx264 -preset ultrafast",
    "half-minute.mp4": f"-f lavfi -i {PICTURE}:duration=25 -f lavfi -i {TONE}:duration=25 {X264} -c:a aac",
    "huge.png": "-f lavfi -i color=size=4200x100 -frames:v 1",
}

# files that take longest: begun late, one would go on alone while the other core has nothing left to do
LONGEST = (
    "interventions/test_identity.py", "browser/test_shelf.py", "browser/test_bench.py", "browser/test_workshop.py",
    "browser/test_lab.py", "test_mini.py", "browser/test_picks.py", "browser/test_keyboard.py", "test_callers.py",
    "test_kills.py", "test_zerogpu.py", "bench/runs/test_load.py", "test_media.py", "test_space_check.py",
    "media/test_player.py", "pretrained/test_visit.py", "test_tuning.py", "browser/test_space.py",
    "browser/test_full.py", "test_tune.py", "test_lessons.py",
    "pretrained/test_lab.py", "test_doors.py", "teaching/test_curriculum.py", "test_encoders.py",
    "bench/runs/test_timing.py", "bench/runs/test_running.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the order within a file stays."""
    place = {Path(__file__).parent / name: n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session")
def one_thread():
    """Torch computes with one thread from now on: tiny models are slower with two, and two runs must agree."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def mini():
    """The embedded model with its weights."""
    from models.mini.backend import Mini

    return Mini()


@pytest.fixture(scope="session")
def media_file(tmp_path_factory) -> Callable[[str], Path]:
    """media_file("plain.mp4") is the path of that file of RECIPES."""
    folder = tmp_path_factory.mktemp("media")

    def make(name: str) -> Path:
        path = folder / name
        if not path.exists():
            words = [make(word[1:-1]) if word.startswith("{") else word for word in RECIPES[name].split()]
            command = [ffmpeg(), "-nostdin", "-loglevel", "error", *map(str, words), str(path)]
            subprocess.run(command, check=True, timeout=60)
        return path

    return make


def tone(frequency: float, seconds: float, amplitude: float = 0.3) -> np.ndarray:
    """A sine as float32 mono 16 kHz."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


@pytest.fixture
def cello() -> Clip:
    """Four seconds made of arrays: a grey ramp seen at 2 fps, a tone of 440 Hz heard."""
    frames = np.broadcast_to(np.arange(10, 90, 10, dtype=np.uint8)[:, None, None, None], (8, 90, 160, 3)).copy()
    return Clip("cello", None, frames, 2.0, tone(440, 4), 4.0, "cello", "cello")


@pytest.fixture
def rain() -> Clip:
    """Four seconds made of arrays: a white picture, a tone of 1,000 Hz, ten times quieter."""
    frames = np.full((8, 90, 160, 3), 255, np.uint8)
    return Clip("rain", None, frames, 2.0, tone(1000, 4, 0.03), 4.0, "rain", "rain")
