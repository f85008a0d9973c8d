"""Look again, closer: the model's own attention says where; that part is cut out, and it is asked again with both.

ViCrop, "MLLMs Know Where to Look" (arXiv 2502.17422). Windows of several sizes slide over the map; for each size the
best place counts, and the size whose best place stands out most from its neighbours wins: (its sum - mean of the
neighbours' sums) / cells. In the picture half of the frames stay whole and the others are the same, cut out and
enlarged; in the sound the excerpt follows the whole. The map is the raw attention of the last third of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from models.interventions.intervention import PICTURE, SOUND, Intervention, choice
from models.omni import SAMPLE_RATE, Answer, Attention, Kind, McGurkError, OmniModel, Stimulus

if TYPE_CHECKING:
    from models.interventions.reading import Plan, Reader

OFF, BOTH = "nothing", "picture and sound"
SCALES = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
SIDE, SECONDS = 0.4, 2.0  # of the smallest window: share of the frame's side, s


@dataclass(frozen=True)
class Closer(Intervention):
    """what: the picture, the sound or both."""

    id: ClassVar[str] = "closer"
    title: ClassVar[str] = "Look again, closer"
    about: ClassVar[str] = "Cuts out where it looked and listened most and asks again with both."
    paper: ClassVar[str] = "ViCrop, MLLMs Know Where to Look, arXiv 2502.17422"
    fails: ClassVar[str] = "Where it looked in the wrong place it now sees the wrong thing larger."
    rewrites: ClassVar[bool] = True

    what: str = choice("closer at the", (OFF, PICTURE, SOUND, BOTH))

    def __bool__(self) -> bool:
        return self.what != OFF

    @classmethod
    def usual(cls, asked: str, layers: int) -> Closer:
        return cls(asked)

    def plan(self, reader: Reader) -> Plan:
        raise McGurkError(f"“{self.title}” asks about another clip and can't be part of a sweep: ask it alone.")

    def answered(self, model: OmniModel, encoded: Any, question: str, options, adapters, **how) -> Iterator:
        """Yield (adapter, Answer) as model.answer does, each about its own close-up."""
        stimulus = encoded.stimulus
        for adapter in adapters:
            look = {"adapters": (adapter,), "max_new_tokens": 1, "stop": how["stop"], "system": how["system"]}
            [(_, first)] = model.answer(encoded, question, (), attention=True, **look)
            nearer, notes = self.closeup(stimulus, first.attention)
            [(_, answer)] = model.answer(model.encode(nearer), question, options, adapters=(adapter,), **how)
            yield adapter, _told(answer, self, model.layers, notes, first.seconds)

    def closeup(self, stimulus: Stimulus, attention: Attention) -> tuple[Stimulus, tuple[str, ...]]:
        """The stimulus with what was looked at most added, and what that was. Raises McGurkError if it is not there."""
        notes: tuple[str, ...] = ()
        if self.what in (PICTURE, BOTH):
            if stimulus.frames is None or not attention.tokens.grid[0]:
                raise McGurkError("There is no picture here to work on: choose what is there.")
            (top, left), (height, width) = box(video_map(attention).mean(0), SIDE)
            stimulus = cropped(stimulus, (top, left, height, width), attention.tokens.grid)
            notes += (f"Picture: rows {top} to {top + height - 1}, columns {left} to {left + width - 1} of the map.",)
        if self.what in (SOUND, BOTH):
            weights, spans = audio_map(attention)
            if stimulus.waveform is None or not len(spans):
                raise McGurkError("There is no sound here to work on: choose what is there.")
            step = spans[0, 1] - spans[0, 0]
            (at,), (count,) = box(weights, min(1.0, SECONDS / (step * len(spans))))
            start, end = spans[at, 0], spans[at + count - 1, 1]
            excerpt = stimulus.waveform[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            stimulus = replace(stimulus, waveform=np.concatenate([stimulus.waveform, excerpt]))
            notes += (f"Sound: {start:.1f} to {end:.1f} s, once more at the end.",)
        return stimulus, notes


def _told(answer: Answer, closer: Closer, layers: int, notes: tuple[str, ...], seconds: float) -> Answer:
    done = {"id": closer.id, "what": closer.says(), "layers": list(range(layers)), "rows": "all", "extra passes": 1}
    receipt = replace(answer.receipt, intervention=done | {"notes": list(notes)})
    return replace(answer, receipt=receipt, seconds=answer.seconds + seconds)


def box(weights: np.ndarray, smallest: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(where it begins, how many cells) along each axis: the window that stands out most from its neighbours.

    smallest: share of each axis that the smallest window covers.
    """
    best = None
    sizes = {tuple(max(1, min(n, round(n * smallest * scale))) for n in weights.shape) for scale in SCALES}
    for size in sorted(sizes):
        at, sharpness = standing_out(weights, size)
        if best is None or sharpness > best[0]:
            best = sharpness, at, size
    return best[1], best[2]


