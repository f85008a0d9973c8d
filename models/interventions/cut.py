"""Cut: some positions can no longer look at some others, in a window of layers.

Attention knock-out, "Cross-modal Information Flow in Multimodal Large Language Models" (arXiv 2411.18620): scores from
the source to the target are closed. Sources are kinds of tokens, or positions: a patch of a frame, a frame, a stretch
of sound, words, which patch(), frame(), stretch(), words(), between() and whole() find. A target takes the template
tokens along that go with it, so that targets partition all that stands behind the source: in the paper's code these
stay open beside the question, and carry past the cut what was cut off. The target "last" is the prompt's last position
and the answer after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from models.interventions.intervention import (
    ALL,
    KIND_OF,
    KNOCKED_OUT,
    LAST,
    LAST_ROWS,
    PICTURE,
    QUESTION,
    SOUND,
    TEXT,
    Intervention,
    choice,
    chosen_layers,
    everywhere,
    first_of,
    from_last,
    positions,
    several,
    template_of,
    window,
)
from models.omni import Kind, McGurkError, TokenMap

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader


SPAN = 9  # layers of the paper's window
TOUCH = 1e-3  # s by which a token must lie within a stretch of sound: less is a rounding of its ends
REGION, EVERYTHING = "region", "everything after"


@dataclass(frozen=True)
class Cut(Intervention):
    """source: a kind, or "region": the positions of `region`. target: a kind, "last", or "everything after"."""

    id: ClassVar[str] = "cut"
    title: ClassVar[str] = "Cut a line of sight"
    about: ClassVar[str] = "Some tokens can no longer look at some others, in some layers."
    paper: ClassVar[str] = "Cross-modal Information Flow in MLLMs, arXiv 2411.18620"
    fails: ClassVar[str] = "What was read in earlier layers stands elsewhere already, and takes other ways."

    source: str = choice("looks no more at the", (PICTURE, SOUND, TEXT, QUESTION, REGION))
    target: str = choice("who", (LAST, QUESTION, TEXT, SOUND, PICTURE, EVERYTHING))
    layers: tuple[int, int] | None = window()
    region: tuple[int, ...] = several("region", "positions")

    def __bool__(self) -> bool:
        return self.source != REGION or bool(self.region)

    @classmethod
    def usual(cls, asked: str, layers: int) -> Cut:
        """What is not asked about can't be looked at when the answer is given."""
        return cls(source=SOUND if asked == PICTURE else PICTURE, target=EVERYTHING)

    def silenced(self) -> frozenset[str]:
        total = self.layers is None and self.target == EVERYTHING and self.source != REGION
        return frozenset({self.source} if total else ())

    def plan(self, reader: Reader) -> Plan:
        tokens = reader.tokens
        closed = self._region(tokens) if self.source == REGION else positions(tokens, self.source)
        if self.target == EVERYTHING:
            rows = everywhere(tokens)
        elif self.target == LAST:
            rows = from_last(tokens)
        else:
            rows = np.append(positions(tokens, self.target), False)
        after = np.arange(len(rows)) > first_of(closed)
        if not (rows & after).any():
            raise McGurkError(f"The {self.target} stands before the {self.source} and never looks at it: cut another.")
        notes: tuple[str, ...] = ()
        if self.target in KIND_OF:
            template = np.append(template_of(tokens, self.target), False) & after
            rows |= template
            notes = _told(int(template.sum()), self.target)
        layers, touched = chosen_layers(self.layers, reader.layers), LAST_ROWS if self.target == LAST else ALL
        plan = reader.biased([(rows, closed * KNOCKED_OUT)], layers, first_of(rows & after), touched)
        return replace(plan, notes=notes)

    def _region(self, tokens: TokenMap) -> np.ndarray:
        if not self.region:
            raise McGurkError("There is nothing to cut off: choose a patch, a stretch of sound or words.")
        for position in self.region:
            if not 0 <= position < len(tokens):
                raise McGurkError(f"Position {position} is not in the prompt: it has {len(tokens)} positions.")
        closed = np.zeros(len(tokens), bool)
        closed[list(self.region)] = True
        return closed


