"""What visitors try in the bench, one run each: begun, gone on with turn by turn, stopped, forgotten.

Knows sessions, folders and turns. Does not know what is run or shown.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.session import Lab
from demo.visitors.turns import Wait
from models.omni import McGurkError

TURN, SHORT = 15.0, 2.0  # s that a run keeps the model when nobody, and when somebody waits for it
RUNS = 32  # visitors whose runs are remembered


@dataclass
class Run:
    """What a visitor wanted (a frozen dataclass of plain values), and what came of it so far."""

    wanted: Any
    folder: Path
    stopping: threading.Event = field(default_factory=threading.Event)
    samples: dict[str, dict[str, Any]] = field(default_factory=dict)


class Sittings(ABC):
    """The runs of all visitors, one each. Their files lie in the sessions' folders and go with them."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def begin(self, session: str, wanted: Any) -> None:
        """Make `wanted` the session's run; one that was stopped before goes on where it was."""
        named = hashlib.sha256(json.dumps(asdict(wanted)).encode()).hexdigest()[:12]
        self.stop(session)
        with self._lock:
            self._runs[session] = Run(wanted, self.lab.path_for(session, f"{self.called(wanted)}-{named}"))
            self._runs.move_to_end(session)
            while len(self._runs) > RUNS:
                self._runs.popitem(last=False)

    def stop(self, session: str) -> None:
        """Let the session's run end after the question in flight; what is done is kept."""
        if known := self._runs.get(session):
            known.stopping.set()

    def forget(self, session: str) -> None:
        """Stop the session's run and drop it."""
        self.stop(session)
        with self._lock:
            self._runs.pop(session, None)

    def current(self, session: str) -> Run:
        """The session's run. Raises McGurkError if there is none."""
        with self._lock:
            if session not in self._runs:
                raise McGurkError("There is no run yet: press Start.")
            return self._runs[session]

    def advance(self, session: str) -> Iterator[Any]:
        """Ask for one turn, yielding how far it has come again and again; the last says whether the run is over.

        Raises McGurkError if there is no run or it cannot be carried out.
        """
        for standing in self.lab.run(session, lambda _stop: self.turn(self.current(session))):
            if not isinstance(standing, Wait):
                yield standing

    def ends(self, run: Run, started: float) -> bool:
        """Whether a turn that began at this time.monotonic() is at its end: stopped, or others are next."""
        return run.stopping.is_set() or time.monotonic() - started > (SHORT if self.lab.turns.waiting else TURN)

    @abstractmethod
    def called(self, wanted: Any) -> str:
        """How the folder of such a run is called."""

    @abstractmethod
    def turn(self, current: Run) -> Iterator[Any]:
        """One turn with the model, until ends() says so or all is done; yields as advance()."""
