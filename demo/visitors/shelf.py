"""The visitor's own shelf: the clips that one visitor brought, what he said of them, and the files behind them.

Knows who owns a file and when it ends. Does not know pages, models or how a clip is asked about.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from demo.clips import MAX_SECONDS, NOTHING, Clip, read_clip
from demo.draw import strip
from demo.media.excerpt import excerpt, size_of
from demo.visitors.files import KEEP
from demo.visitors.state import OWN
from demo.vocabulary import plain, without_article
from models.omni import McGurkError
from models.wording import ABSTAIN

MAX_CLIPS = 12
COUNTED = 10.0  # s of a clip that count; of a longer one the visitor chooses which
SLACK = 0.5  # s that a clip may be longer without being cut
SHELF_BYTES = 600 * 1000**2  # of one visitor's files
ALL_BYTES = 3 * 1000**3  # of all visitors' files; beyond it the shelf that was touched longest ago goes
SHELVES_KEPT = 64
MAX_LABEL = 60  # characters
MAX_NAME = 40  # characters
SENSES = ("picture", "sound")
_FIELDS = {"picture": "seen", "sound": "heard"}
UNKNOWN = frozenset(
    ("i don't know", "i do not know", "don't know", "dont know", "idk", "unknown", "no idea", "not sure")
)
NONE = frozenset((ABSTAIN, "none", "no sound", "no picture", "nothing at all"))  # what people write for NOTHING


@dataclass(frozen=True)
class Source:
    """A file that is no gallery clip, and what is known of it. Labels: None where nobody told, "nothing" as told."""

    path: Path
    name: str
    seen: str | None = None
    heard: str | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class OwnClip:
    """One clip on a shelf."""

    id: str  # OWN and a number, never used twice on one shelf
    name: str  # plain text, as it is shown
    path: Path  # what the visitor brought
    used: Path  # what counts of it: the same file, or the excerpt cut from it
    duration: float  # s of `path`, at most 60
    start: float  # s, where `used` starts in `path`
    seconds: float  # of `used`
    size: tuple[int, int] | None  # width and height of what is cut out of it; None without a picture
    thumbnail: bytes  # jpeg; b"" without a picture
    frames: bytes  # jpeg, a row of frames over the whole duration; b"" without a picture
    peaks: tuple[float, ...]  # 0..1, loudest sample of equal stretches of the whole duration; () without a sound
    notices: tuple[str, ...]
    seen: str | None = None  # None: nobody told; clips.NOTHING: there is nothing to see
    heard: str | None = None
    perceived: Mapping[str, tuple[str, ...]] | None = None  # sense -> names to propose; None: not looked at yet

    @property
    def source(self) -> Source:
        """The part that counts, with its labels."""
        return Source(self.used, self.name, self.seen, self.heard, self.notices)

    @property
    def is_long(self) -> bool:
        """Whether only a part of it counts."""
        return self.duration > COUNTED + SLACK

    def label(self, sense: str) -> str | None:
        """What was said of a sense ("picture" or "sound")."""
        return getattr(self, _FIELDS[sense])


class Shelf:
    """The clips of one visitor in the order in which they came; their files lie in a folder of their own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        self._clips: dict[str, OwnClip] = {}
        self._made = 0
        self.touched = time.monotonic()
        self._delivered = ""  # id of what came in from elsewhere since somebody looked

    @property
    def clips(self) -> tuple[OwnClip, ...]:
        with self._lock:
            return tuple(self._clips.values())

    @property
    def sources(self) -> dict[str, Source]:
        """What can be seen and heard, by id."""
        return {clip.id: clip.source for clip in self.clips}

    @property
    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.glob("*") if file.is_file())

    def get(self, id: str) -> OwnClip:
        """The clip of that id. Raises McGurkError if it is not, or no longer, here."""
        with self._lock:
            if id in self._clips:
                return self._clips[id]
        raise McGurkError("This clip is not on your shelf any more: add it again, or choose another.")

    def add(self, path: str | Path, name: str = "", seen: str | None = None, heard: str | None = None) -> OwnClip:
        """Put a copy of a media file on the shelf; of a longer one its first ten seconds count.

        name: what to call it; "": by its file name. Raises McGurkError when the shelf is full or the file is refused.
        """
        self._make_room()
        path = Path(path)
        clip = read_clip(path)
        with self._lock:
            self._made += 1
            id = f"{OWN}{self._made}"
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / f"{id}{path.suffix if re.fullmatch(r'[.][A-Za-z0-9]{1,8}', path.suffix) else ''}"
        try:
            _take(path, kept)
            if self.bytes > SHELF_BYTES:
                raise McGurkError(f"Your shelf holds {SHELF_BYTES / 1e6:.0f} MB and is full: remove a clip first.")
            made = _described(id, self._own_name(tidy_name(name or path.stem)), kept, clip)
            made = replace(
                self._cut(made, 0.0),
                seen=checked_label(seen) if made.frames else NOTHING,  # what isn't there needs nobody to tell
                heard=checked_label(heard) if made.peaks else NOTHING,
            )
            self._make_room()
        except BaseException:
            kept.unlink(missing_ok=True)
            raise
        with self._lock:
            self._clips[id] = made
        return made

    def deliver(self, path: str | Path) -> OwnClip:
        """Add a clip that comes from another page than the shelf's own; `collect` there tells of it."""
        clip = self.add(path)
        with self._lock:
            self._delivered = clip.id
        return clip

    def collect(self) -> OwnClip | None:
        """The last clip that was delivered since the last look, if it is still here."""
        with self._lock:
            id, self._delivered = self._delivered, ""
            return self._clips.get(id)

    def say(self, id: str, sense: str, label: str | None) -> OwnClip:
        """Note what a clip's "picture" or "sound" is; None: unknown. Raises McGurkError for what is no label."""
        return self._change(id, **{_FIELDS[sense]: checked_label(label)})

    def note(self, id: str, perceived: Mapping[str, tuple[str, ...]]) -> OwnClip:
        """Note what the encoders perceived, as names to propose."""
        return self._change(id, perceived=perceived)

    def trim(self, id: str, start: float) -> OwnClip:
        """Let the ten seconds from `start` s on count. Raises McGurkError."""
        clip = self.get(id)
        made = self._cut(clip, start)
        if clip.used not in (clip.path, made.used):
            clip.used.unlink(missing_ok=True)
        how = {name: getattr(made, name) for name in ("used", "start", "seconds", "thumbnail")}
        return self._change(id, **how, perceived=None)

    def remove(self, id: str) -> None:
        """Take a clip off the shelf and delete its files."""
        with self._lock:
            clip = self._clips.pop(id, None)
        if clip is not None:
            for file in {clip.path, clip.used}:
                file.unlink(missing_ok=True)

    def _own_name(self, name: str) -> str:
        """The name, with a number where another clip bears it already."""
        taken = {clip.name for clip in self.clips}
        return next(
            tried for tried in (name, *(f"{name} ({n})" for n in range(2, MAX_CLIPS + 2))) if tried not in taken
        )

    def _make_room(self) -> None:
        if len(self.clips) >= MAX_CLIPS:
            raise McGurkError(f"Your shelf holds {MAX_CLIPS} clips and is full: remove one first.")

    def _cut(self, clip: OwnClip, start: float) -> OwnClip:
        if not clip.is_long:
            return clip
        start = round(min(max(float(start), 0.0), clip.duration - COUNTED), 1)
        out = self.folder / f"{clip.id}-{round(10 * start)}.mp4"
        if not out.exists():
            excerpt(clip.path, out, start, COUNTED, size=clip.size, sound=bool(clip.peaks))
        thumbnail = strip.picture_at(clip.frames, (start + COUNTED / 2) / clip.duration)
        return replace(clip, used=out, start=start, seconds=COUNTED, thumbnail=thumbnail)

    def _change(self, id: str, **changes) -> OwnClip:
        self.get(id)
        with self._lock:
            if id not in self._clips:
                raise McGurkError("This clip was removed meanwhile: choose another.")
            self._clips[id] = replace(self._clips[id], **changes)
            return self._clips[id]


