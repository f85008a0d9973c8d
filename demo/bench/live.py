"""A visitor's few questions to every method without training, or along every layer, and what was measured before.

Knows runs of interventions and of curves, sessions, and what is shipped with the model. Does not know components or
markup.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.bench import curves, interventions, measured, methods
from demo.bench.layerwise import Found, Grid, Point
from demo.bench.view import RUNS, SHORT, TURN, gallery_folder, registered
from demo.session import Lab
from demo.turns import Wait
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


@dataclass
class _Run:
    wanted: Wanted
    folder: Path
    stopping: threading.Event = field(default_factory=threading.Event)


class Trials:
    """What all visitors try, one run each. Their files lie in the sessions' folders and go with them."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def shipped(self) -> tuple[measured.Measured | None, measured.Curves | None]:
        """What was measured of the model in use. Raises McGurkError for files that can't be read."""
        return measured.read(registered(self.lab.model()))

    def outdated(self, about: dict[str, Any]) -> bool:
        """Whether it was measured with other weights than those in use."""
        return measured.outdated(about, getattr(self.lab.model(), "checksums", {}))

    def begin(self, session: str, wanted: Wanted) -> None:
        """Make `wanted` what the session tries; what was stopped before goes on where it was."""
        named = hashlib.sha256(json.dumps(asdict(wanted)).encode()).hexdigest()[:12]
        self.stop(session)
        with self._lock:
            self._runs[session] = _Run(wanted, self.lab.path_for(session, f"{wanted.what}-{named}"))
            self._runs.move_to_end(session)
            while len(self._runs) > RUNS:
                self._runs.popitem(last=False)

    def stop(self, session: str) -> None:
        """Let it end after the question in flight; what is done is kept."""
        if known := self._runs.get(session):
            known.stopping.set()

    def forget(self, session: str) -> None:
        """Stop the session's run and drop it."""
        self.stop(session)
        with self._lock:
            self._runs.pop(session, None)

    def advance(self, session: str) -> Iterator[Standing]:
        """Ask for one turn, yielding after every question; the last Standing says whether all is over.

        Raises McGurkError if there is no run or it cannot be carried out.
        """
        for standing in self.lab.run(session, lambda _stop: self._advance(session)):
            if not isinstance(standing, Wait):
                yield standing

    def _advance(self, session: str) -> Iterator[Standing]:
        with self._lock:
            if session not in self._runs:
                raise McGurkError("There is nothing to go on with: press Start.")
            current = self._runs[session]
        started, going = time.monotonic(), self._going(current)
        standing = None
        try:
            for standing in going:
                turn = SHORT if self.lab.turns.waiting else TURN
                if current.stopping.is_set() or time.monotonic() - started > turn:
                    break
                yield standing
        finally:
            going.close()
        over = current.stopping.is_set() or standing.done == standing.total
        yield Standing(
            standing.done, standing.total, over, over and standing.done < standing.total, standing.rows,
            standing.points, standing.grids,
        )  # fmt: skip

    def _going(self, current: _Run) -> Iterator[Standing]:
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
        samples = [sample for sample in interventions.samples_of(folder) if "skipped" not in sample]
        return tuple(methods.table(samples)) if samples else ()


def _drawn(done: int, total: int, found: Found) -> Standing:
    return Standing(done, total, points=tuple(found.points()), grids=found.grids())
