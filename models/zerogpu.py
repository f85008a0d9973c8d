"""Borrows a ZeroGPU Space's GPU while a model answers; anywhere else it does nothing.

Knows the `spaces` package, if it is there, and how long an answer takes. Does not know which model it lends to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import TypeVar

from models.interventions import Intervention
from models.omni import Answer, McGurkError, OmniModel, Stimulus, longest_answer, never, unless
from models.qwen_omni.family import media_tokens

Function = TypeVar("Function", bound=Callable)

# Cautious guesses for a 7B model: asking for too little ends an answer midway. `python -m models.speed` measures.
LOADING, LONGEST = 15.0, 120.0  # s: weights onto the GPU, longest answer
TOKENS_A_SECOND = 6_000.0  # prompt tokens read a second, towers included
SECONDS_A_TOKEN = 0.05  # to write one
LETTERS = 4  # of text a token


def estimate(prompt_tokens: int, new_tokens: int = 24, answers: int = 2) -> float:
    """Seconds of GPU to ask for, from what will be read and written; at most LONGEST."""
    seconds = LOADING + answers * (prompt_tokens / TOKENS_A_SECOND + new_tokens * SECONDS_A_TOKEN)
    return min(LONGEST, seconds)


def gpu(duration: Callable[..., float] | float = 60.0) -> Callable[[Function], Function]:
    """Decorator: run the function with a GPU where the `spaces` package is present; elsewhere return it unchanged.

    duration: seconds, or a function of the same arguments that gives them.
    """

    def decorate(function: Function) -> Function:
        if not is_here():
            return function
        import spaces

        return spaces.GPU(duration=duration)(function)

    return decorate


def prompt_tokens(stimulus: Stimulus, question: str = "") -> int:
    """About how many tokens a Qwen-Omni reads of a stimulus and a question."""
    shown = (0, 0, 0) if stimulus.frames is None else stimulus.frames.shape[:3]
    played = 0.0 if stimulus.waveform is None else stimulus.duration
    return media_tokens(*shown, played) + len(stimulus.text + question) // LETTERS


def is_here() -> bool:
    """Whether the `spaces` package is present."""
    return find_spec("spaces") is not None


class Borrower(OmniModel):
    """A model that runs wherever `spaces` runs it: a process of its own, which takes and gives back plain values.

    Encoding belongs to the same loan as answering, so encode() only hands the stimulus on.
    """

    def __init__(self, model: OmniModel):
        self.name, self.adapters, self.can_look_inside = model.name, model.adapters, model.can_look_inside
        self.layers, self.heads = model.layers, model.heads

        def lend(
            stimulus: Stimulus, question: str, options: tuple, how: dict
        ) -> Iterator[tuple[str, Answer] | McGurkError]:
            try:
                yield from model.answer(model.encode(stimulus), question, options, **how)
            except McGurkError as error:  # what is raised in there comes out as "worker error", without its sentence
                yield error

        def seconds(stimulus: Stimulus, question: str, options: tuple, how: dict) -> float:
            answers = len(how.get("adapters") or model.adapters)
            return estimate(
                prompt_tokens(stimulus, question), longest_answer(options, how.get("max_new_tokens")), answers
            )

        def lend_sweep(stimulus: Stimulus, question: str, options: tuple, ways: list, how: dict) -> Iterator:
            try:
                yield from model.sweep(model.encode(stimulus), question, options, ways, **how)
            except McGurkError as error:
                yield error

        def seconds_of_sweep(stimulus: Stimulus, question: str, options: tuple, ways: list, how: dict) -> float:
            answers = len(ways) * len(how.get("adapters") or model.adapters)
            return estimate(prompt_tokens(stimulus, question), 0, answers)

        self._lend, self._lend_sweep = gpu(seconds)(lend), gpu(seconds_of_sweep)(lend_sweep)

    def encode(self, stimulus: Stimulus) -> Stimulus:
        return stimulus

    def answer(
        self, encoded: Stimulus, question: str, options: Sequence[str] = (), *, stop: Callable[[], bool] = never, **how
    ) -> Iterator[tuple[str, Answer]]:
        """See OmniModel.answer. Another process can't be asked to stop: it is asked between two answers."""
        unless(stop)
        for given in self._lend(encoded, question, tuple(options), how):
            if isinstance(given, McGurkError):
                raise given
            yield given
            unless(stop)

    def sweep(
        self,
        encoded: Stimulus,
        question: str,
        options: Sequence[str],
        interventions: Sequence[Intervention],
        *,
        stop: Callable[[], bool] = never,
        **how,
    ) -> Iterator[tuple[str, int, dict[str, float]]]:
        """See OmniModel.sweep. It is asked to stop between what arrives."""
        unless(stop)
        for given in self._lend_sweep(encoded, question, tuple(options), list(interventions), how):
            if isinstance(given, McGurkError):
                raise given
            yield given
            unless(stop)
