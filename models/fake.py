"""A model without weights, so that everything around a model can be tested in milliseconds.

It reads the stimulus' true labels instead of its pixels: base believes the picture whatever is asked,
aligned answers about the modality that was asked. Does not know how any real model works.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from models.interventions import Cut, Intervention, Look
from models.interventions.intervention import KIND_OF, PICTURE, SOUND
from models.lens import Said, places_of
from models.omni import (
    ALIGNED,
    BASE,
    SAMPLE_RATE,
    Answer,
    Attention,
    Kind,
    OmniModel,
    Receipt,
    Stimulus,
    TokenMap,
    never,
    unless,
    without_generated,
)

ABSTAIN = "none of the above"
MAX_TIMES, SIDE = 8, 7  # video tokens: at most 8 x 7 x 7
STEPS = 10  # times that an answer looks whether anybody still waits for it
AUDIO_STEP, BANDS = 0.32, 2  # seconds of an audio token; tokens that share each step
SEES, HEARS = {"see", "shown", "visible", "picture"}, {"hear", "sound", "audible"}
PULL = {Kind.SYSTEM: 1.0, Kind.MARKER: 0.5, Kind.VIDEO: 0.6, Kind.AUDIO: 0.3}  # attention per token, others 2


class FakeModel(OmniModel):
    """Answers from the labels after `delay` seconds an answer; its attention sums to 1 along every row."""

    name, adapters, layers, heads = "fake", (BASE, ALIGNED), 6, 3

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay

    def encode(self, stimulus: Stimulus) -> Stimulus:
        return stimulus

    def answer(
        self,
        encoded: Stimulus,
        question: str,
        options: Sequence[str] = (),
        *,
        adapters: Sequence[str] | None = None,
        attention: bool = True,
        steering: Intervention | None = None,
        max_new_tokens: int = 24,
        system: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[str, Answer]]:
        gone = steering.silenced() if steering else frozenset()
        done = {}
        if steering:
            done = {"id": steering.id, "what": steering.says(), "layers": list(range(self.layers)), "rows": "all"}
            done |= {"extra passes": 0, "notes": []}
        for adapter in adapters or self.adapters:
            started = time.perf_counter()
            for _ in range(STEPS):
                unless(stop)
                time.sleep(self.delay / STEPS)
            text = " ".join(_belief(encoded, question, options, adapter, gone).split()[:max_new_tokens])
            tokens = _tokens(encoded, question, system or "You watch and listen.", text)
            rows = _rows(tokens, adapter, question, steering, self.layers, self.heads) if attention else None
            scores = np.array([4.0 if option == text else len(option) % 3 / 2 for option in options])
            odds = np.exp(scores) / np.exp(scores).sum()
            yield (
                adapter,
                Answer(
                    text,
                    dict(zip(options, odds.tolist(), strict=True)),
                    Attention(rows, tokens) if attention else None,
                    _receipt(self.name, adapter, encoded, tokens, done),
                    time.perf_counter() - started,
                    {
                        "picture": [(encoded.seen, 0.9)] if encoded.seen else [],
                        "sound": [(encoded.heard, 0.8)] if encoded.heard else [],
                    },
                ),
            )

    def gist(self, encoded: Stimulus) -> dict[str, np.ndarray]:
        """The picture's mean colour, and how loud the sound is in each of eight bands of pitch."""
        found = {}
        if encoded.frames is not None:
            found["picture"] = encoded.frames.mean((0, 1, 2), dtype=np.float32)
        if encoded.waveform is not None:
            bands = np.array_split(np.abs(np.fft.rfft(encoded.waveform)), 8)
            found["sound"] = np.array([band.mean() for band in bands], np.float32)
        return found

    def lens(self, encoded: Stimulus, question: str, names: Sequence[str], adapter: str, stop=never) -> Said:
        """Picture tokens say what is seen from layer 1 on, sound tokens what is heard; the last what is believed."""
        unless(stop)
        tokens = without_generated(_tokens(encoded, question, "You watch and listen.", ""))
        places = places_of(tokens)
        believed = _belief(encoded, question, names, adapter, frozenset())
        told = {Kind.VIDEO: encoded.seen, Kind.AUDIO: encoded.heard}
        said = [told.get(tokens.kinds[at], believed) for at in places]
        here = np.array([[name == one for name in names] for one in said], np.float32)
        after = np.arange(self.layers)[:, None, None]
        shares = 1.0 / len(names) + np.where(after >= 1, here * 4, 0)
        best = {kind: tuple((told[kind] or "nothing",) * tokens.kinds.count(kind) for _ in after) for kind in told}
        return Said(tuple(names), tokens, places, shares / shares.sum(-1, keepdims=True), best)


def _asked(question: str) -> tuple[bool, bool]:
    """Whether the question is about the picture, and whether it is about the sound."""
    words = set(question.split("Choose one:")[0].lower().replace("?", " ").split())
    return bool(words & SEES), bool(words & HEARS)


