"""The state of the Lab page as a link: clip, conflict, question and view in a query string, and back.

Knows the keys of a link and which values each may have. Does not know pages, files or models.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from demo import conflicts, questions
from demo.conflicts import Conflict
from demo.probing import steering
from models.interventions import Intervention
from models.omni import McGurkError

OPTION_MODES = ("options", "free", "own")  # drawn from the vocabulary / a free answer / the visitor's own list
VIEWS = ("raw", "difference", "relative")  # the map itself, this question minus the other, relative to a neutral prompt
LAST_LAYERS = -1  # stands for the model's default: the mean over its last third
ALL_HEADS = -1
MAX_LAYER = MAX_HEAD = 127
MAX_FRAME = 600
MAX_STEP = 95
MAX_LINK = 4_000  # characters; servers and messengers cut longer ones
OWN = "own-"  # how the ids of clips begin that are not in the gallery but the visitor's own

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class State:
    """Everything on the page that a link carries."""

    clip: str = ""  # id of a gallery clip; "": the page's first
    conflict: Conflict = field(default_factory=Conflict)
    question: str = "see"  # one of questions.KINDS
    wording: int = 0
    own: str = ""  # the visitor's own question; "": the wording
    answers: str = "options"  # one of OPTION_MODES
    options: tuple[str, ...] = ()  # for answers="own"
    layer: int = LAST_LAYERS
    head: int = ALL_HEADS
    view: str = "raw"  # one of VIEWS
    sink: bool = False  # whether the first token's share is shown
    step: int = 0  # which token of the answer the maps belong to
    frame: int = 0
    does: Intervention | None = None  # what is done to the models when they are asked once more


def to_query(state: State) -> str:
    """The state as a query string without "?", only what differs from the default; "" for the default state.

    Raises McGurkError if it can't be linked: an uploaded clip, a value out of range, or far too much text.
    """
    if has_own(state):
        raise McGurkError("A link can't carry a clip of your own: save the situation as a file instead.")
    pairs = []
    for key, code in CODES.items():
        value = code.get(state)
        if value != code.get(_DEFAULT):
            pairs.append((key, code.write(value)))
    try:
        query = urlencode(pairs, quote_via=quote)
    except UnicodeEncodeError as error:
        raise McGurkError("The text has characters that can't be written into a link: type it again.") from error
    if len(query) > MAX_LINK:
        raise McGurkError(f"The link would have {len(query)} characters, the limit is {MAX_LINK}: shorten the text.")
    if from_query(query) != state:
        raise McGurkError("This state can't be written into a link: check clip, options and text.")
    return query


def is_own(id: str) -> bool:
    """Whether an id stands for a clip that the visitor brought."""
    return id.startswith(OWN)


def has_own(state: State) -> bool:
    """Whether a clip that the visitor brought is seen or heard."""
    return is_own(state.clip) or is_own(state.conflict.other)


def from_query(query: str | Mapping[str, str]) -> State:
    """The state that a query string (with or without "?") or a mapping of its keys stands for.

    Raises McGurkError, naming the key, for an unknown or repeated key and for a value that is not allowed.
    """
    given: dict[str, Any] = {}
    for key, text in _pairs(query):
        if key not in CODES:
            raise McGurkError(f"The link has an unknown part {key[:40]!r}: it knows {', '.join(CODES)}.")
        if key in given:
            raise McGurkError(f"The link gives {key!r} twice: give it once.")
        given[key] = CODES[key].checked_read(key, text)
    of_conflict = {CODES[key].name: value for key, value in given.items() if CODES[key].of_conflict}
    of_state = {CODES[key].name: value for key, value in given.items() if not CODES[key].of_conflict}
    state = State(conflict=Conflict(**of_conflict), **of_state)
    _check_question(state)
    return state


@dataclass(frozen=True)
class Code:
    """How one field is written into a link and read from it."""

    name: str  # of the field
    read: Callable[[str], Any]  # raises ValueError, or McGurkError, for a value that is not allowed
    expected: str  # what is allowed, for messages
    write: Callable[[Any], str] = str
    of_conflict: bool = False

    def get(self, state: State) -> Any:
        return getattr(state.conflict if self.of_conflict else state, self.name)

    def checked_read(self, key: str, text: str) -> Any:
        try:
            return self.read(text)
        except ValueError as error:
            raise McGurkError(f"The link's {key!r} is {text[:40]!r}: it must be {self.expected}.") from error


def _choice(name: str, allowed: Iterable[str], of_conflict: bool = False) -> Code:
    allowed = tuple(allowed)

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return Code(name, read, "one of " + ", ".join(allowed), of_conflict=of_conflict)


def _whole(name: str, low: int, high: int, of_conflict: bool = False) -> Code:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,6}", text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return Code(name, read, f"a whole number from {low} to {high}", of_conflict=of_conflict)


def _decimal(name: str, low: float, high: float) -> Code:
    def read(text: str) -> float:
        if not re.fullmatch(r"-?[0-9.]{1,24}(e-?[0-9]{1,3})?", text):
            raise ValueError
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError
        return value

    return Code(name, read, f"a number from {low:g} to {high:g}", _shortest, of_conflict=True)


def _shortest(number: float) -> str:
    return repr(int(number)) if float(number).is_integer() else repr(float(number))


def _id(name: str, of_conflict: bool = False) -> Code:
    def read(text: str) -> str:
        if is_own(text):
            raise McGurkError("The link names a visitor's own clip, which existed only in its session: choose a clip.")
        if not _ID.fullmatch(text):
            raise ValueError
        return text

    return Code(name, read, "the id of a gallery clip", of_conflict=of_conflict)


def _text(name: str, longest: int, of_conflict: bool = False) -> Code:
    def read(text: str) -> str:
        if not text or len(text) > longest or not all(letter.isprintable() or letter == "\n" for letter in text):
            raise ValueError
        return text

    return Code(name, read, f"text of 1 to {longest} printable characters", of_conflict=of_conflict)


def _read_options(text: str) -> tuple[str, ...]:
    return questions.checked_options(text.split(","))


def _read_flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError
    return text == "1"


def _seconds(name: str, low: float = 0.0) -> Code:
    return _decimal(name, low, conflicts.MAX_SECONDS)


CODES: dict[str, Code] = {
    "clip": _id("clip"),
    "sound": _choice("sound", conflicts.SOUNDS, of_conflict=True),
    "other": _id("other", of_conflict=True),
    "from": _seconds("swap_from"),
    "to": _seconds("swap_to"),
    "shift": _seconds("shift", -conflicts.MAX_SECONDS),
    "snr": _decimal("noise_db", *conflicts.NOISE_RANGE),
    "picture": _choice("picture", conflicts.PICTURES, of_conflict=True),
    "text": _choice("text", conflicts.TEXTS, of_conflict=True),
    "says": _text("caption", conflicts.MAX_FREE, of_conflict=True),
    "at": _choice("text_position", conflicts.POSITIONS, of_conflict=True),
    "tokens": _whole("long_tokens", 1, conflicts.MAX_TOKENS, of_conflict=True),
    "ask": _choice("question", questions.KINDS),
    "wording": _whole("wording", 0, max(map(len, questions.WORDINGS.values())) - 1),
    "own": _text("own", questions.MAX_OWN),
    "answers": _choice("answers", OPTION_MODES),
    "options": Code("options", _read_options, "2 or more options with commas between", ",".join),
    "layer": _whole("layer", LAST_LAYERS, MAX_LAYER),
    "head": _whole("head", ALL_HEADS, MAX_HEAD),
    "view": _choice("view", VIEWS),
    "sink": Code("sink", _read_flag, "0 or 1", lambda flag: str(int(flag))),
    "token": _whole("step", 0, MAX_STEP),
    "frame": _whole("frame", 0, MAX_FRAME),
    "do": Code("does", steering.from_word, "an intervention", steering.to_word),
}

_DEFAULT = State()
# a field without a code would silently be left out of every link
assert {code.name for code in CODES.values()} | {"conflict"} == {
    each.name for each in (*fields(State), *fields(Conflict))
}


def _pairs(query: str | Mapping[str, str]) -> list[tuple[str, str]]:
    if isinstance(query, Mapping):
        return list(query.items())
    query = query.removeprefix("?")
    if len(query) > MAX_LINK:
        raise McGurkError(f"The link has {len(query)} characters, the limit is {MAX_LINK}: it is no link of this page.")
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError as error:
        raise McGurkError("The link is damaged: copy it again.") from error


def _check_question(state: State) -> None:
    if (state.answers == "own") != bool(state.options):
        raise McGurkError("The link's options and its answers=own belong together: give both or neither.")
    questions.question(state.question, state.options, state.wording, state.own)
