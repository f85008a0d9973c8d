"""Proposes labels for a folder of clips: a clips.csv to be corrected by hand, and a contact sheet to correct it by.

Knows files, tables and sheets. Does not know how anything is recognised: that is the model's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo import perception
from demo.clips import Clip, read_clip
from demo.draw import strip
from models.omni import McGurkError, OmniModel

TABLE, SHEET = "clips.csv", "contact-{}.jpg"
COLUMNS = (
    "id", "file", "seen", "heard", "title", "licence", "origin",
    "seen_score", "heard_score", "seen_proposed", "heard_proposed",
)  # fmt: skip
SUFFIXES = frozenset(
    [
        ".mp4",
        ".mov",
        ".m4v",
        ".mkv",
        ".webm",
        ".avi",
        ".ts",
        ".3gp",
        ".mpg",
        ".wav",
        ".mp3",
        ".m4a",
        ".flac",
        ".ogg",
        ".opus",
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".gif",
    ]
)
PER_SHEET, ACROSS = 60, 4  # clips on a sheet, and side by side
CELL = (300, 244)  # pixels of a clip's place: its thumbnail and three lines
PICTURE = (284, 160)
MARGIN, LINE = 8, 20


@dataclass(frozen=True)
class Proposal:
    """What may be in a file: names with scores 0..1, the best first."""

    file: str
    seen: tuple[tuple[str, float], ...]
    heard: tuple[tuple[str, float], ...]
    thumbnail: bytes  # jpeg; b"" without a picture


def propose(model: OmniModel, folder: Path) -> Iterator[Proposal | McGurkError]:
    """What a model's encoders perceive in each media file of a folder, in the order of their names.

    A file that can't be read gives its error. Raises McGurkError if there is no media file.
    """
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(SHEET.split("{")[0])
    ]
    if not files:
        raise McGurkError(f"The folder {str(folder)!r} has no video, sound or picture file: give another.")
    for path in files:
        try:
            clip = read_clip(path)
            yield _proposed(path.name, clip, perception.perceive(model, clip))
        except McGurkError as error:
            yield McGurkError(f"{path.name}: {error}")


def check(folder: Path) -> None:
    """Raise McGurkError for no folder, or one that has a clips.csv, which somebody may have corrected."""
    if not folder.is_dir():
        raise McGurkError(f"There is no folder {str(folder)!r}: give one with video, sound or picture files.")
    if (folder / TABLE).exists():
        raise McGurkError(f"There is a {folder / TABLE} already: move it away, or its corrections would be lost.")


def write(proposals: Sequence[Proposal], folder: Path) -> list[Path]:
    """Write clips.csv and the contact sheets into a folder; their paths.

    The best names stand as seen and heard, with their scores; the others beside them, to be taken instead. Raises
    McGurkError, see `check`.
    """
    check(folder)
    table = folder / TABLE
    with table.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(COLUMNS)
        writer.writerows(_row(at, proposal) for at, proposal in enumerate(proposals, 1))
    written = [table]
    for at in range(0, len(proposals), PER_SHEET):
        path = folder / SHEET.format(at // PER_SHEET + 1)
        sheet(proposals[at : at + PER_SHEET]).save(path, quality=85)
        written.append(path)
    return written


def sheet(proposals: Sequence[Proposal]) -> Image.Image:
    """A picture with each clip's thumbnail, file name and proposed labels."""
    rows = -(-len(proposals) // ACROSS)
    drawn = Image.new("RGB", (ACROSS * CELL[0], rows * CELL[1]), "white")
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(15)
    for at, proposal in enumerate(proposals):
        left, top = at % ACROSS * CELL[0] + MARGIN, at // ACROSS * CELL[1] + MARGIN
        drawn.paste(_picture(proposal), (left, top))
        lines = (proposal.file, "see: " + _said(proposal.seen), "hear: " + _said(proposal.heard))
        for line, text in enumerate(lines):
            pen.text((left, top + PICTURE[1] + 4 + line * LINE), _fitted(text, font), "black", font)
    return drawn


def _proposed(file: str, clip: Clip, perceived: perception.Perceived) -> Proposal:
    frames = clip.frames if clip.frames is not None else np.zeros((0, 1, 1, 3), np.uint8)
    seen, heard = (tuple(perception.names(perceived, sense)) for sense in ("picture", "sound"))
    return Proposal(file, seen, heard, strip.thumbnail(frames))


def _row(at: int, proposal: Proposal) -> list[str]:
    stem = re.sub(r"[^a-z0-9]+", "_", Path(proposal.file).stem.lower()).strip("_")[:40]
    best = [names[0] if names else ("", 0.0) for names in (proposal.seen, proposal.heard)]
    others = ["; ".join(name for name, _ in names[1:]) for names in (proposal.seen, proposal.heard)]
    labels, scores = [name for name, _ in best], [f"{score:.2f}" for _, score in best]
    return [f"{at:03d}_{stem or 'clip'}", proposal.file, *labels, Path(proposal.file).stem, "", "", *scores, *others]


def _picture(proposal: Proposal) -> Image.Image:
    if not proposal.thumbnail:
        return Image.new("RGB", PICTURE, "#e9edf1")
    return strip.opened(proposal.thumbnail).resize(PICTURE)


def _said(names: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {score:.0%}" for name, score in names[:2]) or "nothing perceived"


def _fitted(text: str, font) -> str:
    while text and font.getlength(text) > PICTURE[0]:
        text = text[:-2].rstrip("…") + "…"
    return text
