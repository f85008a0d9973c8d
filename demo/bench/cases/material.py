"""What the bench can show: labelled clips from a gallery, or clips made of labelled photographs and recordings.

Knows folders and labels. Does not know conditions, questions or models.
"""

from __future__ import annotations

import csv
import random
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from demo.clips import USUAL, Clip, GalleryClip, gallery, read_clip, sampling_for
from demo.media import pictures
from demo.splice import looped
from demo.vocabulary import plain
from models.omni import SAMPLE_RATE, McGurkError, OmniModel

SPLITS = ("val", "train", "all")
MADE_SECONDS = 8.0  # s of a clip made of a photograph and a recording: no recording of the data set is cut short
MADE_FRAMES = 8  # of such a clip: as many as a model takes, so none is left out
CLOSEST = 0.85  # share of the photograph's width and height left in the last frame of the slow zoom
MAX_SIDE = 320  # pixels, longest side of a frame made of a photograph
KEPT_BYTES = 200 * 1000**2  # of clips kept in memory; a made one takes 2.5 MB, a minute of video up to 75 MB


@dataclass(frozen=True)
class Item:
    """A clip that can be shown: where its picture and its sound come from. For a video both are one file."""

    label: str  # plain name of what is seen and heard
    picture: str  # path inside the folder
    sound: str
    photograph: str  # the original of the picture
    recording: str  # the original of the sound; the two clips of a swap never share one

    @property
    def id(self) -> str:
        return self.picture if self.picture == self.sound else f"{self.picture} + {self.sound}"


class Material(ABC):
    """Clips by label. `skipped` lists (name, reason) of what can't be used; `classes`: encoder class names by label."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.skipped: list[tuple[str, str]] = []
        self.classes: dict[str, frozenset[str]] = {}
        self.sampling = USUAL  # how videos are read
        self._read: OrderedDict[Item, Clip] = OrderedDict()

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Every label of which there is a clip, in alphabetical order."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every label of what is seen or heard."""
        return self.labels

    @abstractmethod
    def item(self, label: str, turn: int, seed: int) -> Item:
        """The clip of a label whose turn it is: in a seeded order, over and over."""

    @abstractmethod
    def _make(self, item: Item) -> Clip:
        """Read an item's files."""

    def read_for(self, model: OmniModel) -> None:
        """From now on videos are read at as many frames a second, and as large, as the model is used to."""
        if self.sampling != (sampling := sampling_for(model)):
            self.sampling = sampling
            self._read.clear()

    def clip(self, item: Item) -> Clip:
        """The item as a clip, labelled. Raises McGurkError if a file can't be read."""
        if item not in self._read:
            self._read[item] = self._make(item)
        self._read.move_to_end(item)
        while len(self._read) > 2 and sum(map(_size, self._read.values())) > KEPT_BYTES:
            self._read.popitem(last=False)
        return self._read[item]