def standing_out(weights: np.ndarray, size: tuple[int, ...]) -> tuple[tuple[int, ...], float]:
    """(the best place of a window of that size, how far it stands out from the windows one cell beside it)."""
    places = [range(n - k + 1) for n, k in zip(weights.shape, size, strict=True)]
    sums = {
        at: float(weights[tuple(slice(a, a + k) for a, k in zip(at, size, strict=True))].sum())
        for at in product(*places)
    }
    at = max(sums, key=sums.get)
    steps = [tuple(a + sign * (axis == other) for other, a in enumerate(at)) for axis in range(len(at))
             for sign in (-1, 1)]  # fmt: skip
    beside = [sums[step] for step in steps if step in sums]
    around = sum(beside) / len(beside) if beside else sums[at]  # the whole stands out from nothing
    return at, (sums[at] - around) / float(np.prod(size))


def cropped(stimulus: Stimulus, window: tuple[int, int, int, int], grid: tuple[int, int, int]) -> Stimulus:
    """Half of the frames that the model takes, and the same cut out and enlarged; as long as before."""
    import cv2

    top, left, height, width = window
    frames, (times, rows, columns) = stimulus.frames, grid
    tall, wide = frames.shape[1:3]
    count = max(1, min(len(frames), times) // 2)
    whole = frames[np.floor((np.arange(count) + 0.5) * len(frames) / count).astype(int)]
    part = whole[:, _pixels(top, height, rows, tall), _pixels(left, width, columns, wide)]
    near = np.stack([cv2.resize(one, (wide, tall), interpolation=cv2.INTER_CUBIC) for one in part])
    return replace(stimulus, frames=np.concatenate([whole, near]), fps=2 * count * stimulus.fps / len(frames))


def _pixels(first: int, count: int, cells: int, side: int) -> slice:
    """The pixels of some cells of an axis, at least one however few there are."""
    start = min(round(first / cells * side), side - 1)
    return slice(start, max(start + 1, round((first + count) / cells * side)))


def _row(attention: Attention) -> np.ndarray:
    """float64, T: mean over the heads and the last third of the layers of the prompt's last row."""
    upper = attention.layers - max(1, attention.layers // 3)
    return attention.rows[upper:, :, 0].astype(np.float64).mean((0, 1))


def video_map(attention: Attention) -> np.ndarray:
    """Weight of each place, times x rows x columns."""
    tokens, at = attention.tokens, attention.tokens.positions(Kind.VIDEO)
    places = np.zeros(tokens.grid)
    np.add.at(places, tuple(tokens.video[at].T), _row(attention)[at])
    return places


def audio_map(attention: Attention) -> tuple[np.ndarray, np.ndarray]:
    """(weight of each stretch of sound, n; the stretches, n x 2, s)."""
    at = attention.tokens.positions(Kind.AUDIO)
    if not len(at):
        return np.zeros(0), np.zeros((0, 2))
    spans, place = np.unique(attention.tokens.audio[at], axis=0, return_inverse=True)
    return np.bincount(place.ravel(), _row(attention)[at], len(spans)), spans
