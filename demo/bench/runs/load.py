"""Many visitors at once: `python -m demo bench load` drives a running application and tells what they met.

Knows what visitors do and what is counted. Does not know the page's protocol (visiting.py) or how answers are made.

Whether an answer is right for its question can't be known here; whether it is the *same* for everybody can: a greedy
model says the same about the same, so the first answer to a question stands for all others, and one that differs is
counted as crossed, as is one whose truths or question are not those that were asked.
"""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from demo.bench.runs import process
from demo.bench.runs.timing import machine
from demo.bench.runs.visiting import Front, Reply, Visitor
from demo.clips import GalleryClip, gallery
from demo.questions import question
from models.omni import McGurkError

MOST_VISITORS, MOST_MINUTES = 200, 24 * 60
THINK = 10.0  # s between an answer and the next question, on average
REST = 60.0  # s after the last visitor until memory is looked at again
EVERY = 2.0  # s between two looks at the process
MARKS = 10  # times that memory is written down on the way to as many requests as are wanted
ASKS = {kind: question(kind).text for kind in ("see", "hear")}
SAMPLES = 3  # errors and crossed answers that are written out
# what a visitor does, and how often in a hundred
MIX = {
    "gallery": 62, "long text": 6, "own words": 8, "upload": 8, "film": 4, "view": 4, "cancel": 4, "hang up": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """How many come, and for how long. Checked when it is made (McGurkError)."""

    address: str = "http://127.0.0.1:7860"
    visitors: int = 20
    minutes: float = 5.0
    think: float = THINK
    seed: int = 0
    rest: float = REST
    situations: int = 0  # how many a class works through; 0: everybody makes up another
    requests: int = 0  # after how many it is over, if that is before the minutes are; 0: however many there are

    def __post_init__(self) -> None:
        if urlsplit(self.address).hostname not in ("127.0.0.1", "localhost"):
            raise McGurkError("Load is put on an application on this machine only: give http://127.0.0.1:PORT.")
        if not (1 <= self.visitors <= MOST_VISITORS and 0 < self.minutes <= MOST_MINUTES):
            raise McGurkError(f"Send 1 to {MOST_VISITORS} visitors for up to {MOST_MINUTES} minutes.")
        if self.situations < 0:
            raise McGurkError("A class works through 1 situation or more; 0: everybody makes up another.")
        if self.requests < 0:
            raise McGurkError("It is over after 1 request or more; 0: when the minutes are over.")
        if self.think < 0:
            raise McGurkError("Visitors think for 0 seconds or more.")


@dataclass
class Found:
    """What the visitors met, and what the process held meanwhile."""

    config: Config
    waits: dict[str, list[float]] = field(default_factory=dict)  # what was done -> s until it was all there
    refused: int = 0
    errors: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)
    looks: list[process.Look] = field(default_factory=list)
    marks: list[tuple[int, process.Look]] = field(default_factory=list)  # at every tenth of the requests wanted
    rested: process.Look | None = None
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        return sum(map(len, self.waits.values())) + self.refused + len(self.errors)

    @property
    def enough(self) -> bool:
        """Whether as many were asked as were wanted."""
        return 0 < self.config.requests <= self.requests

    def look(self, pid: int | None, folder: Path | None) -> str:
        """Look at the process; what there is to say of it at every tenth of the requests, else ""."""
        self.looks.append(process.look(pid, folder))
        if not self.config.requests or self.requests < (len(self.marks) + 1) * self.config.requests / MARKS:
            return ""
        self.marks.append((self.requests, self.looks[-1]))
        return f"after {self.requests} requests: {self.looks[-1].resident:.0f} MB"


def run(config: Config) -> Iterator[str | Found]:
    """Yield what is going on about every ten seconds, and at the end what was found. Raises McGurkError."""
    front = Front.read(config.address)
    clips = gallery()
    if len(clips) < 2:
        raise McGurkError("The gallery needs two clips or more: restore assets/clips.")
    pid = process.listening(urlsplit(config.address).port or 80)
    crowd = _Crowd(config, front, clips)
    threads = [threading.Thread(target=crowd.visit, args=(n,), daemon=True) for n in range(config.visitors)]
    started = said = time.monotonic()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if mark := crowd.found.look(pid, crowd.files):
            yield mark
        crowd.over.wait(EVERY)
        if crowd.found.enough or time.monotonic() - started > 60 * config.minutes:
            crowd.over.set()
            for thread in threads:
                thread.join(0.2)
        if time.monotonic() - said > 10:
            said = time.monotonic()
            yield f"{said - started:.0f} s, {crowd.found.requests} requests, {crowd.found.looks[-1].resident:.0f} MB"
    crowd.found.seconds = time.monotonic() - started
    if mark := crowd.found.look(pid, crowd.files):
        yield mark
    end = time.monotonic() + config.rest
    while config.rest and time.monotonic() < end:
        time.sleep(min(EVERY, config.rest))
    crowd.found.rested = process.look(pid, crowd.files)
    yield crowd.found


