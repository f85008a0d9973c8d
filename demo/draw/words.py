"""The words of a prompt with a strength each: plain text, never HTML.

Knows how pieces make words. Does not know models or what the weights mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from models.omni import Kind, TokenMap

MEDIA = (Kind.VIDEO, Kind.AUDIO)
PROMPT = (Kind.SYSTEM, Kind.INJECTED, Kind.QUESTION, Kind.VIDEO, Kind.AUDIO)  # kinds that are shown by default
LONGEST = 48  # words of one stretch of text; a longer one is folded
HEAD, TAIL = 14, 8  # words that stay of a folded stretch
FAINTEST = 0.02  # of full strength: below, a word is left unshaded


class Shade(NamedTuple):
    """What is shown of a stretch of the prompt."""

    text: str
    strength: float | None  # -1..1; None: nothing to shade
    kind: Kind
    ends: tuple[int, int]  # the first and the last of its positions in the prompt


@dataclass(frozen=True)
class Word:
    """A stretch of text or media without a blank in it."""

    text: str  # as it stands in the prompt, blanks included
    kind: Kind
    weight: float  # summed over its pieces; nan where none of them has one
    ends: tuple[int, int]  # the first and the last of its positions in the prompt


def shaded(
    tokens: TokenMap,
    weights: np.ndarray,
    *,
    kinds: Sequence[Kind] = PROMPT,
    scale: float | None = None,
    shares: bool = True,
) -> list[Shade]:
    """Words in the order of the prompt, and a stretch of picture or sound as one.

    weights: one for each of the T positions; nan: undefined. kinds: what is shown; media stand as "[video × 392]".
    scale: the weight of full strength, the same for every prompt that is to be compared; None: that of the heaviest
    word. shares: the weights are shares of attention, so that sums over folded text and media can be given in percent.
    """
    every = words(tokens, weights, kinds)
    scale = word_scale(tokens, weights, kinds=kinds) if scale is None else scale
    shown: list[Shade] = []
    for kind, stretch in groupby(every, key=lambda word: word.kind):
        run = list(stretch)
        if kind in MEDIA:
            shown.append(Shade(_media(run, shares), None, kind, (run[0].ends[0], run[-1].ends[1])))
        else:
            shown += [Shade(word.text, _strength(word.weight, scale), kind, word.ends) for word in _folded(run, shares)]
    return shown


def word_scale(tokens: TokenMap, *weights: np.ndarray, kinds: Sequence[Kind] = PROMPT) -> float:
    """The largest weight, plus or minus, of any single word under any of these weights; at least a tiny bit."""
    found = [w.weight for one in weights for w in words(tokens, one, kinds) if w.kind not in MEDIA]
    return max((abs(weight) for weight in found if np.isfinite(weight)), default=0.0) or 1e-9


def words(tokens: TokenMap, weights: np.ndarray, kinds: Sequence[Kind] = PROMPT) -> list[Word]:
    """Pieces put together to words, each with the sum of its pieces' weights; video and audio tokens stay single."""
    found = []
    for run in _runs(tokens):
        if tokens.kinds[run[0]] in kinds:
            given = weights[run][np.isfinite(weights[run])]
            text = "".join(tokens.pieces[at] for at in run)
            weight = float(given.sum()) if len(given) else float("nan")
            found.append(Word(text, tokens.kinds[run[0]], weight, (run[0], run[-1])))
    return found


def _runs(tokens: TokenMap) -> Iterator[list[int]]:
    """Positions that belong to one word: a blank before a piece, or after the last one, begins another."""
    run: list[int] = []
    for at, (kind, piece) in enumerate(zip(tokens.kinds, tokens.pieces, strict=True)):
        if run:
            last = tokens.pieces[run[-1]]
            apart = kind in MEDIA or kind is not tokens.kinds[run[-1]] or last[-1:].isspace()
            if apart or piece[:1].isspace():
                yield run
                run = []
        run.append(at)
    if run:
        yield run


def _folded(run: list[Word], shares: bool) -> list[Word]:
    """A stretch of text; of a long one its head and its tail, and between them what was left out, weight summed."""
    if len(run) <= LONGEST:
        return run
    middle = run[HEAD:-TAIL]
    given = [word.weight for word in middle if np.isfinite(word.weight)]
    share = f", {sum(given):.1%} of the attention" if shares and given else ""
    note = f" … [{len(middle):,} more words{share}] …"
    weight = float(sum(given) if shares else np.mean(given)) if given else float("nan")
    ends = middle[0].ends[0], middle[-1].ends[1]
    return [*run[:HEAD], Word(note, middle[0].kind, weight, ends), *run[-TAIL:]]


def _media(run: list[Word], shares: bool) -> str:
    share = f": {np.nansum([word.weight for word in run]):.1%}" if shares else ""
    return f" [{run[0].kind.value} × {len(run)}{share}] "


def _strength(weight: float, scale: float) -> float | None:
    if not np.isfinite(weight) or abs(weight) < FAINTEST * scale:
        return None
    return round(float(np.clip(weight / scale, -1, 1)), 3)