def _told(template: int, target: str) -> tuple[str, ...]:
    if not template:
        return ()
    tokens, go = ("token", "goes") if template == 1 else ("tokens", "go")
    return (f"{template} {tokens} of the prompt's template, which {go} with the {target}, can't look there either.",)


def along(cut: Cut, layers: int, span: int = SPAN) -> list[Cut]:
    """The same cut in a window of `span` layers around each layer: from max(0, l - span // 2) on."""
    half, rest = span // 2, -(-span // 2)
    return [replace(cut, layers=(max(0, at - half), min(layers, at + rest))) for at in range(layers)]


def patch(tokens: TokenMap, row: int, column: int, times: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Positions of a patch of the picture, in all frames or some."""
    t, r, c = tokens.video.T
    there = (r == row) & (c == column) & ((t >= 0) if not times else np.isin(t, times))
    when = f" in frame {', '.join(map(str, times))}" if times else ""
    return _found(there, f"The picture has no patch ({row}, {column}){when}")


def frame(tokens: TokenMap, time: int) -> tuple[int, ...]:
    """Positions of a whole frame, counted from 0."""
    return _found(tokens.video[:, 0] == time, f"The picture has no frame {time}")


def whole(tokens: TokenMap, kind: str) -> tuple[int, ...]:
    """All positions of a modality: "picture", "sound" or "text"."""
    return tuple(np.flatnonzero(positions(tokens, kind)).tolist())


def stretch(tokens: TokenMap, start: float, end: float) -> tuple[int, ...]:
    """Positions of the sound between two moments, in seconds."""
    begins, ends = np.nan_to_num(tokens.audio, nan=np.inf).T
    there = (begins < end - TOUCH) & (ends > start + TOUCH) & np.isfinite(ends)
    return _found(there, f"There is no sound from {start:g} to {end:g} s")


def words(tokens: TokenMap, text: str, kinds: tuple[Kind, ...] = (KIND_OF[TEXT], KIND_OF[QUESTION])) -> tuple[int, ...]:
    """Positions of the tokens of these kinds that a word or phrase covers, wherever it stands; case does not count.

    Where it stands as whole words these alone are meant: "cat" is not in "category" then.
    """
    spoken = tokens.positions(*kinds)
    pieces = [tokens.pieces[i] for i in spoken]
    starts = np.cumsum([0, *map(len, pieces)])
    there = np.zeros(len(tokens), bool)
    for start, end in _standing("".join(pieces), text) if text.strip() else ():
        covers = (starts[:-1] < end) & (starts[1:] > start)
        for n, piece in enumerate(pieces):  # where a letter goes on from the token before
            covers[n] |= n > 0 and not piece and covers[n - 1]
        there[spoken[covers]] = True
    return _found(there, f"The words {text!r} are not in the prompt")


def _standing(whole: str, text: str) -> list[tuple[int, int]]:
    """Where a text stands as whole words, or else anywhere."""
    for pattern in (rf"(?<!\w)(?=({re.escape(text)})(?!\w))", f"(?=({re.escape(text)}))"):
        if found := [place.span(1) for place in re.finditer(pattern, whole, re.IGNORECASE)]:
            return found
    return []


def between(tokens: TokenMap, first: int, last: int) -> tuple[int, ...]:
    """Positions of the text from one position to another, both included; what isn't text among them is left out."""
    at = tokens.positions(Kind.SYSTEM, Kind.INJECTED, Kind.QUESTION)
    there = np.zeros(len(tokens), bool)
    there[at[(at >= first) & (at <= last)]] = True
    return _found(there, f"There are no words at the positions {first} to {last}")


def _found(there: np.ndarray, otherwise: str) -> tuple[int, ...]:
    if not there.any():
        raise McGurkError(f"{otherwise}: choose what is there.")
    return tuple(int(i) for i in np.flatnonzero(there))
