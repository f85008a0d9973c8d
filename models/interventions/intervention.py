"""What every intervention is: a frozen value with controls, which plans what it does to one prompt.

Knows controls and kinds of tokens. Does not know any one method, nor what a plan holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from models.omni import Kind, McGurkError, TokenMap

if TYPE_CHECKING:  # they need torch, and a page that only lists interventions does not
    from models.interventions.reading import Plan, Reader

KNOCKED_OUT = -1e4  # added to a score: its weight is 0 in every dtype in use, and a row is never all -inf
PICTURE, SOUND, TEXT, QUESTION, LAST = "picture", "sound", "text", "question", "last"
KIND_OF = {PICTURE: Kind.VIDEO, SOUND: Kind.AUDIO, TEXT: Kind.INJECTED, QUESTION: Kind.QUESTION}
MODALITIES = (PICTURE, SOUND, TEXT)
# what stands in for a modality that a second pass goes without
REMOVED, BLANK, LEARNED = "removed", "blank", "learned"
ALL, LAST_ROWS = "all", "last"  # rows touched: prefill and answer, or from the prompt's last position on


@dataclass(frozen=True)
class Control:
    """One thing that can be set, for pages and links."""

    name: str  # of the field
    label: str
    kind: str  # "number", "choice", "layers" (first, last + 1; None: all), "layer", "heads" or "positions"
    default: Any
    neutral: Any = None  # the value that changes nothing, where there is one
    low: float = 0.0
    high: float = 1.0
    step: float = 0.1
    choices: tuple[str, ...] = ()


def number(label: str, default: float, low: float, high: float, step: float = 0.1, neutral: float | None = None):
    """A dataclass field that is a number from low to high."""
    return field(default=default, metadata=dict(label=label, kind="number", low=low, high=high, step=step,
                                                neutral=neutral))  # fmt: skip


def choice(label: str, choices: Sequence[str], default: str | None = None):
    """A dataclass field that is one of several words."""
    default = choices[0] if default is None else default
    return field(default=default, metadata=dict(label=label, kind="choice", choices=tuple(choices)))


def window(label: str = "in layers"):
    """A dataclass field: (first, last + 1) text layers; None: all."""
    return field(default=None, metadata=dict(label=label, kind="layers"))


def layer(label: str):
    """A dataclass field: one layer, -1 for before all; None: it changes nothing."""
    return field(default=None, metadata=dict(label=label, kind="layer", low=-1, high=127, step=1))


def several(label: str, kind: str):
    """A dataclass field: a tuple of whole numbers ("positions") or of pairs (layer, head) ("heads")."""
    return field(default=(), metadata=dict(label=label, kind=kind))


class Intervention(ABC):
    """A frozen dataclass: its fields are its controls. False: it would change nothing.

    id: as in links. title: what it does, in a visitor's words. about: one sentence. paper: where it is from. fails:
    where it does.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    paper: ClassVar[str]
    fails: ClassVar[str]
    presets: ClassVar[dict[str, dict[str, Any]]] = {}  # name -> values
    rewrites: ClassVar[bool] = False  # asks about a changed clip: its answered() takes the place of plan()

    @abstractmethod
    def __bool__(self) -> bool:
        """Whether anything would change."""

    @abstractmethod
    def plan(self, reader: Reader) -> Plan:
        """What it does to this prompt. Raises McGurkError where it can't: nothing to work on, a value out of range."""

    @classmethod
    def usual(cls, asked: str, layers: int) -> Intervention:
        """What one would try for a question about the "picture" or the "sound", in a model of that many layers."""
        return cls()

    def silenced(self) -> frozenset[str]:
        """Modalities that nothing can come through from."""
        return frozenset()

    def says(self) -> str:
        """What it does with these values, in a few words."""
        shown = ((c, getattr(self, c.name)) for c in self.controls())
        return ", ".join(f"{c.label} {_said(c, value)}" for c, value in shown if value not in (None, (), c.neutral))

    @classmethod
    def controls(cls) -> tuple[Control, ...]:
        """Its controls, in order."""
        return tuple(Control(name=f.name, default=f.default, **f.metadata) for f in fields(cls) if f.metadata)

    def __post_init__(self) -> None:
        for control in self.controls():
            _check(self, control)


