"""Regions of a prompt: what a visitor picked as positions to cut off, and positions said in words again.

A pick is a word: pick~of~MARK~patch~3.4~patch~2.0.5~frame~2~sound~1.28-1.6~words~40-41~text~dog~whole~sound. of: the
mark() of the prompt that it was picked in; patch: row.column, of all frames, or row.column.frame; frame: a whole one;
sound: seconds; words: positions, first and last; text: a word or phrase, wherever it stands; whole: all of a modality.
Rows, columns and frames are counted from 0 there, and from 1 where they are told. Knows TokenMaps. Does not know pages,
or how a region is cut off.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import groupby

import numpy as np

from demo import maps
from demo.probing import steering
from demo.sentences import quoted, shortened
from models.interventions import Cut
from models.interventions import cut as cuts
from models.interventions.cut import EVERYTHING, REGION
from models.interventions.intervention import MODALITIES
from models.omni import Kind, McGurkError, TokenMap

PICK = "pick"
LONGEST = 40_000  # characters of a pick: every patch of a large frame
MOMENTS = 40  # stretches that a sound is offered in, at most: a finger is wide
JOINED = 0.01  # s between two stretches that are told as one
FEW = 3  # of a kind that are named one by one
NOTHING = "Nothing is picked yet: click a patch, a stretch of sound or a word first."
TEXTS = {Kind.SYSTEM: "instructions", Kind.INJECTED: "injected text", Kind.QUESTION: "question"}
_PATCH = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?")
_FRAME = re.compile(r"[0-9]{1,4}")
_SOUND = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)-([0-9]{1,5}(?:\.[0-9]{1,3})?)")
_WORDS = re.compile(r"([0-9]{1,6})-([0-9]{1,6})")


def is_pick(word: str) -> bool:
    """Whether a word says what was picked, rather than what is done."""
    return word.partition(steering.APART)[0] == PICK


def cut(tokens: TokenMap, word: str) -> Cut:
    """Nothing that stands behind the picked places can look at them, in any layer.

    tokens: of the prompt, without the answer. Raises McGurkError for a pick that can't be read, of another prompt, of
    nothing, of a place that is not there, or of more places than a link can carry.
    """
    it = Cut(REGION, EVERYTHING, region=positions(tokens, word))
    if len(it.region) > steering.MOST_POSITIONS or len(steering.to_word(it)) > steering.LONGEST:
        raise McGurkError("This is too much to cut piece by piece: pick fewer places, or such that lie together.")
    return it


def positions(tokens: TokenMap, word: str) -> tuple[int, ...]:
    """The positions of a pick, ascending. Raises McGurkError, see cut()."""
    head, *parts = word[: LONGEST + 1].split(steering.APART)
    if head != PICK or len(parts) % 2 or len(word) > LONGEST:
        raise McGurkError(f"A pick is a word like pick~patch~3.4~sound~1.28-1.6~text~dog, not {quoted(word)}.")
    found: set[int] = set()
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        if name != "of":
            found.update(_found(tokens, name, value))
        elif value != mark(tokens):
            raise McGurkError("Another question was asked since this was picked: pick it again.")
    if not found:
        raise McGurkError(NOTHING)
    return tuple(sorted(found))


def mark(tokens: TokenMap) -> str:
    """A short word that is the same for the same prompt only. tokens: of the prompt, without the answer."""
    content = blake2b(repr((tokens.kinds, tokens.pieces)).encode(), digest_size=6)
    content.update(np.ascontiguousarray(tokens.video, np.int64).tobytes())
    content.update(np.ascontiguousarray(tokens.audio, np.float64).tobytes())
    return content.hexdigest()


def moments(tokens: TokenMap) -> tuple[tuple[float, float], ...]:
    """The stretches (start, end in s) that a sound is picked by, neighbours together where there are very many."""
    spans = np.unique(tokens.audio[tokens.positions(Kind.AUDIO)], axis=0)
    width = max(1, -(-len(spans) // MOMENTS))
    return tuple((float(spans[at, 0]), float(spans[at : at + width][-1, 1])) for at in range(0, len(spans), width))


def moved(tokens: TokenMap, region: Iterable[int], other: TokenMap) -> tuple[int, ...]:
    """The same places in another prompt, as far as it has them; both without their answers."""
    chosen = np.isin(np.arange(len(tokens)), list(region)).astype(float)
    return tuple(np.flatnonzero(maps.matched(other, tokens, chosen) == 1).tolist())


def told(tokens: TokenMap, region: Iterable[int]) -> str:
    """What these positions of a prompt are: "row 3, column 4 in all frames and 1.00 to 2.00 s of the sound"."""
    chosen = sorted({*region})
    here = [at for at in chosen if 0 <= at < len(tokens)]
    by_kind: dict[Kind, list[int]] = defaultdict(list)
    for at in here:
        by_kind[tokens.kinds[at]].append(at)
    parts = [*_patches(tokens, by_kind.pop(Kind.VIDEO, [])), *_sound(tokens, by_kind.pop(Kind.AUDIO, []))]
    for kind, places in by_kind.items():
        parts.append(_words(tokens, kind, places) if kind in TEXTS else _count(len(places), kind.value))
    if len(here) < len(chosen):
        parts.append(f"{_count(len(chosen) - len(here), 'position')} that this prompt does not have")
    return _listed(parts)


def _found(tokens: TokenMap, name: str, value: str) -> tuple[int, ...]:
    if name == "patch" and (given := _PATCH.fullmatch(value)):
        row, column, *time = (int(number) for number in given.groups() if number is not None)
        return cuts.patch(tokens, row, column, tuple(time))
    if name == "frame" and _FRAME.fullmatch(value):
        return cuts.frame(tokens, int(value))
    if name == "whole" and value in MODALITIES:
        return cuts.whole(tokens, value)
    if name == "sound" and (given := _SOUND.fullmatch(value)):
        return cuts.stretch(tokens, float(given[1]), float(given[2]))
    if name == "words" and (given := _WORDS.fullmatch(value)):
        return cuts.between(tokens, int(given[1]), int(given[2]))
    if name == "text":
        return cuts.words(tokens, value)
    raise McGurkError(f"{quoted(name)} can't be picked at {quoted(value)}: pick patches, frames, sound, words or text.")


def _patches(tokens: TokenMap, places: Sequence[int]) -> list[str]:
    times = tokens.grid[0]
    if not places:
        return []
    if len(places) == tokens.kinds.count(Kind.VIDEO):
        return ["the whole picture"]
    seen: dict[tuple[int, int], set[int]] = defaultdict(set)
    for time, row, column in tokens.video[list(places)].tolist():
        seen[row, column].add(time)
    every = tokens.grid[1] * tokens.grid[2]
    full = {time for time in range(times) if sum(time in when for when in seen.values()) == every}
    always = [patch for patch, when in seen.items() if len(when) == times]
    now_and_then = {patch: when - full for patch, when in seen.items() if len(when) < times and when - full}
    parts = [f"{_patch_names(always)} {'in all frames' if times > 1 else 'of the picture'}"] if always else []
    if full:
        whole = f"the whole {_frames(tokens, full)}"
        parts.append(whole if len(full) <= FEW else f"{len(full)} of {times} frames as a whole")
    if len(now_and_then) > FEW:
        shown = {time for when in now_and_then.values() for time in when}
        where = f"the {_frames(tokens, shown)}" if len(shown) <= FEW else f"{len(shown)} of {times} frames"
        parts.append(f"{_patch_names([*now_and_then])} in {where}")
        return parts
    together: dict[frozenset[int], list[tuple[int, int]]] = defaultdict(list)
    for patch, when in now_and_then.items():
        together[frozenset(when)].append(patch)
    for when, patches in together.items():
        where = f"the {_frames(tokens, when)}" if len(when) <= FEW else f"{len(when)} of {times} frames"
        parts.append(f"{_patch_names(patches)} of {where}")
    return parts


def _patch_names(patches: Sequence[tuple[int, int]]) -> str:
    if len(patches) > FEW:
        return f"{len(patches)} patches"
    return _listed([f"row {row + 1}, column {column + 1}" for row, column in sorted(patches)])


def _frames(tokens: TokenMap, times: Iterable[int]) -> str:
    """ "frame at 1.0 s" or "frames at 1.0 and 1.5 s"."""
    chosen = sorted(times)
    return f"frame{'s' * (len(chosen) > 1)} at {_listed([f'{tokens.frame_times[time]:.1f}' for time in chosen])} s"


def _sound(tokens: TokenMap, places: Sequence[int]) -> list[str]:
    if not places:
        return []
    every = tokens.positions(Kind.AUDIO)
    if len(places) == len(every):
        return ["the whole sound"]
    spans = np.unique(tokens.audio[list(places)], axis=0)
    alike = (tokens.audio[every][:, None] == spans).all(-1).any(1)
    runs: list[list[float]] = []
    for start, end in spans.tolist():
        if runs and start <= runs[-1][1] + JOINED:
            runs[-1][1] = max(end, runs[-1][1])
        else:
            runs.append([start, end])
    some = "some frequencies of " if len(places) < alike.sum() else ""
    if len(runs) > FEW:
        return [f"{some}{sum(end - start for start, end in runs):.1f} s of the sound in {len(runs)} pieces"]
    return [f"{some}{_listed([f'{start:.2f} to {end:.2f}' for start, end in runs])} s of the sound"]


def _words(tokens: TokenMap, kind: Kind, places: Sequence[int]) -> str:
    """Neighbours are told as one."""
    if kind is Kind.INJECTED and len(places) == tokens.kinds.count(kind) > 1:
        return f"the whole {TEXTS[kind]}"
    runs = [[at for _, at in run] for _, run in groupby(enumerate(places), lambda pair: pair[1] - pair[0])]
    said = [shortened("".join(tokens.pieces[at] for at in run).strip()) for run in runs]
    count = sum(max(1, len(one.split())) for one in said)
    named = [f"“{one if len(one) <= 40 else one[:37] + '...'}”" for one in said[:FEW]]
    more = [f"{len(said) - FEW} more"] if len(said) > FEW else []
    return f"the word{'s' * (count > 1)} {_listed(named + more)} of the {TEXTS[kind]}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
