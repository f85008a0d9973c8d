"""The whole application as work that is killed: visitors ask, play, bring clips, export and save, one after the other.

Knows what visitors do and what they must get. Does not know when it is killed, see tests/kills.py.

Nothing that visitors do outlives the application on purpose, so what is looked at is that nothing does: no file, no
process, no port that stays taken, and that each answer is the right one however often the one before was killed.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from demo import clips
from demo.bench.runs.visiting import Front, Visitor
from demo.visitors import bundle, files
from tests.serving import NAMES, stand_in_gallery

ENDING = 30.0  # s in which processes that a killed application had started must have ended
EACH = 6  # visits for each kill


def work(folder: Path, rounds: int) -> None:
    """Serve visitors until all visits are made, those before the last kill included."""
    os.environ[files.ROOT] = str(folder / "files")
    files.begin()
    from app import launch
    from tests.perceiving import PerceivingModel

    gallery = _gallery(folder.parent / "gallery")
    for function in (clips.gallery, clips.gallery_clip):
        function.__defaults__ = (gallery,)
    server, address, _ = launch(PerceivingModel(0.02), _port(folder / "port"), block=False, host="127.0.0.1")
    print("begun", flush=True)
    front, told = Front.read(address.rstrip("/")), folder / "told.jsonl"
    for n in range(len(_told(told)), EACH * rounds):
        print(f"at {n}", flush=True)
        with Visitor(front) as visitor:
            got = VISITS[n % len(VISITS)](visitor, *_pair(n))
        with told.open("a") as opened:
            opened.write(json.dumps([n, got]) + "\n")
        print(f"done {n}", flush=True)
    server.get_blocks().close(verbose=False)


def check(folder: Path, lines: list[str], _rounds: int) -> None:
    """After a kill: its files alone are left, all it started ends, and everything that was told is right."""
    left = list((folder / "files").glob(f"{files.RUN}*"))
    assert len(left) <= 1, f"{len(left) - 1} applications that were killed earlier have left files"
    until = time.monotonic() + ENDING
    while found := _processes(folder):
        assert time.monotonic() < until, f"still running: {found[:3]}"
        time.sleep(0.1)
    told = _told(folder / "told.jsonl")
    finished = sum(line.startswith("done") for line in lines)
    assert finished <= len(told) <= len([line for line in lines if line.startswith("at ")])
    for n, (said, got) in enumerate(told):
        assert (said, got) == (n, expected(n)), f"visit {said} got {got} instead of {expected(n)}"


def end(folder: Path) -> object:
    """What was told, and which files are left: none."""
    return _told(folder / "told.jsonl"), [path.name for path in (folder / "files").glob(f"{files.RUN}*")]


# what visitors do, with two clips; each returns what the next function says -------------------------------------------


def expected(n: int) -> list[str]:
    """What visit `n` must get: base believes the picture, aligned the asked sense, a film is an mp4."""
    seen, heard = _pair(n)
    return {"_asks": [seen, heard], "_plays": [seen, heard, "film"], "_exports": [seen, "film"],
            "_brings": [seen, heard], "_saves": [seen, heard]}[VISITS[n % len(VISITS)].__name__]  # fmt: skip


def _asks(visitor: Visitor, seen: str, heard: str) -> list[str]:
    reply = visitor.touch("go", values={"clip": seen, "sound": "swap", "other": heard, "ask": "hear"})
    return [reply.answer("base"), reply.answer("aligned")]


def _plays(visitor: Visitor, seen: str, heard: str) -> list[str]:
    value = visitor.call("compose", clip=seen, sound="swap", other=heard, picture="freeze").value
    return [value["seen"], value["heard"], _film(visitor.fetch(value["video"]["path"]))]


def _exports(visitor: Visitor, seen: str, heard: str) -> list[str]:
    visitor.touch("go", values={"clip": seen, "sound": "swap", "other": heard, "ask": "see"})
    reply = visitor.touch("export-mp4")
    [(_, file)] = reply.shown.items()
    return [seen, _film(visitor.fetch(file["path"]))]


def _saves(visitor: Visitor, seen: str, heard: str) -> list[str]:
    """What is true of the situation by the file that it was saved as."""
    reply = visitor.touch("save", values={"clip": seen, "sound": "swap", "other": heard, "ask": "see"})
    sent = visitor.client.get(f"{visitor.api}/file={reply.shown['saved']['path']}").raise_for_status()
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "saved.mcgurk")
        file.write_bytes(sent.content)
        saved = bundle.read(file, Path(scratch, "clip.mp4"))
    return [saved.seen, saved.heard]


def _brings(visitor: Visitor, seen: str, heard: str) -> list[str]:
    file = visitor.upload(clips.gallery_clip(seen).path)
    value = visitor.call("ask", question="hear", clip_file=file, sound="swap", other=heard).value
    return [value[adapter]["answer"] for adapter in ("base", "aligned")]


VISITS: tuple[Callable[[Visitor, str, str], list[str]], ...] = (_asks, _plays, _brings, _exports, _saves)


def _film(size: int) -> str:
    return "film" if size > 1000 else f"{size} bytes"


def _pair(n: int) -> tuple[str, str]:
    """Two different names of the gallery: whose picture and whose sound."""
    return NAMES[n % len(NAMES)], NAMES[(n + 1 + n // len(NAMES) % (len(NAMES) - 1)) % len(NAMES)]


# what lies around ----------------------------------------------------------------------------------------------------


def _gallery(folder: Path) -> Path:
    """One for all folders."""
    if not (folder / "clips.csv").is_file():
        folder.mkdir(exist_ok=True)
        stand_in_gallery(folder)
    return folder


def _port(file: Path) -> int:
    """The same port for every start."""
    if not file.is_file():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            file.write_text(str(probe.getsockname()[1]))
    return int(file.read_text())


def _told(file: Path) -> list:
    """What was told so far; a line that a kill tore is none."""
    whole = file.read_text().rpartition("\n")[0].splitlines() if file.is_file() else []
    return [json.loads(line) for line in whole]


def _processes(folder: Path) -> list[str]:
    """Commands of the processes that were told to keep their files below `folder`, as all are that it started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:  # another user's, or gone meanwhile
            continue
    return found
