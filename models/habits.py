"""How a model was fed while its adapter was trained, carried beside the adapter as mcgurk.json.

An adapter that is used otherwise than it was trained answers worse, and nothing else tells. Knows four habits and their
file. Does not know how a prompt is laid out or a frame resized.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from models.omni import McGurkError

FILE = "mcgurk.json"


@dataclass(frozen=True)
class Habits:
    """What is left None is as the model has it."""

    system: str | None = None  # system prompt; "": none
    interleaved: bool | None = None  # sound between the frames it goes with, or in a block of its own after them
    fps: float | None = None  # frames a second, at most
    pixels: tuple[int, int] | None = None  # (least, most) of a frame after resizing

    def told(self) -> tuple[str, ...]:
        """One note for a receipt; none where nothing is said."""
        said = [f"{name} {value!r}" for name, value in asdict(self).items() if value is not None]
        return (f"Fed as the adapter's {FILE} says: {', '.join(said)}.",) if said else ()


def read_habits(folder: Path) -> Habits:
    """What mcgurk.json in `folder` says; everything None without it. Raises McGurkError for one that can't be used."""
    path = folder / FILE
    if not path.is_file():
        return Habits()
    try:
        written = json.loads(path.read_text("utf-8"))
        if unknown := set(written) - {field.name for field in fields(Habits)}:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return _checked(written)
    except (ValueError, TypeError) as error:
        raise McGurkError(
            f"{path} can't be used ({error}): it holds system (text), interleaved (true or false), fps (a number) and "
            "pixels ([least, most]), each of them optional."
        ) from error


def _checked(written: dict) -> Habits:
    kinds = {"system": str, "interleaved": bool, "fps": (int, float), "pixels": list}
    written = {name: value for name, value in written.items() if value is not None}
    for name, value in written.items():
        if not isinstance(value, kinds[name]) or (name != "interleaved" and isinstance(value, bool)):
            raise ValueError(f"{name} is {value!r}")
    if written.get("fps", 1) <= 0:
        raise ValueError(f"fps is {written['fps']!r}")
    if pixels := written.get("pixels"):
        least, most = (int(side) for side in pixels)
        if not 0 < least <= most:
            raise ValueError(f"pixels is {pixels!r}")
        written["pixels"] = (least, most)
    return Habits(**written)


def save_habits(habits: Habits, folder: Path) -> None:
    """Write mcgurk.json."""
    said = {name: value for name, value in asdict(habits).items() if value is not None}
    (folder / FILE).write_text(json.dumps(said, indent=1) + "\n", "utf-8")