class Shelves:
    """The shelves of all visitors, bounded by count and bytes; every file ends with its shelf."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()

    def of(self, session: str) -> Shelf:
        """The session's shelf, an empty one at first."""
        with self._lock:
            if session not in self._shelves:
                self._shelves[session] = Shelf(self.folder / hashlib.sha256(session.encode()).hexdigest()[:16])
            self._shelves.move_to_end(session)
            shelf = self._shelves[session]
            shelf.touched = time.monotonic()
        return shelf

    def forget(self, session: str) -> None:
        """Drop a session's shelf and delete its files."""
        with self._lock:
            shelf = self._shelves.pop(session, None)
        if shelf is not None:
            shutil.rmtree(shelf.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Drop shelves that were not touched for long and, beyond count and bytes, those touched longest ago."""
        with self._lock:
            by_age = list(self._shelves.items())
        total, count, now = sum(shelf.bytes for _, shelf in by_age), len(by_age), time.monotonic()
        for session, shelf in by_age:
            if count <= SHELVES_KEPT and total <= ALL_BYTES and now - shelf.touched <= KEEP:
                return
            total, count = total - shelf.bytes, count - 1
            self.forget(session)


def checked_label(said: str | None) -> str | None:
    """A label as it is kept: lower case, no article; None if it says nothing, or that nobody knows; NOTHING for none.

    Raises McGurkError if it is no name.
    """
    label = without_article(plain(said or "").strip(" .!?").replace("’", "'"))
    if not label or label in UNKNOWN:
        return None
    if label in NONE:
        return NOTHING
    if len(label) > MAX_LABEL or "," in label or not label.isprintable():
        raise McGurkError(f"Say what it is in one short name without commas, at most {MAX_LABEL} characters.")
    return label


def tidy_name(name: str) -> str:
    """A file's name as a title: printable, one line, at most 40 characters."""
    shown = " ".join("".join(letter if letter.isprintable() else " " for letter in name).replace("_", " ").split())
    return (shown if len(shown) <= MAX_NAME else shown[: MAX_NAME - 1].rstrip() + "…") or "clip"


def _take(path: Path, kept: Path) -> None:
    """Make the file ours: a second link where that works, else a copy, so that the upload's own end is not ours."""
    try:
        os.link(path, kept)
    except OSError:
        shutil.copyfile(path, kept)


def _described(id: str, name: str, path: Path, clip: Clip) -> OwnClip:
    pictures = clip.frames if clip.frames is not None else np.zeros((0, 1, 1, 3), np.uint8)
    limit = "only the first"  # the trim says better what of a long file counts
    return OwnClip(
        id=id,
        name=name or "clip",
        path=path,
        used=path,
        duration=min(clip.duration, MAX_SECONDS),
        start=0.0,
        seconds=clip.duration,
        size=size_of(clip),
        thumbnail=strip.thumbnail(pictures),
        frames=strip.film(pictures),
        peaks=strip.peaks(clip.waveform),
        notices=tuple(said for said in clip.notices if limit not in said),
    )
