"""Clips and questions of published benchmarks, read from the files in which they are distributed.

Knows AVHBench's questions and lists of labelled videos such as MMA-Bench's metadata. Does not download anything.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.bench.cases.conditions import CONDITIONS
from demo.bench.cases.material import Item, Material, Videos
from demo.bench.cases.sampling import TRAINED, Case
from demo.clips import Clip, read_clip
from demo.questions import YES_NO
from demo.vocabulary import plain
from models.omni import McGurkError

VIDEO_SUFFIXES = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v"}
# AVHBench's names of its tasks (README of github.com/kaist-ami/AVHBench) -> our conditions. Captioning is not asked.
AVH_TASKS = {
    "video-driven audio hallucination": "avh_audio",
    "audio-driven video hallucination": "avh_video",
    "av matching": "avh_match",
}
# MMA-Bench's README calls its metadata "JSON metadata containing YouTube IDs and timestamps" and does not spell out the
# keys, so the usual names are looked for, in this order.
ID_KEYS = ("file", "path", "video_path", "video", "video_id", "youtube_id", "ytid", "id")
LABEL_KEYS = ("label", "class", "category", "visual_label", "video_label", "object")
SOUND_LABEL_KEYS = ("audio_label", "sound_label")


class ListedVideos(Videos):
    """Labelled videos named in a JSON file: a list of objects (or JSON lines) with an id or file and a label.

    The videos lie beside the file or in folders below it, named after the id (also as YouTube ids are: "Y<id>_...").
    An entry without a video, or whose sound bears another label than its picture, is listed as skipped.
    """

    def __init__(self, file: Path, entries: Sequence[dict[str, Any]]):
        Material.__init__(self, file.parent)
        self._clips: dict[str, list[Item]] = {}
        videos = _videos(file.parent)
        for entry in entries:
            name, label = _first(entry, ID_KEYS), plain(_first(entry, LABEL_KEYS))
            sound = plain(_first(entry, SOUND_LABEL_KEYS) or label)
            path = _video(videos, name)
            if not label or sound != label:
                self.skipped.append((name, f"its picture ({label or 'no label'}) and its sound ({sound}) do not agree"))
            elif path is None:
                self.skipped.append((name, "the video is missing"))
            else:
                self._clips.setdefault(label, []).append(Item(label, path, path, path, path))

    def _make(self, item: Item) -> Clip:
        return read_clip(self.folder / item.picture, self.sampling, seen=item.label, heard=item.label)


class AVHBench(Material):
    """AVHBench's yes-or-no questions about its own videos; `own_cases` takes the place of our conditions."""

    def __init__(self, folder: Path, entries: Sequence[dict[str, Any]]):
        super().__init__(folder)
        videos = _videos(folder)
        self.asked: list[tuple[str, Item, str, str]] = []  # condition, video, question, truth
        for entry in entries:
            condition = AVH_TASKS.get(str(entry.get("task", "")).lower())
            truth, name = str(entry.get("label", "")).lower().strip(" ."), str(entry.get("video_id", ""))
            path = videos.get(name)  # exactly: "<id>_swap" is another video
            if condition is None or truth not in YES_NO:
                continue
            if path is None:
                self.skipped.append((name, "the video is missing"))
            else:
                self.asked.append((condition, Item("", path, path, path, path), str(entry["text"]), truth))

    @property
    def labels(self) -> tuple[str, ...]:
        return ("",) if self.asked else ()

    def item(self, label: str, turn: int, seed: int) -> Item:
        return self.asked[turn % len(self.asked)][1]

    def own_cases(self, conditions: Sequence[str], questions: int, seed: int) -> list[Case]:
        """Up to `questions` of each task that `conditions` names, in a seeded order. Raises McGurkError for none."""
        planned = []
        for condition in conditions:
            about = [asked for asked in self.asked if asked[0] == condition]
            random.Random(f"{seed} {condition}").shuffle(about)
            planned += [
                Case(TRAINED, index, condition, "match", item, None, "", seed, question, truth)
                for index, (_, item, question, truth) in enumerate(about[:questions])
            ]
        if not planned:
            own = ", ".join(id for id, condition in CONDITIONS.items() if condition.own_questions)
            raise McGurkError(f"AVHBench asks its own questions: choose among the conditions {own}.")
        return planned

    def _make(self, item: Item) -> Clip:
        return read_clip(self.folder / item.picture, self.sampling)


def open_benchmark(source: Path) -> Material:
    """A JSON file of one of both kinds, or AVHBench's folder of JSON files. Raises McGurkError for anything else."""
    entries = _entries(source)
    if any("video_id" in entry and "task" in entry for entry in entries):
        return AVHBench(source.parent.parent if source.parent.name == "json" else _root(source), entries)
    if entries and _first(entries[0], ID_KEYS) and _first(entries[0], LABEL_KEYS):
        return ListedVideos(source, entries)
    raise McGurkError(
        f"{source} is neither AVHBench's questions (video_id, task, text, label) nor a list of labelled videos "
        "(an id or file, and a label)."
    )


def is_benchmark(source: Path) -> bool:
    """Whether a path is a JSON file or a folder that holds AVHBench's JSON files."""
    return source.suffix in (".json", ".jsonl") or (source / "json").is_dir()


def _root(source: Path) -> Path:
    return source if source.is_dir() else source.parent


def _entries(source: Path) -> list[dict[str, Any]]:
    files = sorted((source / "json").glob("*.json")) if source.is_dir() else [source]
    found: list[Any] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
            if file.suffix == ".jsonl":
                found += [json.loads(line) for line in text.splitlines() if line.strip()]
                continue
            read = json.loads(text)
        except (OSError, ValueError) as error:
            raise McGurkError(f"{file} can't be read as JSON: {error}.") from error
        found += read if isinstance(read, list) else next((v for v in read.values() if isinstance(v, list)), [read])
    return [entry for entry in found if isinstance(entry, dict)]


def _videos(folder: Path) -> dict[str, str]:
    """Path inside the folder of every video below it, by name without its ending."""
    below = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    return {path.stem: str(path.relative_to(folder)) for path in below}


def _video(videos: dict[str, str], name: str) -> str | None:
    stem = Path(name).stem if Path(name).suffix.lower() in VIDEO_SUFFIXES else Path(name).name
    if stem in videos:
        return videos[stem]
    prefixes = (f"{stem}_", f"Y{stem}_", f"Y{stem}")
    return next((path for known, path in videos.items() if stem and known.startswith(prefixes)), None)


def _first(entry: dict[str, Any], keys: Sequence[str]) -> str:
    value = next((entry[key] for key in keys if entry.get(key)), "")
    return str(value[0] if isinstance(value, list) else value)
