"""Asks a ZeroGPU Space for its GPU while a function runs; anywhere else it does nothing.

Knows the `spaces` package, if it is there, and how long an answer takes. Does not know which function it wraps.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

Function = TypeVar("Function", bound=Callable)

# Cautious guesses for a 7B model: asking for too little ends an answer midway. `python -m models.speed` measures.
LOADING, LONGEST = 15.0, 120.0  # s: weights onto the GPU, longest answer
TOKENS_A_SECOND = 6_000.0  # prompt tokens read a second, towers included
SECONDS_A_TOKEN = 0.05  # to write one


def estimate(prompt_tokens: int, new_tokens: int = 24, answers: int = 2) -> float:
    """Seconds of GPU to ask for, from what will be read and written; at most LONGEST."""
    seconds = LOADING + answers * (prompt_tokens / TOKENS_A_SECOND + new_tokens * SECONDS_A_TOKEN)
    return min(LONGEST, seconds)


def gpu(duration: Callable[..., float] | float = 60.0) -> Callable[[Function], Function]:
    """Decorator: run the function with a GPU where the `spaces` package is present; elsewhere return it unchanged.

    duration: seconds, or a function of the same arguments that gives them.
    """

    def decorate(function: Function) -> Function:
        if find_spec("spaces") is None:
            return function
        import spaces

        return spaces.GPU(duration=duration)(function)

    return decorate
