"""Borrows a ZeroGPU Space's GPU while a model answers; anywhere else it does nothing.

Knows the `spaces` package, which may be installed anywhere, and how long an answer takes. Does not know which model it
lends to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, TypeVar

from models.interventions import Intervention
from models.omni import Answer, McGurkError, OmniModel, Stimulus, longest_answer, never, unless

Function = TypeVar("Function", bound=Callable)

# Cautious guesses: asking for too little ends an answer midway. `python -m models.speed` measures.
STARTING, LONGEST = 3.0, 120.0  # s: a process with a GPU, the longest loan
CARRIED = 1.5  # GB of weights a second, from the disk to the GPU
UNCOUNTED = 18.0  # GB of weights, where nobody counted them: those of a 7B model in 16 bits
READ = 110_000.0  # prompt tokens a second, towers included, of a model of one GB
SECONDS_A_TOKEN = 0.05  # to write one
WORKER, ABORTED = "ZeroGPU worker error", "GPU task aborted"  # how `spaces` calls what went wrong in a loan


def estimate(prompt_tokens: int, new_tokens: int = 24, answers: int = 2, gigabytes: float = 0.0) -> float:
    """Seconds of GPU to ask for, from what will be moved, read and written; at most LONGEST.

    gigabytes: of the model's weights; 0.0: nobody counted them.
    """
    weights = gigabytes or UNCOUNTED
    seconds = answers * (prompt_tokens * weights / READ + new_tokens * SECONDS_A_TOKEN)
    return min(LONGEST, STARTING + weights / CARRIED + seconds)


def is_here() -> bool:
    """Whether this is a ZeroGPU Space, as ZeroGPU itself says."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def gpu(duration: Callable[..., float] | float = 60.0) -> Callable[[Function], Function]:
    """Decorator: on ZeroGPU the function is run in a process that has a GPU; elsewhere it stays as it is.

    duration: seconds, or a function of the same arguments that gives them.
    """

    def decorate(function: Function) -> Function:
        if not is_here():
            return function
        import spaces

        return spaces.GPU(duration=duration)(function)

    return decorate


def declare() -> None:
    """Say, before anything is served, that a GPU may be borrowed: ZeroGPU ends an application that never says so.

    A model that answers on the CPU needs no more than this. Before one that borrows is loaded, in the same thread: what
    stands for CUDA there is known to no other, and transformers would load weights in several.
    """
    if is_here():
        os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"
    gpu(STARTING)(_nothing)


def _nothing() -> None:
    """What is declared and never called."""


class Borrower(OmniModel):
    """A model that runs wherever `spaces` runs it: a process of its own, which takes and gives back plain values.

    Encoding belongs to the same loan as answering; what needs no GPU is done before, and maps come back reduced to what
    is drawn of them.
    """

    def __init__(self, model: OmniModel):
        self.name, self.adapters, self.can_look_inside = model.name, model.adapters, model.can_look_inside
        self.layers, self.heads, self.gigabytes = model.layers, model.heads, model.gigabytes
        self.fps, self.pixels = model.fps, model.pixels
        self.lightened, self.expected_tokens = model.lightened, model.expected_tokens

        def lend(stimulus: Stimulus, question: str, options: tuple, how: dict) -> Iterator:
            try:
                for adapter, answer in model.answer(model.encode(stimulus), question, options, **how):
                    yield adapter, _reduced(answer)
            except McGurkError as error:  # what is raised in there comes out as "worker error", without its sentence
                yield error

        def seconds(stimulus: Stimulus, question: str, options: tuple, how: dict) -> float:
            answers = len(how.get("adapters") or model.adapters)
            return self._seconds(stimulus, question, longest_answer(options, how.get("max_new_tokens")), answers)

        def lend_sweep(stimulus: Stimulus, question: str, options: tuple, ways: list, how: dict) -> Iterator:
            try:
                yield from model.sweep(model.encode(stimulus), question, options, ways, **how)
            except McGurkError as error:
                yield error

        def seconds_of_sweep(stimulus: Stimulus, question: str, options: tuple, ways: list, how: dict) -> float:
            return self._seconds(stimulus, question, 0, len(ways) * len(how.get("adapters") or model.adapters))

        self._lend, self._lend_sweep = gpu(seconds)(lend), gpu(seconds_of_sweep)(lend_sweep)

    def _seconds(self, stimulus: Stimulus, question: str, new_tokens: int, answers: int) -> int:
        seconds = estimate(self.expected_tokens(stimulus, question), new_tokens, answers, self.gigabytes)
        return ceil(seconds)  # the package cuts what lies behind the point

    def encode(self, stimulus: Stimulus) -> Stimulus:
        """What will be carried into the loan."""
        return self.lightened(stimulus)

    def answer(
        self, encoded: Stimulus, question: str, options: Sequence[str] = (), *, stop: Callable[[], bool] = never, **how
    ) -> Iterator[tuple[str, Answer]]:
        """See OmniModel.answer. Another process can't be asked to stop: it is asked between two answers."""
        unless(stop)
        yield from _carried(self._lend(encoded, question, tuple(options), how), stop)

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
        yield from _carried(self._lend_sweep(encoded, question, tuple(options), list(interventions), how), stop)


def _reduced(answer: Answer) -> Answer:
    return replace(answer, attention=answer.attention and answer.attention.reduced())


def _carried(lent: Iterator, stop: Callable[[], bool]) -> Iterator[Any]:
    """What comes out of a loan. Raises McGurkError for one that came out as a value, and where no GPU is lent."""
    try:
        for given in lent:
            if isinstance(given, McGurkError):
                raise given
            yield given
            unless(stop)
    except _refusals() as error:
        raise _told(error) from error


def _told(error: Exception) -> Exception:
    """The sentence for what `spaces` raises; a fault of the code stays what it is."""
    said = str(getattr(error, "message", error)).strip().rstrip(".")  # its str() is quoted
    if getattr(error, "title", "") != WORKER:
        return McGurkError(f"ZeroGPU lent no GPU for this ({said}): try again later, or duplicate this Space.")
    if said != ABORTED:
        return error
    return McGurkError(f"ZeroGPU took its GPU back before the answer was there ({said}): shorten the clip or the text.")


def _refusals() -> tuple[type[Exception], ...]:
    """What `spaces` raises where it lends nothing, or takes back what it lent."""
    if not is_here():
        return ()
    import gradio
    import httpx

    return gradio.Error, httpx.HTTPError, RuntimeError
