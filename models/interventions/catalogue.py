"""The registry of interventions: all there are, made from plain values and written as such.

Knows their ids. Does not know what any of them does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from models.interventions.budget import Budget
from models.interventions.closer import Closer
from models.interventions.composite import Composite
from models.interventions.counterfactual import Counterfactual
from models.interventions.cut import Cut
from models.interventions.exit import Exit
from models.interventions.guidance import Guidance
from models.interventions.heads import Heads
from models.interventions.inhibit import Inhibit
from models.interventions.intervention import Intervention
from models.interventions.listen import Listen
from models.interventions.look import Look
from models.interventions.mutual import Mutual
from models.interventions.saliency import Saliency
from models.interventions.sinks import Sinks
from models.omni import McGurkError

INTERVENTIONS: dict[str, type[Intervention]] = {
    method.id: method
    for method in (
        Look, Listen, Cut, Exit, Heads, Counterfactual, Guidance, Composite, Mutual, Inhibit, Sinks, Closer, Saliency,
        Budget,
    )
}  # fmt: skip


def make(id: str, values: Mapping[str, Any] | None = None) -> Intervention:
    """The intervention of that id; values: of its controls, lists for tuples, defaults where they are missing.

    Raises McGurkError for an unknown id or control and for a value that is out of range.
    """
    if id not in INTERVENTIONS:
        raise McGurkError(f"There is no intervention {id!r}: choose {', '.join(INTERVENTIONS)}.")
    method = INTERVENTIONS[id]
    known = {f.name for f in fields(method)}
    if unknown := set(values or {}) - known:
        raise McGurkError(f"{method.title} has no {sorted(unknown)[0]!r}: it has {', '.join(sorted(known))}.")
    try:
        return method(**{name: _tupled(value) for name, value in (values or {}).items()})
    except TypeError as error:
        raise McGurkError(f"A value for {method.title!r} has the wrong type: see its controls.") from error


def to_values(intervention: Intervention) -> dict[str, Any]:
    """Its values as plain lists, numbers and words, only what differs from the default: make() takes them back."""
    defaults = {f.name: f.default for f in fields(intervention)}
    return {name: _listed(value) for name, value in asdict(intervention).items() if value != defaults[name]}


def _tupled(value: Any) -> Any:
    return tuple(_tupled(inner) for inner in value) if isinstance(value, list | tuple) else value


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_listed(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value  # JSON knows no other numbers
