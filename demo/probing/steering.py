"""An intervention as a word that stands in a link, in a form and on the command line: listen~kind~sound~gain~0.5.

Its id, then names and values of its controls in turn, only what differs from the default. Knows controls. Does not know
what any intervention does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from demo.sentences import quoted
from models.interventions import INTERVENTIONS, Control, Intervention, make, to_values
from models.omni import McGurkError

APART = "~"
LONGEST = 2_000  # characters
MOST_POSITIONS = 4_000  # of a region that a word may name
_NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?")
_RUN = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_HEAD = re.compile(r"([0-9]{1,3})h([0-9]{1,3})")


def to_word(intervention: Intervention) -> str:
    """The word that from_word reads back."""
    controls = {control.name: control for control in intervention.controls()}
    parts = [intervention.id]
    for name in to_values(intervention):
        parts += [name, _written(controls[name], getattr(intervention, name))]
    return APART.join(parts)


def from_word(word: str) -> Intervention:
    """The intervention that a word stands for; an empty value is the control's default. Raises McGurkError."""
    if not isinstance(word, str) or len(word) > LONGEST:
        raise McGurkError(f"An intervention is a word of at most {LONGEST} characters, like listen~kind~sound~gain~0.")
    id, *parts = word.split(APART)
    if id not in INTERVENTIONS:
        raise McGurkError(f"There is no intervention {quoted(id)}: choose {', '.join(INTERVENTIONS)}.")
    controls = {control.name: control for control in INTERVENTIONS[id].controls()}
    names, values = parts[::2], parts[1::2]
    if len(names) != len(values) or len({*names}) < len(names):
        raise McGurkError(f"After {id} come names and values in turn, each name once, like {id}~{example(id)}.")
    given = {}
    for name, value in zip(names, values, strict=True):
        if name not in controls:
            raise McGurkError(f"{id} has no {quoted(name)}: it has {', '.join(controls)}.")
        if value:
            given[name] = _read(id, controls[name], value)
    return make(id, given)


def example(id: str) -> str:
    """Names and values that a word with this id may go on with."""
    control = INTERVENTIONS[id].controls()[0]
    return f"{control.name}{APART}{_written(control, control.default)}"


def runs(positions: Iterable[int]) -> str:
    """Whole numbers, ascending, neighbours joined: 3-5.9"""
    ends: list[int] = []
    ordered = sorted({*positions})
    for first, second in pairwise([None, *ordered, None]):
        if first is None or second is None or second != first + 1:
            ends += [one for one in (first, second) if one is not None]
    return ".".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(ends[::2], ends[1::2], strict=True))


def _written(control: Control, value: Any) -> str:
    if value is None:
        return ""
    if control.kind == "layers":
        return f"{value[0]}-{value[1] - 1}"
    if control.kind == "positions":
        return runs(value)
    if control.kind == "heads":
        return ".".join(f"{layer}h{head}" for layer, head in value)
    if control.kind == "number":
        return repr(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def _read(id: str, control: Control, text: str) -> Any:
    """The value of a control. Raises McGurkError if it can't be read; its range is checked when it is used."""
    expected = {
        "number": "a number",
        "layer": "a layer, from -1 on",
        "layers": "layers, like 3-9",
        "positions": "whole numbers, like 3-9.12",
        "heads": "heads, like 3h0.3h2",
    }
    try:
        if control.kind == "number" and _NUMBER.fullmatch(text):
            return float(text)
        if control.kind == "layer" and re.fullmatch("-1|[0-9]{1,3}", text):
            return int(text)
        if control.kind == "layers" and (found := _RUN.fullmatch(text)):
            return int(found[1]), int(found[2] or found[1]) + 1
        if control.kind == "positions":
            return _positions(text)
        if control.kind == "heads":
            return tuple((int(one[1]), int(one[2])) for one in (_HEAD.fullmatch(part) for part in text.split(".")))
        if control.kind == "choice":
            return text
    except (ValueError, TypeError):
        pass
    raise McGurkError(f"{id}: {control.name} is {quoted(text)}; it must be {expected[control.kind]}.")


def _positions(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split("."):
        run = _RUN.fullmatch(part)
        first, last = int(run[1]), int(run[2] or run[1])
        if not first <= last < first + MOST_POSITIONS - len(found):
            raise ValueError
        found += range(first, last + 1)
    return tuple(found)