class Videos(Material):
    """A folder with clips.csv, such as the gallery. Clips whose picture and sound differ are left out."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self._clips: dict[str, list[Item]] = {}
        self._named: dict[str, GalleryClip] = {}
        for clip in gallery(folder):
            name = clip.path.name
            if plain(clip.seen) != plain(clip.heard):
                self.skipped.append((name, f"its picture ({clip.seen}) and its sound ({clip.heard}) do not agree"))
            elif not clip.path.is_file():
                self.skipped.append((name, "the file is missing"))
            else:
                self._clips.setdefault(plain(clip.seen), []).append(Item(plain(clip.seen), name, name, name, name))
                self._named[name] = clip

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted(self._clips))

    @property
    def items(self) -> list[Item]:
        """Every clip, label by label."""
        return [item for label in self.labels for item in self._clips[label]]

    def item(self, label: str, turn: int, seed: int) -> Item:
        return _turn(self._clips[label], turn, f"{seed} {label}")

    def _make(self, item: Item) -> Clip:
        return replace(self._named[item.picture].read(self.sampling), seen=item.label, heard=item.label)


class Labelled(Material):
    """A folder with manifest.csv (path, concept, kind, group, split): photographs and recordings by concept."""

    def __init__(self, folder: Path, split: str, both_splits: Collection[str] = ()):
        super().__init__(folder)
        self._pictures: dict[str, list[Item]] = {}
        self._sounds: dict[str, list[Item]] = {}
        for row in rows(folder / "manifest.csv", ("path", "concept", "kind", "group", "split")):
            self._sort_in(row, split, both_splits)
        if (folder / "concepts.csv").is_file():
            self.classes = {plain(row["concept"]): _class_names(row) for row in rows(folder / "concepts.csv")}

    def _sort_in(self, row: dict[str, str], split: str, both_splits: Collection[str]) -> None:
        label, path, group = plain(row["concept"]), row["path"], row["group"]
        if split not in ("all", row["split"]) and label not in both_splits:
            return
        if not (self.folder / path).is_file():
            self.skipped.append((path, "the file is missing"))
        elif row["kind"] == "image":
            self._pictures.setdefault(label, []).append(Item(label, path, "", group, ""))
        elif row["kind"] == "audio":
            self._sounds.setdefault(label, []).append(Item(label, "", path, "", group))

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted(set(self._pictures) & set(self._sounds)))

    def item(self, label: str, turn: int, seed: int) -> Item:
        picture = _turn(self._pictures[label], turn, f"{seed} {label} seen")
        sound = _turn(self._sounds[label], turn, f"{seed} {label} heard")
        return replace(picture, sound=sound.sound, recording=sound.recording)

    def _make(self, item: Item) -> Clip:
        frames = slow_zoom(_photograph(self.folder / item.picture), random.Random(item.picture))
        waveform = looped(_recording(self.folder / item.sound), round(MADE_SECONDS * SAMPLE_RATE))
        fps = MADE_FRAMES / MADE_SECONDS
        return Clip(item.id, None, frames, fps, waveform, MADE_SECONDS, item.label, item.label)


def open_material(source: str | Path, split: str = "val", both_splits: Collection[str] = ()) -> Material:
    """Open a folder of clips. both_splits: labels of which clips of every split may be shown.

    Raises McGurkError for a folder without clips.csv or manifest.csv, an unknown split, or no clip left.
    """
    folder = Path(source)
    if split not in SPLITS:
        raise McGurkError(f"There is no split {split!r}: choose {', '.join(SPLITS)}.")
    if not folder.is_dir():
        raise McGurkError(f"There is no folder {str(source)!r}: give one with clips.csv or manifest.csv.")
    if (folder / "manifest.csv").is_file():
        material: Material = Labelled(folder, split, both_splits)
    elif (folder / "clips.csv").is_file():
        material = Videos(folder)
    else:
        raise McGurkError(f"The folder {str(source)!r} has neither clips.csv nor manifest.csv: label its clips first.")
    if not material.labels:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in material.skipped[:3])
        raise McGurkError(f"No clip in {str(source)!r} can be used{': ' if reasons else ''}{reasons}.")
    return material


def slow_zoom(photograph: np.ndarray, rng: random.Random) -> np.ndarray:
    """uint8 H x W x 3 -> uint8 8 x H x W x 3: the camera moves slowly towards a point drawn from `rng`."""
    height, width = photograph.shape[:2]
    image = Image.fromarray(photograph)
    x, y = rng.random(), rng.random()
    frames = []
    for step in np.linspace(1.0, CLOSEST, MADE_FRAMES):
        left, top = x * width * (1 - step), y * height * (1 - step)
        box = (left, top, left + width * step, top + height * step)
        frames.append(np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box)))
    return np.stack(frames)


def _size(clip: Clip) -> int:
    return sum(array.nbytes for array in (clip.frames, clip.waveform) if array is not None)


def _turn(items: list[Item], turn: int, seed: str) -> Item:
    order = list(range(len(items)))
    random.Random(seed).shuffle(order)
    return items[order[turn % len(order)]]


def _photograph(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as opened:
            return pictures.photograph(opened, MAX_SIDE)
    except OSError as error:
        raise McGurkError(f"The picture {path.name!r} can't be read: {error.strerror}.") from error
    except McGurkError as error:
        raise McGurkError(str(error).replace("{name}", repr(path.name))) from error


def _recording(path: Path) -> np.ndarray:
    """float32 mono 16 kHz."""
    try:
        waveform, rate = soundfile.read(path, dtype="float32")
    except (soundfile.LibsndfileError, OSError):
        waveform, rate = None, 0
    if waveform is None or rate != SAMPLE_RATE or waveform.ndim != 1:
        waveform = read_clip(path).waveform  # any other container, rate or number of channels
    if waveform is None or not len(waveform):
        raise McGurkError(f"The recording {path.name!r} has no sound: check the file.")
    return waveform


def rows(table: Path, columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a CSV file. Raises McGurkError if it lacks one of the columns."""
    with table.open(newline="", encoding="utf-8-sig") as opened:
        read = list(csv.DictReader(opened))
    missing = [column for column in columns if read and column not in read[0]]
    if missing:
        raise McGurkError(f"{table} has no column {missing[0]!r}: it needs {', '.join(columns)}.")
    return read


def _class_names(row: dict[str, str]) -> frozenset[str]:
    names = f"{row.get('audioset_names') or ''};{row.get('imagenet_names') or ''}".split(";")
    return frozenset(name.strip().lower() for name in names if name.strip())
