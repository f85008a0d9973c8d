"""What was measured of a model and is shipped with it: tables in models/NAME/measured, and what they were measured on.

Knows the folder and its files. Does not know how they come there (card), nor how they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models
from demo.bench.results import layerwise, methods
from demo.bench.results.layerwise import Grid, Point
from demo.bench.results.methods import Row
from demo.bench.runs import store

ABOUT = "interventions.json"


@dataclass(frozen=True, eq=False)
class Measured:
    """A shipped table of interventions, and what it was measured on."""

    rows: tuple[Row, ...]
    about: dict[str, Any]  # settings, clips, "adapters": {name: sha256}

    @property
    def questions(self) -> int:
        """How many were asked, of every adapter, plainly and with every method."""
        return next((row.n for row in self.rows if row.condition == methods.ALL), max(row.n for row in self.rows))


@dataclass(frozen=True, eq=False)
class Curves:
    """Shipped curves and heads, and what they were measured on."""

    points: tuple[Point, ...]
    grids: dict[tuple, Grid]
    about: dict[str, Any]

    @property
    def clips(self) -> str:
        """How many were asked about with each question, in words."""
        n = max((point.n for point in self.points), default=0)
        return f"{n} clip{'s' * (n != 1)} a question"


def folder_of(model: str) -> Path:
    """Where a model's shipped tables lie, whether there are any or not."""
    name = "".join(letter if letter.isalnum() else "_" for letter in model)
    return Path(models.__path__[0]) / name / "measured"


def read(model: str) -> tuple[Measured | None, Curves | None]:
    """What is shipped with a model; None where nothing is. Raises McGurkError for files that can't be read."""
    return read_folder(folder_of(model))


def read_folder(folder: Path) -> tuple[Measured | None, Curves | None]:
    """The shipped tables of a folder."""
    table = drawn = None
    if (folder / methods.FILE).is_file():
        table = Measured(tuple(methods.read_table(folder / methods.FILE)), store.read_json(folder / ABOUT))
    if (folder / layerwise.CURVES).is_file():
        points, grids = layerwise.read_points(folder), layerwise.read_grids(folder)
        drawn = Curves(tuple(points), grids, store.read_json(folder / layerwise.SETTINGS))
    return table, drawn


def outdated(about: dict[str, Any], checksums: dict[str, str]) -> bool:
    """Whether tables were measured with other weights than those in use. checksums: of the adapters in use."""
    known = about.get("adapters", {})
    return any(known.get(name) not in (None, "", digest) for name, digest in checksums.items())
