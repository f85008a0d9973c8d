"""Labelled clips for tuning: a folder of videos (clips.csv) or of photographs and recordings (manifest.csv).

Knows files, labels and splits. Does not know what is asked about them or how they are tokenised.
"""

from __future__ import annotations

import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import soundfile

from models.omni import SAMPLE_RATE, McGurkError
from models.teaching.lesson import Catalogue
from models.teaching.naming import HELD_OUT

SECONDS = 10.0  # of a clip, at most; the clips of the paper last 10 s
STILL_FRAMES = 2  # a photograph is shown as one pair of frames
DECODE_TIMEOUT = 120  # s


@dataclass(frozen=True)
class Shelf:
    """Clips by number. paths[i] holds picture i, sound i, or both."""

    paths: tuple[Path, ...]
    catalogue: Catalogue


def read_shelf(data: Path, split: str = "train", *, held_out: bool = False) -> Shelf:
    """The clips of one split; concepts that are never trained on apart from the others.

    clips.csv: id, seen, heard and, if there are, file (default <id>.mp4) and split; manifest.csv: path, concept, kind
    (image or audio), split. Raises McGurkError without either, or when fewer than two concepts are seen and heard.
    """
    data = Path(data)
    rows = _clip_rows(data) if (data / "clips.csv").is_file() else _manifest_rows(data)
    paths: list[Path] = []
    pictures: dict[str, list[int]] = {}
    sounds: dict[str, list[int]] = {}
    for path, seen, heard, of_split in rows:
        if of_split != split or any((name in HELD_OUT) != held_out for name in (seen, heard) if name):
            continue
        for name, where in ((seen, pictures), (heard, sounds)):
            if name:
                where.setdefault(name, []).append(len(paths))
        paths.append(path)
    shelf = Shelf(tuple(paths), Catalogue(pictures, sounds))
    if len(shelf.catalogue.concepts) < 2:
        raise McGurkError(f"{data} has fewer than two concepts both seen and heard in its {split} split: add clips.")
    return shelf


def _clip_rows(data: Path):
    for row in _rows(data / "clips.csv", {"id", "seen", "heard"}):
        path = data / (row.get("file") or row["id"] + ".mp4")
        yield path, _plain(row["seen"]), _plain(row["heard"]), row.get("split") or "train"


def _manifest_rows(data: Path):
    if not (data / "manifest.csv").is_file():
        raise McGurkError(f"{data} has neither clips.csv nor manifest.csv: give a folder of labelled clips.")
    for row in _rows(data / "manifest.csv", {"path", "concept", "kind", "split"}):
        name = _plain(row["concept"])
        pair = (name, "") if row["kind"] == "image" else ("", name)
        yield data / row["path"], *pair, row["split"]


def _rows(table: Path, columns: set[str]) -> list[dict[str, str]]:
    with open(table, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := columns - set(reader.fieldnames or ()):
            raise McGurkError(f"{table} lacks the columns {', '.join(sorted(missing))}.")
        return list(reader)


def _plain(name: str) -> str:
    return name.replace("_", " ").strip()


def read_picture(path: Path, fps: float) -> np.ndarray:
    """uint8 T x H x W x 3 RGB, `fps` frames a second of a video, or a photograph twice."""
    if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".bmp"):
        image = cv2.imread(str(path))
        if image is None:
            raise McGurkError(f"{path} is no picture that can be read.")
        return np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)[None], STILL_FRAMES, 0)
    video = cv2.VideoCapture(str(path))
    try:
        native = video.get(cv2.CAP_PROP_FPS) or fps
        frames, number = [], 0
        while len(frames) < SECONDS * fps:
            there, frame = video.read()
            if not there:
                break
            while len(frames) / fps < (number + 1) / native and len(frames) < SECONDS * fps:
                frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            number += 1
    finally:
        video.release()
    if not frames:
        raise McGurkError(f"{path} is no video that can be read.")
    return np.stack(frames)


def read_sound(path: Path) -> np.ndarray:
    """float32 mono 16 kHz, at most SECONDS long."""
    if path.suffix.lower() in (".wav", ".flac", ".ogg"):
        waveform, rate = soundfile.read(path, dtype="float32", always_2d=True)
        if rate == SAMPLE_RATE:
            return waveform.mean(1)[: round(SECONDS * SAMPLE_RATE)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-t", str(SECONDS), "-i", str(path)]
    command += ["-vn", "-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "f32le", "pipe:1"]
    done = subprocess.run(command, capture_output=True, timeout=DECODE_TIMEOUT)
    if done.returncode or not done.stdout:
        raise McGurkError(f"{path} holds no sound that can be read.")
    return np.frombuffer(done.stdout, "<f4").copy()
