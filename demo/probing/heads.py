"""Which heads see, hear or read: how far each one's output moves without a modality, before and after tuning.

Knows whose grids are kept and what changed between two of them. Does not know pages, or how a head is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from demo.session import Lab
from demo.visitors.sameness import key_of
from demo.visitors.turns import Wait
from models.interventions.intervention import MODALITIES
from models.omni import McGurkError, unless


@dataclass(frozen=True, eq=False)
class Grids:
    """kind: the modality. moved: adapter -> float32, layers x heads: |output with it - output without it|."""

    kind: str
    moved: dict[str, np.ndarray]

    @property
    def top(self) -> float:
        """The largest value of all adapters, for one scale; at least a tiny bit."""
        return max((float(grid.max()) for grid in self.moved.values()), default=0.0) or 1e-9

    @property
    def change(self) -> np.ndarray | None:
        """layers x heads: after minus before; None where there is only one adapter."""
        grids = list(self.moved.values())
        return grids[1] - grids[0] if len(grids) > 1 else None

    def by_layer(self) -> dict[str, list[float]]:
        """adapter -> mean over the heads of each layer."""
        return {adapter: grid.mean(1).tolist() for adapter, grid in self.moved.items()}


def measure(lab: Lab, session: str, kind: str) -> Iterator[Wait | Grids]:
    """Yield Waits, then the grids of what the session asked last.

    Raises McGurkError where nothing was asked, the modality is not there, or nobody can reach into the model.
    """
    from models.interventions.heads import moved

    if kind not in MODALITIES:
        raise McGurkError(f"There are heads for {', '.join(MODALITIES)}, not for {kind!r}.")
    asked, model = lab.asked_last(session), lab.model()
    model.require_insides()
    prompt = asked.comparison.question.prompt

    def work(stop: Callable[[], bool]) -> Iterator[Grids]:
        found: dict[str, np.ndarray] = {}
        for adapter in model.adapters:
            unless(stop)
            found |= moved(model, asked.encoded, prompt, kind, [adapter])
        yield Grids(kind, found)

    for step in lab.run(session, work, key=key_of(asked.situation.digest, "heads", prompt, kind)):
        if isinstance(step, Grids):
            now = lab.asked_last(session)
            lab.keep(session, replace(now, heads=now.heads | {kind: step}))
        yield step


def ranked(grids: Grids, adapter: str, count: int = 5) -> list[tuple[int, int, float]]:
    """(layer, head, how far it moves) of the heads that move most, the first first."""
    grid = grids.moved[adapter]
    places = np.argsort(-grid, axis=None, kind="stable")[:count]
    return [
        (int(layer), int(head), float(grid[layer, head]))
        for layer, head in zip(*np.unravel_index(places, grid.shape), strict=True)
    ]