class _Crowd:
    """The visitors and what they share: what was answered so far, and what they met."""

    def __init__(self, config: Config, front: Front, clips: tuple[GalleryClip, ...]):
        self.config, self.front, self.clips = config, front, clips
        self.found = Found(config)
        self.over = threading.Event()
        self.files: Path | None = None  # where the application keeps its files, once it has named one
        drawn = random.Random(config.seed)
        self._situations = [self._made_up(drawn) for _ in range(config.situations)]
        self._said: dict[tuple, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def visit(self, number: int) -> None:
        """Come, ask again and again, now and then leave and come back as somebody else."""
        chance = random.Random(f"{self.config.seed} {number}")
        self.over.wait(chance.uniform(0, min(self.config.think, 30 * self.config.minutes)))
        while not self.over.is_set():
            with Visitor(self.front, self.over) as visitor:
                for _ in range(chance.randint(2, 12)):
                    if self.over.is_set():
                        return
                    self._act(visitor, number, chance)
                    self.over.wait(chance.expovariate(1 / self.config.think) if self.config.think else 0)

    def _act(self, visitor: Visitor, number: int, chance: random.Random) -> None:
        what = chance.choices(list(MIX), list(MIX.values()))[0]
        try:
            reply = getattr(self, "_" + what.replace(" ", "_"))(visitor, number, chance)
        except (httpx.HTTPError, McGurkError, OSError, ValueError, KeyError) as error:
            if not self.over.is_set():
                self._note(self.found.errors, f"{what}: {type(error).__name__}: {error}")
            return
        with self._lock:
            if reply.refused:
                self.found.refused += 1
            elif reply.error and reply.error not in ("cancelled", "hung up"):
                self.found.errors.append(f"{what}: {reply.error}")
            elif not reply.error:
                self.found.waits.setdefault(what, []).append(reply.seconds)

    # what visitors do ----------------------------------------------------------------------------------------------

    def _gallery(self, visitor: Visitor, _number: int, chance: random.Random, leave: Callable | None = None) -> Reply:
        """A question about two clips of the gallery, one seen and the other heard."""
        clip, other, ask = chance.choice(self._situations) if self._situations else self._made_up(chance)
        values = {"clip": clip.id, "sound": "swap", "other": other.id, "ask": ask}
        reply = visitor.touch("go", values=values, leave=leave or (lambda _: ""))
        if leave is None and not reply.error and not reply.refused:
            self._check(reply, (clip.id, other.id, ask), ASKS[ask], clip.seen, other.heard)
        return reply

    def _made_up(self, chance: random.Random) -> tuple[GalleryClip, GalleryClip, str]:
        """What is seen, what is heard and which is asked about."""
        return *chance.sample(self.clips, 2), chance.choice(list(ASKS))

    def _long_text(self, visitor: Visitor, number: int, chance: random.Random) -> Reply:
        clip = chance.choice(self.clips)
        values = {"clip": clip.id, "sound": "own", "text": "long", "ask": "own", "own": f"What is that, {number}?"}
        values["long"] = chance.randint(500, 5000)
        reply = visitor.touch("go", values=values)
        if not reply.error and not reply.refused:
            self._check(reply, None, f"What is that, {number}?", clip.seen, clip.heard)
        return reply

    def _own_words(self, visitor: Visitor, number: int, chance: random.Random) -> Reply:
        """A question that nobody else asks: it must come back as it was asked."""
        clip, words = chance.choice(self.clips), f"Who is number {number}-{chance.randint(0, 10**9)}?"
        reply = visitor.touch("go", values={"clip": clip.id, "sound": "own", "ask": "own", "own": words})
        if not reply.error and not reply.refused:
            self._check(reply, None, words, clip.seen, clip.heard)
        return reply

    def _upload(self, visitor: Visitor, _number: int, chance: random.Random) -> Reply:
        """A clip of one's own, through the endpoint: nobody knows its truth, and the sound is that of the gallery."""
        clip, other = chance.sample(self.clips, 2)
        started = time.monotonic()
        file = visitor.upload(clip.path)
        self._remember_folder(file["path"], 2)
        reply = visitor.call("ask", question="hear", clip_file=file, sound="swap", other=other.id)
        reply.seconds = time.monotonic() - started
        if reply.value:
            stimulus = reply.value["stimulus"]
            told = stimulus["seen"], stimulus["heard"], reply.value["question"]["text"]
            if told != (None, other.heard, ASKS["hear"]):
                self._note(self.found.crossed, f"an upload with the sound of {other.id} came back as {told}")
        return reply

    def _film(self, visitor: Visitor, _number: int, chance: random.Random) -> Reply:
        clip, other = chance.sample(self.clips, 2)
        reply = visitor.call("compose", clip=clip.id, sound="swap", other=other.id)
        if reply.value:
            self._remember_folder(reply.value["video"]["path"], 3)
            told = reply.value["seen"], reply.value["heard"]
            if told != (clip.seen, other.heard) or visitor.fetch(reply.value["video"]["path"]) < 1000:
                self._note(self.found.crossed, f"a film of {clip.id} with {other.id} came back as {told}")
        return reply

    def _view(self, visitor: Visitor, number: int, chance: random.Random) -> Reply:
        """A question, then its attention against that of the other question."""
        reply = self._gallery(visitor, number, chance)
        if reply.error or reply.refused:
            return reply
        return visitor.touch("view", "input", values={"view": "difference"})

    def _cancel(self, visitor: Visitor, number: int, chance: random.Random) -> Reply:
        after = chance.uniform(0, 2)
        return self._gallery(visitor, number, chance, lambda spent: "cancel" if spent > after else "")

    def _hang_up(self, visitor: Visitor, number: int, chance: random.Random) -> Reply:
        after = chance.uniform(0, 2)
        return self._gallery(visitor, number, chance, lambda spent: "hang up" if spent > after else "")

    # what is checked -----------------------------------------------------------------------------------------------

    def _check(self, reply: Reply, key: tuple | None, question: str, seen: str, heard: str) -> None:
        """Note it if the page does not show what was asked, or another answer than was given to it before."""
        given = reply.text("given")
        if question not in reply.text("question"):
            self._note(self.found.crossed, f"asked {question!r}, was shown {reply.text('question')!r}")
        if f"shows {seen}" not in given or f"sound is {heard}" not in given:
            self._note(self.found.crossed, f"asked about {seen} and {heard}, was given {given!r}")
        said = reply.answer("base"), reply.answer("aligned")
        if not all(said):
            self._note(self.found.errors, f"{question!r} came back without two answers: {reply.text('status')!r}")
        elif key is not None:
            with self._lock:
                before = self._said.setdefault(key, said)
            if before != said:
                self._note(self.found.crossed, f"{key}: {said}, but {before} before")

    def _note(self, notes: list[str], said: str) -> None:
        with self._lock:
            notes.append(said)

    def _remember_folder(self, path: str, up: int) -> None:
        self.files = self.files or Path(path).parents[up - 1]


def markdown(found: Found) -> str:
    """What was found, as tables."""
    config, lines = (
        found.config,
        ["| what a visitor did | times | p50 s | p95 s | longest s |", "|---|---:|---:|---:|---:|"],
    )
    for what in MIX:
        if waits := sorted(found.waits.get(what, ())):
            lines.append(f"| {what} | {len(waits)} | {_at(waits, 50):.1f} | {_at(waits, 95):.1f} | {waits[-1]:.1f} |")
    looks, last = found.looks or [process.NOTHING], found.rested or process.NOTHING
    half = looks[len(looks) // 2 :]
    rows = (("resident memory, MB", "resident"), ("open files", "files"), ("threads", "threads"), ("disk, MB", "disk"))
    lines += ["", "| the application | at first | highest | second half, median | after a rest |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for title, what in rows:
        values = [getattr(look, what) for look in (*looks, last)]
        middle = statistics.median(getattr(look, what) for look in half)
        lines.append(f"| {title} | {values[0]:.0f} | {max(values):.0f} | {middle:.0f} | {values[-1]:.0f} |")
    if found.marks:
        lines += [
            "",
            "| after requests | resident memory, MB | open files | threads | disk, MB |",
            "|---|---:|---:|---:|---:|",
        ]
        for count, look in found.marks:
            held = f"{look.resident:.0f} | {look.files:.0f} | {look.threads:.0f} | {look.disk:.0f}"
            lines.append(f"| {count} | {held} |")
    asked = f"work through {config.situations} situations" if config.situations else "each make up their own situations"
    lines += [
        "",
        f"{found.requests} requests of {config.visitors} visitors, who think {config.think:g} s and {asked}, "
        f"in {found.seconds:.0f} s: {found.refused} refused for want of room, {len(found.errors)} unexplained errors, "
        f"{len(found.crossed)} wrong or crossed. The application computed "
        f"{(looks[-1].worked - looks[0].worked) / max(1, found.requests):.2f} s a request. {machine()}.",
    ]
    for name, notes in (("Error", found.errors), ("Crossed", found.crossed)):
        lines += [f"- {name} ({count} times): {said}" for said, count in Counter(notes).most_common(SAMPLES)]
    return "\n".join(lines)


def _at(ordered: list[float], percent: float) -> float:
    """The smallest value that `percent` of all don't exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
