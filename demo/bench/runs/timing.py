"""How long a visitor waits: `python -m demo bench speed` times the Lab's steps on 10 s of 720p and prints a table.

Knows clocks and steps. Does not know how a step is done. Every case has a picture and a sound not read before.
"""

from __future__ import annotations

import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from demo import inside
from demo.clips import gallery, read_clip
from demo.compare import compare
from demo.conflicts import Conflict, apply
from demo.inside import View
from demo.media import player, run_ffmpeg
from demo.session import WORKED, Asked, Situation, other_question, question_of
from demo.visitors.state import State
from models import registry
from models.omni import McGurkError

CASES = 5  # clips timed, after one that is not counted
SECONDS, WIDTH, HEIGHT = 10, 1280, 720
PATIENCE = 300  # s until the application must be up
ROOT = Path(__file__).parents[3]
TARGETS = {
    "model loaded": None,
    "clip read, sound swapped": None,
    "player's file": 0.3,
    "both answers with attention": 2.0,
    "the other question, same clip": None,
    "overlay of 8 frames, both": 0.5,
    "application up": 20.0,
    "first answers on the page": None,
}


@dataclass(frozen=True)
class Timed:
    """Median and largest seconds of a step over its cases; what is aimed at, None if nothing is."""

    step: str
    median: float
    largest: float
    cases: int
    target: float | None


@dataclass(frozen=True)
class Report:
    """All steps; resident memory in MB of a process with the model after them, and of the application that answered."""

    steps: tuple[Timed, ...]
    memory: float
    app_memory: float
    machine: str


def measure(model: str, cases: int = CASES) -> Iterator[str | Report]:
    """Yield what is being timed, then the Report. Raises McGurkError if the gallery or the model is missing."""
    seconds: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="mcgurk-speed-") as folder:
        yield "the application"
        up, answered, app_memory = _start_application(model, Path(folder))
        seconds["application up"].append(up)
        seconds["first answers on the page"].append(answered)
        yield "the model"
        started = time.perf_counter()
        loaded = registry.load_model(model)
        seconds["model loaded"].append(time.perf_counter() - started)
        films = list(_films(cases + 1, Path(folder)))
        for place, film in enumerate(films):
            yield f"clip {place} of {cases}"
            found = _time_a_visit(loaded, film, films[place - 1], Path(folder) / f"{place}.mp4")
            for step, spent in found.items() if place else ():
                seconds[step].append(spent)
    steps = tuple(
        Timed(step, statistics.median(seconds[step]), max(seconds[step]), len(seconds[step]), target)
        for step, target in TARGETS.items()
    )
    yield Report(steps, resident(), app_memory, machine())


def markdown(report: Report) -> str:
    """The report as a table."""
    lines = ["| step | median s | largest s | cases | aim |", "|---|---:|---:|---:|---:|"]
    for timed in report.steps:
        aim = "" if timed.target is None else f"{timed.target:g}"
        lines.append(f"| {timed.step} | {timed.median:.2f} | {timed.largest:.2f} | {timed.cases} | {aim} |")
    lines.append(f"| resident memory, MB: application after its first answers | {report.app_memory:.0f} | | 1 | 2500 |")
    lines.append(f"| resident memory, MB: one process after all of the above | {report.memory:.0f} | | 1 | |")
    return "\n".join([*lines, "", f"{SECONDS} s of {WIDTH} x {HEIGHT}, sound swapped; {report.machine}."])


def _time_a_visit(model, film: Path, other: Path, out: Path) -> dict[str, float]:
    """Seconds of each step from a file to the drawn overlay."""
    clock = _Clock()
    clip, sound = read_clip(film), read_clip(other)
    state = State(clip="", conflict=Conflict(sound="swap"), question="hear")
    stimulus = apply(clip, state.conflict, sound)
    clock.lap("clip read, sound swapped")
    player.compose(clip, state.conflict, sound, out, stimulus=stimulus)
    clock.lap("player's file")
    question = question_of(state, stimulus)
    encoded = model.encode(stimulus)
    *_, comparison = compare(model, stimulus, question, encoded=encoded)
    clock.lap("both answers with attention")
    for _ in compare(model, stimulus, other_question(question), encoded=encoded):
        pass
    clock.lap("the other question, same clip")
    situation = Situation(state, clip, sound, stimulus, question, ())
    inside.seen(Asked(situation, out, comparison), View())
    clock.lap("overlay of 8 frames, both")
    return clock.laps


class _Clock:
    def __init__(self):
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.laps[step] = now - self._last
        self._last = now


def _films(count: int, folder: Path) -> Iterator[Path]:
    """Gallery clips as 10 s of 720p."""
    clips = gallery()
    if len(clips) < count:
        raise McGurkError(f"The gallery has {len(clips)} clips, {count} are needed: restore assets/clips.")
    for clip in clips[:count]:
        out = folder / f"{clip.id}-720.mp4"
        scaled = f"scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,crop={WIDTH}:{HEIGHT}"
        arguments = ["-stream_loop", "-1", "-i", str(clip.path), "-t", str(SECONDS), "-vf", scaled, "-c:v", "libx264",
                     "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(out)]  # fmt: skip
        run_ffmpeg(arguments, None, timeout=120, what="scaling a clip")
        yield out


def _start_application(model: str, folder: Path) -> tuple[float, float, float]:
    """Seconds until the page is served, and until its worked conflict is answered; MB the application then holds."""
    from gradio_client import Client

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"PORT": str(port), "MCGURK_MODEL": model, "GRADIO_TEMP_DIR": str(folder / "gradio")}
    started = time.perf_counter()
    app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        while not _serves(address):
            if app.poll() is not None or time.perf_counter() - started > PATIENCE:
                raise McGurkError("The application did not start: run `python app.py` to see why.")
            time.sleep(0.05)
        up = time.perf_counter() - started
        client = Client(address, verbose=False)
        clip, other = WORKED[0]
        client.predict(question="hear", clip=clip, sound="swap", other=other, api_name="/ask")
        return up, time.perf_counter() - started, resident(app.pid)
    finally:
        app.terminate()
        app.wait(30)


def _serves(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def resident(pid: int | None = None) -> float:
    """MB of memory that a process has resident; nan where the system does not say."""
    try:
        lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS")), float("nan"))


def machine() -> str:
    """Processor, cores, Python and torch in a line."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}"
