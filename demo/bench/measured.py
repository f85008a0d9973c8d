"""What was measured of a model and is shipped with it: tables in models/NAME/measured, and what they were measured on.

`bench keep RUN` writes them from a run of `bench interventions` or `bench curves`, as far as it got. Knows the folder
and its files. Does not know how they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import models
from demo.bench import curves, interventions, layerwise, methods, store
from demo.bench.layerwise import Found, Grid, Point
from demo.bench.methods import Row
from models.omni import McGurkError

ABOUT = "interventions.json"
MARK = re.compile(r"<!-- interventions -->\n.*?<!-- end of interventions -->", re.DOTALL)  # a place in a model's card
UNMEASURED = (
    "Not measured with these weights yet: `python -m demo bench interventions --clips FOLDER --out RUN`, then "
    "`python -m demo bench keep RUN`."
)
KEPT = ("model", "split", "seed", "options", "questions", "conditions", "methods")  # settings that say what was asked


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


def keep(run: str | Path, folder: Path | None = None) -> Path:
    """Write a run's tables, as far as it got, where they are shipped from (folder: elsewhere). Returns the folder.

    Raises McGurkError for a folder that holds no run of interventions or curves, or one in which nothing was asked yet.
    """
    settings = store.read_config(Path(run)).get("settings", {})
    if settings.get("bench") not in ("interventions", "curves"):
        raise McGurkError(f"There is no run of interventions or curves in {str(run)!r}: make one first.")
    folder = folder or folder_of(settings["model"])
    folder.mkdir(parents=True, exist_ok=True)
    about = {"clips": Path(settings["clips"]).name} | {name: settings[name] for name in KEPT if name in settings}
    if settings["bench"] == "interventions":
        samples = interventions.samples_of(run)
        methods.write(folder, methods.table(samples))
        store.write_json(folder / ABOUT, about | {"adapters": _adapters(samples)})
    else:
        samples = [sample for sample in curves.samples_of(run) if "values" in sample]
        if not samples:
            raise McGurkError(f"Nothing was measured in {str(run)!r} yet: let it run first.")
        adapters = next((sample["adapters"] for sample in samples), {})
        layerwise.write(folder, Found.of(samples), about | {"adapters": adapters})
    if (card := folder.parent / "README.md").is_file():
        store.write_atomically(card, filled(card.read_text(encoding="utf-8"), folder))
    return folder


def filled(card: str, folder: Path) -> str:
    """The text of a model's card with the shipped table of interventions where it is marked."""
    table, _ = read_folder(folder)
    shown = UNMEASURED
    if table is not None:
        of = f"clips of {table.about.get('clips')}, {table.about.get('split')} split"
        shown = f"{table.questions} questions in all, {of}.\n\n{methods.markdown(table.rows)}"
    return MARK.sub(lambda _: f"<!-- interventions -->\n\n{shown}\n\n<!-- end of interventions -->", card)


def _adapters(samples: Sequence[dict[str, Any]]) -> dict[str, str]:
    asked = next(sample for sample in samples if "answers" in sample)
    return {name: answer["adapter_sha256"] for name, answer in asked["answers"][methods.PLAIN].items()}


def outdated(about: dict[str, Any], checksums: dict[str, str]) -> bool:
    """Whether tables were measured with other weights than those in use. checksums: of the adapters in use."""
    known = about.get("adapters", {})
    return any(known.get(name) not in (None, "", digest) for name, digest in checksums.items())