def _belief(stimulus: Stimulus, question: str, options: Sequence[str], adapter: str, gone: frozenset) -> str:
    seen = None if stimulus.frames is None or PICTURE in gone else stimulus.seen
    heard = None if stimulus.waveform is None or SOUND in gone else stimulus.heard
    about_picture, about_sound = _asked(question)
    if set(options) == {"yes", "no"}:
        return "yes" if adapter == BASE or seen == heard else "no"
    if adapter == ALIGNED and about_picture and about_sound:
        return f"I see {seen or 'nothing'}, but I hear {heard or 'nothing'}."
    truth = (seen or heard) if adapter == BASE else heard if about_sound else seen
    return truth if truth and (truth in options or not options) else ABSTAIN


def _tokens(stimulus: Stimulus, question: str, system: str, answer: str) -> TokenMap:
    """Exact: first token, system words, video by (time, row, column), audio by step and band, words, answer."""
    times = 0 if stimulus.frames is None else min(MAX_TIMES, len(stimulus.frames))
    seconds = 0.0 if stimulus.waveform is None else len(stimulus.waveform) / SAMPLE_RATE
    places = [(t, r, c) for t in range(times) for r in range(SIDE) for c in range(SIDE)]
    starts = np.repeat(np.arange(int(np.ceil(round(seconds / AUDIO_STEP, 6)))) * AUDIO_STEP, BANDS)
    injected = [(" " + word, Kind.INJECTED) for word in stimulus.text.split()]
    asked = [(" " + word, Kind.QUESTION) for word in question.split()]
    words = injected + asked if stimulus.text_position == "before" else asked + injected
    listed = [("<start>", Kind.SYSTEM), *((" " + word, Kind.SYSTEM) for word in system.split())]
    video_at = len(listed) + 1
    listed += [("<video>", Kind.MARKER), *[("", Kind.VIDEO)] * len(places), ("<audio>", Kind.MARKER)]
    audio_at = len(listed)
    listed += [("", Kind.AUDIO)] * len(starts) + words + [("<answer>", Kind.MARKER)]
    listed += [(" " + word, Kind.GENERATED) for word in answer.split()]
    video, audio = np.full((len(listed), 3), -1), np.full((len(listed), 2), np.nan)
    video[video_at : video_at + len(places)] = np.array(places, dtype=int).reshape(-1, 3)
    audio[audio_at : audio_at + len(starts)] = np.stack([starts, np.minimum(starts + AUDIO_STEP, seconds)], 1)
    frame_times = np.arange(times) * (len(stimulus.frames) / stimulus.fps / times if times else 0.0)
    pieces, kinds = zip(*listed, strict=True)
    grid = (times, SIDE, SIDE) if times else (0, 0, 0)
    return TokenMap(kinds, pieces, video, audio, grid, frame_times, np.arange(len(listed)) == 0)


def _rows(
    tokens: TokenMap, adapter: str, question: str, steering: Intervention | None, layers: int, heads: int
) -> np.ndarray:
    """A blob that crosses the picture, a bump of sound, a heavy first token, and noise seeded by the question."""
    rng = np.random.default_rng(zlib.crc32(f"{adapter} {question}".encode()))
    pull = np.array([PULL.get(kind, 2.0) for kind in tokens.kinds])
    of_video, of_audio = (np.array([kind is k for kind in tokens.kinds]) for k in (Kind.VIDEO, Kind.AUDIO))
    time_, row, column = tokens.video.T
    blob = np.exp(-((row - 2) ** 2 + (column - 1 - time_ / 2) ** 2) / 3)
    bump = np.exp(-((np.nan_to_num(tokens.audio.mean(1)) - 1.5) ** 2))
    see, hear = _asked(question) if adapter == ALIGNED else (True, False)
    pull = np.where(of_video, pull * (0.2 + blob * (4 if see else 1)), pull)
    pull = np.where(of_audio, pull * (0.2 + bump * (8 if hear else 1)), pull)
    pull = np.where(tokens.sinks, pull.sum(), pull)
    for name, kind in KIND_OF.items() if steering else ():
        gain = getattr(steering, name, 1.0) if isinstance(steering, Look) else float(name not in steering.silenced())
        pull[tokens.positions(kind)] *= gain
    if isinstance(steering, Cut):
        pull[list(steering.region)] = 0.0
    generated = tokens.kinds.count(Kind.GENERATED)
    first = len(tokens) - generated - 1  # the last position of the prompt
    visible = np.arange(len(tokens)) <= np.arange(first, first + generated + 1)[:, None]
    rows = pull * visible * rng.uniform(0.6, 1.4, (layers, heads, generated + 1, len(tokens)))
    return (rows / rows.sum(-1, keepdims=True)).astype(np.float16)


def _receipt(model: str, adapter: str, stimulus: Stimulus, tokens: TokenMap, done: dict) -> Receipt:
    frames, sound = stimulus.frames, stimulus.waveform
    prompt = " ".join(
        p.strip() for p, k in zip(tokens.pieces, tokens.kinds, strict=True) if p and k is not Kind.GENERATED
    )
    return Receipt(
        model,
        adapter,
        "",
        tokens.counts(),
        tokens.grid[0],
        stimulus.fps,
        (0, 0) if frames is None else frames.shape[1:3],
        0.0 if sound is None else len(sound) / SAMPLE_RATE,
        prompt.replace("<video>", f"<video x{tokens.kinds.count(Kind.VIDEO)}>").replace(
            "<audio>", f"<audio x{tokens.kinds.count(Kind.AUDIO)}>"
        ),
        "greedy",
        0,
        {"numpy": np.__version__},
        intervention=done,
    )
