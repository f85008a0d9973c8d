"""A visitor's few questions to every method without training, or along every layer, and what was measured before.

Knows runs of interventions and of curves, sessions, and what is shipped with the model. Does not know components or
markup.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.bench.results import measured, methods
from demo.bench.results.layerwise import Found, Grid, Point
from demo.bench.results.view import gallery_folder, registered
from demo.bench.runs import curves, interventions
from demo.bench.runs.series import samples_of
from demo.bench.runs.sittings import Run, Sittings
from models.interventions import INTERVENTIONS
from models.omni import McGurkError

METHODS, LAYERS = "methods", "layers"  # what a visitor tries: the table, or the curves
FEW, MOST = {METHODS: 4, LAYERS: 2}, {METHODS: 40, LAYERS: 10}  # questions a condition; clips
TRIED = ("aligned", "swap", "caption", "no_picture", "no_sound")  # long text is for the command line


@dataclass(frozen=True)
class Wanted:
    """What a visitor chose. what: METHODS or LAYERS. Checked when it is made (McGurkError)."""

    what: str
    questions: int
    methods: tuple[str, ...] = tuple(INTERVENTIONS)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.what == METHODS and not self.methods:
            raise McGurkError("Choose at least one method.")
        if not 1 <= self.questions <= MOST[self.what]:
            few = "questions a condition" if self.what == METHODS else "clips"
            raise McGurkError(f"Ask 1 to {MOST[self.what]} {few}; a longer run is for the command line.")


@dataclass(frozen=True, eq=False)
class Standing:
    """How far it has come, and the table or the curves so far."""

    done: int
    total: int
    over: bool = False  # nothing more will come by itself
    stopped: bool = False
    rows: tuple[methods.Row, ...] = ()
    points: tuple[Point, ...] = ()
    grids: dict[tuple, Grid] = field(default_factory=dict)


class Trials(Sittings):
    """What all visitors try, and what was measured before."""

    def shipped(self) -> tuple[measured.Measured | None, measured.Curves | None]:
        """What was measured of the model in use. Raises McGurkError for files that can't be read."""
        return measured.read(registered(self.lab.model()))

    def outdated(self, about: dict[str, Any]) -> bool:
        """Whether it was measured with other weights than those in use."""
        return measured.outdated(about, getattr(self.lab.model(), "checksums", {}))

    def called(self, wanted: Wanted) -> str:
        """How the folder of such a run is called."""
        return wanted.what

    def turn(self, current: Run) -> Iterator[Standing]:
        """One turn with the model, yielding after every question."""
        started, going = time.monotonic(), self._going(current)
        standing = None
        try:
            for standing in going:
                if self.ends(current, started):
                    break
                yield standing
        finally:
            going.close()
        over = current.stopping.is_set() or standing.done == standing.total
        yield Standing(
            standing.done, standing.total, over, over and standing.done < standing.total, standing.rows,
            standing.points, standing.grids,
        )  # fmt: skip

    def _going(self, current: Run) -> Iterator[Standing]:
        wanted, model = current.wanted, self.lab.model()
        common = {"clips": gallery_folder(), "out": str(current.folder), "model": registered(model)}
        if wanted.what == METHODS:
            config = interventions.Config(
                **common, conditions=TRIED, questions=wanted.questions, seed=wanted.seed, methods=wanted.methods
            )
            for done, total, _ in interventions.run(config, model):
                yield Standing(done, total, rows=self._rows(current.folder) if done else ())
            return
        config = curves.Config(**common, clips_asked=wanted.questions, seed=wanted.seed)
        for done, total, found in curves.run(config, model):
            yield _drawn(done, total, found)

    def _rows(self, folder: Path) -> tuple[methods.Row, ...]:
        samples = [sample for sample in samples_of(folder, interventions.BENCH) if "skipped" not in sample]
        return tuple(methods.table(samples)) if samples else ()


def _drawn(done: int, total: int, found: Found) -> Standing:
    return Standing(done, total, points=tuple(found.points()), grids=found.grids())
