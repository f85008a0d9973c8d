"""A model of one's own in sixty lines: it measures brightness and loudness, and answers in words.

`MCGURK_MODEL=docs.meter:load python app.py`. Everything but _measure() is what any model needs.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from models.interventions import Intervention
from models.omni import BASE, SAMPLE_RATE, Answer, McGurkError, OmniModel, Receipt, Stimulus, never, unless


class Meter(OmniModel):
    """Bright or dark, loud or quiet. No adapter, and nothing inside to look at."""

    name, adapters, can_look_inside, borrows = "meter", (BASE,), False, False

    def encode(self, stimulus: Stimulus) -> Stimulus:
        return stimulus  # a real model runs its encoders here, once a clip

    def answer(
        self,
        encoded: Stimulus,
        question: str,
        options: Sequence[str] = (),
        *,
        adapters: Sequence[str] | None = None,
        attention: bool = True,
        steering: Intervention | None = None,
        max_new_tokens: int | None = None,
        system: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[str, Answer]]:
        if steering:
            raise McGurkError("The meter has no attention that could be steered.")
        for adapter in adapters or self.adapters:
            unless(stop)
            started = time.perf_counter()
            text, pull = _measure(encoded, question)
            scores = np.exp([pull if option in text else 0.0 for option in options])
            shares = dict(zip(options, (scores / scores.sum()).tolist(), strict=True)) if len(options) else {}
            yield adapter, Answer(text, shares, None, _receipt(encoded, question), time.perf_counter() - started)


def _measure(stimulus: Stimulus, question: str) -> tuple[str, float]:
    """The answer, and how sure the meter is of it."""
    if "hear" in question or "sound" in question:
        level = 0.0 if stimulus.waveform is None else float(np.sqrt(np.mean(np.square(stimulus.waveform))))
        return ("loud" if level > 0.05 else "quiet"), abs(level - 0.05) * 20
    level = 0.0 if stimulus.frames is None else float(stimulus.frames.mean()) / 255
    return ("bright" if level > 0.5 else "dark"), abs(level - 0.5) * 4


def _receipt(given: Stimulus, question: str) -> Receipt:
    frames, sound = given.frames, given.waveform
    shown = (0, (0, 0)) if frames is None else (len(frames), frames.shape[1:3])
    seconds = 0.0 if sound is None else len(sound) / SAMPLE_RATE
    versions = {"numpy": np.__version__}
    return Receipt("meter", BASE, "", {}, shown[0], given.fps, shown[1], seconds, question, "measured", 0, versions)


def load() -> OmniModel:
    """What MCGURK_MODEL=docs.meter:load names."""
    return Meter()