def _check(intervention: Intervention, control: Control) -> None:
    value, where = getattr(intervention, control.name), f"{intervention.title}: {control.label}"
    if control.kind == "choice" and value not in control.choices:
        raise McGurkError(f"{where} is one of {', '.join(control.choices)}, not {value!r}.")
    if control.kind == "number" and not (_is(value, Real) and control.low <= value <= control.high):
        raise McGurkError(f"{where} is a number from {control.low:g} to {control.high:g}, not {value!r}.")
    if control.kind == "layer" and value is not None and not (_is(value, Integral) and value >= -1):
        raise McGurkError(f"{where} is the number of a layer, -1 for before all, not {value!r}.")
    if control.kind == "layers" and value is not None and not (_are(value, 2) and value[0] < value[1]):
        raise McGurkError(f"{where} is the first layer and the one after the last, not {value!r}.")
    if control.kind == "positions" and not _are(value):
        raise McGurkError(f"{where} are whole numbers from 0 on, not {value!r}.")
    if control.kind == "heads" and not (isinstance(value, tuple) and all(_are(pair, 2) for pair in value)):
        raise McGurkError(f"{where} are pairs of a layer and a head, not {value!r}.")


def _is(value: Any, kind: type) -> bool:
    """Whether it is a number of that kind; True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _are(value: Any, count: int | None = None) -> bool:
    """Whether it is a tuple of whole numbers from 0 on, of so many where that is told."""
    whole = isinstance(value, tuple) and all(_is(one, Integral) and one >= 0 for one in value)
    return whole and count in (None, len(value))


def _said(control: Control, value: Any) -> str:
    if control.kind == "layers":
        return f"{value[0]} to {value[1] - 1}"
    if control.kind == "number":
        return f"{value:g}"
    if isinstance(value, tuple) and len(value) > 4:
        return f"{', '.join(map(str, value[:3]))} and {len(value) - 3} more"
    return str(value)


def chosen_layers(window: tuple[int, int] | None, count: int) -> tuple[int, ...]:
    """The layers of a window. Raises McGurkError if the model has not so many."""
    first, last = window or (0, count)
    if not 0 <= first < last <= count:
        raise McGurkError(f"There are no layers {first} to {last - 1}: choose from 0 to {count - 1}.")
    return tuple(range(first, last))


def positions(tokens: TokenMap, *names: str) -> np.ndarray:
    """bool, P: positions of the prompt of these kinds ("picture", "sound", "text", "question", "last").

    "last" is the prompt's last position. Raises McGurkError if one of them is not there.
    """
    found = np.zeros(len(tokens), bool)
    for name in names:
        at = [len(tokens) - 1] if name == LAST else tokens.positions(KIND_OF[name])
        if not len(at):
            missing = "injected text" if name == TEXT else name
            raise McGurkError(f"There is no {missing} here to work on: choose what is there.")
        found[at] = True
    return found


def template_of(tokens: TokenMap, name: str) -> np.ndarray:
    """bool, P: template tokens that go with a kind: those between what else is there that introduce it.

    What closes the prompt goes with the question, but for the last position, which is "last". Left open beside a kind
    that is cut off, they would carry on what they read.
    """
    found = np.zeros(len(tokens), bool)
    of, begun = {Kind.QUESTION}, min((tokens.kinds.index(k) for k in KIND_OF.values() if k in tokens.kinds), default=0)
    for at in range(len(tokens) - 1, begun - 1, -1):
        if tokens.kinds[at] in KIND_OF.values():
            of = {tokens.kinds[at]}
        else:
            found[at] = KIND_OF[name] in of and at < len(tokens) - 1
    return found


def everywhere(tokens: TokenMap) -> np.ndarray:
    """Rows of every position, P + 1."""
    return np.ones(len(tokens) + 1, bool)


def from_last(tokens: TokenMap) -> np.ndarray:
    """Rows of the prompt's last position and of those after it, P + 1."""
    return np.arange(len(tokens) + 1) >= len(tokens) - 1


def rows_of(tokens: TokenMap, rows: str) -> np.ndarray:
    """ALL or LAST_ROWS as rows, P + 1."""
    return everywhere(tokens) if rows == ALL else from_last(tokens)


def first_of(rows: np.ndarray) -> int:
    """The first position that holds; the number of rows if none does."""
    return int(rows.argmax()) if rows.any() else len(rows)
